using System.Reflection;
using System.Runtime.Intrinsics;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Tests.Code;

public sealed class SimdTests
{
    private static readonly Vector128<byte>[] Samples = [.. Vectors(240)];

    public static TheoryData<string, int> Shapes => new() { { "I8x16", 8 }, { "I16x8", 16 }, { "I32x4", 32 }, { "I64x2", 64 } };

    [Fact]
    public void Every_vector_instruction_that_is_not_a_plain_access_has_a_function()
    {
        var without = Enum.GetValues<Opcode>().Where(code => code is >= Opcode.V128Load and < Opcode.Charge)
            .Where(code => typeof(Simd).GetMethod(code.ToString()) is null).Select(code => code.ToString());
        Assert.Equal(
            "V128Const V128Load V128Load16Lane V128Load32Lane V128Load64Lane V128Load8Lane V128Store V128Store16Lane "
            + "V128Store32Lane V128Store64Lane V128Store8Lane",
            string.Join(' ', without.Order(StringComparer.Ordinal)));
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Integer_lanes_are_computed_as_numbers_of_their_width(string shape, int bits)
    {
        foreach (var (name, function) in IntegerReference.Binary)
        {
            if (typeof(Simd).GetMethod(shape + name) is not { } method)
            {
                continue;
            }
            EachPair((a, b) => Same(Lanewise(a, b, bits, (x, y) => function(x, y, bits)), Call(method, a, b), method, a, b));
        }
        foreach (var (name, function) in IntegerReference.Unary)
        {
            if (typeof(Simd).GetMethod(shape + name) is not { } method)
            {
                continue;
            }
            Each(a => Same(Lanewise(a, a, bits, (x, _) => function(x, bits)), Call(method, a), method, a));
        }
        foreach (var (name, function) in IntegerReference.Shifts)
        {
            var method = typeof(Simd).GetMethod(shape + name)!;
            foreach (var count in (int[])[0, 1, 5, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 200, -1])
            {
                Each(a => Same(
                    Lanewise(a, a, bits, (x, _) => function(x, count & (bits - 1), bits)), Call(method, a, count), method, a));
            }
        }
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Masks_and_lanes_are_read_and_written(string shape, int bits)
    {
        var (allTrue, bitmask) = (typeof(Simd).GetMethod(shape + "AllTrue")!, typeof(Simd).GetMethod(shape + "Bitmask")!);
        Each(a =>
        {
            var lanes = Lanes(a, bits);
            Assert.Equal(lanes.All(lane => lane != 0) ? 1 : 0, (int)allTrue.Invoke(null, [a])!);
            Assert.Equal(lanes.Select((lane, i) => lane < 0 ? 1 << i : 0).Sum(), (int)bitmask.Invoke(null, [a])!);
            Assert.Equal(a == Vector128<byte>.Zero ? 0 : 1, Simd.V128AnyTrue(a));
            for (var i = 0; i < lanes.Length; i++)
            {
                var extract = typeof(Simd).GetMethod(shape + "ExtractLane") ?? typeof(Simd).GetMethod(shape + "ExtractLaneS")!;
                Assert.Equal((long)lanes[i], Convert.ToInt64(extract.Invoke(null, [a, i]), null));
                var changed = ((long[])[.. lanes.Select(lane => (long)lane)]);
                changed[i] = 42;
                var replace = typeof(Simd).GetMethod(shape + "ReplaceLane")!;
                var replaced = (Vector128<byte>)replace.Invoke(null, [a, bits == 64 ? (object)42L : 42, i])!;
                Assert.Equal(changed, Lanes(replaced, bits).Select(lane => (long)lane));
            }
        });
    }

    [Theory]
    [InlineData("I16x8", "I8x16", 8)]
    [InlineData("I32x4", "I16x8", 16)]
    [InlineData("I64x2", "I32x4", 32)]
    public void Lanes_are_widened(string to, string from, int bits)
    {
        foreach (var signed in (bool[])[true, false])
        {
            var sign = signed ? "S" : "U";
            Int128 Read(Int128 lane) => signed ? lane : IntegerReference.Unsigned(lane, bits);
            foreach (var (half, skip) in (ReadOnlySpan<(string, int)>)[("Low", 0), ("High", 64 / bits)])
            {
                var extend = typeof(Simd).GetMethod($"{to}Extend{half}{from}{sign}")!;
                Each(a => Same(Join(Lanes(a, bits).Skip(skip).Take(64 / bits).Select(Read), bits * 2), Call(extend, a), extend, a));
                var multiply = typeof(Simd).GetMethod($"{to}Extmul{half}{from}{sign}")!;
                EachPair((a, b) =>
                {
                    var products = Lanes(a, bits).Zip(Lanes(b, bits), (x, y) => Read(x) * Read(y));
                    Same(Join(products.Skip(skip).Take(64 / bits), bits * 2), Call(multiply, a, b), multiply, a, b);
                });
            }
            if (typeof(Simd).GetMethod($"{to}ExtaddPairwise{from}{sign}") is { } add)
            {
                Each(a => Same(
                    Join(Lanes(a, bits).Select(Read).Chunk(2).Select(pair => pair[0] + pair[1]), bits * 2), Call(add, a), add, a));
            }
        }
    }

    [Theory]
    [InlineData("I8x16NarrowI16x8", 16)]
    [InlineData("I16x8NarrowI32x4", 32)]
    public void Lanes_are_narrowed_with_saturation_of_signed_numbers(string name, int bits)
    {
        var (one, half) = (Int128.One, bits / 2);
        foreach (var (sign, least, most) in (ReadOnlySpan<(string, Int128, Int128)>)
            [("S", -(one << (half - 1)), (one << (half - 1)) - 1), ("U", 0, (one << half) - 1)])
        {
            var method = typeof(Simd).GetMethod(name + sign)!;
            EachPair((a, b) => Same(
                Join(Lanes(a, bits).Concat(Lanes(b, bits)).Select(lane => Int128.Clamp(lane, least, most)), half),
                Call(method, a, b), method, a, b));
        }
    }

    [Fact]
    public void Products_of_fractions_saturate_and_dot_products_wrap() => EachPair((a, b) =>
    {
        Same(Lanewise(a, b, 16, (x, y) => Int128.Clamp(((x * y) + 0x4000) >> 15, short.MinValue, short.MaxValue)),
            Simd.I16x8Q15mulrSatS(a, b), null, a, b);
        Same(Join(Lanes(a, 16).Zip(Lanes(b, 16), (x, y) => x * y).Chunk(2).Select(pair => pair[0] + pair[1]), 32),
            Simd.I32x4DotI16x8S(a, b), null, a, b);
    });

    [Fact]
    public void Bytes_are_selected_by_masks() => EachPair((a, b) =>
    {
        Same(Vector128.Create([.. Bytes(b).Select(i => i < 16 ? a[i] : (byte)0)]), Simd.I8x16Swizzle(a, b), null, a, b);
        var mask = b & Vector128.Create((byte)31);
        Same(Vector128.Create([.. Bytes(mask).Select(i => i < 16 ? a[i] : b[i - 16])]), Simd.I8x16Shuffle(a, b, mask), null, a, b);
        Same((a & mask) | (b & ~mask), Simd.V128Bitselect(a, b, mask), null, a, b);
        Same(a & ~b, Simd.V128AndNot(a, b), null, a, b);
    });

    [Fact]
    public void Loaded_bits_are_widened_spread_or_padded() => Each(a =>
    {
        var low = a.AsUInt64()[0];
        foreach (var (name, bits) in (ReadOnlySpan<(string, int)>)[("8x8", 8), ("16x4", 16), ("32x2", 32)])
        {
            var lanes = Lanes(a, bits).Take(64 / bits).ToArray();
            var (signed, unsigned) = (typeof(Simd).GetMethod($"V128Load{name}S")!, typeof(Simd).GetMethod($"V128Load{name}U")!);
            Same(Join(lanes, bits * 2), (Vector128<byte>)signed.Invoke(null, [low])!, signed, a);
            Same(Join(lanes.Select(lane => IntegerReference.Unsigned(lane, bits)), bits * 2),
                (Vector128<byte>)unsigned.Invoke(null, [low])!, unsigned, a);
        }
        Assert.Equal(Vector128.Create((byte)low), Simd.V128Load8Splat((int)low));
        Assert.Equal(Vector128.Create((ushort)low).AsByte(), Simd.V128Load16Splat((int)low));
        Assert.Equal(Vector128.Create((uint)low).AsByte(), Simd.V128Load32Splat((int)low));
        Assert.Equal(Vector128.Create(low).AsByte(), Simd.V128Load64Splat((long)low));
        Assert.Equal(Vector128.Create((uint)low, 0u, 0, 0).AsByte(), Simd.V128Load32Zero((int)low));
        Assert.Equal(Vector128.Create(low, 0).AsByte(), Simd.V128Load64Zero((long)low));
    });

    private static IEnumerable<Vector128<byte>> Vectors(int random)
    {
        ulong[] edges =
        [
            0, ulong.MaxValue, 0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_8000_0000, 0x7FFF_FFFF_7FFF_FFFF,
            0x8000_8000_8000_8000, 0x7FFF_7FFF_7FFF_7FFF, 0x8080_8080_8080_8080, 0x7F7F_7F7F_7F7F_7F7F, 0x0101_0101_0101_0101,
            0x0001_FFFF_7FFF_8000, 0x00FF_0100_FF7F_FF80, 0x0000_FFFF_0001_0000, 0x0F10_1112_0001_0E80, 0x0000_0001_FFFF_FFFF,
        ];
        foreach (var edge in edges)
        {
            yield return Vector128.Create(edge, edges[(Array.IndexOf(edges, edge) + 1) % edges.Length]).AsByte();
        }
        var random128 = new Random(20_240_117);
        for (var i = 0; i < random; i++)
        {
            yield return Vector128.Create(random128.NextInt64(long.MinValue, long.MaxValue), random128.NextInt64()).AsByte();
        }
    }

    private static void Each(Action<Vector128<byte>> test) => Array.ForEach(Samples, sample => test(sample));

    private static void EachPair(Action<Vector128<byte>, Vector128<byte>> test)
    {
        for (var i = 0; i < Samples.Length; i++)
        {
            test(Samples[i], Samples[i]);
            for (var j = 1; j < 4; j++)
            {
                test(Samples[i], Samples[(i * j + j) % Samples.Length]);
            }
            if (i < 16)
            {
                for (var j = 0; j < 16; j++)
                {
                    test(Samples[i], Samples[j]);
                }
            }
        }
    }

    private static Vector128<byte> Call(MethodInfo method, params object[] arguments) =>
        (Vector128<byte>)method.Invoke(null, arguments)!;

    private static IEnumerable<byte> Bytes(Vector128<byte> v) => Enumerable.Range(0, 16).Select(i => v[i]);

    private static Int128[] Lanes(Vector128<byte> v, int bits) => bits switch
    {
        8 => [.. Enumerable.Range(0, 16).Select(i => (Int128)v.AsSByte()[i])],
        16 => [.. Enumerable.Range(0, 8).Select(i => (Int128)v.AsInt16()[i])],
        32 => [.. Enumerable.Range(0, 4).Select(i => (Int128)v.AsInt32()[i])],
        _ => [.. Enumerable.Range(0, 2).Select(i => (Int128)v.AsInt64()[i])],
    };

    private static Vector128<byte> Join(IEnumerable<Int128> lanes, int bits)
    {
        var all = UInt128.Zero;
        foreach (var (i, lane) in lanes.Index())
        {
            all |= (UInt128)IntegerReference.Unsigned(lane, bits) << (i * bits);
        }
        return Vector128.Create((ulong)all, (ulong)(all >> 64)).AsByte();
    }

    private static Vector128<byte> Lanewise(Vector128<byte> a, Vector128<byte> b, int bits, Func<Int128, Int128, Int128> function) =>
        Join(Lanes(a, bits).Zip(Lanes(b, bits), function), bits);

    private static void Same(
        Vector128<byte> expected, Vector128<byte> actual, MethodInfo? method, params ReadOnlySpan<Vector128<byte>> operands)
    {
        if (expected != actual)
        {
            Assert.Fail($"{method?.Name} of {string.Join(", ", operands.ToArray())} is {expected}, was {actual}.");
        }
    }
}
