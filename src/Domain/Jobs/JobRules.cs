using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>
/// What may be said about a job, by whom, and when. The one place that judges: a node asks it before it appends, the
/// audit asks it about every event that was appended.
/// </summary>
public static class JobRules
{
    /// <summary>Why <paramref name="fact"/> may not follow <paramref name="state"/>; null if it may.</summary>
    public static Refusal? Check(JobState? state, in EventFact fact, IAuthority authority)
    {
        if (state is null)
        {
            return fact.Body is JobEvent.Submitted first
                ? Submission(first, fact)
                : No("JOB_UNKNOWN", "the job was never submitted");
        }

        if (state.Status.IsTerminal())
        {
            return No("JOB_ENDED", $"the job has ended: {state.Status.Name()}");
        }

        return fact.Body switch
        {
            JobEvent.Submitted => No("JOB_ID_TAKEN", "a job is submitted once"),
            JobEvent.BiddingOpened opened => ByNode(fact, authority)
                ?? In(state, JobStatus.Submitted)
                ?? Answers(fact, state.SubmissionDigest, "the submission")
                ?? Require(opened.Attempt == state.Attempt + 1, "WRONG_ATTEMPT", $"the next attempt is {state.Attempt + 1}"),
            JobEvent.BidPlaced bid => Bid(state, bid, fact, authority),
            JobEvent.BiddingClosed closed => ByNode(fact, authority)
                ?? In(state, JobStatus.BiddingOpen)
                ?? Answers(fact, state.BiddingDigest, "the bidding's opening")
                ?? ThisAttempt(state, closed.Attempt)
                ?? Require(
                    closed.Reason is "all_answered" or "window", "WRONG_REASON", "bidding closes by all_answered or window")
                ?? Require(
                    closed.Bids == state.Bids.Count, "WRONG_BIDS", $"the attempt has {state.Bids.Count} bids"),
            JobEvent.Assigned assigned => Assignment(state, assigned, fact, authority),
            JobEvent.ExecutionStarted started => ByAssignee(state, fact)
                ?? ThisAttempt(state, started.Attempt)
                ?? In(state, JobStatus.Assigned)
                ?? Answers(fact, state.AssignmentDigest, "the assignment"),
            JobEvent.ProgressReported progress => Progress(state, progress, fact),
            JobEvent.ReceiptIssued issued => ByAssignee(state, fact)
                ?? ThisAttempt(state, issued.Attempt)
                ?? Require(state.Receipt is null, "RECEIPT_EXISTS", "the attempt has its receipt")
                ?? In(state, JobStatus.Executing)
                ?? Answers(fact, state.AssignmentDigest, "the assignment"),
            JobEvent.Completed completed => Completion(state, completed, fact, authority),
            JobEvent.Failed failed => Failure(state, failed, fact, authority),
            _ => No("WRONG_STREAM", $"{EventCodec.TypeOf(fact.Body)} is none of a job's events"),
        };
    }

    private static Refusal? Submission(JobEvent.Submitted submitted, in EventFact fact) =>
        Require(fact.Cause is null, "WRONG_CAUSE", "a submission answers nothing")
        ?? Require(submitted.Terms.MaxPrice > 0, "WRONG_PRICE", "a job has a price of at least 1");

    private static Refusal? Bid(JobState state, JobEvent.BidPlaced bid, EventFact fact, IAuthority authority) =>
        In(state, JobStatus.BiddingOpen)
        ?? ThisAttempt(state, bid.Attempt)
        ?? Answers(fact, state.SubmissionDigest, "the submission")
        ?? Require(bid.Price > 0, "WRONG_PRICE", "a bid has a price of at least 1")
        ?? Require(
            authority.Registration(bid.Registration)?.Worker == fact.By,
            "NOT_REGISTERED",
            "a bid stands on a registration of its author")
        ?? Require(
            !state.Bids.Exists(earlier => earlier.Worker == fact.By && earlier.Body.Attempt == bid.Attempt),
            "ALREADY_BID",
            "a worker bids once on an attempt");

    private static Refusal? Assignment(JobState state, JobEvent.Assigned assigned, EventFact fact, IAuthority authority)
    {
        var refusal = ByNode(fact, authority)
            ?? In(state, JobStatus.BiddingClosed)
            ?? ThisAttempt(state, assigned.Attempt)
            ?? Require(assigned.Policy == Market.Cheapest, "UNKNOWN_POLICY", $"no policy is called {assigned.Policy}");
        if (refusal is not null)
        {
            return refusal;
        }

        var choice = Market.Choose(state, authority);
        return Require(
                choice.Winner is { } winner && winner.Worker == assigned.Worker && winner.Body.Price == assigned.Price
                    && choice.Considered.Equals(assigned.Considered),
                "WRONG_CHOICE",
                "the bids lead to another choice")
            ?? Answers(fact, choice.Winner!.Digest, "the winning bid");
    }

    private static Refusal? Progress(JobState state, JobEvent.ProgressReported progress, in EventFact fact) =>
        ByAssignee(state, fact)
        ?? ThisAttempt(state, progress.Attempt)
        ?? In(state, JobStatus.Executing)
        ?? Require(state.Receipt is null, "RECEIPT_EXISTS", "the attempt has its receipt")
        ?? Answers(fact, state.StartDigest, "the start")
        ?? Require(
            progress.Sequence == (state.Progress?.Sequence ?? 0) + 1,
            "WRONG_SEQUENCE",
            $"the next report is number {(state.Progress?.Sequence ?? 0) + 1}")
        ?? Require(
            progress.BasisPoints is >= 0 and <= 10_000 && progress.BasisPoints >= (state.Progress?.BasisPoints ?? 0),
            "WRONG_PROGRESS",
            "progress is 0 to 10000 basis points and never falls");

    private static Refusal? Completion(
        JobState state, JobEvent.Completed completed, in EventFact fact, IAuthority authority) =>
        ByNode(fact, authority)
        ?? ThisAttempt(state, completed.Attempt)
        ?? Require(state.Receipt is { Error: null }, "NO_SUCCESS", "only a receipt of success completes a job")
        ?? Answers(fact, state.ReceiptDigest, "the receipt")
        ?? Require(
            completed.Worker == state.Assignment!.Worker
                && completed.Paid == state.Assignment.Price
                && completed.Paid + completed.Refunded == state.Submission.Terms.MaxPrice,
            "WRONG_SETTLEMENT",
            "the assigned worker gets its price, the submitter the rest");

    private static Refusal? Failure(JobState state, JobEvent.Failed failed, in EventFact fact, IAuthority authority) =>
        ByNode(fact, authority)
        ?? ThisAttempt(state, failed.Attempt)
        ?? Require(
            state.Receipt is null || state.Receipt.Error == failed.Error,
            "WRONG_SETTLEMENT",
            "a job that has a receipt ends as the receipt says")
        ?? Answers(fact, state.Milestone, "the job's last milestone")
        ?? Require(
            failed.Worker == state.Assignment?.Worker && failed.Refunded == state.Submission.Terms.MaxPrice,
            "WRONG_SETTLEMENT",
            "a failed job is refunded whole");

    private static Refusal? ByNode(in EventFact fact, IAuthority authority) =>
        Require(authority.IsNode(fact.By), "NOT_A_NODE", $"only an admitted node may say this, not {fact.By}");

    private static Refusal? ByAssignee(JobState state, in EventFact fact) => Require(
        state.Assignment?.Worker == fact.By, "NOT_YOUR_ASSIGNMENT", $"the job is not assigned to {fact.By}");

    private static Refusal? In(JobState state, JobStatus status) => Require(
        state.Status == status, "WRONG_STATUS", $"the job is {state.Status.Name()}, not {status.Name()}");

    private static Refusal? ThisAttempt(JobState state, int attempt) => Require(
        attempt == state.Attempt, "WRONG_ATTEMPT", $"the attempt under way is {state.Attempt}, not {attempt}");

    private static Refusal? Answers(in EventFact fact, Crypto.Digest? cause, string what) =>
        Require(cause is not null && fact.Cause == cause, "WRONG_CAUSE", $"the cause must be {what}");

    private static Refusal? Require(bool met, string code, string message) => met ? null : No(code, message);

    private static Refusal No(string code, string message) => new(code, message);
}
