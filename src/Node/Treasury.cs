using System.Threading.Channels;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>
/// The one writer of account streams in this process: submissions, which hold a price, and endings, which pay or refund
/// it. Whatever waits goes into one append, so that an account with thousands of jobs costs one version check. Money
/// moves in the same append as the job event that moves it, or not at all.
/// </summary>
/// <remarks><c>_accounts</c> is read and written by the loop alone; an account that another node wrote is forgotten and
/// read again.</remarks>
internal sealed class Treasury : IAsyncDisposable
{
    private const int MaxRound = 128;

    private readonly IEventStore _store;
    private readonly IAuthority _authority;
    private readonly NodeOptions _options;
    private readonly EventAuthor _node;
    private readonly EventAuthor _submitter;
    private readonly ILogger _log;
    private readonly Dictionary<Did, AccountState> _accounts = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<Item> _waiting =
        Channel.CreateUnbounded<Item>(new UnboundedChannelOptions { SingleReader = true });

    private readonly Task _loop;

    public Treasury(
        IEventStore store, IAuthority authority, NodeOptions options, EventAuthor node, EventAuthor submitter, ILogger log)
    {
        _store = store;
        _authority = authority;
        _options = options;
        _node = node;
        _submitter = submitter;
        _log = log;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Submits a document and holds its price. The recorded events are those of the job's stream; none if
    /// nothing was appended now.</summary>
    public async Task<(Submission Submission, IReadOnlyList<RecordedEvent> Events)> SubmitAsync(
        JobDocument document, string transport, CancellationToken cancellationToken)
    {
        var body = JobSubmission.Create(
            document,
            _submitter.Did,
            transport,
            _options.DefaultMaxPrice,
            (long)_options.DefaultBidWindow.TotalMilliseconds);
        var item = new SubmitItem(document.JobId, body);
        await _waiting.Writer.WriteAsync(item, cancellationToken);
        return await item.Answer.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Appends a job's last reports and its end, and moves the money. Returns the recorded events of the job's
    /// stream, or null if the stream was not at the state's version any more.</summary>
    public async Task<IReadOnlyList<RecordedEvent>?> EndAsync(
        JobId job, JobState before, IReadOnlyList<SignedEvent> reports, JobCommand command,
        CancellationToken cancellationToken)
    {
        var item = new EndItem(job, before, reports, command);
        await _waiting.Writer.WriteAsync(item, cancellationToken);
        return await item.Answer.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var round = new List<Item>();
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(_stopping.Token))
            {
                while (round.Count < MaxRound && _waiting.Reader.TryRead(out var item))
                {
                    round.Add(item);
                }

                await CarryOutAsync(round);
                round.RemoveAll(item => item.IsAnswered);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // What waits is told below; whoever submitted it asks again at the next start.
        }

        while (_waiting.Reader.TryRead(out var rest))
        {
            round.Add(rest);
        }

        foreach (var item in round)
        {
            item.Fail(new OperationCanceledException("The node is stopping."));
        }
    }

    /// <summary>Answers every item.</summary>
    private async Task CarryOutAsync(List<Item> items)
    {
        while (items.Exists(item => !item.IsAnswered))
        {
            try
            {
                await TryRoundAsync(items);
            }
            catch (Exception exception) when (exception is not OperationCanceledException and not InvalidHistoryException)
            {
                Log.RoundFailed(_log, exception.Message);
                _accounts.Clear();
                items.ForEach(item => item.Fail(exception));
            }
        }
    }

    private async Task TryRoundAsync(List<Item> items)
    {
        var draft = new Draft();
        var accounts = new Dictionary<Did, AccountState>();
        var taken = new HashSet<StreamId>();
        var included = new List<Item>();
        foreach (var item in items)
        {
            if (item.IsAnswered || item.Streams(_submitter.Did).Any(taken.Contains))
            {
                continue;
            }

            if (await item.DraftAsync(this, draft, accounts))
            {
                included.Add(item);
                taken.UnionWith(item.Streams(_submitter.Did));
            }
        }

        if (draft.IsEmpty)
        {
            return;
        }

        switch (await _store.AppendAsync(draft.Sign(), _stopping.Token))
        {
            case AppendOutcome.Appended appended:
                foreach (var (owner, state) in accounts)
                {
                    _accounts[owner] = state;
                }

                var byStream = appended.Events.ToLookup(recorded => recorded.Statement.Stream);
                foreach (var item in included)
                {
                    item.Succeed([.. byStream[StreamId.OfJob(item.Job)]]);
                }

                break;
            case AppendOutcome.Conflict conflict:
                await ResolveAsync(conflict, included);
                break;
            case AppendOutcome.Rejected rejected:
                await AloneAsync(included, rejected);
                break;
        }
    }

    private async Task ResolveAsync(AppendOutcome.Conflict conflict, List<Item> included)
    {
        if (conflict.Stream.IsAccount(out var owner))
        {
            _accounts.Remove(owner);
            return;
        }

        foreach (var item in included)
        {
            await item.ResolveAsync(this, conflict.Stream);
        }
    }

    /// <summary>An event that one item brought along spoils the round: each item goes alone, and that one fails.</summary>
    private async Task AloneAsync(List<Item> included, AppendOutcome.Rejected rejected)
    {
        if (included.Count == 1)
        {
            included[0].Fail(new InvalidOperationException($"The ledger refused an event: {rejected.Reason}"));
            return;
        }

        foreach (var item in included)
        {
            await CarryOutAsync([item]);
        }
    }

    private async Task<AccountState> AccountAsync(
        Did owner, long grant, Digest? cause, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        if (!accounts.TryGetValue(owner, out var state) && !_accounts.TryGetValue(owner, out state))
        {
            state = AccountState.None;
            foreach (var recorded in await _store.LoadAsync(StreamId.OfAccount(owner), _stopping.Token))
            {
                state = Account.Evolve(state, recorded.Statement.Body);
            }

            _accounts[owner] = state;
        }

        var stream = StreamId.OfAccount(owner);
        draft.Expect(stream, state.Version);
        if (state.Version == 0)
        {
            var opened = new AccountEvent.Opened(grant);
            draft.Add(_node, opened, cause, stream);
            state = Account.Evolve(state, opened);
        }

        accounts[owner] = state;
        return state;
    }

    private Refusal? Check(AccountState state, AccountEvent body) =>
        Account.Check(state, new EventFact(_node.Did, null, default, default, body), _authority);

    private void Move(
        Did owner, AccountEvent body, Digest cause, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        var state = accounts[owner];
        if (Check(state, body) is { } refusal)
        {
            throw new InvalidHistoryException($"Account {owner} cannot take {body}: {refusal}");
        }

        draft.Add(_node, body, cause, StreamId.OfAccount(owner));
        accounts[owner] = Account.Evolve(state, body);
    }

    private abstract class Item(JobId job)
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

    private sealed class SubmitItem(JobId job, JobEvent.Submitted body) : Item(job)
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
            var payer = treasury._submitter.Did;
            var stream = StreamId.OfJob(Job);
            var account = await treasury.AccountAsync(
                payer, treasury._options.SubmitterGrant, cause: null, draft, accounts);
            var held = new AccountEvent.Held(Job, body.Terms.MaxPrice);
            if (treasury.Check(account, held) is { } refusal)
            {
                // What the ledger knows of this job goes before what its submitter can pay.
                await ResolveAsync(treasury, stream);
                Answer.TrySetResult((new Submission.Refused(refusal.Code, refusal.Message), []));
                return false;
            }

            draft.Expect(stream, 0, body.Terms.CorrelationId);
            var submitted = draft.Add(treasury._submitter, body, cause: null, stream);
            treasury.Move(payer, held, submitted.Digest, draft, accounts);
            if (body.Terms.IdempotencyKey is { } key)
            {
                draft.Expect(StreamId.OfKey(key), 0);
                draft.Add(
                    treasury._node, new NodeEvent.IdempotencyKeyClaimed(Job), submitted.Digest, StreamId.OfKey(key));
            }

            var state = Domain.Jobs.Job.Evolve(null, EventFact.Of(submitted));
            draft.Add(
                treasury._node,
                Domain.Jobs.Job.Decide(state, new JobCommand.OpenBidding(), submitted.Time, treasury._authority),
                stream);
            return true;
        }

        public override void Succeed(IReadOnlyList<RecordedEvent> events) =>
            Answer.TrySetResult((new Submission.Accepted(Job), events));

        public override async Task ResolveAsync(Treasury treasury, StreamId conflict)
        {
            var events = await treasury._store.LoadAsync(StreamId.OfJob(Job), treasury._stopping.Token);
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
                events = await treasury._store.LoadAsync(StreamId.OfKey(key), treasury._stopping.Token);
                if (events.Count > 0 && events[0].Statement.Body is NodeEvent.IdempotencyKeyClaimed claimed)
                {
                    Answer.TrySetResult((new Submission.Duplicate(claimed.JobId), []));
                }
            }
        }

        public override void Fail(Exception exception) => Answer.TrySetException(exception);
    }

    private sealed class EndItem(JobId job, JobState before, IReadOnlyList<SignedEvent> reports, JobCommand command)
        : Item(job)
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
                state, command, reports.Count > 0 ? reports[^1].Statement.Time : default, treasury._authority);
            if (decision.Events.Count == 0)
            {
                Answer.TrySetResult(null);
                return false;
            }

            var stream = StreamId.OfJob(Job);
            await treasury.AccountAsync(before.Submitter, treasury._options.SubmitterGrant, null, draft, accounts);
            var (paid, worker) = decision.Events[0].Body is JobEvent.Completed completed
                ? (completed.Paid, completed.Worker)
                : (0, default);
            if (paid > 0)
            {
                await treasury.AccountAsync(worker, treasury._options.WorkerGrant, null, draft, accounts);
            }

            draft.Expect(stream, before.Version, before.Submission.Terms.CorrelationId);
            foreach (var report in reports)
            {
                draft.Add(report);
            }

            var end = draft.Add(treasury._node, decision, stream)!;
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
}
