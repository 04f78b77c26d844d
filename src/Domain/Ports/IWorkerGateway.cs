using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Ports;

/// <summary>
/// What a worker may ask of a node: all of a worker's way to the ledger. A worker has no other; what it says is events
/// that it signed itself, and every one is judged by <see cref="JobRules"/> before it is appended.
/// </summary>
public interface IWorkerGateway
{
    /// <summary>Records a <c>worker_registered</c>. Returns once it is durable; null, or why not.</summary>
    Task<Refusal?> RegisterAsync(SignedEvent registration, CancellationToken cancellationToken);

    /// <summary>
    /// Makes the worker live for as long as the sequence is read, and tells it what concerns it: first the assignments
    /// that it has not finished and the jobs that wait for bids, then whatever comes. A notice may come twice.
    /// </summary>
    /// <param name="registration">The digest of the registration that it stands on.</param>
    IAsyncEnumerable<WorkerNotice> ListenAsync(Digest registration, CancellationToken cancellationToken);

    /// <summary>Appends bids and reports. Returns once each is durable or refused: an answer an event, in order, null
    /// for durable. Events of one job stand in the order in which they happened.</summary>
    Task<IReadOnlyList<Refusal?>> ReportAsync(IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken);

    /// <summary>Says that the worker will not bid on an attempt, so that bidding need not wait for it. A hint.</summary>
    void Decline(Digest registration, JobId job, int attempt);
}

/// <summary>What a worker is told.</summary>
public abstract record WorkerNotice
{
    private WorkerNotice()
    {
    }

    /// <summary>A job takes bids, and this worker meets what it asks for.</summary>
    /// <param name="SubmittedAt">By the submitting node's clock; jobs of one priority go by it.</param>
    public sealed record Offered(
        JobId JobId, int Attempt, Digest SubmissionDigest, JobEvent.Submitted Submission, DateTimeOffset SubmittedAt)
        : WorkerNotice
    {
        /// <summary>Others were asked before: it is for those that have nothing better to do.</summary>
        public bool AskedLater { get; init; }
    }

    /// <summary>An attempt is no concern of this worker's any more: somebody else runs it, or it has ended, or the job
    /// has, be it by cancelling. What runs of it is to be stopped.</summary>
    public sealed record Closed(JobId JobId, int Attempt) : WorkerNotice;

    /// <summary>The worker is to run an attempt.</summary>
    /// <param name="Start">The digest of its <c>execution_started</c> if it had begun before; it then says so no more.
    /// </param>
    /// <param name="Progress">The number of progress reports it has made, and the last one's basis points.</param>
    public sealed record Assigned(
        JobId JobId,
        int Attempt,
        Digest AssignmentDigest,
        JobEvent.Submitted Submission,
        Digest? Start,
        (long Sequence, int BasisPoints) Progress) : WorkerNotice
    {
        /// <summary>How long the worker may be silent before the attempt is lost.</summary>
        public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(30);

        /// <summary>How many pieces of output the ledger has, and where the next of each name begins.</summary>
        public long OutputSequence { get; init; }
        public IReadOnlyDictionary<string, long> OutputEnds { get; init; } = new Dictionary<string, long>();

        /// <summary>How many checkpoints of this run the ledger has.</summary>
        public long Checkpoints { get; init; }

        /// <summary>What the run may go on from: its own last checkpoint, else that of the attempts before.</summary>
        public IReadOnlyList<SavedState> Saved { get; init; } = [];
    }
}
