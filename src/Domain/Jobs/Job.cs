using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What the node may want of a job. Workers do not command: they say what they did, and
/// <see cref="JobRules.Check"/> judges it.</summary>
public abstract record JobCommand
{
    private JobCommand()
    {
    }

    /// <summary>Open bidding on the first attempt, for as long as the terms say.</summary>
    public sealed record OpenBidding : JobCommand;

    /// <summary>Close bidding and assign the best bid that can win. Without one, bidding stays open.</summary>
    public sealed record CloseBidding(string Reason) : JobCommand;

    /// <summary>End the job as its receipt says.</summary>
    public sealed record Settle : JobCommand;

    /// <summary>End the job without a receipt.</summary>
    public sealed record Abandon(JobError Error) : JobCommand;
}

/// <summary>
/// The life of a job: <c>submitted -> bidding_open -> bidding_closed -> assigned -> executing -> completed | failed</c>.
/// <see cref="Evolve"/> is the only way state changes; <see cref="Decide"/> is what a node does about a state. A command
/// that has been carried out leads to no further events.
/// </summary>
public static class Job
{
    /// <summary>What <paramref name="command"/> leads to at <paramref name="now"/>.</summary>
    public static Decision Decide(JobState state, JobCommand command, DateTimeOffset now, IAuthority authority) =>
        command switch
        {
            JobCommand.OpenBidding => OpenBidding(state, now),
            JobCommand.CloseBidding close => CloseBidding(state, close, authority),
            JobCommand.Settle => Settle(state),
            JobCommand.Abandon abandon => Abandon(state, abandon),
            _ => throw new ArgumentException($"No rule for command {command.GetType().Name}.", nameof(command)),
        };

    /// <summary>The state after <paramref name="fact"/>.</summary>
    /// <exception cref="InvalidHistoryException">The event cannot follow; <see cref="JobRules.Check"/> says why.
    /// </exception>
    public static JobState Evolve(JobState? state, in EventFact fact) => (state, fact.Body) switch
    {
        (null, JobEvent.Submitted submitted) => new JobState
        {
            Status = JobStatus.Submitted,
            Version = 1,
            Submitter = fact.By,
            Submission = submitted,
            SubmissionDigest = fact.Digest,
            SubmittedAt = fact.Time,
        },
        (null, _) => throw new InvalidHistoryException($"A job begins with job_submitted, not {Name(fact)}."),
        (_, JobEvent.Submitted) => throw new InvalidHistoryException("A job is submitted once."),
        (_, JobEvent.BiddingOpened opened) => Next(state, JobStatus.BiddingOpen) with
        {
            Attempt = opened.Attempt,
            BiddingDigest = fact.Digest,
            Coordinator = fact.By,
            BiddingClosesAt = opened.ClosesAt,
        },
        (_, JobEvent.BidPlaced bid) => Next(state, state.Status) with
        {
            Bids = state.Bids.Add(new BidFact(fact.Digest, fact.By, bid)),
        },
        (_, JobEvent.BiddingClosed) => Next(state, JobStatus.BiddingClosed),
        (_, JobEvent.Assigned assigned) => Next(state, JobStatus.Assigned) with
        {
            Assignment = assigned,
            AssignmentDigest = fact.Digest,
            AssignedAt = fact.Time,
        },
        (_, JobEvent.ExecutionStarted) => Next(state, JobStatus.Executing) with
        {
            StartDigest = fact.Digest,
            StartedAt = fact.Time,
        },
        (_, JobEvent.ProgressReported progress) => Next(state, state.Status) with { Progress = progress },
        (_, JobEvent.ReceiptIssued issued) => Next(state, state.Status) with
        {
            Receipt = issued.Receipt,
            ReceiptDigest = fact.Digest,
        },
        (_, JobEvent.Completed completed) => Next(state, JobStatus.Completed) with
        {
            Completion = completed,
            EndedAt = fact.Time,
        },
        (_, JobEvent.Failed failed) => Next(state, JobStatus.Failed) with { Failure = failed, EndedAt = fact.Time },
        _ => throw new InvalidHistoryException($"Event {Name(fact)} is none of a job's."),
    };

    private static JobState Next(JobState state, JobStatus status) => state.Status.IsTerminal()
        ? throw new InvalidHistoryException($"The job had ended: it was {state.Status.Name()}.")
        : state with { Status = status, Version = state.Version + 1 };

    private static string Name(in EventFact fact) => EventCodec.TypeOf(fact.Body);

    private static Decision OpenBidding(JobState state, DateTimeOffset now) => state.Status == JobStatus.Submitted
        ? Decision.Of(new DecidedEvent(
            new JobEvent.BiddingOpened(1, now.ToMicroseconds().AddMilliseconds(state.Submission.Terms.BidWindowMs)),
            state.SubmissionDigest))
        : Decision.Nothing;

    private static Decision CloseBidding(JobState state, JobCommand.CloseBidding command, IAuthority authority)
    {
        if (state.Status is not (JobStatus.BiddingOpen or JobStatus.BiddingClosed))
        {
            return Decision.Nothing;
        }

        var choice = Market.Choose(state, authority);
        if (choice.Winner is not { } winner)
        {
            return Decision.Nothing;
        }

        var assigned = new DecidedEvent(
            new JobEvent.Assigned(state.Attempt, winner.Worker, winner.Body.Price, Market.Cheapest, choice.Considered),
            winner.Digest);
        return state.Status == JobStatus.BiddingClosed
            ? Decision.Of(assigned)
            : Decision.Of(
                new DecidedEvent(
                    new JobEvent.BiddingClosed(state.Attempt, state.Bids.Count, command.Reason), state.BiddingDigest),
                assigned);
    }

    private static Decision Settle(JobState state)
    {
        if (state.Status.IsTerminal() || state.Receipt is not { } receipt)
        {
            return Decision.Nothing;
        }

        var assignment = state.Assignment!;
        var held = state.Submission.Terms.MaxPrice;
        LedgerEvent end = receipt.Error is { } error
            ? new JobEvent.Failed(state.Attempt, assignment.Worker, error, held)
            : new JobEvent.Completed(state.Attempt, assignment.Worker, assignment.Price, held - assignment.Price);
        return Decision.Of(new DecidedEvent(end, state.ReceiptDigest));
    }

    private static Decision Abandon(JobState state, JobCommand.Abandon command) =>
        state.Status.IsTerminal() || state.Receipt is not null
            ? Decision.Nothing
            : Decision.Of(new DecidedEvent(
                new JobEvent.Failed(
                    state.Attempt, state.Assignment?.Worker, command.Error, state.Submission.Terms.MaxPrice),
                state.Milestone));
}
