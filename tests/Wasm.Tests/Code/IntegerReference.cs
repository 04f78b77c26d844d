namespace MeshLedger.Wasm.Tests.Code;

/// <summary>What the integer lanes' instructions mean, in numbers that are wide enough. Results are cut to the lane's width.</summary>
internal static class IntegerReference
{
    public static readonly (string Name, Func<Int128, Int128, int, Int128> Function)[] Binary =
    [
        ("Add", (a, b, _) => a + b),
        ("Sub", (a, b, _) => a - b),
        ("Mul", (a, b, _) => unchecked(a * b)),
        ("AddSatS", (a, b, bits) => Int128.Clamp(a + b, Least(bits), Most(bits))),
        ("SubSatS", (a, b, bits) => Int128.Clamp(a - b, Least(bits), Most(bits))),
        ("AddSatU", (a, b, bits) => Int128.Min(Unsigned(a, bits) + Unsigned(b, bits), Unsigned(-1, bits))),
        ("SubSatU", (a, b, bits) => Int128.Max(Unsigned(a, bits) - Unsigned(b, bits), 0)),
        ("MinS", (a, b, _) => Int128.Min(a, b)),
        ("MaxS", (a, b, _) => Int128.Max(a, b)),
        ("MinU", (a, b, bits) => Int128.Min(Unsigned(a, bits), Unsigned(b, bits))),
        ("MaxU", (a, b, bits) => Int128.Max(Unsigned(a, bits), Unsigned(b, bits))),
        ("AvgrU", (a, b, bits) => (Unsigned(a, bits) + Unsigned(b, bits) + 1) / 2),
        ("Eq", (a, b, _) => a == b ? -1 : 0),
        ("Ne", (a, b, _) => a != b ? -1 : 0),
        ("LtS", (a, b, _) => a < b ? -1 : 0),
        ("GtS", (a, b, _) => a > b ? -1 : 0),
        ("LeS", (a, b, _) => a <= b ? -1 : 0),
        ("GeS", (a, b, _) => a >= b ? -1 : 0),
        ("LtU", (a, b, bits) => Unsigned(a, bits) < Unsigned(b, bits) ? -1 : 0),
        ("GtU", (a, b, bits) => Unsigned(a, bits) > Unsigned(b, bits) ? -1 : 0),
        ("LeU", (a, b, bits) => Unsigned(a, bits) <= Unsigned(b, bits) ? -1 : 0),
        ("GeU", (a, b, bits) => Unsigned(a, bits) >= Unsigned(b, bits) ? -1 : 0),
    ];

    public static readonly (string Name, Func<Int128, int, Int128> Function)[] Unary =
    [
        ("Abs", (a, _) => a < 0 ? -a : a),
        ("Neg", (a, _) => -a),
        ("Popcnt", (a, bits) => Int128.PopCount(Unsigned(a, bits))),
    ];

    public static readonly (string Name, Func<Int128, int, int, Int128> Function)[] Shifts =
    [
        ("Shl", (a, count, _) => a << count),
        ("ShrS", (a, count, _) => a >> count),
        ("ShrU", (a, count, bits) => Unsigned(a, bits) >> count),
    ];

    public static Int128 Unsigned(Int128 lane, int bits) => lane & ((Int128.One << bits) - 1);

    private static Int128 Least(int bits) => -(Int128.One << (bits - 1));

    private static Int128 Most(int bits) => (Int128.One << (bits - 1)) - 1;
}
