using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace MeshLedger.Crypto;

// The three widths of lanes. All load a vector from lanes j, j + 4, j + 8 ... (one lane each 128 bits), so that what is
// left to transpose is four words of four lanes within 128 bits, which every instruction set does alike.

/// <summary>16 lanes: AVX-512, which rotates by itself.</summary>
internal readonly unsafe struct Lanes512 : ILanes<Vector512<uint>>
{
    public static int Count => 16;

    public static bool IsSupported => Avx512F.VL.IsSupported;

    public static Vector512<uint> Broadcast(uint word) => Vector512.Create(word);

    public static Vector512<uint> Load(ref uint words) => Vector512.LoadUnsafe(ref words);

    public static Vector512<uint> Xor(Vector512<uint> left, Vector512<uint> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix(
        ref Vector512<uint> a, ref Vector512<uint> b, ref Vector512<uint> c, ref Vector512<uint> d,
        Vector512<uint>* x, Vector512<uint>* y)
    {
        // The message comes first: it is at hand while b is still being made.
        a = a + *x + b;
        d = Avx512F.RotateRight(d ^ a, 16);
        c += d;
        b = Avx512F.RotateRight(b ^ c, 12);
        a = a + *y + b;
        d = Avx512F.RotateRight(d ^ a, 8);
        c += d;
        b = Avx512F.RotateRight(b ^ c, 7);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRows(
        ref byte bytes, Vector512<uint> r0, Vector512<uint> r1, Vector512<uint> r2, Vector512<uint> r3)
    {
        Lanes256.StoreRows(ref bytes, r0.GetLower(), r1.GetLower(), r2.GetLower(), r3.GetLower());
        Lanes256.StoreRows(
            ref Unsafe.Add(ref bytes, 256), r0.GetUpper(), r1.GetUpper(), r2.GetUpper(), r3.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Gather(ref byte bytes, nint stride) =>
        Lanes256.Gather(ref bytes, stride).ToVector512Unsafe()
            .WithUpper(Lanes256.Gather(ref Unsafe.Add(ref bytes, 8 * stride), stride));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(
        Vector512<uint> r0, Vector512<uint> r1, Vector512<uint> r2, Vector512<uint> r3,
        out Vector512<uint> w0, out Vector512<uint> w1, out Vector512<uint> w2, out Vector512<uint> w3)
    {
        var low01 = Avx512F.UnpackLow(r0, r1).AsUInt64();
        var high01 = Avx512F.UnpackHigh(r0, r1).AsUInt64();
        var low23 = Avx512F.UnpackLow(r2, r3).AsUInt64();
        var high23 = Avx512F.UnpackHigh(r2, r3).AsUInt64();
        w0 = Avx512F.UnpackLow(low01, low23).AsUInt32();
        w1 = Avx512F.UnpackHigh(low01, low23).AsUInt32();
        w2 = Avx512F.UnpackLow(high01, high23).AsUInt32();
        w3 = Avx512F.UnpackHigh(high01, high23).AsUInt32();
    }
}

/// <summary>8 lanes: AVX2, which rotates by whole bytes with a shuffle.</summary>
internal readonly unsafe struct Lanes256 : ILanes<Vector256<uint>>
{
    public static int Count => 8;

    public static bool IsSupported => Avx2.IsSupported;

    public static Vector256<uint> Broadcast(uint word) => Vector256.Create(word);

    public static Vector256<uint> Load(ref uint words) => Vector256.LoadUnsafe(ref words);

    public static Vector256<uint> Xor(Vector256<uint> left, Vector256<uint> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix(
        ref Vector256<uint> a, ref Vector256<uint> b, ref Vector256<uint> c, ref Vector256<uint> d,
        Vector256<uint>* x, Vector256<uint>* y)
    {
        a = a + *x + b;
        d = Avx2.Shuffle((d ^ a).AsByte(), Vector256.Create(Lanes128.By16, Lanes128.By16)).AsUInt32();
        c += d;
        b ^= c;
        b = (b >>> 12) | (b << 20);
        a = a + *y + b;
        d = Avx2.Shuffle((d ^ a).AsByte(), Vector256.Create(Lanes128.By8, Lanes128.By8)).AsUInt32();
        c += d;
        b ^= c;
        b = (b >>> 7) | (b << 25);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Gather(ref byte bytes, nint stride) => Vector256.Create(
        Lanes128.Gather(ref bytes, stride), Lanes128.Gather(ref Unsafe.Add(ref bytes, 4 * stride), stride));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRows(
        ref byte bytes, Vector256<uint> r0, Vector256<uint> r1, Vector256<uint> r2, Vector256<uint> r3)
    {
        Lanes128.StoreRows(ref bytes, r0.GetLower(), r1.GetLower(), r2.GetLower(), r3.GetLower());
        Lanes128.StoreRows(
            ref Unsafe.Add(ref bytes, 128), r0.GetUpper(), r1.GetUpper(), r2.GetUpper(), r3.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(
        Vector256<uint> r0, Vector256<uint> r1, Vector256<uint> r2, Vector256<uint> r3,
        out Vector256<uint> w0, out Vector256<uint> w1, out Vector256<uint> w2, out Vector256<uint> w3)
    {
        var low01 = Avx2.UnpackLow(r0, r1).AsUInt64();
        var high01 = Avx2.UnpackHigh(r0, r1).AsUInt64();
        var low23 = Avx2.UnpackLow(r2, r3).AsUInt64();
        var high23 = Avx2.UnpackHigh(r2, r3).AsUInt64();
        w0 = Avx2.UnpackLow(low01, low23).AsUInt32();
        w1 = Avx2.UnpackHigh(low01, low23).AsUInt32();
        w2 = Avx2.UnpackLow(high01, high23).AsUInt32();
        w3 = Avx2.UnpackHigh(high01, high23).AsUInt32();
    }
}

/// <summary>4 lanes: SSE4.1, or Arm's Advanced SIMD.</summary>
internal readonly unsafe struct Lanes128 : ILanes<Vector128<uint>>
{
    public static int Count => 4;

    public static bool IsSupported => Sse41.IsSupported || AdvSimd.Arm64.IsSupported;

    /// <summary>The bytes of each word, rotated right by 16 bits.</summary>
    public static Vector128<byte> By16 => Vector128.Create((byte)2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);

    /// <summary>By 8 bits.</summary>
    public static Vector128<byte> By8 => Vector128.Create((byte)1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);

    public static Vector128<uint> Broadcast(uint word) => Vector128.Create(word);

    public static Vector128<uint> Load(ref uint words) => Vector128.LoadUnsafe(ref words);

    public static Vector128<uint> Xor(Vector128<uint> left, Vector128<uint> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix(
        ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d,
        Vector128<uint>* x, Vector128<uint>* y)
    {
        MixFirst(ref a, ref b, ref c, ref d, *x);
        MixSecond(ref a, ref b, ref c, ref d, *y);
    }

    /// <summary>The first half of a quarter-round, also of one block's four columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MixFirst(
        ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d, Vector128<uint> x)
    {
        a = a + x + b;
        d = Vector128.Shuffle((d ^ a).AsByte(), By16).AsUInt32();
        c += d;
        b ^= c;
        b = (b >>> 12) | (b << 20);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MixSecond(
        ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d, Vector128<uint> y)
    {
        a = a + y + b;
        d = Vector128.Shuffle((d ^ a).AsByte(), By8).AsUInt32();
        c += d;
        b ^= c;
        b = (b >>> 7) | (b << 25);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Gather(ref byte bytes, nint stride) => Vector128.LoadUnsafe(ref bytes).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRows(
        ref byte bytes, Vector128<uint> r0, Vector128<uint> r1, Vector128<uint> r2, Vector128<uint> r3)
    {
        r0.AsByte().StoreUnsafe(ref bytes);
        r1.AsByte().StoreUnsafe(ref bytes, 32);
        r2.AsByte().StoreUnsafe(ref bytes, 64);
        r3.AsByte().StoreUnsafe(ref bytes, 96);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(
        Vector128<uint> r0, Vector128<uint> r1, Vector128<uint> r2, Vector128<uint> r3,
        out Vector128<uint> w0, out Vector128<uint> w1, out Vector128<uint> w2, out Vector128<uint> w3)
    {
        if (Sse2.IsSupported)
        {
            var low01 = Sse2.UnpackLow(r0, r1).AsUInt64();
            var high01 = Sse2.UnpackHigh(r0, r1).AsUInt64();
            var low23 = Sse2.UnpackLow(r2, r3).AsUInt64();
            var high23 = Sse2.UnpackHigh(r2, r3).AsUInt64();
            w0 = Sse2.UnpackLow(low01, low23).AsUInt32();
            w1 = Sse2.UnpackHigh(low01, low23).AsUInt32();
            w2 = Sse2.UnpackLow(high01, high23).AsUInt32();
            w3 = Sse2.UnpackHigh(high01, high23).AsUInt32();
        }
        else
        {
            var low01 = AdvSimd.Arm64.ZipLow(r0, r1).AsUInt64();
            var high01 = AdvSimd.Arm64.ZipHigh(r0, r1).AsUInt64();
            var low23 = AdvSimd.Arm64.ZipLow(r2, r3).AsUInt64();
            var high23 = AdvSimd.Arm64.ZipHigh(r2, r3).AsUInt64();
            w0 = AdvSimd.Arm64.ZipLow(low01, low23).AsUInt32();
            w1 = AdvSimd.Arm64.ZipHigh(low01, low23).AsUInt32();
            w2 = AdvSimd.Arm64.ZipLow(high01, high23).AsUInt32();
            w3 = AdvSimd.Arm64.ZipHigh(high01, high23).AsUInt32();
        }
    }
}
