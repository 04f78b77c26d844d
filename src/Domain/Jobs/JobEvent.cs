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

    /// <summary>By the node: workers may bid on this attempt. Cause: the submission, or the end of the attempt before.
    /// </summary>
    /// <param name="ClosesAt">When bidding closes if not every live eligible worker has bid before. Without an
    /// eligible bid it stays open.</param>
    /// <param name="Escrow">What is held for the job: <see cref="Pricing"/>. The same in every attempt.</param>
    /// <param name="SubmitterReputation">What the price was adjusted by. The same in every attempt.</param>
    public sealed record BiddingOpened(int Attempt, DateTimeOffset ClosesAt, long Escrow, long SubmitterReputation)
        : JobEvent;

    /// <summary>By a worker: it offers to run the attempt at a price. Cause: the submission. A later bid on the same
    /// attempt replaces an earlier one.</summary>
    /// <param name="Registration">Digest of the <c>worker_registered</c> whose facts the bid stands on.</param>
    /// <param name="Free">What the worker has free now.</param>
    public sealed record BidPlaced(int Attempt, long Price, Digest Registration, FreeResources Free) : JobEvent;

    /// <summary>By the node. Cause: the bidding's opening.</summary>
    /// <param name="Bids">How many workers bid.</param>
    /// <param name="Reason"><c>all_answered</c> or <c>window</c>.</param>
    public sealed record BiddingClosed(int Attempt, long Bids, string Reason) : JobEvent;

    /// <summary>By the node. Cause: the first winning bid.</summary>
    /// <param name="Assignees">Who runs the attempt: one worker, or as many as are asked to agree.</param>
    /// <param name="Considered">Every bid of the attempt in log order, with why it could not win, its terms and its
    /// score; anyone can recompute the choice from it.</param>
    public sealed record Assigned(
        int Attempt, ValueList<Assignee> Assignees, Selection Selection, ValueList<ConsideredBid> Considered) : JobEvent;

    /// <summary>By an assigned worker. Cause: the assignment.</summary>
    public sealed record ExecutionStarted(int Attempt) : JobEvent;

    /// <summary>By an assigned worker: it still works on the attempt. Cause: the assignment.</summary>
    public sealed record LeaseRenewed(int Attempt) : JobEvent;

    /// <summary>By an assigned worker. Cause: its start.</summary>
    /// <param name="Sequence">From 1, rising by one in a worker's run of an attempt.</param>
    /// <param name="BasisPoints">0 to 10000, never falling in a run.</param>
    /// <param name="EtaMs">How long it will still take, where the worker can tell.</param>
    public sealed record ProgressReported(
        int Attempt, long Sequence, string Phase, int BasisPoints, long? EtaMs, string Message) : JobEvent;

    /// <summary>By an assigned worker: the next piece of an output, before the attempt's end. Cause: its start.</summary>
    /// <param name="Sequence">From 1, rising by one in a run.</param>
    /// <param name="Offset">Where the piece begins: the end of the piece before of that name.</param>
    /// <param name="Text">The bytes, if they are UTF-8 without U+0000 and at most
    /// <see cref="ReceiptOutput.MaxInline"/>.</param>
    /// <param name="Base64">The bytes, if they are other bytes and not more. Larger ones are blobs.</param>
    public sealed record PartialOutputProduced(
        int Attempt, long Sequence, string Name, long Offset, long Size, BlobHash Blake3, string? Text, string? Base64)
        : JobEvent;

    /// <summary>By an assigned worker: the engine's saved state, from which the attempt can go on. Cause: its start.
    /// </summary>
    /// <param name="Sequence">From 1, rising by one in a run.</param>
    /// <param name="State">The blob that holds it.</param>
    /// <param name="Fuel">How far the guest had come since its very beginning, where the engine meters it.</param>
    /// <param name="ResumedFrom">Where the run that saved it began; null: at the beginning.</param>
    public sealed record CheckpointRecorded(
        int Attempt, long Sequence, BlobHash State, long Size, EngineName Engine, long? Fuel, CheckpointName? ResumedFrom)
        : JobEvent;

    /// <summary>By an assigned worker: its signed account of the attempt. Cause: the assignment.</summary>
    /// <param name="Attestation">The same in the words of in-toto and SLSA: exactly what <see cref="ReceiptAttestation"/>
    /// makes of the rest, signed by the worker; null where it makes nothing.</param>
    public sealed record ReceiptIssued(int Attempt, Receipt Receipt, Attestation? Attestation) : JobEvent;

    /// <summary>By the node: the attempt came to nothing, and another follows. Cause: the job's last milestone.</summary>
    /// <param name="RetryAt">When bidding on the next attempt opens.</param>
    public sealed record AttemptEnded(
        int Attempt, string Operation, JobError Error, ValueList<AttemptOutcome> Outcomes, DateTimeOffset RetryAt)
        : JobEvent;

    /// <summary>By the submitter: the job is to be cancelled. Cause: the submission.</summary>
    public sealed record CancelRequested(string Reason) : JobEvent;

    /// <summary>By the node, with the payment, in one transaction. Cause: the last receipt.</summary>
    public sealed record Completed(int Attempt, string Operation, ValueList<AttemptOutcome> Outcomes, long Refunded)
        : JobEvent;

    /// <summary>By the node, with the refund, in one transaction. Cause: the job's last milestone.</summary>
    public sealed record Failed(
        int Attempt, string Operation, JobError Error, ValueList<AttemptOutcome> Outcomes, long Refunded) : JobEvent;

    /// <summary>By the node, with the refund, in one transaction. Cause: the request.</summary>
    public sealed record Cancelled(int Attempt, string Operation, ValueList<AttemptOutcome> Outcomes, long Refunded)
        : JobEvent;

    /// <summary>By a node or another worker, after the job's end: it ran the document again, and got what the receipt says.
    /// Cause: the receipt.</summary>
    public sealed record ReceiptVerified(
        int Attempt,
        Did Worker,
        Digest? Registration,
        EngineName Engine,
        DateTimeOffset VerifiedAt,
        RunClaims Claims,
        long Checkpoints,
        string Summary) : JobEvent, IReceiptFinding;

    /// <summary>By a node or another worker, after the job's end: it ran the document again, and got something else. Cause:
    /// the receipt.</summary>
    /// <param name="Found">What it got.</param>
    /// <param name="Parting">Where the two runs part; null where the run has no places in it.</param>
    /// <param name="Differences">As they follow from the other members.</param>
    public sealed record ReceiptDisputed(
        int Attempt,
        Did Worker,
        Digest? Registration,
        EngineName Engine,
        DateTimeOffset VerifiedAt,
        RunClaims Claims,
        long Checkpoints,
        RunClaims Found,
        RunInterval? Parting,
        ValueList<RunDifference> Differences,
        string Summary) : JobEvent, IReceiptFinding;
}
