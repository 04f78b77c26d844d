using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MeshLedger.Crypto;

/// <summary>What compressing several blocks side by side takes: one 32-bit word of each block in one vector.</summary>
internal interface ILanes<TVector> : IQuarter<TVector>
    where TVector : unmanaged
{
    /// <summary>How many blocks are side by side.</summary>
    static abstract int Count { get; }

    static abstract TVector Broadcast(uint word);

    /// <summary>The word of each lane, one after another.</summary>
    static abstract TVector Load(ref uint words);

    static abstract TVector Xor(TVector left, TVector right);

    /// <summary>Four words of each fourth lane: the first lane's at <paramref name="bytes"/>, the fifth's
    /// 4 * <paramref name="stride"/> bytes on, and so forth.</summary>
    static abstract TVector Gather(ref byte bytes, nint stride);

    /// <summary>From four words of each fourth lane, beginning with each of four lanes, the first words of all lanes,
    /// the second ones and so on; and back.</summary>
    static abstract void Transpose(
        TVector r0, TVector r1, TVector r2, TVector r3,
        out TVector w0, out TVector w1, out TVector w2, out TVector w3);

    /// <summary>Writes four words of each lane, lanes 32 bytes apart.</summary>
    static abstract void StoreRows(ref byte bytes, TVector r0, TVector r1, TVector r2, TVector r3);
}

/// <summary>Chaining values of several inputs of one length side by side: chunks, or parents.</summary>
internal static unsafe class Blake3Lanes<TVector, TLanes>
    where TVector : unmanaged
    where TLanes : struct, ILanes<TVector>
{
    /// <summary>
    /// Hashes as many inputs as there are lanes, each of <paramref name="blocks"/> whole blocks.
    /// </summary>
    /// <param name="input">The first input; each further one is <paramref name="stride"/> bytes on.</param>
    /// <param name="work">What all inputs have in common.</param>
    /// <param name="counter">The first input's counter.</param>
    /// <param name="values">32 bytes an input, one after another.</param>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Hash(
        ref byte input, nint stride, int blocks, in Blake3Work work, ulong counter, ref byte values)
    {
        // A vector that crosses cache lines is read twice, and the stack is not aligned to lines.
        var space = stackalloc byte[(34 * sizeof(TVector)) + 64];
        var m = (TVector*)(((nuint)space + 63) & ~(nuint)63);
        var v = m + 16;
        var counters = (uint*)(v + 16);
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            var own = work.CountsUp ? counter + (uint)lane : counter;
            counters[lane] = (uint)own;
            counters[TLanes.Count + lane] = (uint)(own >> 32);
        }

        var key = work.Mode.Key.AsUInt32();
        for (var word = 0; word < 8; word++)
        {
            v[word] = TLanes.Broadcast(key[word]);
        }

        for (var block = 0; block < blocks; block++)
        {
            LoadBlock(ref Unsafe.Add(ref input, block * Blake3Core.BlockBytes), stride, m);
            var edge = (block == 0 ? work.First : 0) | (block == blocks - 1 ? work.Last : 0);
            v[8] = TLanes.Broadcast(Blake3Core.Iv0);
            v[9] = TLanes.Broadcast(Blake3Core.Iv1);
            v[10] = TLanes.Broadcast(Blake3Core.Iv2);
            v[11] = TLanes.Broadcast(Blake3Core.Iv3);
            v[12] = TLanes.Load(ref counters[0]);
            v[13] = TLanes.Load(ref counters[TLanes.Count]);
            v[14] = TLanes.Broadcast(Blake3Core.BlockBytes);
            v[15] = TLanes.Broadcast(work.Mode.Flags | edge);
            Blake3Rounds<TVector, TLanes>.Mix(v, m);
            for (var word = 0; word < 8; word++)
            {
                v[word] = TLanes.Xor(v[word], v[word + 8]);
            }
        }

        for (var four = 0; four < 8; four += 4, v += 4)
        {
            TLanes.Transpose(v[0], v[1], v[2], v[3], out var r0, out var r1, out var r2, out var r3);
            TLanes.StoreRows(ref Unsafe.Add(ref values, 4 * four), r0, r1, r2, r3);
        }
    }

    /// <summary>A block of each lane, as one vector a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void LoadBlock(ref byte input, nint stride, TVector* m)
    {
        // Hardware foresees a few streams, not 16. An address is only a hint here: the input need not be pinned.
        if (Sse.IsSupported && stride > Blake3Core.BlockBytes)
        {
            var ahead = (byte*)Unsafe.AsPointer(ref input) + (4 * Blake3Core.BlockBytes);
            for (var lane = 0; lane < TLanes.Count; lane++, ahead += stride)
            {
                Sse.Prefetch0(ahead);
            }
        }

        for (var four = 0; four < 16; four += 4, m += 4)
        {
            ref var row = ref Unsafe.Add(ref input, 4 * four);
            TLanes.Transpose(
                TLanes.Gather(ref row, stride),
                TLanes.Gather(ref Unsafe.Add(ref row, stride), stride),
                TLanes.Gather(ref Unsafe.Add(ref row, 2 * stride), stride),
                TLanes.Gather(ref Unsafe.Add(ref row, 3 * stride), stride),
                out m[0], out m[1], out m[2], out m[3]);
        }
    }
}
