namespace MeshLedger.Wasm;

/// <summary>The types of values (WebAssembly 2.0, section 5.3), with the byte that stands for each in a module.</summary>
public enum ValueType : byte
{
    ExternRef = 0x6F,
    FuncRef = 0x70,
    V128 = 0x7B,
    F64 = 0x7C,
    F32 = 0x7D,
    I64 = 0x7E,
    I32 = 0x7F,
}

internal static class ValueTypes
{
    public static bool IsReference(this ValueType type) => type is ValueType.FuncRef or ValueType.ExternRef;

    /// <summary>How many 64-bit words a value takes in a frame: two for v128, otherwise one.</summary>
    public static int Words(this ValueType type) => type == ValueType.V128 ? 2 : 1;

    public static int Words(this ReadOnlySpan<ValueType> types)
    {
        var words = types.Length;
        foreach (var type in types)
        {
            words += type == ValueType.V128 ? 1 : 0;
        }
        return words;
    }

    /// <summary>The name in the text format.</summary>
    public static string Name(this ValueType type) => type switch
    {
        ValueType.I32 => "i32",
        ValueType.I64 => "i64",
        ValueType.F32 => "f32",
        ValueType.F64 => "f64",
        ValueType.V128 => "v128",
        ValueType.FuncRef => "funcref",
        ValueType.ExternRef => "externref",
        _ => $"0x{(byte)type:x2}",
    };
}
