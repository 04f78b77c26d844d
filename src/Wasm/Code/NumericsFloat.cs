using System.Runtime.CompilerServices;

namespace MeshLedger.Wasm.Code;

// Arithmetic gives the canonical NaN for every NaN, so that no result depends on the machine. What only moves the sign (abs,
// neg, copysign) keeps the other bits, as section 4.3.3 has it.
internal static partial class Numerics
{
    /// <summary>The value, or the positive quiet NaN without payload for any NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Canonical(float value) => float.IsNaN(value) ? BitConverter.UInt32BitsToSingle(0x7FC0_0000u) : value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Add(float a, float b) => Canonical(a + b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Sub(float a, float b) => Canonical(a - b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Mul(float a, float b) => Canonical(a * b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Div(float a, float b) => Canonical(a / b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Sqrt(float a) => Canonical(MathF.Sqrt(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Ceil(float a) => Canonical(MathF.Ceiling(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Floor(float a) => Canonical(MathF.Floor(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Trunc(float a) => Canonical(MathF.Truncate(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Nearest(float a) => Canonical(MathF.Round(a, MidpointRounding.ToEven));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Min(float a, float b) => Canonical(MathF.Min(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Max(float a, float b) => Canonical(MathF.Max(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Abs(float a) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(a) & ~0x8000_0000u);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Neg(float a) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(a) ^ 0x8000_0000u);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F32Copysign(float a, float b) =>
        BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(a) & ~0x8000_0000u) | (BitConverter.SingleToUInt32Bits(b) & 0x8000_0000u));

    /// <summary>The value, or the positive quiet NaN without payload for any NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Canonical(double value) => double.IsNaN(value) ? BitConverter.UInt64BitsToDouble(0x7FF8_0000_0000_0000ul) : value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Add(double a, double b) => Canonical(a + b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Sub(double a, double b) => Canonical(a - b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Mul(double a, double b) => Canonical(a * b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Div(double a, double b) => Canonical(a / b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Sqrt(double a) => Canonical(Math.Sqrt(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Ceil(double a) => Canonical(Math.Ceiling(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Floor(double a) => Canonical(Math.Floor(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Trunc(double a) => Canonical(Math.Truncate(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Nearest(double a) => Canonical(Math.Round(a, MidpointRounding.ToEven));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Min(double a, double b) => Canonical(Math.Min(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Max(double a, double b) => Canonical(Math.Max(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Abs(double a) => BitConverter.UInt64BitsToDouble(BitConverter.DoubleToUInt64Bits(a) & ~0x8000_0000_0000_0000ul);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Neg(double a) => BitConverter.UInt64BitsToDouble(BitConverter.DoubleToUInt64Bits(a) ^ 0x8000_0000_0000_0000ul);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double F64Copysign(double a, double b) =>
        BitConverter.UInt64BitsToDouble((BitConverter.DoubleToUInt64Bits(a) & ~0x8000_0000_0000_0000ul) | (BitConverter.DoubleToUInt64Bits(b) & 0x8000_0000_0000_0000ul));
}
