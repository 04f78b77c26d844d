using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node;

/// <summary>Accounts as the log has them, kept up by what this process appends and what it follows, whichever comes
/// first. Taking in is safe for concurrent use; reading is for one reader, who works in rounds.</summary>
internal sealed class AccountBook(IEventStore store, IAuthority authority)
{
    private const int MaxLater = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Did, Entry> _entries = [];

    /// <summary>The accounts that this round read from the ledger; others may have been written by other nodes since.
    /// </summary>
    private readonly HashSet<Did> _fresh = [];

    /// <summary>What was read before may be old by now.</summary>
    public void BeginRound() => _fresh.Clear();

    /// <summary>True if this round has read the account.</summary>
    public bool IsFresh(Did owner) => _fresh.Contains(owner);

    /// <summary>An account, from memory if it is there without a gap.</summary>
    /// <exception cref="InvalidHistoryException">The log holds what no rule allows.</exception>
    public async Task<AccountState> ReadAsync(Did owner, CancellationToken cancellationToken)
    {
        if (Find(owner) is { } known)
        {
            return HasGap(owner) ? await CatchUpAsync(owner, cancellationToken) : known;
        }

        var state = AccountState.None;
        foreach (var recorded in await store.LoadAsync(StreamId.OfAccount(owner), cancellationToken))
        {
            var fact = EventFact.Of(recorded.Statement);
            if (Account.Check(state, fact, authority) is { } refusal)
            {
                throw JobEntry.NeverWritten(recorded, refusal);
            }

            state = Account.Evolve(state, fact.Body, fact.Time);
        }

        Put(owner, state);
        _fresh.Add(owner);
        return state;
    }

    /// <summary>Reads what came since an account was last seen.</summary>
    public async Task<AccountState> CatchUpAsync(Did owner, CancellationToken cancellationToken)
    {
        if (Find(owner) is { } known)
        {
            foreach (var recorded in await store.LoadTailAsync(StreamId.OfAccount(owner), known.Version, cancellationToken))
            {
                Take(recorded);
            }

            _fresh.Add(owner);
        }

        return await ReadAsync(owner, cancellationToken);
    }

    /// <summary>Null: it must be read from the ledger.</summary>
    public AccountState? Find(Did owner)
    {
        lock (_lock)
        {
            return _entries.GetValueOrDefault(owner)?.State;
        }
    }

    /// <summary>True if later events of the account are known than those that its state is made of.</summary>
    public bool HasGap(Did owner)
    {
        lock (_lock)
        {
            return _entries.GetValueOrDefault(owner)?.Later.Count > 0;
        }
    }

    /// <summary>An account as it was read.</summary>
    public void Put(Did owner, AccountState state)
    {
        lock (_lock)
        {
            _entries[owner] = new Entry { State = state };
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            _entries.Clear();
        }
    }

    /// <summary>Takes in an event that the log holds; of accounts that nobody asked for, none.</summary>
    public void Take(RecordedEvent recorded)
    {
        if (!recorded.Statement.Stream.IsAccount(out var owner))
        {
            return;
        }

        lock (_lock)
        {
            if (!_entries.TryGetValue(owner, out var entry) || recorded.Version <= entry.State.Version)
            {
                return;
            }

            entry.Later[recorded.Version] = recorded;
            while (entry.Later.Remove(entry.State.Version + 1, out var next))
            {
                entry.State = Account.Evolve(entry.State, next.Statement.Body, next.Statement.Time);
            }

            if (entry.Later.Count > MaxLater)
            {
                _entries.Remove(owner);
            }
        }
    }

    private sealed class Entry
    {
        public required AccountState State { get; set; }

        /// <summary>Events that came before those between.</summary>
        public Dictionary<long, RecordedEvent> Later { get; } = [];
    }
}

/// <summary>An account is not as it was remembered: another node wrote it.</summary>
internal sealed class StaleAccountException(Did owner) : Exception($"Account {owner} was written by another node.")
{
    public Did Owner { get; } = owner;
}
