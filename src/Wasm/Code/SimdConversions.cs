using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using V128 = System.Runtime.Intrinsics.Vector128<byte>;

namespace MeshLedger.Wasm.Code;

// Between lanes of floats and of integers.
internal static partial class Simd
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4ConvertI32x4S(V128 a) => Vector128.ConvertToSingle(a.AsInt32()).AsByte();

    // Both halves are exact, so that their sum is rounded once.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4ConvertI32x4U(V128 a)
    {
        if (AdvSimd.IsSupported || Avx512F.VL.IsSupported)
        {
            return Vector128.ConvertToSingle(a.AsUInt32()).AsByte();
        }
        var low = Vector128.ConvertToSingle((a.AsUInt32() & Vector128.Create(0xFFFFu)).AsInt32());
        var high = Vector128.ConvertToSingle((a.AsUInt32() >>> 16).AsInt32());
        return ((high * 65536f) + low).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2ConvertLowI32x4S(V128 a)
    {
        if (Sse2.IsSupported)
        {
            return Sse2.ConvertToVector128Double(a.AsInt32()).AsByte();
        }
        return Vector128.ConvertToDouble(Vector128.WidenLower(a.AsInt32())).AsByte();
    }

    // As the low bits of 2^52 plus the number, exactly.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2ConvertLowI32x4U(V128 a)
    {
        var wide = Vector128.WidenLower(a.AsUInt32());
        return ((wide | Vector128.Create(0x4330_0000_0000_0000ul)).AsDouble() - Vector128.Create(4503599627370496d)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 I32x4TruncSatF32x4S(V128 a)
    {
        if (Sse2.IsSupported)
        {
            // Out of range gives 0x80000000, right for what is too small; NaN is made 0 first, and what is too large flipped after.
            var v = a.AsSingle();
            v &= Vector128.Equals(v, v);
            var large = Vector128.GreaterThanOrEqual(v, Vector128.Create(2147483648f)).AsInt32();
            return (Sse2.ConvertToVector128Int32WithTruncation(v) ^ large).AsByte();
        }
        return Vector128.ConvertToInt32(a.AsSingle()).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 I32x4TruncSatF32x4U(V128 a) => Vector128.ConvertToUInt32(a.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 I32x4TruncSatF64x2SZero(V128 a)
    {
        var v = a.AsDouble();
        if (Sse2.IsSupported)
        {
            v = Sse2.Min(v & Vector128.Equals(v, v), Vector128.Create(2147483647d));
            return Sse2.ConvertToVector128Int32WithTruncation(v).AsByte();
        }
        return Vector128.Create((int)v[0], (int)v[1], 0, 0).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 I32x4TruncSatF64x2UZero(V128 a)
    {
        var v = a.AsDouble();
        return Vector128.Create((uint)v[0], (uint)v[1], 0, 0).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4DemoteF64x2Zero(V128 a)
    {
        if (Sse2.IsSupported)
        {
            return Canonical(Sse2.ConvertToVector128Single(a.AsDouble()));
        }
        return Canonical(Vector128.Narrow(a.AsDouble(), Vector128<double>.Zero));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2PromoteLowF32x4(V128 a) => Canonical(Vector128.WidenLower(a.AsSingle()));
}
