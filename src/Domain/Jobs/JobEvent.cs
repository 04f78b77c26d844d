using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What happens to a job. Stream: <c>job-JOB_ID</c>.</summary>
public abstract record JobEvent : LedgerEvent
{
    private JobEvent()
    {
    }

    /// <summary>By the submitter. <paramref name="Document"/> is the document's text, byte for byte; the other members
    /// are read from it, with the node's defaults filled in, for those who decide.</summary>
    public sealed record Submitted(
        string Document,
        Digest DocumentSha256,
        string Operation,
        string Transport,
        JobTerms Terms,
        JobRequirements Requirements) : JobEvent;

    /// <summary>By the node: workers may bid on this attempt. Cause: the submission.</summary>
    /// <param name="ClosesAt">When bidding closes if not every live eligible worker has bid before. Without an
    /// eligible bid it stays open.</param>
    public sealed record BiddingOpened(int Attempt, DateTimeOffset ClosesAt) : JobEvent;

    /// <summary>By a worker: it offers to run the attempt at a price. Cause: the submission.</summary>
    /// <param name="Registration">Digest of the <c>worker_registered</c> whose facts the bid stands on.</param>
    public sealed record BidPlaced(int Attempt, long Price, Digest Registration, FreeResources Free) : JobEvent;

    /// <summary>By the node. Cause: the bidding's opening.</summary>
    /// <param name="Reason"><c>all_answered</c> or <c>window</c>.</param>
    public sealed record BiddingClosed(int Attempt, long Bids, string Reason) : JobEvent;

    /// <summary>By the node. Cause: the winning bid.</summary>
    /// <param name="Considered">Every bid of the attempt in log order, with why it could not win; anyone can recompute
    /// the choice from it.</param>
    public sealed record Assigned(
        int Attempt, Did Worker, long Price, string Policy, ValueList<ConsideredBid> Considered) : JobEvent;

    /// <summary>By the assigned worker. Cause: the assignment.</summary>
    public sealed record ExecutionStarted(int Attempt) : JobEvent;

    /// <summary>By the assigned worker. Cause: the start.</summary>
    /// <param name="Sequence">From 1, rising by one in an attempt.</param>
    /// <param name="BasisPoints">0 to 10000, never falling in an attempt.</param>
    public sealed record ProgressReported(int Attempt, long Sequence, string Phase, int BasisPoints, string Message)
        : JobEvent;

    /// <summary>By the assigned worker: its signed account of the attempt. Cause: the assignment.</summary>
    public sealed record ReceiptIssued(int Attempt, Receipt Receipt) : JobEvent;

    /// <summary>By the node, with the payment, in one transaction. Cause: the receipt.</summary>
    public sealed record Completed(int Attempt, Did Worker, long Paid, long Refunded) : JobEvent;

    /// <summary>By the node, with the refund, in one transaction. Cause: the receipt, or what else ended the job.</summary>
    /// <param name="Worker">Whose attempt failed; null when no worker was assigned.</param>
    public sealed record Failed(int Attempt, Did? Worker, JobError Error, long Refunded) : JobEvent;
}

/// <summary>What the submitter asked for, beside what a worker must have.</summary>
/// <param name="MaxPrice">Held in escrow from submission until settlement, in mana.</param>
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
    bool Cancellable,
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
    public long? MinReputation { get; init; }
    public string? TrustScope { get; init; }
    public ValueList<string> Federations { get; init; } = [];
}

/// <summary>A key and one of its values.</summary>
public sealed record Label(string Key, string Value);

/// <summary>What a bidder has free at the moment of its bid.</summary>
public sealed record FreeResources(long CpuCores, long MemoryMb, long StorageMb);

/// <summary>A bid as the market saw it. <paramref name="Unmet"/> is empty exactly when the bid could win.</summary>
public sealed record ConsideredBid(Digest Bid, Did Worker, long Price, ValueList<string> Unmet);

/// <param name="Code">A stable upper-case word, such as <c>TIMEOUT</c>.</param>
/// <param name="Message">One line for people.</param>
/// <param name="Phase">Where it happened, a lower-case word.</param>
/// <param name="Recoverable">True if another attempt may succeed.</param>
public sealed record JobError(string Code, string Message, string Phase, bool Recoverable);
