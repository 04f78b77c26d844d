using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>What inputs that are hashed side by side have in common.</summary>
/// <param name="First">A flag of the first block of each.</param>
/// <param name="Last">A flag of the last block of each.</param>
/// <param name="CountsUp">Each input's counter is one more than the one's before.</param>
internal readonly record struct Blake3Work(Blake3Mode Mode, uint First, uint Last, bool CountsUp)
{
    public static Blake3Work Chunks(in Blake3Mode mode) => new(mode, Blake3Core.ChunkStart, Blake3Core.ChunkEnd, true);

    public static Blake3Work Parents(in Blake3Mode mode) => new(mode, Blake3Core.Parent, 0, false);
}

/// <summary>
/// Values of subtrees (specification, section 2.1): chunks side by side, then level by level their parents side by
/// side. Values are 32 bytes, and a parent is its children's, one after the other.
/// </summary>
[SkipLocalsInit]
internal static class Blake3Tree
{
    /// <summary>The chunks that are hashed before their parents are: their values stay on the stack.</summary>
    private const int PieceChunks = 256;
    private const int PieceLog = 8;
    private const int PieceBytes = PieceChunks * Blake3Core.ChunkBytes;

    /// <summary>Less is not worth waking another core for.</summary>
    private const int ParallelBytes = 2 * PieceBytes;

    public static Vector256<byte> ParentValue(in Blake3Mode mode, ReadOnlySpan<byte> parent, bool root)
    {
        ref var block = ref MemoryMarshal.GetReference(parent[..Blake3Core.BlockBytes]);
        var flags = mode.Flags | Blake3Core.Parent | (root ? Blake3Core.Root : 0);
        return Blake3Core.Compress(mode.Degree, mode.Key, ref block, 0, Blake3Core.BlockBytes, flags, out _);
    }

    /// <summary>The value of the subtree over all of <paramref name="input"/>, which begins with chunk
    /// <paramref name="firstChunk"/>. Allocates nothing.</summary>
    public static Vector256<byte> Value(in Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, bool root)
    {
        if (input.Length <= Blake3Core.ChunkBytes)
        {
            return ChunkValue(mode, input, firstChunk, root);
        }

        var chunks = ((input.Length - 1) / Blake3Core.ChunkBytes) + 1;
        return chunks <= PieceChunks
            ? PieceValue(mode, input, chunks, firstChunk, root)
            : SplitValue(mode, input, chunks, firstChunk, root);
    }

    /// <summary>The same, on all cores where there is enough.</summary>
    public static Vector256<byte> ParallelValue(
        Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, bool root)
    {
        if (input.Length < ParallelBytes)
        {
            return Value(mode, input, firstChunk, root);
        }

        var whole = (input.Length - 1) / PieceBytes * PieceBytes;
        var count = (whole / PieceBytes) + 1;
        var values = new byte[32 * count];
        Values(mode, input[..whole], firstChunk, PieceLog, values, true);
        Value(mode, input[whole..], firstChunk + (ulong)(whole / Blake3Core.ChunkBytes), false)
            .CopyTo(values, 32 * (count - 1));
        return Join(mode, values, count, root);
    }

    /// <summary>The values of subtrees of 2^<paramref name="log"/> chunks each, which are no root; the input is whole
    /// subtrees. On all cores if <paramref name="parallel"/>, and there is enough.</summary>
    public static unsafe void Values(
        Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, int log, Span<byte> values, bool parallel)
    {
        var subtreeBytes = Blake3Core.ChunkBytes << log;
        if (!parallel || input.Length < ParallelBytes || Environment.ProcessorCount == 1)
        {
            SerialValues(mode, input, firstChunk, log, values);
            return;
        }

        // A span cannot go to another thread, but what it points at stays where it is until all are done.
        fixed (byte* from = input, to = values)
        {
            var (source, target, length) = ((nint)from, (nint)to, input.Length);
            var part = Math.Max(subtreeBytes, PieceBytes / subtreeBytes * subtreeBytes);
            Parallel.For(0, (int)(((long)length + part - 1) / part), index =>
            {
                var at = index * part;
                var bytes = new ReadOnlySpan<byte>((byte*)source + at, Math.Min(part, length - at));
                var room = new Span<byte>((byte*)target + (at / subtreeBytes * 32), bytes.Length / subtreeBytes * 32);
                SerialValues(mode, bytes, firstChunk + (ulong)(at / Blake3Core.ChunkBytes), log, room);
            });
        }
    }

    /// <summary>The values of chunks that follow each other, none of which is the root; the last one may be
    /// short.</summary>
    public static void ChunkValues(in Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, Span<byte> values)
    {
        var whole = input.Length / Blake3Core.ChunkBytes;
        _ = values[..((input.Length + Blake3Core.ChunkBytes - 1) / Blake3Core.ChunkBytes * 32)];
        HashMany(
            ref MemoryMarshal.GetReference(input), Blake3Core.ChunkBytes, Blake3Core.ChunkBytes / Blake3Core.BlockBytes,
            whole, Blake3Work.Chunks(mode), firstChunk, ref MemoryMarshal.GetReference(values));
        if (whole * Blake3Core.ChunkBytes < input.Length)
        {
            ChunkValue(mode, input[(whole * Blake3Core.ChunkBytes)..], firstChunk + (ulong)whole, false)
                .CopyTo(values[(32 * whole)..]);
        }
    }

    /// <summary>Replaces <paramref name="count"/> values by those of the level above, joining each two; one that is
    /// left over goes up as it is. Returns how many there are.</summary>
    public static int JoinOnce(in Blake3Mode mode, Span<byte> values, int count)
    {
        // In place: the inputs are 64 bytes each, the outputs 32, so no input is overwritten before it was read.
        ref var first = ref MemoryMarshal.GetReference(values[..(32 * count)]);
        var pairs = count / 2;
        HashMany(ref first, Blake3Core.BlockBytes, 1, pairs, Blake3Work.Parents(mode), 0, ref first);
        if (count % 2 == 1)
        {
            values.Slice(32 * (count - 1), 32).CopyTo(values[(32 * pairs)..]);
        }

        return pairs + (count % 2);
    }

    private static Vector256<byte> Join(in Blake3Mode mode, Span<byte> values, int count, bool root)
    {
        while (count > 2)
        {
            count = JoinOnce(mode, values, count);
        }

        return ParentValue(mode, values, root);
    }

    private static void SerialValues(
        in Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, int log, Span<byte> values)
    {
        var subtreeBytes = Blake3Core.ChunkBytes << log;
        if (log > PieceLog)
        {
            for (var at = 0; at < input.Length; at += subtreeBytes)
            {
                var first = firstChunk + (ulong)(at / Blake3Core.ChunkBytes);
                Value(mode, input.Slice(at, subtreeBytes), first, false).CopyTo(values[(at / subtreeBytes * 32)..]);
            }

            return;
        }

        Span<byte> piece = stackalloc byte[PieceChunks * 32];
        while (!input.IsEmpty)
        {
            var bytes = input[..Math.Min(PieceBytes, input.Length)];
            var count = bytes.Length / Blake3Core.ChunkBytes;
            ChunkValues(mode, bytes, firstChunk, piece);
            firstChunk += (ulong)count;
            for (var level = 0; level < log; level++)
            {
                count = JoinOnce(mode, piece, count);
            }

            piece[..(32 * count)].CopyTo(values);
            values = values[(32 * count)..];
            input = input[bytes.Length..];
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<byte> PieceValue(
        in Blake3Mode mode, ReadOnlySpan<byte> input, int chunks, ulong firstChunk, bool root)
    {
        Span<byte> values = stackalloc byte[PieceChunks * 32];
        ChunkValues(mode, input, firstChunk, values);
        return Join(mode, values, chunks, root);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<byte> SplitValue(
        in Blake3Mode mode, ReadOnlySpan<byte> input, int chunks, ulong firstChunk, bool root)
    {
        Span<byte> parent = stackalloc byte[Blake3Core.BlockBytes];
        var left = (int)BaoTree.LeftOf(chunks);
        Value(mode, input[..(left * Blake3Core.ChunkBytes)], firstChunk, false).CopyTo(parent);
        Value(mode, input[(left * Blake3Core.ChunkBytes)..], firstChunk + (ulong)left, false).CopyTo(parent[32..]);
        return ParentValue(mode, parent, root);
    }

    private static Vector256<byte> ChunkValue(in Blake3Mode mode, ReadOnlySpan<byte> input, ulong chunk, bool root)
    {
        ref var block = ref MemoryMarshal.GetReference(input);
        var value = mode.Key;
        var flags = mode.Flags | Blake3Core.ChunkStart;
        var left = input.Length;
        for (; left > Blake3Core.BlockBytes; left -= Blake3Core.BlockBytes)
        {
            value = Blake3Core.Compress(mode.Degree, value, ref block, chunk, Blake3Core.BlockBytes, flags, out _);
            flags = mode.Flags;
            block = ref Unsafe.Add(ref block, Blake3Core.BlockBytes);
        }

        flags |= Blake3Core.ChunkEnd | (root ? Blake3Core.Root : 0);
        if (left == Blake3Core.BlockBytes)
        {
            return Blake3Core.Compress(mode.Degree, value, ref block, chunk, Blake3Core.BlockBytes, flags, out _);
        }

        Span<byte> padded = stackalloc byte[Blake3Core.BlockBytes];
        input[^left..].CopyTo(padded);
        padded[left..].Clear();
        return Blake3Core.Compress(
            mode.Degree, value, ref MemoryMarshal.GetReference(padded), chunk, (uint)left, flags, out _);
    }

    /// <summary>As many at once as the mode's degree allows, and what is left over with less.</summary>
    private static void HashMany(
        ref byte input, nint stride, int blocks, int count, in Blake3Work work, ulong counter, ref byte values)
    {
        while (count > 0)
        {
            int done;
            if (work.Mode.Degree >= Blake3Degree.Vector512 && count >= Lanes512.Count)
            {
                done = Lanes512.Count;
                Blake3Lanes<Vector512<uint>, Lanes512>.Hash(ref input, stride, blocks, work, counter, ref values);
            }
            else if (work.Mode.Degree >= Blake3Degree.Vector256 && count >= Lanes256.Count)
            {
                done = Lanes256.Count;
                Blake3Lanes<Vector256<uint>, Lanes256>.Hash(ref input, stride, blocks, work, counter, ref values);
            }
            else if (work.Mode.Degree >= Blake3Degree.Vector128 && count >= Lanes128.Count)
            {
                done = Lanes128.Count;
                Blake3Lanes<Vector128<uint>, Lanes128>.Hash(ref input, stride, blocks, work, counter, ref values);
            }
            else
            {
                done = 1;
                HashOne(ref input, blocks, work, counter).StoreUnsafe(ref values);
            }

            count -= done;
            counter += work.CountsUp ? (ulong)done : 0;
            input = ref Unsafe.Add(ref input, done * stride);
            values = ref Unsafe.Add(ref values, 32 * done);
        }
    }

    private static Vector256<byte> HashOne(ref byte input, int blocks, in Blake3Work work, ulong counter)
    {
        var value = work.Mode.Key;
        for (var block = 0; block < blocks; block++)
        {
            var edge = (block == 0 ? work.First : 0) | (block == blocks - 1 ? work.Last : 0);
            value = Blake3Core.Compress(
                work.Mode.Degree, value, ref input, counter, Blake3Core.BlockBytes, work.Mode.Flags | edge, out _);
            input = ref Unsafe.Add(ref input, Blake3Core.BlockBytes);
        }

        return value;
    }
}
