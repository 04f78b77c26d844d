using System.Buffers;
using System.Runtime.Intrinsics;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Crypto;

/// <summary>Hashing what is read on the way, with a bounded set of buffers.</summary>
internal static class Blake3Reading
{
    /// <summary>What a core reads at once: it is still in the core's own cache when it is hashed.</summary>
    private const int ReadBytes = 256 * 1024;
    private const int ReadLog = 8;

    /// <summary>A piece of a file that one core hashes by itself.</summary>
    private const int PieceBytes = 1024 * 1024;
    private const int PieceLog = 10;

    /// <summary>The pieces whose values are kept until all before them are done: 1 GiB.</summary>
    private const int WindowPieces = 1024;

    private const int StreamBytes = 2 * 1024 * 1024;

    public static BlobHash Hash(SafeFileHandle file, bool parallel)
    {
        var state = new Blake3State(Blake3Mode.Plain);
        var length = RandomAccess.GetLength(file);
        var at = 0L;

        // The last byte is left for below, so that what is pushed as a subtree is never all there is.
        for (var pieces = (length - 1) / PieceBytes; parallel && pieces > 1;)
        {
            var window = (int)Math.Min(WindowPieces, pieces);
            HashPieces(file, ref state, at, window);
            at += (long)window * PieceBytes;
            pieces -= window;
        }

        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Clamp(length - at, 1, ReadBytes));
        while (true)
        {
            var read = RandomAccess.Read(file, buffer, at);
            if (read == 0)
            {
                break;
            }

            state.Update(buffer.AsSpan(0, read), false);
            at += read;
        }

        if (at < length)
        {
            throw Shortened(at, length);
        }

        return Finish(state);
    }

    public static async Task<BlobHash> HashAsync(Stream content, CancellationToken cancellationToken)
    {
        var hasher = new Blake3Hasher();
        var current = ArrayPool<byte>.Shared.Rent(StreamBytes);
        var next = ArrayPool<byte>.Shared.Rent(StreamBytes);
        try
        {
            var length = await ReadAsync(content, current, cancellationToken).ConfigureAwait(false);
            while (length == StreamBytes)
            {
                var bytes = current;
                var hashing = Task.Run(
                    () => hasher.UpdateParallel(bytes.AsSpan(0, StreamBytes)), CancellationToken.None);
                try
                {
                    length = await ReadAsync(content, next, cancellationToken).ConfigureAwait(false);
                }
                finally
                {
                    await hashing.ConfigureAwait(false);
                }

                (current, next) = (next, current);
            }

            hasher.UpdateParallel(current.AsSpan(0, length));
            return hasher.Finish();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(current);
            ArrayPool<byte>.Shared.Return(next);
        }
    }

    private static ValueTask<int> ReadAsync(Stream content, byte[] buffer, CancellationToken cancellationToken) =>
        content.ReadAtLeastAsync(buffer.AsMemory(0, StreamBytes), StreamBytes, false, cancellationToken);

    private static void HashPieces(SafeFileHandle file, ref Blake3State state, long start, int count)
    {
        var values = new byte[32 * count];
        Parallel.For(
            0,
            count,
            () => GC.AllocateUninitializedArray<byte>(ReadBytes),
            (index, _, buffer) =>
            {
                HashPiece(file, start + ((long)index * PieceBytes), buffer, values.AsSpan(32 * index, 32));
                return buffer;
            },
            _ => { });
        for (var index = 0; index < count; index++)
        {
            state.PushSubtree(Vector256.Create(values, 32 * index), PieceLog);
        }
    }

    private static void HashPiece(SafeFileHandle file, long start, byte[] buffer, Span<byte> value)
    {
        Span<byte> values = stackalloc byte[32 * (PieceBytes / ReadBytes)];
        var count = PieceBytes / ReadBytes;
        for (var part = 0; part < count; part++)
        {
            var at = start + (part * ReadBytes);
            var read = ByteSource.Of(file).Read(at, buffer);
            if (read < buffer.Length)
            {
                throw Shortened(at + read, start + PieceBytes);
            }

            var chunk = (ulong)at / Blake3Core.ChunkBytes;
            Blake3Tree.Values(Blake3Mode.Plain, buffer, chunk, ReadLog, values.Slice(32 * part, 32), false);
        }

        while (count > 1)
        {
            count = Blake3Tree.JoinOnce(Blake3Mode.Plain, values, count);
        }

        values[..32].CopyTo(value);
    }

    private static BlobHash Finish(Blake3State state)
    {
        Span<byte> hash = stackalloc byte[BlobHash.Size];
        state.Finish(hash, 0);
        return new BlobHash(hash);
    }

    private static EndOfStreamException Shortened(long at, long length) =>
        new($"The file ended at byte {at}, where it had {length} bytes or more before.");
}
