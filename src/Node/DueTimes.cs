using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>When which job is to be looked at again. A job may stand in it more than once.</summary>
internal sealed class DueTimes(TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<JobId, DateTimeOffset> _queue = new();
    private TaskCompletionSource _earlier = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Add(JobId job, DateTimeOffset at)
    {
        TaskCompletionSource? wake = null;
        lock (_lock)
        {
            if (!_queue.TryPeek(out _, out var first) || at < first)
            {
                wake = _earlier;
            }

            _queue.Enqueue(job, at);
        }

        wake?.TrySetResult();
    }

    /// <summary>Waits for the next job that is due.</summary>
    public async Task<JobId> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var wait = TimeSpan.FromHours(1);
            Task earlier;
            lock (_lock)
            {
                if (_queue.TryPeek(out var job, out var at))
                {
                    wait = at - clock.GetUtcNow();
                    if (wait <= TimeSpan.Zero)
                    {
                        _queue.Dequeue();
                        return job;
                    }
                }

                if (_earlier.Task.IsCompleted)
                {
                    _earlier = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }

                earlier = _earlier.Task;
            }

            using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var limit = wait < TimeSpan.FromHours(1) ? wait : TimeSpan.FromHours(1);
            await Task.WhenAny(earlier, Task.Delay(limit, clock, done.Token));
            await done.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
