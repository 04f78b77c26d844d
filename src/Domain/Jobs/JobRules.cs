using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>
/// What may be said about a job, by whom, and when. The one place that judges: a node asks it before it appends, the
/// audit asks it about every event that was appended. <see cref="SettlementRules"/> judges how attempts and jobs end.
/// </summary>
public static class JobRules
{
    /// <summary>How often a worker may bid on one attempt.</summary>
    public const int MaxBids = 16;

    /// <summary>The most output that comes in pieces, and the most pieces, of one run.</summary>
    public const long MaxPartialBytes = 64L << 20;
    public const long MaxPartialOutputs = 10_000;

    private const long MaxWeight = 1_000_000;

    /// <summary>Why <paramref name="fact"/> may not follow <paramref name="state"/>; null if it may.</summary>
    public static Refusal? Check(JobState? state, in EventFact fact, IAuthority authority)
    {
        if (state is null)
        {
            return fact.Body is JobEvent.Submitted first
                ? Submission(first, fact)
                : No("JOB_UNKNOWN", "the job was never submitted");
        }

        if (fact.Body is IReceiptFinding)
        {
            return state.Status.IsTerminal()
                ? FindingRules.Check(state.Book, fact, authority)
                : No("NOT_ENDED", $"the job is {state.Status.Name()}: its receipts are judged after its end");
        }

        if (state.Status.IsTerminal())
        {
            return No("JOB_ENDED", $"the job has ended: {state.Status.Name()}");
        }

        return fact.Body switch
        {
            JobEvent.Submitted => No("JOB_ID_TAKEN", "a job is submitted once"),
            JobEvent.BiddingOpened opened => Opening(state, opened, fact, authority),
            JobEvent.BidPlaced bid => Bid(state, bid, fact, authority),
            JobEvent.BiddingClosed closed => ByNode(fact, authority)
                ?? In(state, JobStatus.BiddingOpen)
                ?? Answers(fact, state.BiddingDigest, "the bidding's opening")
                ?? ThisAttempt(state, closed.Attempt)
                ?? Require(
                    closed.Reason is "all_answered" or "window", "WRONG_REASON", "bidding closes by all_answered or window")
                ?? Require(
                    closed.Bids == state.Bids.Count, "WRONG_BIDS", $"{state.Bids.Count} workers bid on the attempt"),
            JobEvent.Assigned assigned => Assignment(state, assigned, fact, authority),
            JobEvent.ExecutionStarted started => Assignee(state, started.Attempt, fact)
                ?? Require(state.RunOf(fact.By)!.StartDigest is null, "STARTED", "the run has started")
                ?? Answers(fact, state.AssignmentDigest, "the assignment"),
            JobEvent.LeaseRenewed renewed => Assignee(state, renewed.Attempt, fact)
                ?? Answers(fact, state.AssignmentDigest, "the assignment"),
            JobEvent.ProgressReported progress => Running(state, progress.Attempt, fact)
                ?? Progress(state.RunOf(fact.By)!, progress),
            JobEvent.PartialOutputProduced output => Running(state, output.Attempt, fact)
                ?? Output(state.RunOf(fact.By)!, output),
            JobEvent.CheckpointRecorded checkpoint => Running(state, checkpoint.Attempt, fact)
                ?? Require(
                    checkpoint.Sequence == (state.RunOf(fact.By)!.Checkpoint?.Sequence ?? 0) + 1 && checkpoint.Size > 0,
                    "WRONG_SEQUENCE",
                    $"the next checkpoint is number {(state.RunOf(fact.By)!.Checkpoint?.Sequence ?? 0) + 1}, and not empty")
                ?? Require(checkpoint.Fuel is null or >= 0, "WRONG_GUEST", "a guest's fuel is 0 or more")
                ?? OutputName.Check(checkpoint.Engine)
                ?? CheckpointRules.Check(
                    state.Saved, state.RunOf(fact.By)!, checkpoint.Attempt, checkpoint.ResumedFrom),
            JobEvent.ReceiptIssued issued => Receipt(state, issued, fact),
            JobEvent.CancelRequested => Require(
                    fact.By == state.Submitter, "NOT_THE_SUBMITTER", $"only the submitter {state.Submitter} may cancel")
                ?? Require(
                    state.Submission.Terms.Cancellable, "NOT_CANCELLABLE", "the document says that the job is not cancellable")
                ?? Require(state.CancelDigest is null, "CANCELLED", "the job is being cancelled")
                ?? Require(
                    !state.Runs.Exists(run => run.Receipt is { Error: null }),
                    "RECEIPT_EXISTS",
                    "a worker has handed in a result, for which it is to be paid")
                ?? Answers(fact, state.SubmissionDigest, "the submission"),
            JobEvent.AttemptEnded or JobEvent.Completed or JobEvent.Failed or JobEvent.Cancelled =>
                ByNode(fact, authority) ?? SettlementRules.Check(state, fact, authority),
            _ => No("WRONG_STREAM", $"{EventCodec.TypeOf(fact.Body)} is none of a job's events"),
        };
    }

    /// <summary>Whether another attempt may follow this error.</summary>
    /// <param name="maxLosses">The most attempts that may be lost.</param>
    public static bool MayRetry(JobState state, JobError error, int maxLosses)
    {
        if (error.Code == JobError.LeaseLost)
        {
            return state.Losses + 1 < maxLosses;
        }

        var terms = state.Submission.Terms;
        return state.Failures + 1 < terms.MaxAttempts
            && (terms.RetryOn.Count == 0 ? error.Recoverable : terms.RetryOn.Contains(error.Code));
    }

    internal static Refusal? ByNode(in EventFact fact, IAuthority authority) =>
        Require(authority.IsNode(fact.By), "NOT_A_NODE", $"only an admitted node may say this, not {fact.By}");

    internal static Refusal? ThisAttempt(JobState state, int attempt) => Require(
        attempt == state.Attempt, "WRONG_ATTEMPT", $"the attempt under way is {state.Attempt}, not {attempt}");

    internal static Refusal? Answers(in EventFact fact, Digest? cause, string what) =>
        Require(cause is not null && fact.Cause == cause, "WRONG_CAUSE", $"the cause must be {what}");

    internal static Refusal? Require(bool met, string code, string message) => met ? null : No(code, message);

    internal static Refusal No(string code, string message) => new(code, message);

    private static Refusal? Submission(JobEvent.Submitted submitted, in EventFact fact) =>
        Require(fact.Cause is null, "WRONG_CAUSE", "a submission answers nothing")
        ?? Require(
            submitted.Terms.MaxPrice is > 0 and <= JobLimits.MaxPrice,
            "WRONG_PRICE",
            $"a job has a price of 1 to {JobLimits.MaxPrice}")
        ?? Require(
            submitted.Terms.Replicas is > 0 and <= JobLimits.Replicas,
            "WRONG_REPLICAS",
            $"a job is run by 1 to {JobLimits.Replicas} workers");

    private static Refusal? Opening(
        JobState state, JobEvent.BiddingOpened opened, in EventFact fact, IAuthority authority)
    {
        var isFirst = state.Status == JobStatus.Submitted;
        return ByNode(fact, authority)
            ?? (isFirst ? null : In(state, JobStatus.Retrying))
            ?? NotCancelled(state)
            ?? Answers(
                fact,
                isFirst ? state.SubmissionDigest : state.RetryDigest,
                isFirst ? "the submission" : "the end of the attempt before")
            ?? Require(opened.Attempt == state.Attempt + 1, "WRONG_ATTEMPT", $"the next attempt is {state.Attempt + 1}")
            ?? Require(
                isFirst
                    ? opened.Escrow == Pricing.Escrow(state.Submission.Terms, opened.SubmitterReputation)
                    : opened.Escrow == state.Escrow && opened.SubmitterReputation == state.SubmitterReputation,
                "WRONG_ESCROW",
                "the escrow is the highest price, adjusted by the submitter's reputation, for each replica, and stays");
    }

    private static Refusal? Bid(JobState state, JobEvent.BidPlaced bid, EventFact fact, IAuthority authority) =>
        In(state, JobStatus.BiddingOpen)
        ?? NotCancelled(state)
        ?? ThisAttempt(state, bid.Attempt)
        ?? Answers(fact, state.SubmissionDigest, "the submission")
        ?? Require(bid.Price > 0, "WRONG_PRICE", "a bid has a price of at least 1")
        ?? Require(
            bid.Free is { CpuCores: >= 0, MemoryMb: >= 0, StorageMb: >= 0, Slots: >= 0 },
            "WRONG_RESOURCES",
            "nobody has less than nothing free")
        ?? Require(
            authority.Registration(bid.Registration)?.Worker == fact.By,
            "NOT_REGISTERED",
            "a bid stands on a registration of its author")
        ?? Claims(bid, authority.Registration(bid.Registration)!.Facts)
        ?? Require(
            (state.Bids.GetValueOrDefault(fact.By)?.Count ?? 0) < MaxBids,
            "TOO_MANY_BIDS",
            $"a worker bids at most {MaxBids} times on an attempt");

    /// <summary>Nobody has more free than it has.</summary>
    private static Refusal? Claims(JobEvent.BidPlaced bid, Workers.WorkerEvent.Registered all) => Require(
        bid.Free.CpuCores <= all.Resources.CpuCores && bid.Free.MemoryMb <= all.Resources.MemoryMb
            && bid.Free.StorageMb <= all.Resources.StorageMb && bid.Free.Slots <= all.MaxConcurrentJobs,
        "WRONG_RESOURCES",
        "more is said to be free than the registration says there is");

    private static Refusal? Assignment(JobState state, JobEvent.Assigned assigned, EventFact fact, IAuthority authority)
    {
        var weights = assigned.Selection.Weights;
        var refusal = ByNode(fact, authority)
            ?? In(state, JobStatus.BiddingClosed)
            ?? NotCancelled(state)
            ?? ThisAttempt(state, assigned.Attempt)
            ?? Require(
                SelectionPolicy.Of(assigned.Selection.Policy) is not null,
                "UNKNOWN_POLICY",
                $"no policy is called {assigned.Selection.Policy}")
            ?? Require(
                Array.TrueForAll(
                    [weights.Price, weights.Reputation, weights.Resources, weights.Latency],
                    weight => weight is >= 0 and <= MaxWeight)
                    && weights.Price + weights.Reputation + weights.Resources + weights.Latency > 0,
                "WRONG_WEIGHTS",
                $"weights are 0 to {MaxWeight}, and not all 0")
            ?? Require(assigned.Selection.LeaseMs > 0, "WRONG_LEASE", "a lease lasts at least 1 ms");
        if (refusal is not null)
        {
            return refusal;
        }

        var choice = Market.Repeat(state, assigned, authority);
        return Require(
                choice.Assignees.Count > 0 && choice.Assignees.Equals(assigned.Assignees)
                    && choice.Considered.Equals(assigned.Considered) && choice.Selection == assigned.Selection,
                "WRONG_CHOICE",
                "the bids lead to another choice")
            ?? Answers(fact, choice.Assignees[0].Bid, "the winning bid");
    }

    private static Refusal? Receipt(JobState state, JobEvent.ReceiptIssued issued, in EventFact fact)
    {
        if ((NotCancelled(state) ?? ReceiptRules.Check(issued.Receipt)) is { } refusal)
        {
            return refusal;
        }

        if (!state.Status.IsUnderWay() && state.Lost is { } lost && lost.Run.Worker == fact.By
            && issued.Attempt == lost.Attempt)
        {
            return Answers(fact, lost.AssignmentDigest, "the assignment")
                ?? Require(
                    lost.Run.StartDigest is not null && issued.Receipt.Error is null,
                    "LEASE_LOST",
                    "of an attempt that was lost only a result is still taken")
                ?? CheckpointRules.Check(lost.Saved, lost.Run, issued.Attempt, issued.Receipt.Guest?.ResumedFrom)
                ?? ReceiptAttestation.Check(state.Submission, issued, fact);
        }

        return Assignee(state, issued.Attempt, fact)
            ?? Require(state.RunOf(fact.By)!.StartDigest is not null, "NOT_STARTED", "the run has not started")
            ?? Answers(fact, state.AssignmentDigest, "the assignment")
            ?? CheckpointRules.Check(
                state.Saved, state.RunOf(fact.By)!, issued.Attempt, issued.Receipt.Guest?.ResumedFrom)
            ?? ReceiptAttestation.Check(state.Submission, issued, fact);
    }

    /// <summary>An assigned worker whose run goes on.</summary>
    private static Refusal? Assignee(JobState state, int attempt, in EventFact fact)
    {
        var run = state.RunOf(fact.By);
        if (run is null && (attempt < state.Attempt || (attempt == state.Attempt && state.Status == JobStatus.Retrying)))
        {
            return No("LEASE_LOST", $"attempt {attempt} is over");
        }

        return ThisAttempt(state, attempt)
            ?? Require(run is not null, "NOT_YOUR_ASSIGNMENT", $"the job is not assigned to {fact.By}")
            ?? Require(run!.Receipt is null, "RECEIPT_EXISTS", "the run has its receipt")
            ?? NotCancelled(state);
    }

    private static Refusal? Running(JobState state, int attempt, in EventFact fact) =>
        Assignee(state, attempt, fact) ?? Answers(fact, state.RunOf(fact.By)!.StartDigest, "the run's start");

    private static Refusal? Progress(Run run, JobEvent.ProgressReported progress) =>
        Require(
            progress.Sequence == (run.Progress?.Sequence ?? 0) + 1,
            "WRONG_SEQUENCE",
            $"the next report is number {(run.Progress?.Sequence ?? 0) + 1}")
        ?? Require(
            progress.BasisPoints is >= 0 and <= 10_000 && progress.BasisPoints >= (run.Progress?.BasisPoints ?? 0)
                && progress.EtaMs is null or >= 0,
            "WRONG_PROGRESS",
            "progress is 0 to 10000 basis points and never falls");

    private static Refusal? Output(Run run, JobEvent.PartialOutputProduced output) =>
        Require(
            output.Sequence == run.OutputSequence + 1 && output.Sequence <= MaxPartialOutputs,
            "WRONG_SEQUENCE",
            $"the next piece is number {run.OutputSequence + 1}, and {MaxPartialOutputs} is the last")
        ?? OutputName.Check(output.Name)
        ?? Require(
            output.Offset == run.OutputEnds.GetValueOrDefault(output.Name)
                && output.Size > 0 && output.Size <= MaxPartialBytes - output.Offset,
            "WRONG_OFFSET",
            $"the next piece of {output.Name} begins at {run.OutputEnds.GetValueOrDefault(output.Name)}, is not empty, and "
                + $"does not go beyond {MaxPartialBytes}")
        ?? ReceiptRules.Bytes(output.Name, output.Size, output.Blake3, null, output.Text, output.Base64);

    private static Refusal? NotCancelled(JobState state) =>
        Require(state.CancelDigest is null, "CANCELLED", "the submitter cancelled the job");

    private static Refusal? In(JobState state, JobStatus status) => Require(
        state.Status == status, "WRONG_STATUS", $"the job is {state.Status.Name()}, not {status.Name()}");
}
