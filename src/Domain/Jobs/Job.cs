using System.Collections.Immutable;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What the node may want of a job. Workers do not command: they say what they did, and
/// <see cref="JobRules.Check"/> judges it.</summary>
public abstract record JobCommand
{
    private JobCommand()
    {
    }

    /// <summary>Open bidding on the next attempt, for as long as the terms say.</summary>
    /// <param name="SubmitterReputation">What the price is adjusted by; counts for the first attempt only.</param>
    public sealed record OpenBidding(long SubmitterReputation) : JobCommand;

    /// <summary>Close bidding and assign the best bids that can win. Without enough of them, bidding stays open.</summary>
    public sealed record CloseBidding(string Reason, SelectionInput Selection) : JobCommand;

    /// <summary>End the attempt, as its receipts say: with the job, or with another attempt to follow.</summary>
    /// <param name="Silent">The workers that are given up: <see cref="RunResults.Lost"/> or
    /// <see cref="RunResults.TimedOut"/>.</param>
    public sealed record Settle(IReadOnlyDictionary<Did, string> Silent, RetryPolicy Retry) : JobCommand;

    /// <summary>End the job without waiting for receipts; one that has its result is settled instead.</summary>
    public sealed record Abandon(JobError Error) : JobCommand;

    /// <summary>End the job as its submitter asked.</summary>
    public sealed record Cancel : JobCommand;
}

/// <summary>When and whether another attempt follows one that came to nothing.</summary>
/// <param name="FirstDelay">Before the second attempt; doubles with each failure, up to <paramref name="MaxDelay"/>, and
/// up to a quarter is taken off by a draw from the job's id, so that jobs which failed together do not return together.
/// A lost attempt is offered again at once.</param>
/// <param name="MaxLosses">How many attempts of a job may be lost before it has failed.</param>
/// <param name="FailedShare">What a worker gets of its price for a final failed attempt, in basis points.</param>
public sealed record RetryPolicy(TimeSpan FirstDelay, TimeSpan MaxDelay, int MaxLosses, int FailedShare)
{
    public static RetryPolicy Default { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), 5, 0);

    /// <summary>How long to wait after a failure.</summary>
    /// <param name="failures">How many there were, from 1.</param>
    /// <param name="draw">0 to 1023.</param>
    public TimeSpan Delay(int failures, int draw)
    {
        var whole = Math.Min(FirstDelay.Ticks * Math.Pow(2, Math.Min(failures - 1, 40)), MaxDelay.Ticks);
        return TimeSpan.FromTicks((long)(whole - (whole * draw / 4096)));
    }
}

/// <summary>
/// The life of a job:
/// <c>submitted -> bidding_open -> bidding_closed -> assigned -> executing -> completed | failed | cancelled</c>, with
/// <c>retrying -> bidding_open</c> after an attempt that came to nothing; after the end, only what others find of its
/// receipts. <see cref="Evolve"/> is the only way state
/// changes; <see cref="Decide"/> is what a node does about a state. A command that has been carried out leads to no
/// further events.
/// </summary>
public static class Job
{
    /// <summary>What <paramref name="command"/> leads to at <paramref name="now"/>.</summary>
    public static Decision Decide(JobState state, JobCommand command, DateTimeOffset now, IAuthority authority) =>
        state.Status.IsTerminal() ? Decision.Nothing : command switch
        {
            JobCommand.OpenBidding open => OpenBidding(state, open, now),
            JobCommand.CloseBidding close => CloseBidding(state, close, authority),
            JobCommand.Settle settle => Settle(state, settle, now, authority),
            JobCommand.Abandon abandon => Verdict.IsDecided(state, authority)
                ? Decision.Nothing
                : Decision.Of(new DecidedEvent(
                    new JobEvent.Failed(
                        state.Attempt, state.Submission.Operation, abandon.Error, Withdrawn(state), state.Escrow),
                    state.Milestone)),
            JobCommand.Cancel => state.CancelDigest is { } request
                ? Decision.Of(new DecidedEvent(
                    new JobEvent.Cancelled(state.Attempt, state.Submission.Operation, Withdrawn(state), state.Escrow),
                    request))
                : Decision.Nothing,
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
            ClosingDigest = null,
            Escrow = opened.Escrow,
            SubmitterReputation = opened.SubmitterReputation,
            Bids = ImmutableDictionary<Did, BidFact>.Empty,
        },
        (_, JobEvent.BidPlaced bid) => Next(state, state.Status) with
        {
            Bids = state.Bids.SetItem(
                fact.By,
                new BidFact(
                    fact.Digest, fact.By, bid, state.Version, (state.Bids.GetValueOrDefault(fact.By)?.Count ?? 0) + 1)),
        },
        (_, JobEvent.BiddingClosed) => Next(state, JobStatus.BiddingClosed) with { ClosingDigest = fact.Digest },
        (_, JobEvent.Assigned assigned) => Next(state, JobStatus.Assigned) with
        {
            Assignment = assigned,
            AssignmentDigest = fact.Digest,
            AssignedAt = fact.Time,
            Runs = [.. assigned.Assignees.Select(assignee => new Run { Bid = state.Bids[assignee.Worker] })],
            ReceiptDigest = null,
            Lost = null,
            RetryDigest = null,
        },
        (_, JobEvent.ExecutionStarted) => WithRun(
            Next(state, JobStatus.Executing), fact.By, Start(fact.Digest, fact.Time)),
        (_, JobEvent.LeaseRenewed) => Next(state, state.Status),
        (_, JobEvent.ProgressReported progress) => WithRun(
            Next(state, state.Status), fact.By, run => run with { Progress = progress }),
        (_, JobEvent.PartialOutputProduced output) => WithRun(Next(state, state.Status), fact.By, run => run with
        {
            OutputSequence = output.Sequence,
            OutputEnds = run.OutputEnds.SetItem(output.Name, output.Offset + output.Size),
        }),
        (_, JobEvent.CheckpointRecorded checkpoint) => WithRun(
            Next(state, state.Status), fact.By, run => run with
            {
                Checkpoints = ValueList.From(run.Checkpoints.Prepend(checkpoint).Take(JobState.KeptCheckpoints)),
            }),
        (_, JobEvent.ReceiptIssued issued) => TakeReceipt(Next(state, state.Status), issued, fact),
        (_, JobEvent.AttemptEnded ended) => EndAttempt(Next(state, JobStatus.Retrying), ended, fact.Digest),
        (_, JobEvent.CancelRequested request) => Next(state, state.Status) with
        {
            CancelDigest = fact.Digest,
            CancelReason = request.Reason,
        },
        (_, JobEvent.Completed completed) => End(Next(state, JobStatus.Completed), completed, completed.Outcomes, null, fact),
        (_, JobEvent.Failed failed) => End(Next(state, JobStatus.Failed), failed, failed.Outcomes, failed.Error, fact),
        (_, JobEvent.Cancelled cancelled) =>
            End(Next(state, JobStatus.Cancelled), cancelled, cancelled.Outcomes, null, fact),
        (_, IReceiptFinding finding) => state.Status.IsTerminal()
            ? state with { Version = state.Version + 1, Book = state.Book.Add(finding, fact) }
            : throw new InvalidHistoryException("Receipts are judged after the job's end."),
        _ => throw new InvalidHistoryException($"Event {Name(fact)} is none of a job's."),
    };

    private static Func<Run, Run> Start(Digest digest, DateTimeOffset time) =>
        run => run with { StartDigest = digest, StartedAt = time };

    private static JobState Next(JobState state, JobStatus status) => state.Status.IsTerminal()
        ? throw new InvalidHistoryException($"The job had ended: it was {state.Status.Name()}.")
        : state with { Status = status, Version = state.Version + 1 };

    private static string Name(in EventFact fact) => EventCodec.TypeOf(fact.Body);

    private static JobState WithRun(JobState state, Did worker, Func<Run, Run> change)
    {
        var i = state.Runs.FindIndex(run => run.Worker == worker);
        return i < 0
            ? throw new InvalidHistoryException($"The job is not assigned to {worker}.")
            : state with { Runs = state.Runs.SetItem(i, change(state.Runs[i])) };
    }

    /// <summary>A receipt; that of a lost attempt brings the attempt back.</summary>
    private static JobState TakeReceipt(JobState state, JobEvent.ReceiptIssued issued, in EventFact fact)
    {
        if (!state.Status.IsUnderWay() && state.Lost is { } lost && issued.Attempt == lost.Attempt)
        {
            state = state with
            {
                Status = JobStatus.Executing,
                Attempt = lost.Attempt,
                Assignment = lost.Assignment,
                AssignmentDigest = lost.AssignmentDigest,
                AssignedAt = lost.AssignedAt,
                Runs = [lost.Run],
                Bids = ImmutableDictionary<Did, BidFact>.Empty,
                Saved = lost.Saved,
                Lost = null,
                RetryDigest = null,
            };
        }

        var digest = fact.Digest;
        var registration = state.RunOf(fact.By)?.Bid.Body.Registration ?? default;
        return WithRun(
            state with
            {
                ReceiptDigest = digest,
                Book = state.Book.Add(digest, issued.Attempt, fact.By, registration, issued.Receipt),
            },
            fact.By,
            run => run with { Receipt = issued.Receipt, ReceiptDigest = digest });
    }

    private static JobState EndAttempt(JobState state, JobEvent.AttemptEnded ended, Digest digest)
    {
        var isLost = ended.Error.Code == JobError.LeaseLost;
        return state with
        {
            Error = ended.Error,
            RetryAt = ended.RetryAt,
            RetryDigest = digest,
            Failures = state.Failures + (isLost ? 0 : 1),
            Losses = state.Losses + (isLost ? 1 : 0),
            FailedLast = ValueList.From(ended.Outcomes
                .Where(outcome => outcome.Result is RunResults.Failed or RunResults.TimedOut or RunResults.Lost
                    or RunResults.Disagreed)
                .Select(outcome => outcome.Worker)),
            Lost = state.Runs is [{ Receipt: null } only]
                ? new LostAttempt(
                    state.Attempt, state.Assignment!, state.AssignmentDigest!.Value, state.AssignedAt!.Value, only, state.Saved)
                : null,
            Saved = CheckpointRules.After(state, ended.Error),
            Runs = [],
            Bids = ImmutableDictionary<Did, BidFact>.Empty,
            Assignment = null,
            AssignmentDigest = null,
            AssignedAt = null,
            ReceiptDigest = null,
            BiddingDigest = null,
        };
    }

    private static JobState End(
        JobState state, JobEvent end, ValueList<AttemptOutcome> outcomes, JobError? error, in EventFact fact)
    {
        var winner = outcomes.FirstOrDefault(
            outcome => outcome.Result is RunResults.Succeeded or RunResults.Agreed or RunResults.Own);
        return state with
        {
            End = end,
            Paid = outcomes.Sum(outcome => outcome.Paid),
            EndedAt = fact.Time,
            Error = error ?? state.Error,
            ResultRun = state.Runs.Find(run => run.Worker == winner?.Worker)
                ?? state.Runs.Find(run => error is not null && run.Receipt?.Error == error),
        };
    }

    private static Decision OpenBidding(JobState state, JobCommand.OpenBidding command, DateTimeOffset now)
    {
        if (state.Status is not (JobStatus.Submitted or JobStatus.Retrying) || state.CancelDigest is not null)
        {
            return Decision.Nothing;
        }

        var isFirst = state.Status == JobStatus.Submitted;
        var reputation = isFirst ? command.SubmitterReputation : state.SubmitterReputation;
        return Decision.Of(new DecidedEvent(
            new JobEvent.BiddingOpened(
                state.Attempt + 1,
                now.ToMicroseconds().AddMilliseconds(state.Submission.Terms.BidWindowMs),
                isFirst ? Pricing.Escrow(state.Submission.Terms, reputation) : state.Escrow,
                reputation),
            isFirst ? state.SubmissionDigest : state.RetryDigest!.Value));
    }

    private static Decision CloseBidding(JobState state, JobCommand.CloseBidding command, IAuthority authority)
    {
        if (state.Status is not (JobStatus.BiddingOpen or JobStatus.BiddingClosed) || state.CancelDigest is not null)
        {
            return Decision.Nothing;
        }

        var choice = Market.Choose(state, authority, command.Selection);
        if (choice.Assignees.Count == 0)
        {
            return Decision.Nothing;
        }

        var assigned = new DecidedEvent(
            new JobEvent.Assigned(state.Attempt, choice.Assignees, choice.Selection, choice.Considered),
            choice.Assignees[0].Bid);
        if (state.Status == JobStatus.BiddingClosed)
        {
            return Decision.Of(assigned);
        }

        var closed = new DecidedEvent(
            new JobEvent.BiddingClosed(state.Attempt, state.Bids.Count, command.Reason), state.BiddingDigest);

        // Whether a trusted worker is checked is drawn from the closing, so that it cannot be known before.
        return state.Submission.Terms is { Replicas: > 1, AdaptiveReplication: true }
            ? Decision.Of(closed)
            : Decision.Of(closed, assigned);
    }

    private static Decision Settle(
        JobState state, JobCommand.Settle command, DateTimeOffset now, IAuthority authority)
    {
        if (!state.Status.IsUnderWay() || Verdict.Of(state, command.Silent, authority) is not { } verdict)
        {
            return Decision.Nothing;
        }

        var operation = state.Submission.Operation;
        if (verdict.Winner is not null)
        {
            return Decision.Of(new DecidedEvent(
                new JobEvent.Completed(
                    state.Attempt, operation, verdict.Outcomes, state.Escrow - verdict.Outcomes.Sum(outcome => outcome.Paid)),
                state.ReceiptDigest));
        }

        var error = verdict.Error!;
        if (JobRules.MayRetry(state, error, command.Retry.MaxLosses) && state.CancelDigest is null)
        {
            var delay = error.Code == JobError.LeaseLost
                ? TimeSpan.Zero
                : command.Retry.Delay(state.Failures + 1, state.SubmissionDigest.ToString()[^3..] switch
                {
                    var hex => int.Parse(
                        hex, System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture)
                        % 1024,
                });
            return Decision.Of(new DecidedEvent(
                new JobEvent.AttemptEnded(
                    state.Attempt, operation, error, verdict.Outcomes, (now + delay).ToMicroseconds()),
                state.Milestone));
        }

        var outcomes = ValueList.From(verdict.Outcomes.Select(outcome => outcome.Result == RunResults.Failed
            ? outcome with { Paid = FailedShare(state, outcome.Worker, command.Retry.FailedShare) }
            : outcome));
        return Decision.Of(new DecidedEvent(
            new JobEvent.Failed(
                state.Attempt, operation, error, outcomes, state.Escrow - outcomes.Sum(outcome => outcome.Paid)),
            state.Milestone));
    }

    private static long FailedShare(JobState state, Did worker, int share) =>
        (long)((Int128)Pricing.Adjust(state.RunOf(worker)!.Price, state.SubmitterReputation) * share / 10_000);

    private static ValueList<AttemptOutcome> Withdrawn(JobState state) =>
        ValueList.From(state.Runs.Select(run => new AttemptOutcome(run.Worker, RunResults.Withdrawn, 0)));
}
