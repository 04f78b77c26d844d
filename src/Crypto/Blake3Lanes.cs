using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>What compressing several blocks side by side takes: one 32-bit word of each block in one vector.</summary>
internal interface ILanes<TVector>
    where TVector : unmanaged
{
    /// <summary>How many blocks are side by side.</summary>
    static abstract int Count { get; }

    static abstract TVector Broadcast(uint word);

    /// <summary>The word of each lane, one after another.</summary>
    static abstract TVector Load(ref uint words);

    static abstract TVector Xor(TVector left, TVector right);

    /// <summary>The quarter-round (specification, section 2.2).</summary>
    static abstract void Mix(ref TVector a, ref TVector b, ref TVector c, ref TVector d, TVector x, TVector y);

    /// <summary>Four words of each lane, of which <paramref name="bytes"/> is the first lane's and each further lane's is
    /// <paramref name="stride"/> bytes on: the first words of all lanes, the second ones, and so on.</summary>
    static abstract void LoadWords(
        ref byte bytes, nint stride, out TVector w0, out TVector w1, out TVector w2, out TVector w3);

    /// <summary>The other way: four words of each lane, lanes 32 bytes apart.</summary>
    static abstract void StoreWords(ref byte bytes, TVector w0, TVector w1, TVector w2, TVector w3);
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
        var space = stackalloc byte[(18 * sizeof(TVector)) + 64];
        var m = (TVector*)(((nuint)space + 63) & ~(nuint)63);
        var counters = (uint*)(m + 16);
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            var own = work.CountsUp ? counter + (uint)lane : counter;
            counters[lane] = (uint)own;
            counters[TLanes.Count + lane] = (uint)(own >> 32);
        }

        var key = work.Mode.Key.AsUInt32();
        TVector v0 = TLanes.Broadcast(key[0]), v1 = TLanes.Broadcast(key[1]);
        TVector v2 = TLanes.Broadcast(key[2]), v3 = TLanes.Broadcast(key[3]);
        TVector v4 = TLanes.Broadcast(key[4]), v5 = TLanes.Broadcast(key[5]);
        TVector v6 = TLanes.Broadcast(key[6]), v7 = TLanes.Broadcast(key[7]);
        for (var block = 0; block < blocks; block++)
        {
            LoadBlock(ref Unsafe.Add(ref input, block * Blake3Core.BlockBytes), stride, m);
            var edge = (block == 0 ? work.First : 0) | (block == blocks - 1 ? work.Last : 0);
            TVector v8 = TLanes.Broadcast(Blake3Core.Iv0), v9 = TLanes.Broadcast(Blake3Core.Iv1);
            TVector v10 = TLanes.Broadcast(Blake3Core.Iv2), v11 = TLanes.Broadcast(Blake3Core.Iv3);
            TVector v12 = TLanes.Load(ref counters[0]), v13 = TLanes.Load(ref counters[TLanes.Count]);
            var v14 = TLanes.Broadcast(Blake3Core.BlockBytes);
            var v15 = TLanes.Broadcast(work.Mode.Flags | edge);

            // Seven rounds, with the permutation of table 2 applied again and again as constants. Written out: a loop
            // over the rounds would look every word's place up, and the compiler inlines no method of so many parameters.
            TLanes.Mix(ref v0, ref v4, ref v8, ref v12, m[0], m[1]);
            TLanes.Mix(ref v1, ref v5, ref v9, ref v13, m[2], m[3]);
            TLanes.Mix(ref v2, ref v6, ref v10, ref v14, m[4], m[5]);
            TLanes.Mix(ref v3, ref v7, ref v11, ref v15, m[6], m[7]);
            TLanes.Mix(ref v0, ref v5, ref v10, ref v15, m[8], m[9]);
            TLanes.Mix(ref v1, ref v6, ref v11, ref v12, m[10], m[11]);
            TLanes.Mix(ref v2, ref v7, ref v8, ref v13, m[12], m[13]);
            TLanes.Mix(ref v3, ref v4, ref v9, ref v14, m[14], m[15]);

            TLanes.Mix(ref v0, ref v4, ref v8, ref v12, m[2], m[6]);
            TLanes.Mix(ref v1, ref v5, ref v9, ref v13, m[3], m[10]);
            TLanes.Mix(ref v2, ref v6, ref v10, ref v14, m[7], m[0]);
            TLanes.Mix(ref v3, ref v7, ref v11, ref v15, m[4], m[13]);
            TLanes.Mix(ref v0, ref v5, ref v10, ref v15, m[1], m[11]);
            TLanes.Mix(ref v1, ref v6, ref v11, ref v12, m[12], m[5]);
            TLanes.Mix(ref v2, ref v7, ref v8, ref v13, m[9], m[14]);
            TLanes.Mix(ref v3, ref v4, ref v9, ref v14, m[15], m[8]);

            TLanes.Mix(ref v0, ref v4, ref v8, ref v12, m[3], m[4]);
            TLanes.Mix(ref v1, ref v5, ref v9, ref v13, m[10], m[12]);
            TLanes.Mix(ref v2, ref v6, ref v10, ref v14, m[13], m[2]);
            TLanes.Mix(ref v3, ref v7, ref v11, ref v15, m[7], m[14]);
            TLanes.Mix(ref v0, ref v5, ref v10, ref v15, m[6], m[5]);
            TLanes.Mix(ref v1, ref v6, ref v11, ref v12, m[9], m[0]);
            TLanes.Mix(ref v2, ref v7, ref v8, ref v13, m[11], m[15]);
            TLanes.Mix(ref v3, ref v4, ref v9, ref v14, m[8], m[1]);

            TLanes.Mix(ref v0, ref v4, ref v8, ref v12, m[10], m[7]);
            TLanes.Mix(ref v1, ref v5, ref v9, ref v13, m[12], m[9]);
            TLanes.Mix(ref v2, ref v6, ref v10, ref v14, m[14], m[3]);
            TLanes.Mix(ref v3, ref v7, ref v11, ref v15, m[13], m[15]);
            TLanes.Mix(ref v0, ref v5, ref v10, ref v15, m[4], m[0]);
            TLanes.Mix(ref v1, ref v6, ref v11, ref v12, m[11], m[2]);
            TLanes.Mix(ref v2, ref v7, ref v8, ref v13, m[5], m[8]);
            TLanes.Mix(ref v3, ref v4, ref v9, ref v14, m[1], m[6]);

            TLanes.Mix(ref v0, ref v4, ref v8, ref v12, m[12], m[13]);
            TLanes.Mix(ref v1, ref v5, ref v9, ref v13, m[9], m[11]);
            TLanes.Mix(ref v2, ref v6, ref v10, ref v14, m[15], m[10]);
            TLanes.Mix(ref v3, ref v7, ref v11, ref v15, m[14], m[8]);
            TLanes.Mix(ref v0, ref v5, ref v10, ref v15, m[7], m[2]);
            TLanes.Mix(ref v1, ref v6, ref v11, ref v12, m[5], m[3]);
            TLanes.Mix(ref v2, ref v7, ref v8, ref v13, m[0], m[1]);
            TLanes.Mix(ref v3, ref v4, ref v9, ref v14, m[6], m[4]);

            TLanes.Mix(ref v0, ref v4, ref v8, ref v12, m[9], m[14]);
            TLanes.Mix(ref v1, ref v5, ref v9, ref v13, m[11], m[5]);
            TLanes.Mix(ref v2, ref v6, ref v10, ref v14, m[8], m[12]);
            TLanes.Mix(ref v3, ref v7, ref v11, ref v15, m[15], m[1]);
            TLanes.Mix(ref v0, ref v5, ref v10, ref v15, m[13], m[3]);
            TLanes.Mix(ref v1, ref v6, ref v11, ref v12, m[0], m[10]);
            TLanes.Mix(ref v2, ref v7, ref v8, ref v13, m[2], m[6]);
            TLanes.Mix(ref v3, ref v4, ref v9, ref v14, m[4], m[7]);

            TLanes.Mix(ref v0, ref v4, ref v8, ref v12, m[11], m[15]);
            TLanes.Mix(ref v1, ref v5, ref v9, ref v13, m[5], m[0]);
            TLanes.Mix(ref v2, ref v6, ref v10, ref v14, m[1], m[9]);
            TLanes.Mix(ref v3, ref v7, ref v11, ref v15, m[8], m[6]);
            TLanes.Mix(ref v0, ref v5, ref v10, ref v15, m[14], m[10]);
            TLanes.Mix(ref v1, ref v6, ref v11, ref v12, m[2], m[12]);
            TLanes.Mix(ref v2, ref v7, ref v8, ref v13, m[3], m[4]);
            TLanes.Mix(ref v3, ref v4, ref v9, ref v14, m[7], m[13]);

            v0 = TLanes.Xor(v0, v8);
            v1 = TLanes.Xor(v1, v9);
            v2 = TLanes.Xor(v2, v10);
            v3 = TLanes.Xor(v3, v11);
            v4 = TLanes.Xor(v4, v12);
            v5 = TLanes.Xor(v5, v13);
            v6 = TLanes.Xor(v6, v14);
            v7 = TLanes.Xor(v7, v15);
        }

        TLanes.StoreWords(ref values, v0, v1, v2, v3);
        TLanes.StoreWords(ref Unsafe.Add(ref values, 16), v4, v5, v6, v7);
    }

    /// <summary>A block of each lane, as one vector a word. A method of its own: the compiler has a limit of variables
    /// up to which it inlines, and the rounds need it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void LoadBlock(ref byte input, nint stride, TVector* m)
    {
        for (var four = 0; four < 16; four += 4, m += 4)
        {
            TLanes.LoadWords(ref Unsafe.Add(ref input, 4 * four), stride, out m[0], out m[1], out m[2], out m[3]);
        }
    }
}
