using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node;

/// <summary>Something that moves mana, and what it is answered.</summary>
internal abstract class TreasuryItem(JobId job)
{
    public JobId Job { get; } = job;

    public abstract bool IsAnswered { get; }

    /// <summary>The streams that no other item of a round may touch.</summary>
    public abstract IEnumerable<StreamId> Streams { get; }

    /// <summary>Adds the item's events, or answers it. Adds all or nothing.</summary>
    public abstract Task<bool> DraftAsync(Treasury treasury, Draft draft, Dictionary<Did, AccountState> accounts);

    public abstract void Succeed(IReadOnlyList<RecordedEvent> events);

    /// <summary>Answers the item if what the ledger holds already decides it.</summary>
    public abstract Task ResolveAsync(Treasury treasury, StreamId conflict);

    public abstract void Fail(Exception exception);
}

/// <summary>The aid request that a job answers, and the template by which it does.</summary>
internal sealed record AidMatch(Domain.Aid.AidRequest Request, Domain.Aid.AidTemplate Template);

/// <summary>A submission: the job comes into being, and its price into escrow.</summary>
internal sealed class SubmitItem(JobId job, JobEvent.Submitted body, EventAuthor submitter, AidMatch? match)
    : TreasuryItem(job)
{
    public TaskCompletionSource<(Submission Submission, IReadOnlyList<RecordedEvent> Events)> Answer { get; } =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override bool IsAnswered => Answer.Task.IsCompleted;

    public override IEnumerable<StreamId> Streams
    {
        get
        {
            yield return StreamId.OfJob(Job);
            if (body.Terms.IdempotencyKey is { } key)
            {
                yield return StreamId.OfKey(key);
            }

            if (match is not null)
            {
                yield return match.Request.Stream;
            }
        }
    }

    public override async Task<bool> DraftAsync(
        Treasury treasury, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        var payer = submitter.Did;
        var stream = StreamId.OfJob(Job);
        var economy = treasury.Options.Economy;
        var account = await treasury.AccountAsync(
            payer, match is null ? economy.SubmitterGrant : economy.PoolGrant, draft, accounts);
        var reputation = treasury.Standings.OfSubmitter(payer);
        var escrow = Pricing.Escrow(body.Terms, reputation);
        var held = new AccountEvent.Held(Job, escrow);
        if ((treasury.Check(payer, account, held) ?? treasury.Quotas.Take(Job, payer, body.Terms.Namespace, escrow)) is { } refusal)
        {
            // What the ledger knows of this job goes before what its submitter can pay.
            await ResolveAsync(treasury, stream);
            Answer.TrySetResult((new Submission.Refused(refusal.Code, refusal.Message), []));
            return false;
        }

        draft.Expect(stream, 0, body.Terms.CorrelationId);
        var submitted = draft.Add(submitter, body, cause: null, stream);
        var state = Domain.Jobs.Job.Evolve(null, EventFact.Of(submitted));
        draft.Add(
            treasury.Node,
            Domain.Jobs.Job.Decide(state, new JobCommand.OpenBidding(reputation), submitted.Time, treasury.Authority),
            stream);
        treasury.Move(payer, held, submitted.Digest, draft, accounts);
        if (body.Terms.IdempotencyKey is { } key)
        {
            draft.Expect(StreamId.OfKey(key), 0);
            draft.Add(
                treasury.Node, new NodeEvent.IdempotencyKeyClaimed(Job), submitted.Digest, StreamId.OfKey(key));
        }

        if (match is not null)
        {
            draft.Expect(match.Request.Stream, 1);
            draft.Add(
                treasury.Node,
                new Domain.Aid.AidEvent.Matched(match.Template.Digest, Job),
                match.Request.Digest,
                match.Request.Stream);
        }

        return true;
    }

    public override void Succeed(IReadOnlyList<RecordedEvent> events) =>
        Answer.TrySetResult((new Submission.Accepted(Job), events));

    public override async Task ResolveAsync(Treasury treasury, StreamId conflict)
    {
        treasury.Quotas.GiveBack(Job);
        if (match is not null && conflict == match.Request.Stream)
        {
            Answer.TrySetResult((new Submission.Refused("MATCHED", "another node has answered the request"), []));
            return;
        }

        var events = await treasury.Store.LoadAsync(StreamId.OfJob(Job), treasury.Stopping);
        if (events.Count > 0)
        {
            var same = events[0].Statement.Body is JobEvent.Submitted earlier
                && earlier.DocumentSha256 == body.DocumentSha256;
            Answer.TrySetResult((
                same
                    ? new Submission.Duplicate(Job)
                    : new Submission.Refused(
                        "JOB_ID_TAKEN", $"job id {Job} was submitted before with other content; choose another id"),
                []));
            return;
        }

        if (body.Terms.IdempotencyKey is { } key)
        {
            events = await treasury.Store.LoadAsync(StreamId.OfKey(key), treasury.Stopping);
            if (events.Count > 0 && events[0].Statement.Body is NodeEvent.IdempotencyKeyClaimed claimed
                && treasury.Authority.IsNode(events[0].Statement.By))
            {
                Answer.TrySetResult((new Submission.Duplicate(claimed.JobId), []));
            }
        }
    }

    public override void Fail(Exception exception) => Answer.TrySetException(exception);
}

/// <summary>The end of a job: its last reports, and what becomes of its price.</summary>
internal sealed class EndItem(JobId job, JobState before, IReadOnlyList<SignedEvent> reports, JobCommand command)
    : TreasuryItem(job)
{
    public TaskCompletionSource<IReadOnlyList<RecordedEvent>?> Answer { get; } =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override bool IsAnswered => Answer.Task.IsCompleted;

    public override IEnumerable<StreamId> Streams => [StreamId.OfJob(Job)];

    public override async Task<bool> DraftAsync(
        Treasury treasury, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        var state = reports.Aggregate(
            before, (state, report) => Domain.Jobs.Job.Evolve(state, EventFact.Of(report.Statement)));
        var decision = Domain.Jobs.Job.Decide(state, command, treasury.Clock.GetUtcNow(), treasury.Authority);
        if (decision.Events.Count == 0)
        {
            Answer.TrySetResult(null);
            return false;
        }

        var (outcomes, refunded) = decision.Events[0].Body switch
        {
            JobEvent.Completed completed => (completed.Outcomes, completed.Refunded),
            JobEvent.Failed failed => (failed.Outcomes, failed.Refunded),
            JobEvent.Cancelled cancelled => (cancelled.Outcomes, cancelled.Refunded),
            var other => throw new InvalidOperationException($"{other} does not end a job."),
        };
        if (await treasury.HasBeenSettledAsync(Job, before, refunded + outcomes.Sum(outcome => outcome.Paid), accounts))
        {
            // Another node has ended the job meanwhile.
            Answer.TrySetResult(null);
            return false;
        }

        var economy = treasury.Options.Economy;
        foreach (var outcome in outcomes.Where(outcome => outcome.Paid > 0))
        {
            await treasury.EnsureOpenAsync(outcome.Worker, economy.WorkerGrant, draft, accounts);
        }

        var stream = StreamId.OfJob(Job);
        draft.Expect(stream, before.Version, before.Submission.Terms.CorrelationId);
        foreach (var report in reports)
        {
            draft.Add(report);
        }

        var end = draft.Add(treasury.Node, decision, stream)!;
        foreach (var (worker, _, paid) in outcomes.Where(outcome => outcome.Paid > 0))
        {
            treasury.Settle(before.Submitter, new AccountEvent.Paid(Job, paid, worker), end.Digest, draft, accounts);
            treasury.Settle(
                worker, new AccountEvent.Received(Job, paid, before.Submitter), end.Digest, draft, accounts);
        }

        if (refunded > 0)
        {
            treasury.Settle(before.Submitter, new AccountEvent.Refunded(Job, refunded), end.Digest, draft, accounts);
        }

        return true;
    }

    public override void Succeed(IReadOnlyList<RecordedEvent> events) => Answer.TrySetResult(events);

    public override Task ResolveAsync(Treasury treasury, StreamId conflict)
    {
        if (conflict == StreamId.OfJob(Job))
        {
            Answer.TrySetResult(null);
        }

        return Task.CompletedTask;
    }

    public override void Fail(Exception exception) => Answer.TrySetException(exception);
}
