using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V128 = System.Runtime.Intrinsics.Vector128<byte>;

namespace MeshLedger.Wasm.Code;

// Lanes of floats. Arithmetic gives the canonical NaN for every NaN; pmin and pmax select an operand as it is, abs and neg
// touch the sign alone.
internal static partial class Simd
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Canonical(Vector128<float> v) =>
        Vector128.ConditionalSelect(Vector128.Equals(v, v), v, Vector128.Create(0x7FC0_0000).AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Eq(V128 a, V128 b) => Vector128.Equals(a.AsSingle(), b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Ne(V128 a, V128 b) => ~Vector128.Equals(a.AsSingle(), b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Lt(V128 a, V128 b) => Vector128.LessThan(a.AsSingle(), b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Gt(V128 a, V128 b) => Vector128.GreaterThan(a.AsSingle(), b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Le(V128 a, V128 b) => Vector128.LessThanOrEqual(a.AsSingle(), b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Ge(V128 a, V128 b) => Vector128.GreaterThanOrEqual(a.AsSingle(), b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Abs(V128 a) => (a.AsInt32() & Vector128.Create(0x7FFF_FFFF)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Neg(V128 a) => (a.AsInt32() ^ Vector128.Create(int.MinValue)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Add(V128 a, V128 b) => Canonical(a.AsSingle() + b.AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Sub(V128 a, V128 b) => Canonical(a.AsSingle() - b.AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Mul(V128 a, V128 b) => Canonical(a.AsSingle() * b.AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Div(V128 a, V128 b) => Canonical(a.AsSingle() / b.AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Sqrt(V128 a) => Canonical(Vector128.Sqrt(a.AsSingle()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Ceil(V128 a) => Canonical(Vector128.Ceiling(a.AsSingle()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Floor(V128 a) => Canonical(Vector128.Floor(a.AsSingle()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Trunc(V128 a) => Canonical(Vector128.Truncate(a.AsSingle()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Nearest(V128 a) => Canonical(Vector128.Round(a.AsSingle(), MidpointRounding.ToEven));

    // The processor's minimum gives its second operand for zeros and NaNs: both orders joined give -0 or a NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Min(V128 a, V128 b)
    {
        var (x, y) = (a.AsSingle(), b.AsSingle());
        if (Sse.IsSupported)
        {
            return Canonical(Sse.Min(x, y) | Sse.Min(y, x));
        }
        return Canonical(Vector128.Min(x, y));
    }

    // Both orders joined give +0; they give no NaN in general.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Max(V128 a, V128 b)
    {
        var (x, y) = (a.AsSingle(), b.AsSingle());
        if (Sse.IsSupported)
        {
            var ordered = Vector128.Equals(x, x) & Vector128.Equals(y, y);
            var most = Sse.Max(x, y) & Sse.Max(y, x);
            return Vector128.ConditionalSelect(ordered, most, Vector128.Create(0x7FC0_0000).AsSingle()).AsByte();
        }
        return Canonical(Vector128.Max(x, y));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Pmin(V128 a, V128 b)
    {
        var (x, y) = (a.AsSingle(), b.AsSingle());
        return Vector128.ConditionalSelect(Vector128.LessThan(y, x), y, x).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F32x4Pmax(V128 a, V128 b)
    {
        var (x, y) = (a.AsSingle(), b.AsSingle());
        return Vector128.ConditionalSelect(Vector128.LessThan(x, y), y, x).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Canonical(Vector128<double> v) =>
        Vector128.ConditionalSelect(Vector128.Equals(v, v), v, Vector128.Create(0x7FF8_0000_0000_0000).AsDouble()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Eq(V128 a, V128 b) => Vector128.Equals(a.AsDouble(), b.AsDouble()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Ne(V128 a, V128 b) => ~Vector128.Equals(a.AsDouble(), b.AsDouble()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Lt(V128 a, V128 b) => Vector128.LessThan(a.AsDouble(), b.AsDouble()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Gt(V128 a, V128 b) => Vector128.GreaterThan(a.AsDouble(), b.AsDouble()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Le(V128 a, V128 b) => Vector128.LessThanOrEqual(a.AsDouble(), b.AsDouble()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Ge(V128 a, V128 b) => Vector128.GreaterThanOrEqual(a.AsDouble(), b.AsDouble()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Abs(V128 a) => (a.AsInt64() & Vector128.Create(0x7FFF_FFFF_FFFF_FFFF)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Neg(V128 a) => (a.AsInt64() ^ Vector128.Create(long.MinValue)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Add(V128 a, V128 b) => Canonical(a.AsDouble() + b.AsDouble());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Sub(V128 a, V128 b) => Canonical(a.AsDouble() - b.AsDouble());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Mul(V128 a, V128 b) => Canonical(a.AsDouble() * b.AsDouble());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Div(V128 a, V128 b) => Canonical(a.AsDouble() / b.AsDouble());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Sqrt(V128 a) => Canonical(Vector128.Sqrt(a.AsDouble()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Ceil(V128 a) => Canonical(Vector128.Ceiling(a.AsDouble()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Floor(V128 a) => Canonical(Vector128.Floor(a.AsDouble()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Trunc(V128 a) => Canonical(Vector128.Truncate(a.AsDouble()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Nearest(V128 a) => Canonical(Vector128.Round(a.AsDouble(), MidpointRounding.ToEven));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Min(V128 a, V128 b)
    {
        var (x, y) = (a.AsDouble(), b.AsDouble());
        if (Sse2.IsSupported)
        {
            return Canonical(Sse2.Min(x, y) | Sse2.Min(y, x));
        }
        return Canonical(Vector128.Min(x, y));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Max(V128 a, V128 b)
    {
        var (x, y) = (a.AsDouble(), b.AsDouble());
        if (Sse2.IsSupported)
        {
            var ordered = Vector128.Equals(x, x) & Vector128.Equals(y, y);
            var most = Sse2.Max(x, y) & Sse2.Max(y, x);
            return Vector128.ConditionalSelect(ordered, most, Vector128.Create(0x7FF8_0000_0000_0000).AsDouble()).AsByte();
        }
        return Canonical(Vector128.Max(x, y));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Pmin(V128 a, V128 b)
    {
        var (x, y) = (a.AsDouble(), b.AsDouble());
        return Vector128.ConditionalSelect(Vector128.LessThan(y, x), y, x).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 F64x2Pmax(V128 a, V128 b)
    {
        var (x, y) = (a.AsDouble(), b.AsDouble());
        return Vector128.ConditionalSelect(Vector128.LessThan(x, y), y, x).AsByte();
    }
}
