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
/// <remarks>Holding a price and growth depend on the balance, and expect the account's version; what a settlement pays and
/// refunds depends on the job alone, which is ended once, and goes to whatever version the account has. So nodes that
/// settle each other's jobs do not get in each other's way.</remarks>
internal sealed class Treasury : IAsyncDisposable
{
    private const int MaxRound = 128;

    private readonly ILogger _log;
    private readonly AccountBook _accounts;

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
        _accounts = new AccountBook(store, authority);
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

    /// <summary>Takes in an account's event that the log holds.</summary>
    public void Observe(RecordedEvent recorded) => _accounts.Take(recorded);

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
                _accounts.BeginRound();
                while (!await TryRoundAsync(items))
                {
                    // What was read again stays read until the round is through.
                }
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

    /// <summary>False if an account was not as it was remembered: it is forgotten, and the round begins again.</summary>
    private async Task<bool> TryRoundAsync(List<TreasuryItem> items)
    {
        var draft = new Draft();
        var accounts = new Dictionary<Did, AccountState>();
        var taken = new HashSet<StreamId>();
        var included = new List<TreasuryItem>();

        // Submissions first: what a settlement adds to an account must not come between a balance and what goes by it.
        foreach (var item in items.OrderBy(item => item is EndItem))
        {
            if (item.IsAnswered || item.Streams.Any(taken.Contains))
            {
                continue;
            }

            try
            {
                if (await item.DraftAsync(this, draft, accounts))
                {
                    included.Add(item);
                    taken.UnionWith(item.Streams);
                }
            }
            catch (StaleAccountException exception)
            {
                await _accounts.CatchUpAsync(exception.Owner, _stopping.Token);
                return false;
            }
        }

        if (draft.IsEmpty)
        {
            return true;
        }

        switch (await Store.AppendAsync(draft.Sign(), _stopping.Token))
        {
            case AppendOutcome.Appended appended:
                foreach (var recorded in appended.Events)
                {
                    _accounts.Take(recorded);
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

        return true;
    }

    private async Task ResolveAsync(AppendOutcome.Conflict conflict, List<TreasuryItem> included)
    {
        if (conflict.Stream.IsAccount(out var owner))
        {
            // Another node wrote this account.
            await _accounts.CatchUpAsync(owner, _stopping.Token);
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

        state = await _accounts.ReadAsync(owner, _stopping.Token);
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
        else
        {
            // What is held is there all the more after a refund.
            draft.Tolerate(StreamId.OfAccount(owner));
        }

        return accounts[owner];
    }

    /// <summary>Opens an account in the draft if it is none yet.</summary>
    internal async Task EnsureOpenAsync(
        Did owner, long grant, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        if (!accounts.ContainsKey(owner) && (await _accounts.ReadAsync(owner, _stopping.Token)).Version == 0)
        {
            await AccountAsync(owner, grant, draft, accounts);
        }
    }

    /// <summary>True if a job's escrow is gone because another node has ended the job meanwhile.</summary>
    /// <param name="amount">What is to go out of escrow.</param>
    /// <exception cref="StaleAccountException">The account must be read again before that can be said.</exception>
    internal async Task<bool> HasBeenSettledAsync(
        JobId job, JobState before, long amount, Dictionary<Did, AccountState> accounts)
    {
        if (!accounts.TryGetValue(before.Submitter, out var payer) || payer.Escrow.GetValueOrDefault(job) >= amount)
        {
            return false;
        }

        if (!_accounts.IsFresh(before.Submitter))
        {
            throw new StaleAccountException(before.Submitter);
        }

        return (await Store.LoadAsync(StreamId.OfJob(job), Stopping)).Count > before.Version;
    }

    /// <summary>What a settlement moves: no version is expected, for the job's own version is.</summary>
    internal void Settle(Did owner, AccountEvent body, Digest end, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        if (accounts.ContainsKey(owner))
        {
            Move(owner, body, end, draft, accounts);
        }
        else
        {
            draft.Add(Node, body, end, StreamId.OfAccount(owner));
        }
    }

    /// <exception cref="StaleAccountException">The account must be read again before it is refused anything.</exception>
    internal Refusal? Check(Did owner, AccountState state, AccountEvent body)
    {
        var refusal = Account.Check(state, new EventFact(Node.Did, null, default, Clock.GetUtcNow(), body), Authority);
        return refusal is null || _accounts.IsFresh(owner) ? refusal : throw new StaleAccountException(owner);
    }

    internal void Move(
        Did owner, AccountEvent body, Digest? cause, Draft draft, Dictionary<Did, AccountState> accounts)
    {
        var state = accounts[owner];
        var statement = draft.Add(Node, body, cause, StreamId.OfAccount(owner));
        if (Account.Check(state, EventFact.Of(statement), Authority) is { } refusal)
        {
            throw _accounts.IsFresh(owner)
                ? new InvalidHistoryException($"Account {owner} cannot take {body}: {refusal}")
                : new StaleAccountException(owner);
        }

        accounts[owner] = Account.Evolve(state, body, statement.Time);
    }
}
