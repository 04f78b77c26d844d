using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Tools.Blobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Tools.Jobs;

namespace MeshLedger.Tools.Replay;

/// <summary><c>meshledger replay</c>: a job as it was, event by event, or run again.</summary>
internal static class ReplayCommand
{
    private static readonly Argument<string> Id = new("JOB") { Description = "A job." };

    private static readonly Option<string?> At = PointInTime.NewOption("Only up to this point:", PointInTime.Expected);

    private static readonly Option<string[]> Diff = new("--diff")
    {
        Description = "What changed in the job's state between two such points, member by member.",
        HelpName = "A B",
        Arity = new ArgumentArity(2, 2),
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<bool> Execute = new("--execute")
    {
        Description = "Run the job again, from its beginning, and compare what comes of it with its receipts, checkpoint by "
            + "checkpoint. What was found is signed by a key of this directory and appended to the job's stream. Exit code 4 "
            + "if a receipt is wrong.",
    };

    private static readonly Option<string?> Keep = new("--keep")
    {
        Description = "With --execute: write the outputs of that run into this new directory.",
        HelpName = "DIR",
    };

    private static readonly Option<string?> Key = new("--key")
    {
        Description = "With --execute: the file of the key that signs, of a node or a registered worker (default: that of this "
            + "directory's node, else of one of its workers).",
        HelpName = "FILE",
    };

    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description = "With --execute: say what was found, and append nothing.",
    };

    private static readonly Option<string[]> Peers = new("--peer")
    {
        Description = "With --execute: ask this node, too, for blobs, such as http://10.0.0.7:7400. May be given several times.",
        HelpName = "URL",
        Arity = ArgumentArity.ZeroOrMore,
    };

    public static Command Create() => new Verb(
        "replay",
        "Show a job as it was: every event as it was applied, who signed it, and why it was legal. Or run the job again.",
        "meshledger replay run-wasm-example-001", "meshledger replay run-wasm-example-001 --at v5",
        "meshledger replay run-wasm-example-001 --diff v1 position:40 --output json",
        "meshledger replay run-wasm-example-001 --execute")
    {
        Id, At, Diff, Execute, Keep, Key, DryRun, Peers,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var job = JobWaitCommand.ParseId(call.Get(Id)!);
        var diff = call.Get(Diff) is { Length: 2 } two ? two : null;
        if ((call.Get(At) is null ? 0 : 1) + (diff is null ? 0 : 1) + (call.Get(Execute) ? 1 : 0) > 1)
        {
            throw new CommandFailure(ExitCodes.Usage, "--at, --diff and --execute: expected one of them at most.");
        }

        if (!call.Get(Execute)
            && (call.Get(Keep) ?? call.Get(Key) ?? call.Get(Peers)?.FirstOrDefault()) is not null | call.Get(DryRun))
        {
            throw new CommandFailure(ExitCodes.Usage, "--keep, --key, --dry-run and --peer: expected --execute, too.");
        }

        var at = call.Get(At) is { } text ? PointInTime.Parse("--at", text, hasVersions: true) : null;
        var points = diff?.Select(point => PointInTime.Parse("--diff", point, hasVersions: true)).ToArray();
        var peers = (call.Get(Peers) ?? []).Select(peer => PeerSearch.Parse("--peer", peer).ToString()).ToList();
        if (call.Get(Execute))
        {
            return await new ReplayExecution(call, job)
            {
                Keep = call.Get(Keep), Key = call.Get(Key), DryRun = call.Get(DryRun), Peers = peers,
            }.RunAsync();
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        var replayed = await ReplayedJob.LoadAsync(ledger, job, call.Stop);
        return points is null ? Show(call, replayed, at) : ShowDifference(call, replayed, points[0], points[1]);
    }

    private static int Show(Call call, ReplayedJob job, PointInTime? at)
    {
        var count = Count(job, at);
        var rows = job.Rows(count).ToList();
        var json = new JsonObject
        {
            ["job_id"] = job.Id.ToString(),
            ["at"] = at?.ToString(),
            ["version"] = count,
            ["position"] = job.Events[count - 1].Position,
            ["state"] = job.StateAfter(count),
            ["events"] = new JsonArray([.. rows]),
        };
        call.Output.Object(json, () =>
        {
            foreach (var row in rows)
            {
                Write(call.Output, row);
            }

            call.Output.Line();
            call.Output.Line($"So after version {count}, position {json.Text("position")}:");
            JobView.Write(call.Output, (JsonObject)json["state"]!);
        });
        return rows.TrueForAll(row => row["legal"]!.GetValue<bool>()) ? ExitCodes.Ok : ExitCodes.AuditFault;
    }

    private static int ShowDifference(Call call, ReplayedJob job, PointInTime a, PointInTime b)
    {
        var (before, after) = (Count(job, a), Count(job, b));
        var rows = StateDifference.Between(job.StateAfter(before), job.StateAfter(after));
        call.Output.Rows(
            rows,
            [
                Column.Of("member"), new("BEFORE", row => SafeText.Cut(row.Text("before"), 60), Free: true),
                new("AFTER", row => SafeText.Cut(row.Text("after"), 60), Free: true),
            ],
            $"Nothing changed between version {before} and version {after}.");
        return ExitCodes.Ok;
    }

    private static int Count(ReplayedJob job, PointInTime? at)
    {
        var count = at?.CountOf(job.Events) ?? job.Events.Count;
        return count == 0
            ? throw new CommandFailure(
                ExitCodes.NotFound, $"job {job.Id} was not there at {at}: its first event stands at position "
                + $"{job.Events[0].Position}, appended {Domain.Events.Timestamps.Write(job.Events[0].AppendedAt)}.")
            : at?.Version > job.Events.Count
                ? throw new CommandFailure(ExitCodes.NotFound, $"job {job.Id} has {Names.Count(job.Events.Count, "event")}: there is no {at}.")
                : count;
    }

    private static void Write(Output output, JsonObject row)
    {
        var cause = row["cause_type"] is null
            ? row["cause"] is null ? "nothing" : $"event {Names.ShortDigest(row.Text("cause"))} of another stream"
            : $"{row.Text("cause_type")} (v{row.Text("cause_version")})";
        var before = row["status_before"] is null ? "(none)" : row.Text("status_before");
        var rule = (JsonObject)row["rule"]!;
        output.Line($"v{row.Text("version")}  position {row.Text("position")}  {row.Text("type")}  by {row.Text("role")} "
            + $"{row.Text("by")}");
        output.Line($"    said {row.Text("time")}, appended {row.Text("appended_at")}");
        if (row.Text("says") is { Length: > 0 } says)
        {
            output.Line($"    {SafeText.Cut(says, 300)}");
        }

        output.Line(row.Text("status_before") == row.Text("status_after")
            ? $"    stays {row.Text("status_after")}; answers {cause}"
            : $"    {before} -> {row.Text("status_after")}; answers {cause}");
        output.Line(row["refusal"] is null
            ? $"    legal: {rule.Text("by")} may say it {rule.Text("when")}; the cause is {rule.Text("cause")}"
            : $"    NOT LEGAL: {row.Text("refusal")}");
    }
}
