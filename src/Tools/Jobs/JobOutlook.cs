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
            _ => [.. State.Runs.Where(run => run.Receipt is null).Select(Limits)],
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

    private string Bidding(int able, int live, int asked) =>
        live == 0 ? "No worker is alive."
        : able < asked
            ? asked == 1
                ? $"None of the {live} live workers could run it: below is what each lacks."
                : $"{asked} workers of different owners are asked for; {able} of the {live} live ones could run it."
        : State.Bids.IsEmpty
            ? $"{able} of {live} live workers could run it and none has bid: each has no room now, or asks for more than "
                + $"max_price {State.Submission.Terms.MaxPrice}."
        : $"{able} of {live} live workers could run it; {State.Bids.Count} have bid.";

    private string Closing(int able)
    {
        var closes = State.BiddingClosesAt!.Value;
        return now < closes
            ? $"Bidding closes when every live worker that could run it has answered, at the latest at "
                + $"{Timestamps.Write(closes)}."
            : able < State.Submission.Terms.Replicas
                ? "Bidding stays open until enough workers that could run it are alive and bid."
                : "The bidding's window is over: the first bid that can win gets it.";
    }

    private string Runs(Run run, Names names)
    {
        var worker = names.WorkerId(run.Worker) ?? Names.Short(run.Worker.ToString());
        if (run.Receipt is not null)
        {
            return $"Worker {worker} has handed in its receipt.";
        }

        var last = story.LastWordOf(run.Worker) is { } word ? $"; its last word came {Ago(word)}" : "";
        var progress = run.Progress is { } report ? $" at {report.BasisPoints / 100} %, {report.Phase}: {report.Message}" : "";
        return run.StartedAt is { } started
            ? $"Worker {worker} runs it since {Timestamps.Write(started)}{progress}{last}."
            : $"Worker {worker} has it in line since {Timestamps.Write(State.AssignedAt!.Value)}{last}.";
    }

    private string Limits(Run run)
    {
        var lease = TimeSpan.FromMilliseconds(State.Assignment!.Selection.LeaseMs);
        var limit = TimeSpan.FromMilliseconds(State.Submission.Terms.TimeoutMs);
        var over = run.StartedAt is { } started ? $", or of its time limit, which ends {InTime(started + limit)}" : "";
        return $"Its receipt settles it. It ends without one after {JobEventText.Length(lease)} of silence{over}.";
    }

    private static string Nothing(JobEvent.AttemptEnded ended) =>
        $"Attempt {ended.Attempt} came to nothing: {ended.Error.Code}: {ended.Error.Message}";

    private string InTime(DateTimeOffset time) =>
        time > now ? $"in {JobEventText.Length(time - now)}" : $"{JobEventText.Length(now - time)} ago";

    private string Ago(DateTimeOffset time) => $"{JobEventText.Length(now - time)} ago";
}
