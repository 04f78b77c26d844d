using System.Runtime.Intrinsics;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Tests.Code;

public sealed class SimdFloatTests
{
    private static readonly uint[] Singles = [.. FloatSamples.Singles(600)];
    private static readonly ulong[] Doubles = [.. FloatSamples.Doubles(600)];

    [Theory]
    [InlineData("Add"), InlineData("Sub"), InlineData("Mul"), InlineData("Div"), InlineData("Min"), InlineData("Max")]
    public void Arithmetic_gives_the_bits_that_the_scalar_instruction_gives(string name)
    {
        Compare32(name, (a, b) => (uint)Scalar("F32" + name, Single(a), Single(b)));
        Compare64(name, (a, b) => Scalar("F64" + name, Double(a), Double(b)));
    }

    [Theory]
    [InlineData("Sqrt"), InlineData("Ceil"), InlineData("Floor"), InlineData("Trunc"), InlineData("Nearest"), InlineData("Abs")]
    [InlineData("Neg")]
    public void Functions_of_one_operand_give_the_bits_that_the_scalar_instruction_gives(string name)
    {
        Compare32(name, (a, _) => (uint)Scalar("F32" + name, Single(a)));
        Compare64(name, (a, _) => Scalar("F64" + name, Double(a)));
    }

    [Fact]
    public void Pseudo_minimum_and_maximum_select_an_operand_unchanged()
    {
        Compare32("Pmin", (a, b) => Single(b) < Single(a) ? b : a);
        Compare32("Pmax", (a, b) => Single(a) < Single(b) ? b : a);
        Compare64("Pmin", (a, b) => Double(b) < Double(a) ? b : a);
        Compare64("Pmax", (a, b) => Double(a) < Double(b) ? b : a);
    }

    [Fact]
    public void Comparisons_fill_the_lane()
    {
        foreach (var (name, test) in (ReadOnlySpan<(string, Func<double, double, bool>)>)
            [
                ("Eq", (a, b) => a == b), ("Ne", (a, b) => a != b), ("Lt", (a, b) => a < b),
                ("Gt", (a, b) => a > b), ("Le", (a, b) => a <= b), ("Ge", (a, b) => a >= b),
            ])
        {
            Compare32(name, (a, b) => test(Single(a), Single(b)) ? uint.MaxValue : 0);
            Compare64(name, (a, b) => test(Double(a), Double(b)) ? ulong.MaxValue : 0);
        }
    }

    [Fact]
    public void Conversions_of_floats_saturate_lane_by_lane()
    {
        for (var i = 0; i + 4 <= Singles.Length; i++)
        {
            var (v, lanes) = (Vector128.Create(Singles.AsSpan(i, 4)).AsByte(), Singles.AsSpan(i, 4).ToArray().Select(Single).ToArray());
            Assert.Equal(lanes.Select(Numerics.I32TruncSatF32S), Integers(Simd.I32x4TruncSatF32x4S(v)));
            Assert.Equal(lanes.Select(Numerics.I32TruncSatF32U), Integers(Simd.I32x4TruncSatF32x4U(v)));
            Assert.Equal(
                lanes.Take(2).Select(lane => BitConverter.DoubleToUInt64Bits(Numerics.F64PromoteF32(lane))),
                [Simd.F64x2PromoteLowF32x4(v).AsUInt64()[0], Simd.F64x2PromoteLowF32x4(v).AsUInt64()[1]]);
        }
        for (var i = 0; i + 2 <= Doubles.Length; i++)
        {
            var (v, lanes) = (Vector128.Create(Doubles.AsSpan(i, 2)).AsByte(), Doubles.AsSpan(i, 2).ToArray().Select(Double).ToArray());
            Assert.Equal([.. lanes.Select(Numerics.I32TruncSatF64S), 0, 0], Integers(Simd.I32x4TruncSatF64x2SZero(v)));
            Assert.Equal([.. lanes.Select(Numerics.I32TruncSatF64U), 0, 0], Integers(Simd.I32x4TruncSatF64x2UZero(v)));
            Assert.Equal(
                [.. lanes.Select(lane => BitConverter.SingleToInt32Bits(Numerics.F32DemoteF64(lane))), 0, 0],
                Integers(Simd.F32x4DemoteF64x2Zero(v)));
        }
    }

    [Fact]
    public void Conversions_of_integers_round_once()
    {
        for (var i = 0; i + 4 <= Singles.Length; i++)
        {
            var v = Vector128.Create(Singles.AsSpan(i, 4)).AsByte();
            var lanes = Integers(v).ToArray();
            Assert.Equal(lanes.Select(lane => (float)lane), Floats(Simd.F32x4ConvertI32x4S(v)));
            Assert.Equal(lanes.Select(Numerics.F32ConvertI32U), Floats(Simd.F32x4ConvertI32x4U(v)));
            Assert.Equal([lanes[0], lanes[1]], Both(Simd.F64x2ConvertLowI32x4S(v)));
            Assert.Equal([(uint)lanes[0], (uint)lanes[1]], Both(Simd.F64x2ConvertLowI32x4U(v)));
        }
    }

    private static float Single(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static double Double(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    private static int[] Integers(Vector128<byte> v) => [.. Enumerable.Range(0, 4).Select(i => v.AsInt32()[i])];

    private static float[] Floats(Vector128<byte> v) => [.. Enumerable.Range(0, 4).Select(i => v.AsSingle()[i])];

    private static double[] Both(Vector128<byte> v) => [v.AsDouble()[0], v.AsDouble()[1]];

    private static ulong Scalar(string name, params object[] arguments) =>
        typeof(Numerics).GetMethod(name)!.Invoke(null, arguments) switch
        {
            float single => BitConverter.SingleToUInt32Bits(single),
            double wide => BitConverter.DoubleToUInt64Bits(wide),
            var other => throw new InvalidOperationException($"{name} gives {other}."),
        };

    private static Vector128<byte> Vector(string name, Vector128<byte> a, Vector128<byte> b)
    {
        var method = typeof(Simd).GetMethod(name)!;
        return (Vector128<byte>)method.Invoke(null, method.GetParameters().Length == 1 ? [a] : [a, b])!;
    }

    private static void Compare32(string name, Func<uint, uint, uint> lane)
    {
        for (var i = 0; i < Singles.Length; i += 2)
        {
            for (var j = i % 7; j + 4 <= Singles.Length; j += i < 30 ? 1 : 29)
            {
                var (a, b) = (Vector128.Create(Singles[i]), Vector128.Create(Singles.AsSpan(j, 4)));
                var expected = Vector128.Create(lane(a[0], b[0]), lane(a[1], b[1]), lane(a[2], b[2]), lane(a[3], b[3]));
                Assert.Equal(expected, Vector("F32x4" + name, a.AsByte(), b.AsByte()).AsUInt32());
                var reverse = Vector128.Create(lane(b[0], a[0]), lane(b[1], a[1]), lane(b[2], a[2]), lane(b[3], a[3]));
                Assert.Equal(reverse, Vector("F32x4" + name, b.AsByte(), a.AsByte()).AsUInt32());
            }
        }
    }

    private static void Compare64(string name, Func<ulong, ulong, ulong> lane)
    {
        for (var i = 0; i < Doubles.Length; i += 2)
        {
            for (var j = i % 7; j + 2 <= Doubles.Length; j += i < 30 ? 1 : 29)
            {
                var (a, b) = (Vector128.Create(Doubles[i]), Vector128.Create(Doubles.AsSpan(j, 2)));
                var expected = Vector128.Create(lane(a[0], b[0]), lane(a[1], b[1]));
                Assert.Equal(expected, Vector("F64x2" + name, a.AsByte(), b.AsByte()).AsUInt64());
                var reverse = Vector128.Create(lane(b[0], a[0]), lane(b[1], a[1]));
                Assert.Equal(reverse, Vector("F64x2" + name, b.AsByte(), a.AsByte()).AsUInt64());
            }
        }
    }
}
