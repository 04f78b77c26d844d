using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Observability;

/// <summary>
/// An event as those who only look on see it: by its wire name and the members of its data, never by its CLR type. A
/// kind or a member that this version does not know is no fault here. Valid until disposed.
/// </summary>
internal sealed class EventView(RecordedEvent recorded) : IDisposable
{
    private readonly JsonDocument _data = JsonDocument.Parse(recorded.Statement.Data);

    public string Type => recorded.Statement.Type;

    public Did By => recorded.Statement.By;

    public Digest Digest => recorded.Statement.Digest;

    /// <summary>By the author's clock.</summary>
    public DateTimeOffset Time => recorded.Statement.Time;

    public DateTimeOffset AppendedAt => recorded.AppendedAt;

    public JsonElement Data => _data.RootElement;

    public long Attempt => Number("attempt") ?? 0;

    public string? Text(params ReadOnlySpan<string> path) => TextOf(Data, path);

    public long? Number(params ReadOnlySpan<string> path) => NumberOf(Data, path);

    /// <summary>The objects of a list; none if there is no such list.</summary>
    public IEnumerable<JsonElement> List(params ReadOnlySpan<string> path) =>
        Find(Data, path) is { ValueKind: JsonValueKind.Array } found ? found.EnumerateArray() : [];

    public bool Has(params ReadOnlySpan<string> path) =>
        Find(Data, path) is { ValueKind: not JsonValueKind.Null };

    public static string? TextOf(JsonElement from, params ReadOnlySpan<string> path) =>
        Find(from, path) is { ValueKind: JsonValueKind.String } found ? found.GetString() : null;

    public static long? NumberOf(JsonElement from, params ReadOnlySpan<string> path) =>
        Find(from, path) is { ValueKind: JsonValueKind.Number } found && found.TryGetInt64(out var value)
            ? value
            : null;

    public static JsonElement? Find(JsonElement from, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (from.ValueKind != JsonValueKind.Object || !from.TryGetProperty(name, out from))
            {
                return null;
            }
        }

        return from;
    }

    public void Dispose() => _data.Dispose();
}

/// <summary>The wire names that mean more than one thing here.</summary>
internal static class EventNames
{
    public const string Submitted = "job_submitted";

    /// <summary>The events that end a job, and the status that each leads to.</summary>
    public static IReadOnlyDictionary<string, string> Ends { get; } = new Dictionary<string, string>
    {
        ["job_completed"] = "completed",
        ["job_failed"] = "failed",
        ["job_cancelled"] = "cancelled",
    };
}
