using System.Collections.Immutable;
using MeshLedger.Crypto;

namespace MeshLedger.Domain.Jobs;

/// <summary>Where a job is on its way. The names on the wire are those of <see cref="JobStatusNames"/>.</summary>
public enum JobStatus
{
    Submitted,
    BiddingOpen,
    BiddingClosed,
    Assigned,
    Executing,
    Completed,
    Failed,
}

/// <summary>The statuses in snake_case, as JSON, tables and the command line have them.</summary>
public static class JobStatusNames
{
    private static readonly string[] Names =
        ["submitted", "bidding_open", "bidding_closed", "assigned", "executing", "completed", "failed"];

    public static IReadOnlyList<string> All => Names;

    public static string Name(this JobStatus status) => Names[(int)status];

    public static bool IsTerminal(this JobStatus status) => status is JobStatus.Completed or JobStatus.Failed;
}

/// <summary>A bid as the job's state keeps it.</summary>
public sealed record BidFact(Digest Digest, Did Worker, JobEvent.BidPlaced Body);

/// <summary>What a job's events add up to. Changed by <see cref="Job.Evolve"/> alone.</summary>
public sealed record JobState
{
    public required JobStatus Status { get; init; }

    /// <summary>Events folded so far.</summary>
    public required long Version { get; init; }
    public required Did Submitter { get; init; }
    public required JobEvent.Submitted Submission { get; init; }
    public required Digest SubmissionDigest { get; init; }
    public required DateTimeOffset SubmittedAt { get; init; }

    /// <summary>The attempt that is under way, from 1; 0 before bidding opens.</summary>
    public int Attempt { get; init; }
    public Digest? BiddingDigest { get; init; }

    /// <summary>The node that opened bidding, and looks after the job while it is alive.</summary>
    public Did Coordinator { get; init; }
    public DateTimeOffset? BiddingClosesAt { get; init; }
    public ImmutableList<BidFact> Bids { get; init; } = [];
    public JobEvent.Assigned? Assignment { get; init; }
    public Digest? AssignmentDigest { get; init; }
    public DateTimeOffset? AssignedAt { get; init; }
    public Digest? StartDigest { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public JobEvent.ProgressReported? Progress { get; init; }
    public Receipt? Receipt { get; init; }
    public Digest? ReceiptDigest { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public JobEvent.Completed? Completion { get; init; }
    public JobEvent.Failed? Failure { get; init; }

    /// <summary>The latest event that a decision about the job may answer.</summary>
    public Digest Milestone => ReceiptDigest ?? AssignmentDigest ?? BiddingDigest ?? SubmissionDigest;
}
