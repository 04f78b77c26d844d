using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;

namespace MeshLedger.Node;

/// <summary>Accounts as the log has them, kept up by what this process appends and what it follows, whichever comes
/// first. Safe for concurrent use.</summary>
internal sealed class AccountBook
{
    private const int MaxLater = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Did, Entry> _entries = [];

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
