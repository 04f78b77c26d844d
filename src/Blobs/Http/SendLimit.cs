namespace MeshLedger.Blobs.Http;

/// <summary>Spaces out what is sent, so that it does not exceed a rate.</summary>
/// <param name="bytesPerSecond">Null: no limit.</param>
internal sealed class SendLimit(long? bytesPerSecond, TimeProvider clock)
{
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private readonly long _start = clock.GetTimestamp();
    private TimeSpan _free;

    /// <summary>Returns when so many bytes may go.</summary>
    public Task TakeAsync(int bytes, CancellationToken cancellationToken)
    {
        if (bytesPerSecond is not { } rate)
        {
            return Task.CompletedTask;
        }

        TimeSpan wait;
        lock (_lock)
        {
            var now = clock.GetElapsedTime(_start);
            _free = (_free > now - Burst ? _free : now - Burst) + TimeSpan.FromSeconds(bytes / (double)rate);
            wait = _free - now;
        }

        return wait > TimeSpan.Zero ? Task.Delay(wait, clock, cancellationToken) : Task.CompletedTask;
    }
}
