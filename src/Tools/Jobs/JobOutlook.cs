using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary>Why a job is where it is, and what happens to it next, in sentences.</summary>
internal sealed class JobOutlook(JobStory story, DateTimeOffset now)
{
    public JobState State => story.State;

    public DateTimeOffset Now => now;

    /// <summary>The node that looks after the job, if it is the one of this data directory: its options are known then.
    /// </summary>
    public NodeRecord? Node { get; init; }
    public int LiveNodes { get; init; }

    /// <param name="able">How many live workers could run it.</param>
    /// <param name="live">How many there are.</param>
    public IEnumerable<string> Reasons(int able, int live, Names names)
    {
        if (State.Status.IsTerminal())
        {
            return Ended();
        }

        var asked = State.Submission.Terms.Replicas;
        List<string> reasons = State.CancelDigest is not null
            ? [$"Its submitter cancelled it{(State.CancelReason is { Length: > 0 } why ? $": {why}" : "")}."]
            : State.Status switch
            {
                JobStatus.Submitted => ["No node has opened bidding yet."],
                JobStatus.BiddingOpen or JobStatus.BiddingClosed => [Bidding(able, live, asked)],
                JobStatus.Retrying => [Nothing(story.Attempts[^1].Ended)],
                _ => [.. State.Runs.Select(run => Runs(run, names))],
            };
        if (LiveNodes == 0)
        {
            reasons.Add("No node is alive: meshledger up");
        }

        return reasons;
    }

    /// <inheritdoc cref="Reasons"/>
    public IEnumerable<string> Next(int able)
    {
        if (State.Status.IsTerminal())
        {
            return [];
        }

        if (State.CancelDigest is not null)
        {
            return ["A node ends it as cancelled."];
        }

        var terms = State.Submission.Terms;
        List<string> next = State.Status switch
        {
            JobStatus.Submitted => ["A node opens bidding."],
            JobStatus.BiddingOpen => [Closing(able)],
            JobStatus.BiddingClosed => ["A node assigns it."],
            JobStatus.Retrying => [$"Bidding on attempt {State.Attempt + 1} opens at {Timestamps.Write(State.RetryAt!.Value)}"
                + $" ({InTime(State.RetryAt.Value)})."],
            _ => [.. State.Runs.Where(run => run.Receipt is null).Select(Limits).Distinct()],
        };
        if (State.Status == JobStatus.BiddingOpen && able < terms.Replicas && Node is { } node)
        {
            next.Add($"If nobody could run it for {JobEventText.Length(TimeSpan.FromSeconds(node.WaitLimitSeconds))}, it fails: "
                + "NO_ELIGIBLE_WORKER.");
        }

        if (terms.Deadline is { } deadline)
        {
            next.Add($"At its deadline {Timestamps.Write(deadline)} ({InTime(deadline)}) it fails: DEADLINE_EXCEEDED.");
        }

        return next;
    }

    private IEnumerable<string> Ended()
    {
        var ended = Timestamps.Write(State.EndedAt!.Value);
        yield return State.Status switch
        {
            JobStatus.Completed => $"It succeeded at {ended}.",
            JobStatus.Cancelled => $"Its submitter cancelled it{(State.CancelReason is { Length: > 0 } why ? $": {why}" : "")}; "
                + $"a node ended it at {ended}.",
            _ => $"It failed at {ended}: {JobWaiting.ReasonOf(State)}",
        };
        foreach (var (attempt, _) in story.Attempts)
        {
            yield return Nothing(attempt);
        }
    }

    private string Bidding(int able, int live, int asked)
    {
        if (live == 0)
        {
            return "No worker is alive.";
        }

        if (able < asked)
        {
            return asked > 1 ? $"It asks for {asked} workers of different owners; {able} of {live} alive could run it."
                : live == 1 ? "The only live worker could not run it; below is what it lacks."
                : $"None of the {live} live workers could run it; below is what each lacks.";
        }

        var who = live == 1 ? "The only live worker could run it" : $"{able} of {live} live workers could run it";
        return !State.Bids.IsEmpty ? $"{who}; bids so far: {State.Bids.Count}."
            : now < State.BiddingClosesAt ? $"{who}; no bid so far."
            : $"{who}, and there is no bid: no room now, or a price above max_price {State.Submission.Terms.MaxPrice}.";
    }

    /// <summary>A window that ends without enough bids closes nothing.</summary>
    private string Closing(int able)
    {
        var closes = State.BiddingClosesAt!.Value;
        var asked = State.Submission.Terms.Replicas;
        return able < asked
            ? $"Bidding stays open until {(asked == 1 ? "a worker" : $"{asked} workers")} that could run it "
                + $"{(asked == 1 ? "is alive and bids" : "are alive and bid")}."
            : now < closes
                ? $"Bidding closes once all of them have answered, or {InTime(closes)}; without a bid it stays open."
                : "The first bid that can win gets it.";
    }

    private string Runs(Run run, Names names)
    {
        var worker = names.WorkerId(run.Worker) ?? Names.Short(run.Worker.ToString());
        if (run.Receipt is not null)
        {
            return $"Worker {worker} has handed in its receipt.";
        }

        var last = story.LastWordOf(run.Worker) is { } word ? $"; last heard of {Ago(word)}" : "";
        var progress = run.Progress is { } report
            ? $", is at {report.BasisPoints / 100} % ({report.Phase}: {report.Message})"
            : "";
        return run.StartedAt is { } started
            ? $"Worker {worker} has run it for {JobEventText.Length(now - started)}{progress}{last}."
            : $"Worker {worker} has had it in line for {JobEventText.Length(now - State.AssignedAt!.Value)}{last}.";
    }

    private string Limits(Run run)
    {
        var lease = TimeSpan.FromMilliseconds(State.Assignment!.Selection.LeaseMs);
        var limit = TimeSpan.FromMilliseconds(State.Submission.Terms.TimeoutMs);
        var over = run.StartedAt is not { } started ? ""
            : now < started + limit ? $", and fails at its time limit, {InTime(started + limit)}"
            : $", and fails any moment: its time limit passed {InTime(started + limit)}";
        return $"{(State.Runs.Count == 1 ? "Its worker's receipt ends" : "The receipts of its workers end")} it. Without one "
            + $"an attempt is lost after {JobEventText.Length(lease)} of silence{over}.";
    }

    private static string Nothing(JobEvent.AttemptEnded ended) =>
        $"Attempt {ended.Attempt} came to nothing: {ended.Error.Code}: {ended.Error.Message}";

    private string InTime(DateTimeOffset time) =>
        time > now ? $"in {JobEventText.Length(time - now)}" : $"{JobEventText.Length(now - time)} ago";

    private string Ago(DateTimeOffset time) => $"{JobEventText.Length(now - time)} ago";
}
