using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Projections.EventIndex;

namespace MeshLedger.Tools.Queries;

/// <summary>Events as the objects that are shown, as they are stored.</summary>
internal static class EventRows
{
    private const int MostLevels = 32;

    /// <summary>What each has.</summary>
    public static string[] Members { get; } =
        ["position", "stream", "version", "type", "time", "appended_at", "by", "id", "digest", "cause", "data"];

    public static JsonObject Of(StoredEvent stored) => new()
    {
        ["position"] = stored.Position,
        ["stream"] = stored.Stream,
        ["version"] = stored.Version,
        ["type"] = stored.Type,
        ["time"] = stored.Time,
        ["appended_at"] = Timestamps.Write(stored.AppendedAt),
        ["by"] = stored.By,
        ["id"] = stored.Id.ToString(),
        ["digest"] = stored.Digest,
        ["cause"] = stored.Cause,
        ["data"] = DataOf(stored.Data),
    };

    /// <summary>No event is deep; a row that somebody tampered with may be, and is then shown as text.</summary>
    private static JsonNode? DataOf(string data)
    {
        try
        {
            return JsonNode.Parse(data, documentOptions: new JsonDocumentOptions { MaxDepth = MostLevels });
        }
        catch (JsonException)
        {
            return JsonValue.Create(data);
        }
    }
}
