using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>When which job is to be looked at again, by a clock that nobody can set. A job may stand in it more than
/// once.</summary>
internal sealed class DueTimes(TimeProvider clock)
{
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private readonly Lock _lock = new();
    private readonly PriorityQueue<JobId, TimeSpan> _queue = new();
    private readonly long _zero = clock.GetTimestamp();
    private TaskCompletionSource _earlier = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Now(JobId job) => In(job, TimeSpan.Zero);

    public void In(JobId job, TimeSpan delay)
    {
        TaskCompletionSource? wake = null;
        lock (_lock)
        {
            var at = clock.GetElapsedTime(_zero) + delay;
            if (!_queue.TryPeek(out _, out var first) || at < first)
            {
                wake = _earlier;
            }

            _queue.Enqueue(job, at);
        }

        wake?.TrySetResult();
    }

    /// <summary>At a time of the wall clock. That may be set meanwhile, so the job is looked at every minute until then.
    /// </summary>
    public void At(JobId job, DateTimeOffset time)
    {
        var left = time - clock.GetUtcNow();
        In(job, left < TimeSpan.Zero ? TimeSpan.Zero : left > TimeSpan.FromMinutes(1) ? TimeSpan.FromMinutes(1) : left);
    }

    /// <summary>Waits for the next job that is due.</summary>
    public async Task<JobId> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var wait = Longest;
            Task earlier;
            lock (_lock)
            {
                if (_queue.TryPeek(out var job, out var at))
                {
                    wait = at - clock.GetElapsedTime(_zero);
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
            await Task.WhenAny(earlier, Task.Delay(wait < Longest ? wait : Longest, clock, done.Token));
            await done.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
