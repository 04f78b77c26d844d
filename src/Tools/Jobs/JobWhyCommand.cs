using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job why</c>: why a job is where it is, worker by worker, and what happens next.</summary>
internal static class JobWhyCommand
{
    private static readonly Argument<string> Id = new("ID") { Description = "A job." };

    public static Command Create() => new Verb(
        "why",
        "Say why a job is where it is: since when, which live worker could run it and what each other one lacks, what "
        + "they bid, and what happens next; of a job that has ended, how and why.",
        "meshledger job why echo-example-001", "meshledger job why echo-example-001 --output json")
    {
        Id,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var job = JobWaitCommand.ParseId(call.Get(Id)!);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var story = await JobStory.LoadAsync(ledger, job, call.Stop);
        var registry = await ledger.LoadRegistryAsync(call.Stop);
        var state = story.State;
        var outlook = new JobOutlook(story, TimeProvider.System.GetUtcNow())
        {
            Node = call.Data.ReadRecord() is { } record && record.Node == state.Coordinator.ToString() ? record : null,
            LiveNodes = (await ledger.PresentAsync(call.Stop)).Nodes.Count,
        };
        List<JsonObject> workers = [];
        if (!state.Status.IsTerminal())
        {
            var live = await ledger.LiveBiddersAsync(registry, state.Submission.Operation, call.Stop);
            workers = Workers(story, live, await ChooseAsync(ledger, registry, outlook, call.Stop));
        }

        var able = workers.Count(worker => worker["could_run"]!.GetValue<bool>());
        var json = new JsonObject
        {
            ["job_id"] = job.ToString(),
            ["status"] = state.Status.Name(),
            ["since"] = Timestamps.Write(story.Since),
            ["attempt"] = state.Attempt,
            ["reasons"] = Names.List(outlook.Reasons(able, workers.Count, Names.Of(registry))),
            ["next"] = Names.List(outlook.Next(able)),
            ["bidding_closes_at"] = state.Status == JobStatus.BiddingOpen ? Time(state.BiddingClosesAt) : null,
            ["retry_at"] = state.Status == JobStatus.Retrying ? Time(state.RetryAt) : null,
            ["deadline"] = Time(state.Submission.Terms.Deadline),
            ["wait_limit_seconds"] = outlook.Node?.WaitLimitSeconds,
            ["attempts"] = new JsonArray([.. story.Attempts.Select(attempt => new JsonObject
            {
                ["attempt"] = attempt.Ended.Attempt,
                ["ended_at"] = Timestamps.Write(attempt.At),
                ["code"] = attempt.Ended.Error.Code,
                ["message"] = attempt.Ended.Error.Message,
                ["workers"] = Names.List(attempt.Ended.Outcomes.Select(outcome => outcome.Worker.ToString())),
            })]),
            ["workers"] = new JsonArray([.. workers]),
        };
        call.Output.Object(json, () => Write(call.Output, json, workers));
        return ExitCodes.Ok;
    }

    /// <summary>What the market makes of the bids now.</summary>
    private static async Task<IReadOnlyList<ConsideredBid>> ChooseAsync(
        LedgerSession ledger, Registry registry, JobOutlook outlook, CancellationToken cancellationToken)
    {
        var state = outlook.State;
        if (state.Status is not (JobStatus.BiddingOpen or JobStatus.BiddingClosed))
        {
            return state.Assignment?.Considered ?? [];
        }

        var book = await ledger.LoadReputationAsync(cancellationToken);
        var (operation, now) = (state.Submission.Operation, outlook.Now);
        return Market.Choose(state, registry, new SelectionInput(
            SelectionPolicy.Default.Name, SelectionWeights.Default, 1, outlook.Node?.SubmitterMayBid ?? false, long.MaxValue,
            now, worker => book.Points(worker, operation, now), worker => book.Score(worker, operation).Streak,
            _ => null)).Considered;
    }

    private static List<JsonObject> Workers(
        JobStory story, IReadOnlyList<Bidder> live, IReadOnlyList<ConsideredBid> considered)
    {
        var state = story.State;
        return [.. WaitReasons.Judge(state, live).Select(verdict =>
        {
            var run = state.RunOf(verdict.Worker);
            var bid = state.Bids.GetValueOrDefault(verdict.Worker) ?? run?.Bid;
            var judged = considered.FirstOrDefault(one => one.Worker == verdict.Worker);
            return new JsonObject
            {
                ["worker_id"] = verdict.WorkerId,
                ["worker"] = verdict.Worker.ToString(),
                ["could_run"] = verdict.Unmet.Count == 0,
                ["lacks"] = Names.List(verdict.Unmet),
                ["runs"] = run is not null,
                ["last_word_at"] = run is null ? null : Time(story.LastWordOf(verdict.Worker)),
                ["bid"] = bid is null ? null : new JsonObject
                {
                    ["price"] = bid.Body.Price,
                    ["free"] = new JsonObject
                    {
                        ["cpu_cores"] = bid.Body.Free.CpuCores,
                        ["memory_mb"] = bid.Body.Free.MemoryMb,
                        ["storage_mb"] = bid.Body.Free.StorageMb,
                        ["slots"] = bid.Body.Free.Slots,
                    },
                    ["reputation"] = judged?.Reputation,
                    ["cannot_win"] = Names.List(judged?.Unmet ?? []),
                },
            };
        })];
    }

    private static void Write(Output output, JsonObject json, List<JsonObject> workers)
    {
        output.Pairs(
        [
            ("job", json.Text("job_id")),
            ("status", $"{json.Text("status")} since {json.Text("since")}"
                + (json.Text("attempt") is "0" ? "" : $", attempt {json.Text("attempt")}")),
            .. Sentences("why", json["reasons"]!),
            .. Sentences("next", json["next"]!),
        ]);
        if (workers.Count == 0)
        {
            return;
        }

        output.Line();
        output.Line("Live workers");
        output.Table(
            workers,
            [
                Column.Of("worker_id", heading: "WORKER"), new("KEY", row => Names.Short(row.Text("worker"))),
                new("COULD RUN IT", row => row.Text("runs") == "yes" ? "runs it" : row.Text("could_run")),
                new("LACKS", row => Few(row["lacks"])),
                new("BID", row => Bid(row).Text("price"), Right: true), new("FREE THEN", Free),
                new("CANNOT WIN FOR", row => Few(Bid(row)["cannot_win"])),
            ],
            "  ");
    }

    private static IEnumerable<(string, string?)> Sentences(string name, JsonNode sentences) =>
        ((JsonArray)sentences).Select((sentence, i) => (i == 0 ? name : "", (string?)sentence!.ToString()));

    private static string Few(JsonNode? list) =>
        WaitReasons.Few([.. (list as JsonArray ?? []).Select(item => item!.GetValue<string>())]);

    private static JsonObject Bid(JsonObject worker) => worker["bid"] as JsonObject ?? [];

    private static string Free(JsonObject worker) => Bid(worker)["free"] is JsonObject free
        ? $"{Names.Count(free["cpu_cores"]!.GetValue<long>(), "core")}, {free.Text("memory_mb")} MB, "
            + Names.Count(free["slots"]!.GetValue<long>(), "slot")
        : "";

    private static string? Time(DateTimeOffset? time) => time is { } value ? Timestamps.Write(value) : null;
}
