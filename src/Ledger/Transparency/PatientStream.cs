using System.Diagnostics;

namespace MeshLedger.Ledger.Transparency;

/// <summary>What a server sends, as long as it does not keep its reader waiting: one that sends a byte now and then would
/// hold it for ever. Only waiting counts, not what the reader does between.</summary>
internal sealed class PatientStream(Stream inner, Uri url, TimeSpan patience) : Stream
{
    private TimeSpan _waited;
    private long _read;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="IOException">It waited for too long, or the connection broke.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var left = patience + TimeSpan.FromSeconds((double)_read / HttpLogSource.MinBytesPerSecond) - _waited;
        if (left <= TimeSpan.Zero)
        {
            throw TooSlow();
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(left < TimeSpan.FromDays(1) ? left : TimeSpan.FromDays(1));
        var began = Stopwatch.GetTimestamp();
        try
        {
            var count = await inner.ReadAsync(buffer, limit.Token);
            _read += count;
            return count;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw TooSlow();
        }
        finally
        {
            _waited += Stopwatch.GetElapsedTime(began);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private IOException TooSlow() => new(
        $"{url} came too slowly: {_read} bytes in all, with more than {patience.TotalSeconds:0.#} s beyond "
        + $"{HttpLogSource.MinBytesPerSecond} bytes a second.");
}
