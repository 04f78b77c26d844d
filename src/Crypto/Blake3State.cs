using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>What a hash in the making is: the open chunk, and the values of the complete subtrees to its
/// left.</summary>
internal struct Blake3State
{
    private readonly Blake3Mode _mode;
    private Vector256<byte> _chaining;
    private Block _block;
    private int _blockLength;
    private int _blocksDone;
    private ulong _chunk;
    private Subtrees _subtrees;
    private int _depth;

    public Blake3State(in Blake3Mode mode)
    {
        _mode = mode;
        _chaining = mode.Key;
    }

    private readonly int ChunkLength => (_blocksDone * Blake3Core.BlockBytes) + _blockLength;

    public void Update(ReadOnlySpan<byte> input, bool parallel)
    {
        if (ChunkLength > 0)
        {
            input = FillChunk(input);
        }

        // Complete subtrees, as large as fit between here and the end. All of the content is not one of them: it would
        // be the root.
        while (input.Length > Blake3Core.ChunkBytes || (input.Length == Blake3Core.ChunkBytes && _chunk > 0))
        {
            var log = BitOperations.Log2((uint)(_chunk == 0 ? input.Length - 1 : input.Length) / Blake3Core.ChunkBytes);
            log = _chunk == 0 ? log : Math.Min(log, BitOperations.TrailingZeroCount(_chunk));
            var bytes = input[..(Blake3Core.ChunkBytes << log)];
            PushSubtree(
                parallel
                    ? Blake3Tree.ParallelValue(_mode, bytes, _chunk, false)
                    : Blake3Tree.Value(_mode, bytes, _chunk, false),
                log);
            input = input[bytes.Length..];
        }

        if (!input.IsEmpty)
        {
            FillChunk(input);
        }
    }

    /// <summary>Adds 2^<paramref name="log"/> chunks by their value. Nothing is in the open chunk, and the number of
    /// chunks before is a multiple; what is added is not all there will be.</summary>
    public void PushSubtree(Vector256<byte> value, int log)
    {
        JoinComplete();
        _subtrees[_depth++] = value;
        _chunk += 1UL << log;
    }

    /// <summary>Bytes <paramref name="position"/> and following of the output.</summary>
    public readonly void Finish(Span<byte> output, ulong position)
    {
        // The open chunk, or the last subtree if there is none, and then each subtree to its left become the right
        // child of the next parent; the last node is the root, whose output is as long as is asked for.
        Span<byte> block = stackalloc byte[Blake3Core.BlockBytes];
        var depth = _depth;
        var (chaining, counter, length) = (_chaining, _chunk, (uint)_blockLength);
        var flags = _mode.Flags | Blake3Core.ChunkEnd | (_blocksDone == 0 ? Blake3Core.ChunkStart : 0);
        ((ReadOnlySpan<byte>)_block).CopyTo(block);
        block[_blockLength..].Clear();
        var open = ChunkLength > 0 || depth == 0;
        ref var first = ref MemoryMarshal.GetReference(block);
        while (depth > 0)
        {
            var right = open
                ? Blake3Core.Compress(_mode.Degree, chaining, ref first, counter, length, flags, out _)
                : _subtrees[--depth];
            _subtrees[--depth].CopyTo(block);
            right.CopyTo(block[32..]);
            (chaining, counter, length) = (_mode.Key, 0, Blake3Core.BlockBytes);
            flags = _mode.Flags | Blake3Core.Parent;
            open = true;
        }

        Span<byte> bytes = stackalloc byte[Blake3Core.BlockBytes];
        while (!output.IsEmpty)
        {
            var low = Blake3Core.Compress(
                _mode.Degree, chaining, ref first, position / Blake3Core.BlockBytes, length, flags | Blake3Core.Root,
                out var high);
            low.CopyTo(bytes);
            high.CopyTo(bytes[32..]);
            var rest = bytes[(int)(position % Blake3Core.BlockBytes)..];
            rest = rest[..Math.Min(rest.Length, output.Length)];
            rest.CopyTo(output);
            output = output[rest.Length..];
            position += (ulong)rest.Length;
        }
    }

    /// <summary>Takes what the open chunk has room for, and returns the rest. A full chunk is closed when more comes:
    /// the first one may be the root.</summary>
    private ReadOnlySpan<byte> FillChunk(ReadOnlySpan<byte> input)
    {
        if (ChunkLength == 0)
        {
            JoinComplete();
        }

        var rest = input[Math.Min(Blake3Core.ChunkBytes - ChunkLength, input.Length)..];
        input = input[..(input.Length - rest.Length)];
        while (!input.IsEmpty)
        {
            if (_blockLength == Blake3Core.BlockBytes)
            {
                CompressBlock(ref Unsafe.As<Block, byte>(ref _block), 0);
            }

            // Whole blocks that are followed by more of the chunk need no copy.
            while (_blockLength == 0 && input.Length > Blake3Core.BlockBytes)
            {
                CompressBlock(ref MemoryMarshal.GetReference(input), 0);
                input = input[Blake3Core.BlockBytes..];
            }

            var take = Math.Min(Blake3Core.BlockBytes - _blockLength, input.Length);
            input[..take].CopyTo(((Span<byte>)_block)[_blockLength..]);
            _blockLength += take;
            input = input[take..];
        }

        if (ChunkLength == Blake3Core.ChunkBytes && (!rest.IsEmpty || _chunk > 0))
        {
            CompressBlock(ref Unsafe.As<Block, byte>(ref _block), Blake3Core.ChunkEnd);
            PushSubtree(_chaining, 0);
            _chaining = _mode.Key;
            _blocksDone = 0;
        }

        return rest;
    }

    private void CompressBlock(ref byte block, uint edge)
    {
        var flags = _mode.Flags | edge | (_blocksDone == 0 ? Blake3Core.ChunkStart : 0);
        _chaining = Blake3Core.Compress(
            _mode.Degree, _chaining, ref block, _chunk, Blake3Core.BlockBytes, flags, out _);
        _blocksDone++;
        _blockLength = 0;
    }

    /// <summary>Joins every pair of complete subtrees of one size, which leaves one for each bit of the number of
    /// chunks. It is put off until more comes, since the last pair's parent may be the root.</summary>
    private void JoinComplete()
    {
        Span<byte> parent = stackalloc byte[Blake3Core.BlockBytes];
        while (_depth > BitOperations.PopCount(_chunk))
        {
            _subtrees[_depth - 2].CopyTo(parent);
            _subtrees[_depth - 1].CopyTo(parent[32..]);
            _depth--;
            _subtrees[_depth - 1] = Blake3Tree.ParentValue(_mode, parent, false);
        }
    }

    [InlineArray(Blake3Core.BlockBytes)]
    private struct Block
    {
        private byte _byte;
    }

    /// <summary>A tree over 2^64 bytes has 54 levels; one more subtree waits to be joined.</summary>
    [InlineArray(56)]
    private struct Subtrees
    {
        private Vector256<byte> _value;
    }
}
