using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>A live worker, and which of a job's requirements it does not meet.</summary>
public sealed record WorkerVerdict(string WorkerId, Crypto.Did Worker, ValueList<string> Unmet);

/// <summary>Why a job waits: for each live worker, what the job asks for and the worker lacks.</summary>
public static class WaitReasons
{
    private const int MaxNamed = 5;

    /// <summary>Every live worker with what it lacks.</summary>
    public static IReadOnlyList<WorkerVerdict> Judge(JobState state, IEnumerable<Bidder> live) =>
        [.. live.OrderBy(bidder => bidder.Registration.Facts.WorkerId, StringComparer.Ordinal).Select(bidder =>
            new WorkerVerdict(
                bidder.Registration.Facts.WorkerId,
                bidder.Registration.Worker,
                Requirements.Unmet(state.Submission, bidder)))];

    /// <summary>A sentence a worker; one sentence if there is none; empty if some worker could run the job.</summary>
    public static IReadOnlyList<string> Of(JobState state, IEnumerable<Bidder> live)
    {
        List<Bidder> bidders = [.. live];
        var verdicts = Judge(state, bidders);
        var can = verdicts.Where(verdict => verdict.Unmet.Count == 0).Select(verdict => verdict.Worker).ToHashSet();
        var able = bidders.Where(bidder => can.Contains(bidder.Registration.Worker))
            .DistinctBy(bidder => bidder.Registration.Facts.Owner ?? bidder.Registration.Worker)
            .Count();
        if (able >= state.Submission.Terms.Replicas)
        {
            return [];
        }

        if (verdicts.Count == 0)
        {
            return ["No worker is alive."];
        }

        List<string> reasons = [.. verdicts.Where(verdict => verdict.Unmet.Count > 0)
            .Select(verdict => $"Worker {verdict.WorkerId} does not meet: {Few(verdict.Unmet)}")];
        if (able > 0)
        {
            reasons.Insert(0, $"{state.Submission.Terms.Replicas} workers of different owners are asked for, {able} could run it");
        }

        return reasons;
    }

    /// <summary>The first few, and how many more: a document may ask for thousands of labels.</summary>
    public static string Few(IReadOnlyCollection<string> unmet) => unmet.Count > MaxNamed
        ? $"{string.Join(", ", unmet.Take(MaxNamed))} and {unmet.Count - MaxNamed} more"
        : string.Join(", ", unmet);
}
