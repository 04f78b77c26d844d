using System.Globalization;
using System.Runtime.Intrinsics;

namespace MeshLedger.Wasm;

/// <summary>
/// A value with its type, as it crosses the border between host and guest. Bits are kept as they are, so NaN payloads
/// survive. A reference is 0 for null; a function's is its handle in the store, an extern's whatever the host chose, plus 1.
/// </summary>
public readonly record struct Value(ValueType Type, ulong Low, ulong High = 0)
{
    public static Value I32(int value) => new(ValueType.I32, (uint)value);

    public static Value I64(long value) => new(ValueType.I64, (ulong)value);

    public static Value F32(float value) => new(ValueType.F32, BitConverter.SingleToUInt32Bits(value));

    public static Value F64(double value) => new(ValueType.F64, BitConverter.DoubleToUInt64Bits(value));

    public static Value V128(Vector128<byte> value) =>
        new(ValueType.V128, value.AsUInt64().GetElement(0), value.AsUInt64().GetElement(1));

    public static Value Null(ValueType type) => new(type, 0);

    /// <summary>An extern reference to whatever <paramref name="number"/> means to the host.</summary>
    public static Value Extern(uint number) => new(ValueType.ExternRef, number + 1UL);

    public int AsI32() => (int)(uint)Low;

    public long AsI64() => (long)Low;

    public float AsF32() => BitConverter.UInt32BitsToSingle((uint)Low);

    public double AsF64() => BitConverter.UInt64BitsToDouble(Low);

    public Vector128<byte> AsV128() => Vector128.Create(Low, High).AsByte();

    public bool IsNull => Type.IsReference() && Low == 0;

    public override string ToString() => Type switch
    {
        ValueType.I32 => $"i32:{AsI32().ToString(CultureInfo.InvariantCulture)}",
        ValueType.I64 => $"i64:{AsI64().ToString(CultureInfo.InvariantCulture)}",
        ValueType.F32 => $"f32:{AsF32().ToString("R", CultureInfo.InvariantCulture)}",
        ValueType.F64 => $"f64:{AsF64().ToString("R", CultureInfo.InvariantCulture)}",
        ValueType.V128 => $"v128:0x{High:x16}{Low:x16}",
        _ when Low == 0 => $"{Type.Name()}:null",
        _ => $"{Type.Name()}:{Low - 1}",
    };
}
