using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Tests;

/// <summary>A directory for one test's stores.</summary>
public sealed class StoreDirectory : IDisposable
{
    /// <param name="inMemory">On a file system in memory where there is one: for tests of races, not of disks.</param>
    public StoreDirectory(bool inMemory = false)
    {
        var parent = inMemory && Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        Root = Path.Combine(parent, "meshledger-blobs-" + Path.GetRandomFileName());
        Directory.CreateDirectory(Root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public string Root { get; }

    public BlobStore Open(Action<BlobStoreOptions>? change = null, TimeProvider? clock = null)
    {
        var options = new BlobStoreOptions();
        change?.Invoke(options);
        return BlobStore.Open(Root, options, clock ?? TimeProvider.System);
    }

    public static byte[] Content(int length, int seed = 0)
    {
        var bytes = new byte[length];
        new Random(length ^ (seed << 8)).NextBytes(bytes);
        return bytes;
    }

    /// <summary>The blob's file; with an ending, that of its outboard or metadata.</summary>
    public string FileOf(BlobHash hash, string ending = "")
    {
        var name = hash.ToString();
        return Path.Combine(Root, name[..2], name[2..] + ending);
    }

    public static void Flip(string file, long offset)
    {
        using var stream = new FileStream(file, FileMode.Open);
        stream.Position = offset;
        var value = stream.ReadByte();
        stream.Position = offset;
        stream.WriteByte((byte)(value ^ 4));
    }

    /// <summary>Everything that is no lock, relative to the root.</summary>
    public string[] Files() => [.. Directory.GetFiles(Root, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Root, file)).Where(file => file is not ("lock" or "collect")).Order()];

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

/// <summary>Zeros without end, or until it fails.</summary>
internal sealed class EndlessStream(long failAfter = long.MaxValue) : Stream
{
    public long Given { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => Given; set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (Given >= failAfter)
        {
            throw new IOException("The source is gone.");
        }

        Given += count;
        return count;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>As many bytes as are asked for, no two pages of them alike, out of no memory.</summary>
internal sealed class CountingStream(long length) : Stream
{
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get => _position; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, length - _position);
        Span<byte> number = stackalloc byte[8];
        for (var at = 0; at < count;)
        {
            // A page begins with its number, and is otherwise one byte again and again.
            var (page, offset) = Math.DivRem(_position + at, 4096);
            var piece = buffer.Slice(at, (int)Math.Min(count - at, 4096 - offset));
            piece.Fill((byte)(page * 31));
            BitConverter.TryWriteBytes(number, page);
            if (offset < number.Length)
            {
                var beginning = number[(int)offset..];
                beginning[..Math.Min(beginning.Length, piece.Length)].CopyTo(piece);
            }

            at += piece.Length;
        }

        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>A clock that a test sets.</summary>
internal sealed class SetClock : TimeProvider
{
    public DateTimeOffset Now { get; set; } = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => Now;
}
