using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What the submitter asked for, beside what a worker must have.</summary>
/// <param name="MaxPrice">The highest price of a worker's bid, in mana.</param>
/// <param name="MaxAttempts">How often the job may fail before it has failed for good; lost attempts do not count.</param>
/// <param name="RetryOn">The error codes that another attempt follows on; empty: those that are recoverable.</param>
/// <param name="Replicas">How many workers run it; more than one must agree on the outputs by majority.</param>
/// <param name="AdaptiveReplication">True if a worker whose results were confirmed often enough may run it alone.</param>
/// <param name="Namespace">From the document's <c>metadata</c>; quotas may go by it.</param>
/// <param name="IdempotencyKey">SHA-256 over the submitter's did:key, a zero byte, and the key, which itself stands in
/// the document; names the stream <c>key-SHA256</c>.</param>
/// <param name="CorrelationId">From the document's <c>observability</c>.</param>
public sealed record JobTerms(
    long MaxPrice,
    long BidWindowMs,
    long TimeoutMs,
    DateTimeOffset? Deadline,
    int Priority,
    int MaxAttempts,
    ValueList<string> RetryOn,
    bool Cancellable,
    int Replicas,
    bool AdaptiveReplication,
    string? Namespace,
    Digest? IdempotencyKey,
    string? CorrelationId);

/// <summary>What a worker must have to win a job. Absent members ask for nothing.</summary>
public sealed record JobRequirements
{
    public ValueList<string> Capabilities { get; init; } = [];
    public ValueList<string> Features { get; init; } = [];
    public string? MinimumWorkerVersion { get; init; }
    public long? MaximumDiskSizeGb { get; init; }
    public bool Privileged { get; init; }
    public ValueList<string> Pools { get; init; } = [];
    public string? WorkerId { get; init; }
    public ValueList<Label> Affinity { get; init; } = [];
    public ValueList<Label> AntiAffinity { get; init; } = [];
    public long? CpuCores { get; init; }
    public long? MemoryMb { get; init; }
    public long? StorageMb { get; init; }

    /// <summary>In points for the job's operation: <see cref="Reputation.ReputationBook"/>.</summary>
    public long? MinReputation { get; init; }

    /// <summary><c>FEDERATION/SCOPE</c>, or a scope of one of <see cref="Federations"/>.</summary>
    public string? TrustScope { get; init; }
    public ValueList<string> Federations { get; init; } = [];
}

/// <summary>A key and one of its values.</summary>
public sealed record Label(string Key, string Value);

/// <summary>What a bidder has free at the moment of its bid. <paramref name="Slots"/>: how many more attempts it runs at
/// once.</summary>
public sealed record FreeResources(long CpuCores, long MemoryMb, long StorageMb, long Slots);

/// <summary>A worker that runs an attempt, by its bid, at its price.</summary>
public sealed record Assignee(Digest Bid, Did Worker, long Price);

/// <summary>How a choice among bids was made.</summary>
/// <param name="Policy">One of <see cref="SelectionPolicy.Names"/>.</param>
/// <param name="AsOf">The position of the log as of which memberships, reputations and standings were taken.</param>
/// <param name="At">The time as of which reputations were taken.</param>
/// <param name="LeaseMs">How long an assignee may be silent before its attempt is lost.</param>
/// <param name="Replicas">How many workers the job asked for.</param>
/// <param name="SubmitterMayBid">True if the submitter's own bid may win.</param>
/// <param name="Streak">Of the best bidder: how many of its results in a row were confirmed by others.</param>
/// <param name="Draw">What decided whether the best bidder is to be checked; null if nothing was drawn.</param>
public sealed record Selection(
    string Policy, SelectionWeights Weights, long AsOf, DateTimeOffset At, long LeaseMs, int Replicas,
    bool SubmitterMayBid, long Streak, long? Draw);

/// <summary>What counts how much in a weighted choice; integers of 0 or more, not all 0.</summary>
public sealed record SelectionWeights(long Price, long Reputation, long Resources, long Latency)
{
    /// <summary>Parts of a hundred; the room's README says why.</summary>
    public static SelectionWeights Default { get; } = new(30, 50, 10, 10);
}

/// <summary>A bid as the market saw it. <paramref name="Unmet"/> is empty exactly when the bid could win.</summary>
/// <param name="Reputation">Of the bidder for the job's operation, in points.</param>
/// <param name="LatencyMs">From the bidding's opening to the bid, as the node measured it; null if it did not.</param>
/// <param name="Terms">Null for a bid that could not win.</param>
public sealed record ConsideredBid(
    Digest Bid, Did Worker, long Price, long Reputation, long? LatencyMs, BidTerms? Terms, ValueList<string> Unmet);

/// <summary>What a bid is worth, each normalised over the eligible bids to 0..1,000,000, and their weighted mean.</summary>
public sealed record BidTerms(long Price, long Reputation, long Resources, long Latency, long Score);

/// <summary>What became of one worker's run of an attempt.</summary>
/// <param name="Result">One of <see cref="RunResults"/>.</param>
/// <param name="Paid">In mana, from the job's escrow.</param>
public sealed record AttemptOutcome(Did Worker, string Result, long Paid);

/// <summary>How a run may end, as settlements record it.</summary>
public static class RunResults
{
    /// <summary>A receipt of success; nobody else was asked.</summary>
    public const string Succeeded = "succeeded";

    /// <summary>A result that the majority agrees on.</summary>
    public const string Agreed = "agreed";

    /// <summary>A success for the worker's own owner: paid, and no sign of trust.</summary>
    public const string Own = "own";

    /// <summary>A receipt with an error.</summary>
    public const string Failed = "failed";

    /// <summary>No receipt within the time limit.</summary>
    public const string TimedOut = "timed_out";

    /// <summary>The lease ended.</summary>
    public const string Lost = "lost";

    /// <summary>A result that the majority does not agree on.</summary>
    public const string Disagreed = "disagreed";

    /// <summary>Ended for reasons that are not the worker's.</summary>
    public const string Withdrawn = "withdrawn";
}

/// <param name="Code">A stable upper-case word, such as <c>TIMEOUT</c>.</param>
/// <param name="Message">One line for people.</param>
/// <param name="Phase">Where it happened, a lower-case word.</param>
/// <param name="Recoverable">True if another attempt may succeed.</param>
public sealed record JobError(string Code, string Message, string Phase, bool Recoverable)
{
    /// <summary>Of an attempt whose worker was silent. It does not count as a failure, so no worker may say it.</summary>
    public const string LeaseLost = "LEASE_LOST";

    /// <summary>The attempt took longer than its document lets it.</summary>
    public const string Timeout = "TIMEOUT";

    /// <summary>True if a receipt with this code is refused.</summary>
    public static bool IsForNodes(string code) => code == LeaseLost;
}
