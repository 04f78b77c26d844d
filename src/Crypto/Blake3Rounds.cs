using System.Numerics;
using System.Runtime.CompilerServices;

namespace MeshLedger.Crypto;

/// <summary>The quarter-round (specification, section 2.2) of one block's word, or of that word of several
/// blocks.</summary>
internal unsafe interface IQuarter<TVector>
    where TVector : unmanaged
{
    static abstract void Mix(ref TVector a, ref TVector b, ref TVector c, ref TVector d, TVector* x, TVector* y);
}

/// <summary>The quarter-round on any machine.</summary>
internal readonly unsafe struct Quarter32 : IQuarter<uint>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix(ref uint a, ref uint b, ref uint c, ref uint d, uint* x, uint* y)
    {
        a = a + *x + b;
        d = BitOperations.RotateRight(d ^ a, 16);
        c += d;
        b = BitOperations.RotateRight(b ^ c, 12);
        a = a + *y + b;
        d = BitOperations.RotateRight(d ^ a, 8);
        c += d;
        b = BitOperations.RotateRight(b ^ c, 7);
    }
}

/// <summary>
/// The seven rounds, with the permutation of table 2 applied again and again as constants. They are written out: a loop
/// over the rounds would look every word's place up, and the compiler inlines no method of as many parameters as a
/// round has. The message is passed by address and a word of the state put down in each round, so that the compiler
/// reads the message where it is used: it would rather read it once and spill it.
/// </summary>
internal static unsafe class Blake3Rounds<TVector, TQuarter>
    where TVector : unmanaged
    where TQuarter : struct, IQuarter<TVector>
{
    /// <summary>Over a state of 16 words, with a message of as many.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mix(TVector* state, TVector* m)
    {
        TVector v0 = state[0], v1 = state[1], v2 = state[2], v3 = state[3];
        TVector v4 = state[4], v5 = state[5], v6 = state[6], v7 = state[7];
        TVector v8 = state[8], v9 = state[9], v10 = state[10], v11 = state[11];
        TVector v12 = state[12], v13 = state[13], v14 = state[14], v15 = state[15];

        TQuarter.Mix(ref v0, ref v4, ref v8, ref v12, m + 0, m + 1);
        TQuarter.Mix(ref v1, ref v5, ref v9, ref v13, m + 2, m + 3);
        TQuarter.Mix(ref v2, ref v6, ref v10, ref v14, m + 4, m + 5);
        TQuarter.Mix(ref v3, ref v7, ref v11, ref v15, m + 6, m + 7);
        TQuarter.Mix(ref v0, ref v5, ref v10, ref v15, m + 8, m + 9);
        TQuarter.Mix(ref v1, ref v6, ref v11, ref v12, m + 10, m + 11);
        TQuarter.Mix(ref v2, ref v7, ref v8, ref v13, m + 12, m + 13);
        TQuarter.Mix(ref v3, ref v4, ref v9, ref v14, m + 14, m + 15);

        state[15] = v15;
        TQuarter.Mix(ref v0, ref v4, ref v8, ref v12, m + 2, m + 6);
        TQuarter.Mix(ref v1, ref v5, ref v9, ref v13, m + 3, m + 10);
        TQuarter.Mix(ref v2, ref v6, ref v10, ref v14, m + 7, m + 0);
        TQuarter.Mix(ref v3, ref v7, ref v11, ref v15, m + 4, m + 13);
        TQuarter.Mix(ref v0, ref v5, ref v10, ref v15, m + 1, m + 11);
        TQuarter.Mix(ref v1, ref v6, ref v11, ref v12, m + 12, m + 5);
        TQuarter.Mix(ref v2, ref v7, ref v8, ref v13, m + 9, m + 14);
        TQuarter.Mix(ref v3, ref v4, ref v9, ref v14, m + 15, m + 8);

        state[15] = v15;
        TQuarter.Mix(ref v0, ref v4, ref v8, ref v12, m + 3, m + 4);
        TQuarter.Mix(ref v1, ref v5, ref v9, ref v13, m + 10, m + 12);
        TQuarter.Mix(ref v2, ref v6, ref v10, ref v14, m + 13, m + 2);
        TQuarter.Mix(ref v3, ref v7, ref v11, ref v15, m + 7, m + 14);
        TQuarter.Mix(ref v0, ref v5, ref v10, ref v15, m + 6, m + 5);
        TQuarter.Mix(ref v1, ref v6, ref v11, ref v12, m + 9, m + 0);
        TQuarter.Mix(ref v2, ref v7, ref v8, ref v13, m + 11, m + 15);
        TQuarter.Mix(ref v3, ref v4, ref v9, ref v14, m + 8, m + 1);

        state[15] = v15;
        TQuarter.Mix(ref v0, ref v4, ref v8, ref v12, m + 10, m + 7);
        TQuarter.Mix(ref v1, ref v5, ref v9, ref v13, m + 12, m + 9);
        TQuarter.Mix(ref v2, ref v6, ref v10, ref v14, m + 14, m + 3);
        TQuarter.Mix(ref v3, ref v7, ref v11, ref v15, m + 13, m + 15);
        TQuarter.Mix(ref v0, ref v5, ref v10, ref v15, m + 4, m + 0);
        TQuarter.Mix(ref v1, ref v6, ref v11, ref v12, m + 11, m + 2);
        TQuarter.Mix(ref v2, ref v7, ref v8, ref v13, m + 5, m + 8);
        TQuarter.Mix(ref v3, ref v4, ref v9, ref v14, m + 1, m + 6);

        state[15] = v15;
        TQuarter.Mix(ref v0, ref v4, ref v8, ref v12, m + 12, m + 13);
        TQuarter.Mix(ref v1, ref v5, ref v9, ref v13, m + 9, m + 11);
        TQuarter.Mix(ref v2, ref v6, ref v10, ref v14, m + 15, m + 10);
        TQuarter.Mix(ref v3, ref v7, ref v11, ref v15, m + 14, m + 8);
        TQuarter.Mix(ref v0, ref v5, ref v10, ref v15, m + 7, m + 2);
        TQuarter.Mix(ref v1, ref v6, ref v11, ref v12, m + 5, m + 3);
        TQuarter.Mix(ref v2, ref v7, ref v8, ref v13, m + 0, m + 1);
        TQuarter.Mix(ref v3, ref v4, ref v9, ref v14, m + 6, m + 4);

        state[15] = v15;
        TQuarter.Mix(ref v0, ref v4, ref v8, ref v12, m + 9, m + 14);
        TQuarter.Mix(ref v1, ref v5, ref v9, ref v13, m + 11, m + 5);
        TQuarter.Mix(ref v2, ref v6, ref v10, ref v14, m + 8, m + 12);
        TQuarter.Mix(ref v3, ref v7, ref v11, ref v15, m + 15, m + 1);
        TQuarter.Mix(ref v0, ref v5, ref v10, ref v15, m + 13, m + 3);
        TQuarter.Mix(ref v1, ref v6, ref v11, ref v12, m + 0, m + 10);
        TQuarter.Mix(ref v2, ref v7, ref v8, ref v13, m + 2, m + 6);
        TQuarter.Mix(ref v3, ref v4, ref v9, ref v14, m + 4, m + 7);

        state[15] = v15;
        TQuarter.Mix(ref v0, ref v4, ref v8, ref v12, m + 11, m + 15);
        TQuarter.Mix(ref v1, ref v5, ref v9, ref v13, m + 5, m + 0);
        TQuarter.Mix(ref v2, ref v6, ref v10, ref v14, m + 1, m + 9);
        TQuarter.Mix(ref v3, ref v7, ref v11, ref v15, m + 8, m + 6);
        TQuarter.Mix(ref v0, ref v5, ref v10, ref v15, m + 14, m + 10);
        TQuarter.Mix(ref v1, ref v6, ref v11, ref v12, m + 2, m + 12);
        TQuarter.Mix(ref v2, ref v7, ref v8, ref v13, m + 3, m + 4);
        TQuarter.Mix(ref v3, ref v4, ref v9, ref v14, m + 7, m + 13);

        state[0] = v0;
        state[1] = v1;
        state[2] = v2;
        state[3] = v3;
        state[4] = v4;
        state[5] = v5;
        state[6] = v6;
        state[7] = v7;
        state[8] = v8;
        state[9] = v9;
        state[10] = v10;
        state[11] = v11;
        state[12] = v12;
        state[13] = v13;
        state[14] = v14;
        state[15] = v15;
    }
}
