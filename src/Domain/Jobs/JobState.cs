using System.Collections.Immutable;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>Where a job is on its way. The names on the wire are those of <see cref="JobStatusNames"/>.</summary>
public enum JobStatus
{
    Submitted,
    BiddingOpen,
    BiddingClosed,
    Assigned,
    Executing,
    Retrying,
    Completed,
    Failed,
    Cancelled,
}

/// <summary>The statuses in snake_case, as JSON, tables and the command line have them.</summary>
public static class JobStatusNames
{
    private static readonly string[] Names =
    [
        "submitted", "bidding_open", "bidding_closed", "assigned", "executing", "retrying", "completed", "failed",
        "cancelled",
    ];

    public static IReadOnlyList<string> All => Names;

    public static string Name(this JobStatus status) => Names[(int)status];

    public static bool IsTerminal(this JobStatus status) =>
        status is JobStatus.Completed or JobStatus.Failed or JobStatus.Cancelled;

    /// <summary>True while somebody is to run an attempt.</summary>
    public static bool IsUnderWay(this JobStatus status) => status is JobStatus.Assigned or JobStatus.Executing;
}

/// <summary>A bid as the job's state keeps it: a worker's latest.</summary>
/// <param name="Order">Rises in log order.</param>
/// <param name="Count">How many bids the worker has made on the attempt.</param>
public sealed record BidFact(Digest Digest, Did Worker, JobEvent.BidPlaced Body, long Order, int Count);

/// <summary>One worker's run of an attempt.</summary>
public sealed record Run
{
    public required BidFact Bid { get; init; }
    public Did Worker => Bid.Worker;
    public long Price => Bid.Body.Price;
    public Digest? StartDigest { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public JobEvent.ProgressReported? Progress { get; init; }

    /// <summary>The last <see cref="JobState.KeptCheckpoints"/>, the latest first.</summary>
    public ValueList<JobEvent.CheckpointRecorded> Checkpoints { get; init; } = [];
    public JobEvent.CheckpointRecorded? Checkpoint => Checkpoints is [var last, ..] ? last : null;

    /// <summary>How many pieces of output came, and where the next one of each name begins.</summary>
    public long OutputSequence { get; init; }
    public ImmutableDictionary<string, long> OutputEnds { get; init; } = ImmutableDictionary<string, long>.Empty;
    public Receipt? Receipt { get; init; }
    public Digest? ReceiptDigest { get; init; }
}

/// <summary>An attempt that was lost, and whose result may still be handed in as long as nobody else has taken the job.
/// </summary>
/// <param name="Saved">What it could go on from.</param>
public sealed record LostAttempt(
    int Attempt, JobEvent.Assigned Assignment, Digest AssignmentDigest, DateTimeOffset AssignedAt, Run Run, ValueList<SavedState> Saved);

/// <summary>What a job's events add up to. Changed by <see cref="Job.Evolve"/> alone.</summary>
public sealed record JobState
{
    /// <summary>How many checkpoints of each worker a job holds on to: a node that is gone may have had the only copy of the
    /// latest, and another may just be fetching the one before.</summary>
    public const int KeptCheckpoints = 3;

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
    public Digest? ClosingDigest { get; init; }
    public long Escrow { get; init; }
    public long SubmitterReputation { get; init; }

    /// <summary>The latest bid of each worker on the attempt.</summary>
    public ImmutableDictionary<Did, BidFact> Bids { get; init; } = ImmutableDictionary<Did, BidFact>.Empty;
    public JobEvent.Assigned? Assignment { get; init; }
    public Digest? AssignmentDigest { get; init; }
    public DateTimeOffset? AssignedAt { get; init; }

    /// <summary>The runs of the attempt that is under way; empty before it is assigned.</summary>
    public ImmutableList<Run> Runs { get; init; } = [];

    /// <summary>The latest receipt of the attempt.</summary>
    public Digest? ReceiptDigest { get; init; }

    /// <summary>How many attempts came to nothing by an error, and how many were lost.</summary>
    public int Failures { get; init; }
    public int Losses { get; init; }

    /// <summary>The workers on whom the last attempt came to nothing.</summary>
    public ValueList<Did> FailedLast { get; init; } = [];
    public LostAttempt? Lost { get; init; }

    /// <summary>The last <see cref="KeptCheckpoints"/> of the attempts before that another run may go on from, the latest
    /// first.</summary>
    public ValueList<SavedState> Saved { get; init; } = [];
    public DateTimeOffset? RetryAt { get; init; }

    /// <summary>The end of the attempt before, while no other one was assigned.</summary>
    public Digest? RetryDigest { get; init; }
    public Digest? CancelDigest { get; init; }
    public string? CancelReason { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>How the job ended: <c>job_completed</c>, <c>job_failed</c> or <c>job_cancelled</c>.</summary>
    public JobEvent? End { get; init; }

    /// <summary>The error of the last attempt that came to nothing, or of the job.</summary>
    public JobError? Error { get; init; }

    /// <summary>The run whose receipt is the job's result: the first that succeeded with the majority, else the first
    /// whose error is the job's; none where no majority said anything.</summary>
    public Run? ResultRun { get; init; }

    /// <summary>Every receipt of the job, and what others found of each.</summary>
    public ReceiptBook Book { get; init; } = ReceiptBook.Empty;

    /// <summary>What was paid to all workers together at the end.</summary>
    public long Paid { get; init; }

    /// <summary>The latest event that a decision about the job may answer.</summary>
    public Digest Milestone => ReceiptDigest ?? AssignmentDigest ?? BiddingDigest ?? SubmissionDigest;

    /// <summary>The latest progress of the run that is furthest.</summary>
    public JobEvent.ProgressReported? Furthest => Runs.Select(run => run.Progress).MaxBy(progress => progress?.BasisPoints ?? -1);

    /// <summary>The run of a worker in the attempt that is under way.</summary>
    public Run? RunOf(Did worker) => Runs.Find(run => run.Worker == worker);

    /// <summary>What a run of the attempt that is under way may go on from, should it begin now: the latest first.</summary>
    public ValueList<SavedState> SavedFor(Run run) => CheckpointRules.Of(this, run);
}
