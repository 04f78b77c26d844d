using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger;

/// <summary>
/// The end of the log in memory: what this process appended, and what it read of others' events, each verified once. All
/// who follow the log here share it, and ask the database only for what it has not. Bounded by number and by bytes; the
/// oldest goes first. Safe for concurrent use.
/// </summary>
internal sealed class RecentEvents(int capacity = 16_384, long maxBytes = 64 << 20)
{
    private readonly Lock _lock = new();
    private readonly RecordedEvent?[] _slots = new RecordedEvent?[capacity];
    private long _low = 1;
    private long _head;
    private long _bytes;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the next <see cref="Append"/> or <see cref="Wake"/>. Take it before looking.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>The last position that was heard of. There may be more.</summary>
    public long Head
    {
        get
        {
            lock (_lock)
            {
                return _head;
            }
        }
    }

    /// <summary>Takes in what this process just appended.</summary>
    public void Append(IReadOnlyList<RecordedEvent> events)
    {
        lock (_lock)
        {
            Put(events);
            _head = Math.Max(_head, events[^1].Position);
            Pulse();
        }
    }

    /// <summary>Takes in what was read and verified.</summary>
    public void Keep(IReadOnlyList<RecordedEvent> events)
    {
        lock (_lock)
        {
            Put(events);
        }
    }

    /// <summary>Somebody appended up to <paramref name="head"/>.</summary>
    public void Wake(long head)
    {
        lock (_lock)
        {
            if (head > _head)
            {
                _head = head;
                Pulse();
            }
        }
    }

    /// <summary>The event at a position, if it is held.</summary>
    public RecordedEvent? Find(long position)
    {
        lock (_lock)
        {
            return At(position);
        }
    }

    /// <summary>What is held right after <paramref name="position"/>, without a hole, at most so much; null if nothing.
    /// </summary>
    public IReadOnlyList<RecordedEvent>? After(long position, int most)
    {
        lock (_lock)
        {
            List<RecordedEvent>? run = null;
            while ((run?.Count ?? 0) < most && At(++position) is { } held)
            {
                (run ??= []).Add(held);
            }

            return run;
        }
    }

    /// <summary>The end of the hole after <paramref name="position"/>: the first position that is held, or that is
    /// <paramref name="most"/> further on.</summary>
    public long EndOfHole(long position, int most)
    {
        lock (_lock)
        {
            var end = position + 1;
            while (end <= position + most && At(end) is null)
            {
                end++;
            }

            return end;
        }
    }

    // A position that was changed by hand may be below 1, and nothing is held for it.
    private RecordedEvent? At(long position) =>
        position > 0 && _slots[position % capacity] is { } held && held.Position == position ? held : null;

    private void Put(IReadOnlyList<RecordedEvent> events)
    {
        foreach (var recorded in events)
        {
            if (recorded.Position < _low)
            {
                continue;
            }

            Drop(recorded.Position % capacity);
            _slots[recorded.Position % capacity] = recorded;
            _bytes += Size(recorded);
            _low = Math.Max(_low, recorded.Position - capacity + 1);
            for (; _bytes > maxBytes; _low++)
            {
                if (At(_low) is not null)
                {
                    Drop(_low % capacity);
                }
            }
        }
    }

    private void Drop(long slot)
    {
        if (_slots[slot] is { } old)
        {
            _bytes -= Size(old);
            _slots[slot] = null;
        }
    }

    private static long Size(RecordedEvent recorded) => recorded.Statement.Canonical.Length;

    private void Pulse()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
