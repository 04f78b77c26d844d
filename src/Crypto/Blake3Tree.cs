using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>Key and flags of one of the three modes.</summary>
internal readonly record struct Blake3Mode(Vector256<byte> Key, uint Flags)
{
    public static Blake3Mode Plain { get; } =
        new(Vector256.Create(MemoryMarshal.AsBytes(Blake3Core.InitialValue)), 0);
}

/// <summary>Values of subtrees: what hashing and Bao have in common.</summary>
internal static class Blake3Tree
{
    public static Vector256<byte> ParentValue(Blake3Mode mode, ReadOnlySpan<byte> parent, bool root)
    {
        Span<uint> block = stackalloc uint[16];
        Span<uint> key = stackalloc uint[16];
        Blake3Core.LoadBlock(parent[..64], block);
        mode.Key.AsUInt32().CopyTo(key);
        Span<uint> node = stackalloc uint[16];
        Blake3Core.Compress(key[..8], block, 0, 64, mode.Flags | Blake3Core.Parent | (root ? Blake3Core.Root : 0), node);
        return Vector256.Create<uint>(node[..8]).AsByte();
    }

    /// <summary>The value of the subtree over all of <paramref name="input"/>, which begins with chunk
    /// <paramref name="firstChunk"/>.</summary>
    public static Vector256<byte> Value(Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, bool root)
    {
        if (input.Length <= Blake3Core.ChunkBytes)
        {
            return ChunkValue(mode, input, firstChunk, root);
        }

        var left = (int)BaoTree.LeftOf(((input.Length - 1) / Blake3Core.ChunkBytes) + 1);
        Span<byte> parent = stackalloc byte[64];
        Value(mode, input[..(left * Blake3Core.ChunkBytes)], firstChunk, false).CopyTo(parent);
        Value(mode, input[(left * Blake3Core.ChunkBytes)..], firstChunk + (ulong)left, false).CopyTo(parent[32..]);
        return ParentValue(mode, parent, root);
    }

    /// <summary>The values of subtrees of 2^<paramref name="log"/> chunks each, which are no root; the input is whole
    /// subtrees.</summary>
    public static void Values(
        Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, int log, Span<byte> values, bool parallel)
    {
        var size = Blake3Core.ChunkBytes << log;
        for (var at = 0; at < input.Length; at += size)
        {
            Value(mode, input.Slice(at, size), firstChunk + (ulong)(at / Blake3Core.ChunkBytes), false)
                .CopyTo(values[(at / size * 32)..]);
        }
    }

    /// <summary>The values of chunks that follow each other, none of which is the root; the last one may be short.</summary>
    public static void ChunkValues(Blake3Mode mode, ReadOnlySpan<byte> input, ulong firstChunk, Span<byte> values)
    {
        for (var at = 0; at < input.Length; at += Blake3Core.ChunkBytes)
        {
            var chunk = input.Slice(at, Math.Min(Blake3Core.ChunkBytes, input.Length - at));
            ChunkValue(mode, chunk, firstChunk++, false).CopyTo(values[(at / 32)..]);
        }
    }

    private static Vector256<byte> ChunkValue(Blake3Mode mode, ReadOnlySpan<byte> input, ulong chunk, bool root)
    {
        Span<uint> block = stackalloc uint[16];
        Span<uint> node = stackalloc uint[16];
        mode.Key.AsUInt32().CopyTo(node);
        var flags = mode.Flags | Blake3Core.ChunkStart;
        do
        {
            var take = Math.Min(64, input.Length);
            var last = take == input.Length;
            Blake3Core.LoadBlock(input[..take], block);
            var edge = last ? Blake3Core.ChunkEnd | (root ? Blake3Core.Root : 0) : 0;
            Blake3Core.Compress(node[..8], block, chunk, (uint)take, flags | edge, node);
            flags = mode.Flags;
            input = input[take..];
        }
        while (!input.IsEmpty);

        return Vector256.Create<uint>(node[..8]).AsByte();
    }
}
