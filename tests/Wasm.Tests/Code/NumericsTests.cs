using System.Numerics;
using System.Runtime.CompilerServices;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Tests.Code;

public sealed class NumericsTests
{
    private const uint Nan32 = 0x7FC0_0000;
    private const ulong Nan64 = 0x7FF8_0000_0000_0000;

    [Fact]
    public void A_division_by_zero_traps()
    {
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I32DivS(1, 0));
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I32DivU(1, 0));
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I32RemS(int.MinValue, 0));
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I32RemU(1, 0));
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I64DivS(1, 0));
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I64DivU(1, 0));
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I64RemS(1, 0));
        Traps(TrapKind.IntegerDivideByZero, () => Numerics.I64RemU(1, 0));
    }

    [Fact]
    public void The_least_number_by_minus_one_overflows_and_leaves_no_remainder()
    {
        Traps(TrapKind.IntegerOverflow, () => Numerics.I32DivS(int.MinValue, -1));
        Traps(TrapKind.IntegerOverflow, () => Numerics.I64DivS(long.MinValue, -1));
        Assert.Equal(0, Numerics.I32RemS(int.MinValue, -1));
        Assert.Equal(0, Numerics.I64RemS(long.MinValue, -1));
        Assert.Equal(-5, Numerics.I32DivS(5, -1));
        Assert.Equal(-2, Numerics.I64RemS(-5, 3));
    }

    [Fact]
    public void Unsigned_division_reads_the_bits_as_unsigned()
    {
        Assert.Equal(0x7FFF_FFFF, Numerics.I32DivU(-1, 2));
        Assert.Equal(1, Numerics.I32RemU(-1, 2));
        Assert.Equal(long.MaxValue, Numerics.I64DivU(-1, 2));
        Assert.Equal(5, Numerics.I64RemU(-1, 10));
    }

    [Fact]
    public void Counts_rotations_and_shifts_are_of_the_width()
    {
        Assert.Equal((32, 32, 64, 64), (Numerics.I32Clz(0), Numerics.I32Ctz(0), (int)Numerics.I64Clz(0), (int)Numerics.I64Ctz(0)));
        Assert.Equal((0, 31, 32, 64), (Numerics.I32Clz(-1), Numerics.I32Ctz(int.MinValue), Numerics.I32Popcnt(-1), (int)Numerics.I64Popcnt(-1)));
        Assert.Equal((2, int.MinValue), (Numerics.I32Rotl(1, 33), Numerics.I32Rotr(1, 33)));
        Assert.Equal((2L, long.MinValue), (Numerics.I64Rotl(1, 65), Numerics.I64Rotr(1, 65)));
        Assert.Equal((2, -1, 1), (Numerics.I32Shl(1, 33), Numerics.I32ShrS(int.MinValue, 31), Numerics.I32ShrU(int.MinValue, -1)));
        Assert.Equal((2L, -1L, 1L), (Numerics.I64Shl(1, 65), Numerics.I64ShrS(long.MinValue, 63), Numerics.I64ShrU(long.MinValue, -1)));
    }

    [Fact]
    public void A_rotated_zero_is_zero_in_optimised_code()
    {
        Assert.Equal((true, true), (IsZero(0, 0L), IsZeroRight(0, 0L)));
        Assert.Equal((false, false), (IsZero(1, 1L), IsZeroRight(1, 1L)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static bool IsZero(int a, long b) => Numerics.I32Rotl(a, 15) == 0 && Numerics.I64Rotl(b, 15) == 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static bool IsZeroRight(int a, long b) => Numerics.I32Rotr(a, 15) == 0 && Numerics.I64Rotr(b, 15) == 0;

    [Fact]
    public void Arithmetic_gives_the_canonical_nan_alone()
    {
        foreach (var bits in FloatSamples.Singles(0).Where(bits => float.IsNaN(BitConverter.UInt32BitsToSingle(bits))))
        {
            var nan = BitConverter.UInt32BitsToSingle(bits);
            foreach (var result in (float[])
                [
                    Numerics.F32Add(nan, 1), Numerics.F32Sub(1, nan), Numerics.F32Mul(nan, 0), Numerics.F32Div(nan, nan), Numerics.F32Sqrt(nan),
                    Numerics.F32Ceil(nan), Numerics.F32Floor(nan), Numerics.F32Trunc(nan), Numerics.F32Nearest(nan),
                    Numerics.F32Min(nan, 1), Numerics.F32Max(1, nan), Numerics.F32DemoteF64(nan), Numerics.F32Div(0, 0), Numerics.F32Sqrt(-1),
                ])
            {
                Assert.Equal(Nan32, BitConverter.SingleToUInt32Bits(result));
            }
            Assert.Equal(Nan64, BitConverter.DoubleToUInt64Bits(Numerics.F64PromoteF32(nan)));
        }
        foreach (var bits in FloatSamples.Doubles(0).Where(bits => double.IsNaN(BitConverter.UInt64BitsToDouble(bits))))
        {
            var nan = BitConverter.UInt64BitsToDouble(bits);
            foreach (var result in (double[])
                [
                    Numerics.F64Add(nan, 1), Numerics.F64Sub(1, nan), Numerics.F64Mul(nan, 0), Numerics.F64Div(nan, nan), Numerics.F64Sqrt(nan),
                    Numerics.F64Ceil(nan), Numerics.F64Floor(nan), Numerics.F64Trunc(nan), Numerics.F64Nearest(nan),
                    Numerics.F64Min(nan, 1), Numerics.F64Max(1, nan), Numerics.F64Sub(double.PositiveInfinity, double.PositiveInfinity),
                ])
            {
                Assert.Equal(Nan64, BitConverter.DoubleToUInt64Bits(result));
            }
        }
    }

    [Fact]
    public void The_sign_of_a_nan_is_moved_without_its_payload()
    {
        // Not a constant: the runtime's compiler may quiet those.
        var signalling = BitConverter.UInt32BitsToSingle(FloatSamples.Singles(0).First(bits => bits == 0x7F80_0001) | 0x8000_0000);
        Assert.Equal(0x7F80_0001u, BitConverter.SingleToUInt32Bits(Numerics.F32Abs(signalling)));
        Assert.Equal(0x7F80_0001u, BitConverter.SingleToUInt32Bits(Numerics.F32Neg(signalling)));
        Assert.Equal(0xFF80_0001u, BitConverter.SingleToUInt32Bits(Numerics.F32Copysign(Numerics.F32Abs(signalling), -0f)));
        Assert.Equal(0x8000_0000_0000_0000, BitConverter.DoubleToUInt64Bits(Numerics.F64Copysign(0, -1)));
        Assert.Equal(0x8000_0000_0000_0000, BitConverter.DoubleToUInt64Bits(Numerics.F64Neg(0)));
        Assert.Equal(0ul, BitConverter.DoubleToUInt64Bits(Numerics.F64Abs(-0d)));
    }

    [Fact]
    public void Zeros_are_ordered_by_sign_and_halves_go_to_even()
    {
        Assert.True(float.IsNegative(Numerics.F32Min(0f, -0f)) && float.IsNegative(Numerics.F32Min(-0f, 0f)));
        Assert.False(double.IsNegative(Numerics.F64Max(0d, -0d)) || double.IsNegative(Numerics.F64Max(-0d, 0d)));
        Assert.True(double.IsNegative(Numerics.F64Ceil(-0.5)) && float.IsNegative(Numerics.F32Nearest(-0.5f)));
        Assert.Equal((2f, 4d, -2d), (Numerics.F32Nearest(2.5f), Numerics.F64Nearest(3.5), Numerics.F64Trunc(-2.9)));
    }

    [Fact]
    public void A_conversion_traps_exactly_outside_the_range()
    {
        foreach (var value in FloatSamples.Doubles(2000).Select(BitConverter.UInt64BitsToDouble))
        {
            Converts(value, int.MinValue, int.MaxValue, () => Numerics.I32TruncF64S(value), Numerics.I32TruncSatF64S(value));
            Converts(value, 0, uint.MaxValue, () => (uint)Numerics.I32TruncF64U(value), (uint)Numerics.I32TruncSatF64U(value));
            Converts(value, long.MinValue, long.MaxValue, () => Numerics.I64TruncF64S(value), Numerics.I64TruncSatF64S(value));
            Converts(value, 0, ulong.MaxValue, () => (ulong)Numerics.I64TruncF64U(value), (ulong)Numerics.I64TruncSatF64U(value));
        }
        foreach (var value in FloatSamples.Singles(2000).Select(BitConverter.UInt32BitsToSingle))
        {
            Converts(value, int.MinValue, int.MaxValue, () => Numerics.I32TruncF32S(value), Numerics.I32TruncSatF32S(value));
            Converts(value, 0, uint.MaxValue, () => (uint)Numerics.I32TruncF32U(value), (uint)Numerics.I32TruncSatF32U(value));
            Converts(value, long.MinValue, long.MaxValue, () => Numerics.I64TruncF32S(value), Numerics.I64TruncSatF32S(value));
            Converts(value, 0, ulong.MaxValue, () => (ulong)Numerics.I64TruncF32U(value), (ulong)Numerics.I64TruncSatF32U(value));
        }
    }

    [Fact]
    public void Integers_are_rounded_once_to_the_nearest_float()
    {
        foreach (var bits in FloatSamples.Doubles(4000).Concat((ulong[])[1ul << 63 | 1ul << 39 | 1, 1ul << 63 | 1ul << 39, long.MaxValue]))
        {
            Assert.Equal(Nearest(bits, 24), Numerics.F32ConvertI64U((long)bits));
            Assert.Equal(Nearest(bits, 53), Numerics.F64ConvertI64U((long)bits));
            Assert.Equal((float)Nearest((uint)bits, 24), Numerics.F32ConvertI32U((int)bits));
            Assert.Equal((uint)bits, Numerics.F64ConvertI32U((int)bits));
            var (magnitude, sign) = ((ulong)BigInteger.Abs((long)bits), (long)bits < 0 ? -1 : 1);
            Assert.Equal(sign * Nearest(magnitude, 24), Numerics.F32ConvertI64S((long)bits));
            Assert.Equal(sign * Nearest(magnitude, 53), Numerics.F64ConvertI64S((long)bits));
        }
    }

    /// <summary>To so many significant bits, halves to even.</summary>
    private static double Nearest(ulong value, int significant)
    {
        var dropped = 64 - BitOperations.LeadingZeroCount(value) - significant;
        if (dropped <= 0)
        {
            return value;
        }
        var (kept, rest, half) = (value >> dropped, value & ((1ul << dropped) - 1), 1ul << (dropped - 1));
        kept += rest > half || (rest == half && (kept & 1) == 1) ? 1ul : 0;
        return kept * Math.Pow(2, dropped);
    }

    private static void Converts(double value, BigInteger least, BigInteger most, Func<BigInteger> convert, BigInteger saturated)
    {
        if (double.IsNaN(value))
        {
            Traps(TrapKind.InvalidConversionToInteger, () => convert());
            Assert.Equal(BigInteger.Zero, saturated);
            return;
        }
        var inRange = !double.IsInfinity(value) && new BigInteger(value) >= least && new BigInteger(value) <= most;
        if (inRange)
        {
            Assert.Equal(new BigInteger(value), convert());
            Assert.Equal(new BigInteger(value), saturated);
        }
        else
        {
            Traps(TrapKind.IntegerOverflow, () => convert());
            Assert.Equal(value < 0 ? least : most, saturated);
        }
    }

    private static void Traps(TrapKind kind, Action action) => Assert.Equal(kind, Assert.Throws<TrapException>(action).Kind);

    private static void Traps<T>(TrapKind kind, Func<T> action) => Traps(kind, () => { action(); });
}
