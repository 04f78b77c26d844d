using System.Threading.Channels;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
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

    private readonly ILogger _log;
    private readonly Dictionary<Did, AccountState> _accounts = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<TreasuryItem> _waiting =
        Channel.CreateUnbounded<TreasuryItem>(new UnboundedChannelOptions { SingleReader = true });

    private readonly Task _loop;

    public Treasury(
        IEventStore store, IAuthority authority, Standings standings, Quotas quotas, NodeOptions options, EventAuthor node,
        TimeProvider clock, ILogger log)
    {
        Store = store;
        Authority = authority;
        Standings = standings;
        Quotas = quotas;
        Options = options;
        Node = node;
        Clock = clock;
        _log = log;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Ends when the treasury stops; fails if it met history that no rule allows.</summary>
    public Task Completion => _loop;

    internal IEventStore Store { get; }

    internal IAuthority Authority { get; }

    internal NodeOptions Options { get; }

    internal EventAuthor Node { get; }

    internal Standings Standings { get; }

    internal Quotas Quotas { get; }

    internal TimeProvider Clock { get; }

    internal CancellationToken Stopping => _stopping.Token;

    /// <summary>Submits a document and holds its price. The recorded events are those of the job's stream; none if
    /// nothing was appended now.</summary>
    /// <param name="submitter">Who signs, and pays.</param>
    /// <param name="match">The aid request that the job answers, where it does.</param>
    public async Task<(Submission Submission, IReadOnlyList<RecordedEvent> Events)> SubmitAsync(
        JobDocument document, string transport, EventAuthor submitter, AidMatch? match, CancellationToken cancellationToken)
    {
        var body = JobSubmission.Create(
            document,
            submitter.Did,
            transport,
            Options.Market.DefaultMaxPrice,
            (long)Options.Market.DefaultBidWindow.TotalMilliseconds);
        var item = new SubmitItem(document.JobId, body, submitter, match);
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
        await _loop.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var round = new List<TreasuryItem>();
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
        finally
        {
            _waiting.Writer.TryComplete();
            while (_waiting.Reader.TryRead(out var rest))
            {
                round.Add(rest);
            }

            foreach (var item in round)
            {
                item.Fail(new OperationCanceledException("The node is stopping."));
            }
        }
    }

    /// <summary>Answers every item.</summary>
    private async Task CarryOutAsync(List<TreasuryItem> items)
    {
        while (items.Exists(item => !item.IsAnswered))
        {
            try
            {
                await TryRoundAsync(items);
            }
            catch (InvalidHistoryException exception)
            {
                // The node must not go on; those who wait are told why.
                items.ForEach(item => item.Fail(exception));
                throw;
            }
            catch (Exception exception) when (!_stopping.IsCancellationRequested)
            {
                // Whatever it was, it is this round's: who waits asks again, and the next round begins afresh.
                Log.RoundFailed(_log, exception.Message);
                _accounts.Clear();
                items.ForEach(item => item.Fail(exception));
            }
        }
    }

    private async Task TryRoundAsync(List<TreasuryItem> items)
    {
        var draft = new Draft();
        var accounts = new Dictionary<Did, AccountState>();
        var taken = new HashSet<StreamId>();
        var included = new List<TreasuryItem>();
        foreach (var item in items)
        {
            if (item.IsAnswered || item.Streams.Any(taken.Contains))
            {
                continue;
            }

            if (await item.DraftAsync(this, draft, accounts))
            {
                included.Add(item);
                taken.UnionWith(item.Streams);
            }
        }

        if (draft.IsEmpty)
        {
            return;
        }

        switch (await Store.AppendAsync(draft.Sign(), _stopping.Token))
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

    private async Task ResolveAsync(AppendOutcome.Conflict conflict, List<TreasuryItem> included)
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
    private async Task AloneAsync(List<TreasuryItem> included, AppendOutcome.Rejected rejected)
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

    /// <summary>An account as it stands in the draft: opened if it is new, with what has grown since it was last touched.
    /// </summary>
    internal async Task<AccountState> AccountAsync(
        Did owner, long grant, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        if (accounts.TryGetValue(owner, out var state))
        {
            return state;
        }

        if (!_accounts.TryGetValue(owner, out state))
        {
            state = AccountState.None;
            foreach (var recorded in await Store.LoadAsync(StreamId.OfAccount(owner), _stopping.Token))
            {
                var fact = EventFact.Of(recorded.Statement);
                if (Account.Check(state, fact, Authority) is { } refusal)
                {
                    throw JobEntry.NeverWritten(recorded, refusal);
                }

                state = Account.Evolve(state, fact.Body, fact.Time);
            }

            _accounts[owner] = state;
        }

        draft.Expect(StreamId.OfAccount(owner), state.Version);
        accounts[owner] = state;
        if (state.Version == 0)
        {
            var economy = Options.Economy;
            Move(
                owner,
                new AccountEvent.Opened(grant, economy.RegenerationPerMinute, economy.RegenerationCap),
                null,
                draft,
                accounts);
        }
        else if (Account.Regeneration(state, Clock.GetUtcNow(), Standings.OfSubmitter(owner)) is { } grown)
        {
            Move(owner, grown, null, draft, accounts);
        }

        return accounts[owner];
    }

    internal Refusal? Check(AccountState state, AccountEvent body) =>
        Account.Check(state, new EventFact(Node.Did, null, default, Clock.GetUtcNow(), body), Authority);

    internal void Move(
        Did owner, AccountEvent body, Digest? cause, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        var state = accounts[owner];
        var statement = draft.Add(Node, body, cause, StreamId.OfAccount(owner));
        if (Account.Check(state, EventFact.Of(statement), Authority) is { } refusal)
        {
            throw new InvalidHistoryException($"Account {owner} cannot take {body}: {refusal}");
        }

        accounts[owner] = Account.Evolve(state, body, statement.Time);
    }
}
