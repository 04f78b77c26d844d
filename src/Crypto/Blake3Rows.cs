using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MeshLedger.Crypto;

/// <summary>What compressing one block takes whose state is four rows of four words.</summary>
/// <remarks>The message is kept as four rows in the order in which a round takes them, with e the block's words as they
/// are permuted so far: e0 e2 e4 e6, e1 e3 e5 e7, e14 e8 e10 e12, e15 e9 e11 e13.</remarks>
internal interface IRows
{
    static abstract void Mix(
        ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d,
        Vector128<uint> x, Vector128<uint> y);

    static abstract void LoadMessage(
        ref byte block, out Vector128<uint> x, out Vector128<uint> y, out Vector128<uint> z, out Vector128<uint> w);

    static abstract void Permute(
        ref Vector128<uint> x, ref Vector128<uint> y, ref Vector128<uint> z, ref Vector128<uint> w);
}

/// <summary>One block, its four columns (and then its four diagonals) side by side.</summary>
internal static class Blake3Rows<TRows>
    where TRows : struct, IRows
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static Vector256<byte> Compress(
        Vector256<byte> chaining, ref byte block, ulong counter, uint length, uint flags, out Vector256<byte> upper)
    {
        TRows.LoadMessage(ref block, out var x, out var y, out var z, out var w);
        var a = chaining.AsUInt32().GetLower();
        var b = chaining.AsUInt32().GetUpper();
        var c = Vector128.Create(Blake3Core.Iv0, Blake3Core.Iv1, Blake3Core.Iv2, Blake3Core.Iv3);
        var d = Vector128.Create((uint)counter, (uint)(counter >> 32), length, flags);
        for (var round = 0; ; round++)
        {
            TRows.Mix(ref a, ref b, ref c, ref d, x, y);

            // The diagonals become columns by turning all rows but b, which the next step waits for.
            a = Vector128.Shuffle(a, Vector128.Create(3u, 0, 1, 2));
            c = Vector128.Shuffle(c, Vector128.Create(1u, 2, 3, 0));
            d = Vector128.Shuffle(d, Vector128.Create(2u, 3, 0, 1));
            TRows.Mix(ref a, ref b, ref c, ref d, z, w);
            a = Vector128.Shuffle(a, Vector128.Create(1u, 2, 3, 0));
            c = Vector128.Shuffle(c, Vector128.Create(3u, 0, 1, 2));
            d = Vector128.Shuffle(d, Vector128.Create(2u, 3, 0, 1));
            if (round == 6)
            {
                break;
            }

            TRows.Permute(ref x, ref y, ref z, ref w);
        }

        upper = Vector256.Create(c, d).AsByte() ^ chaining;
        return Vector256.Create(a ^ c, b ^ d).AsByte();
    }
}

/// <summary>Rows by SSE4.1.</summary>
internal readonly struct Sse41Rows : IRows
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix(
        ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d,
        Vector128<uint> x, Vector128<uint> y)
    {
        Lanes128.MixFirst(ref a, ref b, ref c, ref d, x);
        Lanes128.MixSecond(ref a, ref b, ref c, ref d, y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadMessage(
        ref byte block, out Vector128<uint> x, out Vector128<uint> y, out Vector128<uint> z, out Vector128<uint> w)
    {
        var r0 = Vector128.LoadUnsafe(ref block).AsUInt32();
        var r1 = Vector128.LoadUnsafe(ref block, 16).AsUInt32();
        var r2 = Vector128.LoadUnsafe(ref block, 32).AsUInt32();
        var r3 = Vector128.LoadUnsafe(ref block, 48).AsUInt32();
        x = Pick(r0, r1, 0b10_00_10_00);
        y = Pick(r0, r1, 0b11_01_11_01);
        z = Vector128.Shuffle(Pick(r2, r3, 0b10_00_10_00), Vector128.Create(3u, 0, 1, 2));
        w = Vector128.Shuffle(Pick(r2, r3, 0b11_01_11_01), Vector128.Create(3u, 0, 1, 2));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Permute(
        ref Vector128<uint> x, ref Vector128<uint> y, ref Vector128<uint> z, ref Vector128<uint> w)
    {
        // x1 y1 y3 x2
        var nextX = Vector128.Shuffle(Pick(x, y, 0b11_01_10_01), Vector128.Create(0u, 2, 3, 1));

        // x3 z2 x0 w3
        var xz = Vector128.Shuffle(Pick(x, z, 0b10_10_00_11), Vector128.Create(0u, 2, 1, 3));
        var nextY = Sse41.Blend(xz.AsUInt16(), w.AsUInt16(), 0b1100_0000).AsUInt32();

        // w0 y0 z3 w1
        var zw = Sse41.Blend(z.AsUInt16(), w.AsUInt16(), 0b0000_1100).AsUInt32();
        var nextZ = Pick(Sse2.UnpackLow(w, y), zw, 0b01_11_01_00);

        // z1 w2 y2 z0
        var nextW = Vector128.Shuffle(Pick(z, Sse2.UnpackHigh(w, y), 0b01_00_00_01), Vector128.Create(0u, 2, 3, 1));
        (x, y, z, w) = (nextX, nextY, nextZ, nextW);
    }

    /// <summary>Two words of each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Pick(Vector128<uint> left, Vector128<uint> right, [ConstantExpected] byte which) =>
        Sse.Shuffle(left.AsSingle(), right.AsSingle(), which).AsUInt32();
}

/// <summary>Rows by AVX-512: rotations and permutations of any kind are one instruction each.</summary>
internal readonly struct Avx512Rows : IRows
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix(
        ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d,
        Vector128<uint> x, Vector128<uint> y)
    {
        a = a + x + b;
        d = Avx512F.VL.RotateRight(d ^ a, 16);
        c += d;
        b = Avx512F.VL.RotateRight(b ^ c, 12);
        a = a + y + b;
        d = Avx512F.VL.RotateRight(d ^ a, 8);
        c += d;
        b = Avx512F.VL.RotateRight(b ^ c, 7);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadMessage(
        ref byte block, out Vector128<uint> x, out Vector128<uint> y, out Vector128<uint> z, out Vector128<uint> w) =>
        Split(
            Avx512F.PermuteVar16x32(
                Vector512.LoadUnsafe(ref block).AsUInt32(),
                Vector512.Create(0u, 2, 4, 6, 1, 3, 5, 7, 14, 8, 10, 12, 15, 9, 11, 13)),
            out x, out y, out z, out w);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Permute(
        ref Vector128<uint> x, ref Vector128<uint> y, ref Vector128<uint> z, ref Vector128<uint> w)
    {
        var message = Vector512.Create(Vector256.Create(x, y), Vector256.Create(z, w));
        Split(
            Avx512F.PermuteVar16x32(
                message, Vector512.Create(1u, 5, 7, 2, 3, 10, 0, 15, 12, 4, 11, 13, 9, 14, 6, 8)),
            out x, out y, out z, out w);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Split(
        Vector512<uint> message,
        out Vector128<uint> x, out Vector128<uint> y, out Vector128<uint> z, out Vector128<uint> w)
    {
        x = message.GetLower().GetLower();
        y = message.GetLower().GetUpper();
        z = message.GetUpper().GetLower();
        w = message.GetUpper().GetUpper();
    }
}
