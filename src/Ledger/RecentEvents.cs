using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger;

/// <summary>
/// The end of the log in memory, so that those who follow it need not ask the database for what this process has just
/// appended. Holds at most <paramref name="capacity"/> events, always a run without holes. Safe for concurrent use.
/// </summary>
internal sealed class RecentEvents(int capacity = 16_384)
{
    private readonly Lock _lock = new();
    private readonly List<IReadOnlyList<RecordedEvent>> _batches = [];
    private int _count;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the next <see cref="Add"/> or <see cref="Wake"/>. Take it before looking.</summary>
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

    /// <summary>Adds what was just appended. After a hole (another node wrote), what was held is forgotten.</summary>
    public void Add(IReadOnlyList<RecordedEvent> events)
    {
        lock (_lock)
        {
            if (_batches.Count > 0 && _batches[^1][^1].Position + 1 != events[0].Position)
            {
                _batches.Clear();
                _count = 0;
            }

            _batches.Add(events);
            _count += events.Count;
            while (_count > capacity && _batches.Count > 1)
            {
                _count -= _batches[0].Count;
                _batches.RemoveAt(0);
            }

            Pulse();
        }
    }

    /// <summary>Tells followers to look: somebody else may have appended.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            Pulse();
        }
    }

    /// <summary>What is held after <paramref name="position"/>, if it begins right there; else null.</summary>
    public IReadOnlyList<RecordedEvent>? After(long position)
    {
        lock (_lock)
        {
            if (_batches.Count == 0 || _batches[0][0].Position > position + 1 || _batches[^1][^1].Position <= position)
            {
                return null;
            }

            var index = _batches.FindIndex(batch => batch[^1].Position > position);
            var first = _batches[index];
            var skip = (int)(position + 1 - first[0].Position);
            return skip == 0 ? first : first.Skip(skip).ToArray();
        }
    }

    private void Pulse()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
