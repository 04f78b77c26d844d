using Microsoft.Extensions.Logging;

namespace MeshLedger.Machines;

/// <summary>
/// Passes on what a run keeps of its outputs while it runs. Who listens is called from here alone, one call at a time,
/// and never holds the machine up: what comes meanwhile waits in the memory that keeps it anyway, and is the next
/// piece. Between stdout and stderr the order is that of the calls, not of the single writes.
/// </summary>
internal sealed class LiveOutput
{
    // The first bytes are passed on at once, further ones after this; a guest that writes single bytes is no storm.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    // How long a run waits, after its machine is gone, for a listener that is still busy.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Action<MicroVmStream, ReadOnlyMemory<byte>> _listener;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TaskCompletionSource _ended = NewSignal();
    private readonly Lock _lock = new();
    private readonly Task _passing;

    // Both are replaced under the lock. What was once in them stays where it is and as it is.
    private (ReadOnlyMemory<byte> Stdout, ReadOnlyMemory<byte> Stderr) _kept;
    private TaskCompletionSource _news = NewSignal();
    private volatile bool _givenUp;

    public LiveOutput(Action<MicroVmStream, ReadOnlyMemory<byte>> listener, TimeProvider time, ILogger logger)
    {
        _listener = listener;
        _time = time;
        _logger = logger;
        _passing = Task.Run(PassAsync);
    }

    /// <summary>Tells what is kept by now: what was kept before, and perhaps more.</summary>
    public void Keep(ReadOnlyMemory<byte> stdout, ReadOnlyMemory<byte> stderr)
    {
        lock (_lock)
        {
            if (stdout.Length > _kept.Stdout.Length || stderr.Length > _kept.Stderr.Length)
            {
                _kept = (stdout, stderr);
                _news.TrySetResult();
            }
        }
    }

    /// <summary>Returns once all that is kept was passed on, or the listener failed or took too long; then there are no
    /// more calls than the one that it is busy with.</summary>
    public async Task EndAsync()
    {
        lock (_lock)
        {
            _ended.TrySetResult();
            _news.TrySetResult();
        }

        try
        {
            await _passing.WaitAsync(Patience, _time);
        }
        catch (TimeoutException)
        {
            _givenUp = true;
            Log.ListenerTooSlow(_logger, Patience.TotalSeconds);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task PassAsync()
    {
        var passed = (Stdout: 0, Stderr: 0);
        bool last;
        do
        {
            await _news.Task;
            (ReadOnlyMemory<byte> Stdout, ReadOnlyMemory<byte> Stderr) kept;
            lock (_lock)
            {
                kept = _kept;
                last = _ended.Task.IsCompleted;
                _news = NewSignal();
            }

            try
            {
                Pass(MicroVmStream.Stdout, kept.Stdout[passed.Stdout..]);
                Pass(MicroVmStream.Stderr, kept.Stderr[passed.Stderr..]);
            }
            catch (Exception failure)
            {
                // It is not ours, so it may be anything; it ends the listening and not the run.
                Log.ListenerFailed(_logger, failure);
                return;
            }

            passed = (kept.Stdout.Length, kept.Stderr.Length);
            await Task.WhenAny(_ended.Task, Task.Delay(Interval, _time));
        }
        while (!last);
    }

    private void Pass(MicroVmStream stream, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty && !_givenUp)
        {
            var piece = bytes[..Math.Min(bytes.Length, MicroVmRequest.MaxLiveBytes)];
            _listener(stream, piece);
            bytes = bytes[piece.Length..];
        }
    }
}
