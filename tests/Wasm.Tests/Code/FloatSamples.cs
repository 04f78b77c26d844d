namespace MeshLedger.Wasm.Tests.Code;

/// <summary>Bits of floats: zeros, subnormals, borders of the integers, infinities, NaNs of all kinds, then random ones.</summary>
internal static class FloatSamples
{
    private static readonly double[] Borders =
    [
        0.5, 1, 1.5, 2.5, 0.49999999999999994, 8388607.5, 8388608, 16777215, 127, 128, 255, 256, 32767, 32768, 65535, 65536,
        2147483520, 2147483647, 2147483648, 2147483649, 4294967040, 4294967295, 4294967296, 9007199254740991, 4503599627370495.5,
        9223371487098961920, 9223372036854774784, 9223372036854775808, 18446742974197923840, 18446744073709549568,
        18446744073709551616.0, 1e30, 3.4028234663852886e38, 3.4028235677973366e38, 1.401298464324817e-45, 7e-46, 1e300, double.MaxValue,
        double.Epsilon, double.PositiveInfinity, 0,
    ];

    public static IEnumerable<uint> Singles(int random)
    {
        foreach (var border in Borders)
        {
            yield return BitConverter.SingleToUInt32Bits((float)border);
            yield return BitConverter.SingleToUInt32Bits(-(float)border);
        }
        foreach (var nan in (uint[])[0x7FC0_0000, 0xFFC0_0000, 0x7F80_0001, 0xFFBF_FFFF, 0x7FFF_FFFF, 0xFFD5_5555])
        {
            yield return nan;
        }
        var numbers = new Random(7);
        for (var i = 0; i < random; i++)
        {
            yield return (i & 1) == 0
                ? (uint)numbers.NextInt64(1L << 32)
                : BitConverter.SingleToUInt32Bits((float)((numbers.NextDouble() - 0.5) * Math.Pow(2, numbers.Next(70))));
        }
    }

    public static IEnumerable<ulong> Doubles(int random)
    {
        foreach (var border in Borders)
        {
            yield return BitConverter.DoubleToUInt64Bits(border);
            yield return BitConverter.DoubleToUInt64Bits(-border);
        }
        foreach (var nan in (ulong[])
            [
                0x7FF8_0000_0000_0000, 0xFFF8_0000_0000_0000, 0x7FF0_0000_0000_0001, 0xFFF7_FFFF_FFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF,
            ])
        {
            yield return nan;
        }
        var numbers = new Random(8);
        for (var i = 0; i < random; i++)
        {
            yield return (i & 1) == 0
                ? (ulong)numbers.NextInt64(long.MinValue, long.MaxValue)
                : BitConverter.DoubleToUInt64Bits((numbers.NextDouble() - 0.5) * Math.Pow(2, numbers.Next(70)));
        }
    }
}
