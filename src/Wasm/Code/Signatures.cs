namespace MeshLedger.Wasm.Code;

/// <summary>How an instruction is written after its opcode, and what else it does than take operands and give a result.</summary>
internal enum OpShape : byte
{
    /// <summary>Not in the table: control, variables, constants, bulk and reference instructions have code of their own.</summary>
    Special,
    Plain,
    Load,
    Store,
    LoadLane,
    StoreLane,

    /// <summary>A lane index follows.</summary>
    Lane,
}

/// <summary>Operands and result of an instruction whose types do not depend on anything else. Absent ones are 0.</summary>
/// <param name="Bytes">Of an access to memory; also its natural alignment.</param>
/// <param name="Lanes">How many lanes a lane index may choose from.</param>
internal readonly record struct OpSignature(
    OpShape Shape, ValueType First, ValueType Second, ValueType Third, ValueType Result, byte Bytes, byte Lanes);

/// <summary>The signatures of chapter 3.3 as a table over opcodes.</summary>
internal static class Signatures
{
    private const ValueType I32 = ValueType.I32, I64 = ValueType.I64, F32 = ValueType.F32, F64 = ValueType.F64, V128 = ValueType.V128;

    private static readonly OpSignature[] One = new OpSignature[0xC5];
    private static readonly OpSignature[] Bulk = new OpSignature[8];
    private static readonly OpSignature[] Vector = new OpSignature[256];
    private static readonly bool[] Known = new bool[256];

    static Signatures()
    {
        Scalars();
        Conversions();
        foreach (var code in Enum.GetValues<Opcode>())
        {
            if ((ushort)code >> 8 == 0xFD)
            {
                Known[(byte)code] = true;
                Vector[(byte)code] = OfVector(code, code.ToString());
            }
        }
    }

    public static OpSignature Of(Opcode code) => ((int)code >> 8) switch
    {
        0 when (int)code < One.Length => One[(int)code],
        0xFC when (byte)code < Bulk.Length => Bulk[(byte)code],
        0xFD => Vector[(byte)code],
        _ => default,
    };

    public static bool IsVector(byte opcode) => Known[opcode];

    private static void Scalars()
    {
        Access(Opcode.I32Load, OpShape.Load, [(I32, 4), (I64, 8), (F32, 4), (F64, 8), (I32, 1), (I32, 1), (I32, 2), (I32, 2),
            (I64, 1), (I64, 1), (I64, 2), (I64, 2), (I64, 4), (I64, 4)]);
        Access(Opcode.I32Store, OpShape.Store, [(I32, 4), (I64, 8), (F32, 4), (F64, 8), (I32, 1), (I32, 2), (I64, 1), (I64, 2), (I64, 4)]);
        Fill(Opcode.I32Eqz, Opcode.I32Eqz, I32, 0, I32);
        Fill(Opcode.I32Eq, Opcode.I32GeU, I32, I32, I32);
        Fill(Opcode.I64Eqz, Opcode.I64Eqz, I64, 0, I32);
        Fill(Opcode.I64Eq, Opcode.I64GeU, I64, I64, I32);
        Fill(Opcode.F32Eq, Opcode.F32Ge, F32, F32, I32);
        Fill(Opcode.F64Eq, Opcode.F64Ge, F64, F64, I32);
        Fill(Opcode.I32Clz, Opcode.I32Popcnt, I32, 0, I32);
        Fill(Opcode.I32Add, Opcode.I32Rotr, I32, I32, I32);
        Fill(Opcode.I64Clz, Opcode.I64Popcnt, I64, 0, I64);
        Fill(Opcode.I64Add, Opcode.I64Rotr, I64, I64, I64);
        Fill(Opcode.F32Abs, Opcode.F32Sqrt, F32, 0, F32);
        Fill(Opcode.F32Add, Opcode.F32Copysign, F32, F32, F32);
        Fill(Opcode.F64Abs, Opcode.F64Sqrt, F64, 0, F64);
        Fill(Opcode.F64Add, Opcode.F64Copysign, F64, F64, F64);
    }

    private static void Conversions()
    {
        ReadOnlySpan<ValueType> from =
        [
            I64, F32, F32, F64, F64, I32, I32, F32, F32, F64, F64, I32, I32, I64, I64, F64, I32, I32, I64, I64, F32,
            F32, F64, I32, I64, I32, I32, I64, I64, I64,
        ];
        ReadOnlySpan<ValueType> to =
        [
            I32, I32, I32, I32, I32, I64, I64, I64, I64, I64, I64, F32, F32, F32, F32, F32, F64, F64, F64, F64, F64,
            I32, I64, F32, F64, I32, I32, I64, I64, I64,
        ];
        for (var i = 0; i < from.Length; i++)
        {
            One[(int)Opcode.I32WrapI64 + i] = new OpSignature(OpShape.Plain, from[i], 0, 0, to[i], 0, 0);
        }
        for (var i = 0; i < Bulk.Length; i++)
        {
            Bulk[i] = new OpSignature(OpShape.Plain, (i & 2) == 0 ? F32 : F64, 0, 0, i < 4 ? I32 : I64, 0, 0);
        }
    }

    private static void Fill(Opcode first, Opcode last, ValueType left, ValueType right, ValueType result)
    {
        One.AsSpan((int)first..((int)last + 1)).Fill(new OpSignature(OpShape.Plain, left, right, 0, result, 0, 0));
    }

    private static void Access(Opcode first, OpShape shape, ReadOnlySpan<(ValueType Type, byte Bytes)> accesses)
    {
        for (var i = 0; i < accesses.Length; i++)
        {
            var (type, bytes) = accesses[i];
            One[(int)first + i] = shape == OpShape.Load
                ? new OpSignature(shape, I32, 0, 0, type, bytes, 0)
                : new OpSignature(shape, I32, type, 0, 0, bytes, 0);
        }
    }

    // The names follow the specification's scheme, so what an instruction takes can be read from them.
    private static OpSignature OfVector(Opcode code, string name) => code switch
    {
        Opcode.V128Load => Load(16),
        >= Opcode.V128Load8x8S and <= Opcode.V128Load32x2U or Opcode.V128Load64Splat or Opcode.V128Load64Zero => Load(8),
        Opcode.V128Load8Splat => Load(1),
        Opcode.V128Load16Splat => Load(2),
        Opcode.V128Load32Splat or Opcode.V128Load32Zero => Load(4),
        Opcode.V128Store => new OpSignature(OpShape.Store, I32, V128, 0, 0, 16, 0),
        >= Opcode.V128Load8Lane and <= Opcode.V128Load64Lane =>
            new OpSignature(OpShape.LoadLane, I32, V128, 0, V128, (byte)(1 << (code - Opcode.V128Load8Lane)), (byte)(16 >> (code - Opcode.V128Load8Lane))),
        >= Opcode.V128Store8Lane and <= Opcode.V128Store64Lane =>
            new OpSignature(OpShape.StoreLane, I32, V128, 0, 0, (byte)(1 << (code - Opcode.V128Store8Lane)), (byte)(16 >> (code - Opcode.V128Store8Lane))),
        Opcode.V128Const or Opcode.I8x16Shuffle => default,
        Opcode.V128AndNot => new OpSignature(OpShape.Plain, V128, V128, 0, V128, 0, 0),
        Opcode.V128Bitselect => new OpSignature(OpShape.Plain, V128, V128, V128, V128, 0, 0),
        _ when name.EndsWith("Splat", StringComparison.Ordinal) => new OpSignature(OpShape.Plain, Scalar(name), 0, 0, V128, 0, 0),
        _ when name.Contains("ExtractLane", StringComparison.Ordinal) => new OpSignature(OpShape.Lane, V128, 0, 0, Scalar(name), 0, LanesOf(name)),
        _ when name.Contains("ReplaceLane", StringComparison.Ordinal) => new OpSignature(OpShape.Lane, V128, Scalar(name), 0, V128, 0, LanesOf(name)),
        _ when name.EndsWith("True", StringComparison.Ordinal) || name.EndsWith("Bitmask", StringComparison.Ordinal) =>
            new OpSignature(OpShape.Plain, V128, 0, 0, I32, 0, 0),
        _ when Ends(name, "Shl", "ShrS", "ShrU") => new OpSignature(OpShape.Plain, V128, I32, 0, V128, 0, 0),
        _ when IsUnary(name) => new OpSignature(OpShape.Plain, V128, 0, 0, V128, 0, 0),
        _ => new OpSignature(OpShape.Plain, V128, V128, 0, V128, 0, 0),
    };

    private static OpSignature Load(byte bytes) => new(OpShape.Load, I32, 0, 0, V128, bytes, 0);

    private static ValueType Scalar(string name) => name[..5] switch
    {
        "I64x2" => I64,
        "F32x4" => F32,
        "F64x2" => F64,
        _ => I32,
    };

    private static byte LanesOf(string name) => (byte)(name[..3] switch
    {
        "I8x" => 16,
        "I16" => 8,
        "I32" or "F32" => 4,
        _ => 2,
    });

    private static bool IsUnary(string name) =>
        Ends(name, "Abs", "Neg", "Not", "Popcnt", "Ceil", "Floor", "Trunc", "Nearest", "Sqrt")
        || name.Contains("Extend", StringComparison.Ordinal) || name.Contains("ExtaddPairwise", StringComparison.Ordinal)
        || name.Contains("Convert", StringComparison.Ordinal) || name.Contains("TruncSat", StringComparison.Ordinal)
        || name.Contains("Demote", StringComparison.Ordinal) || name.Contains("Promote", StringComparison.Ordinal);

    private static bool Ends(string name, params ReadOnlySpan<string> ends)
    {
        foreach (var end in ends)
        {
            if (name.EndsWith(end, StringComparison.Ordinal))
            {
                return true;
            }
        }
        return false;
    }
}
