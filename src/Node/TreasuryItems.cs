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
    public abstract IEnumerable<StreamId> Streams(Did submitter);

    /// <summary>Adds the item's events, or answers it. Adds all or nothing.</summary>
    public abstract Task<bool> DraftAsync(Treasury treasury, Draft draft, Dictionary<Did, AccountState> accounts);

    public abstract void Succeed(IReadOnlyList<RecordedEvent> events);

    /// <summary>Answers the item if what the ledger holds already decides it.</summary>
    public abstract Task ResolveAsync(Treasury treasury, StreamId conflict);

    public abstract void Fail(Exception exception);
}

/// <summary>A submission: the job comes into being, and its price into escrow.</summary>
internal sealed class SubmitItem(JobId job, JobEvent.Submitted body) : TreasuryItem(job)
{
    public TaskCompletionSource<(Submission Submission, IReadOnlyList<RecordedEvent> Events)> Answer { get; } =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override bool IsAnswered => Answer.Task.IsCompleted;

    public override IEnumerable<StreamId> Streams(Did submitter) => body.Terms.IdempotencyKey is { } key
        ? [StreamId.OfJob(Job), StreamId.OfKey(key)]
        : [StreamId.OfJob(Job)];

    public override async Task<bool> DraftAsync(
        Treasury treasury, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        var payer = treasury.Submitter.Did;
        var stream = StreamId.OfJob(Job);
        var account = await treasury.AccountAsync(
            payer, treasury.Options.SubmitterGrant, cause: null, draft, accounts);
        var held = new AccountEvent.Held(Job, body.Terms.MaxPrice);
        if (treasury.Check(account, held) is { } refusal)
        {
            // What the ledger knows of this job goes before what its submitter can pay.
            await ResolveAsync(treasury, stream);
            Answer.TrySetResult((new Submission.Refused(refusal.Code, refusal.Message), []));
            return false;
        }

        draft.Expect(stream, 0, body.Terms.CorrelationId);
        var submitted = draft.Add(treasury.Submitter, body, cause: null, stream);
        treasury.Move(payer, held, submitted.Digest, draft, accounts);
        if (body.Terms.IdempotencyKey is { } key)
        {
            draft.Expect(StreamId.OfKey(key), 0);
            draft.Add(
                treasury.Node, new NodeEvent.IdempotencyKeyClaimed(Job), submitted.Digest, StreamId.OfKey(key));
        }

        var state = Domain.Jobs.Job.Evolve(null, EventFact.Of(submitted));
        draft.Add(
            treasury.Node,
            Domain.Jobs.Job.Decide(state, new JobCommand.OpenBidding(), submitted.Time, treasury.Authority),
            stream);
        return true;
    }

    public override void Succeed(IReadOnlyList<RecordedEvent> events) =>
        Answer.TrySetResult((new Submission.Accepted(Job), events));

    public override async Task ResolveAsync(Treasury treasury, StreamId conflict)
    {
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

    public override IEnumerable<StreamId> Streams(Did submitter) => [StreamId.OfJob(Job)];

    public override async Task<bool> DraftAsync(
        Treasury treasury, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        var state = reports.Aggregate(
            before, (state, report) => Domain.Jobs.Job.Evolve(state, EventFact.Of(report.Statement)));
        var decision = Domain.Jobs.Job.Decide(
            state, command, reports.Count > 0 ? reports[^1].Statement.Time : default, treasury.Authority);
        if (decision.Events.Count == 0)
        {
            Answer.TrySetResult(null);
            return false;
        }

        var stream = StreamId.OfJob(Job);
        await treasury.AccountAsync(before.Submitter, treasury.Options.SubmitterGrant, null, draft, accounts);
        var (paid, worker) = decision.Events[0].Body is JobEvent.Completed completed
            ? (completed.Paid, completed.Worker)
            : (0, default);
        if (paid > 0)
        {
            await treasury.AccountAsync(worker, treasury.Options.WorkerGrant, null, draft, accounts);
        }

        draft.Expect(stream, before.Version, before.Submission.Terms.CorrelationId);
        foreach (var report in reports)
        {
            draft.Add(report);
        }

        var end = draft.Add(treasury.Node, decision, stream)!;
        var rest = before.Submission.Terms.MaxPrice - paid;
        if (paid > 0)
        {
            treasury.Move(before.Submitter, new AccountEvent.Paid(Job, paid, worker), end.Digest, draft, accounts);
            treasury.Move(
                worker, new AccountEvent.Received(Job, paid, before.Submitter), end.Digest, draft, accounts);
        }

        if (rest > 0)
        {
            treasury.Move(before.Submitter, new AccountEvent.Refunded(Job, rest), end.Digest, draft, accounts);
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
