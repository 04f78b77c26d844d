using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job history</c>: every event of a job, its digest and signature checked while loading.</summary>
internal static class JobHistoryCommand
{
    private const int DataLength = 120;

    private static readonly Argument<string> Id = new("ID") { Description = "A job." };

    private static readonly Option<bool> Full = new("--full") { Description = "Show all of each event's data." };

    public static Command Create() => new Verb(
        "history", "Show every event of a job, each verified against its author's signature.",
        "meshledger job history echo-example-001", "meshledger job history echo-example-001 --output jsonl")
    {
        Id, Full,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var job = JobWaitCommand.ParseId(call.Get(Id)!);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var events = await ledger.Store.LoadAsync(StreamId.OfJob(job), call.Stop);
        if (events.Count == 0)
        {
            throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.");
        }

        var names = Names.Of(await ledger.LoadRegistryAsync(call.Stop));
        var rows = events.Select(Row).ToList();
        var authors = events.ToDictionary(
            recorded => recorded.Position, recorded => names.Author(recorded.Statement.By));
        var texts = events.ToDictionary(
            recorded => recorded.Position,
            recorded => SafeText.Line(System.Text.Encoding.UTF8.GetString(recorded.Statement.Data.Span)));
        var length = call.Get(Full) ? int.MaxValue : DataLength;
        call.Output.Rows(
            rows,
            [
                Column.Of("position", right: true, heading: "POS"), Column.Of("version", right: true, heading: "VER"),
                Column.Of("time"), Column.Of("type"),
                new("BY", row => authors[Position(row)]),
                new("DIGEST", row => Names.ShortDigest(row.Text("digest"))),
                new("CAUSE", row => Names.ShortDigest(row.Text("cause"))),
                new("DATA", row => SafeText.Cut(texts[Position(row)], length), Free: !call.Get(Full)),
            ],
            "");
        return ExitCodes.Ok;
    }

    /// <summary>An event as an object.</summary>
    public static JsonObject Row(RecordedEvent recorded) => new()
    {
        ["position"] = recorded.Position,
        ["version"] = recorded.Version,
        ["time"] = Timestamps.Write(recorded.Statement.Time),
        ["type"] = recorded.Statement.Type,
        ["by"] = recorded.Statement.By.ToString(),
        ["id"] = recorded.Statement.Id.ToString(),
        ["digest"] = recorded.Statement.Digest.ToString(),
        ["cause"] = recorded.Statement.Cause?.ToString(),
        ["data"] = JsonNode.Parse(recorded.Statement.Data.Span),
    };

    private static long Position(JsonObject row) => long.Parse(row.Text("position"), CultureInfo.InvariantCulture);
}
