using System.Globalization;
using System.Text.Json;

namespace MeshLedger.Wasm.Spec;

/// <summary>Arguments and expectations of wast2json: numbers as decimal strings of their bits, classes of NaN by name.</summary>
internal static class SpecValues
{
    private const string CanonicalNaN = "nan:canonical";
    private const string ArithmeticNaN = "nan:arithmetic";

    public static Value Argument(JsonElement value)
    {
        var type = value.GetProperty("type").GetString()!;
        if (type == "v128")
        {
            var (low, high) = (0UL, 0UL);
            var lanes = value.GetProperty("value").EnumerateArray().Select(lane => lane.GetString()!).ToArray();
            var bits = 128 / lanes.Length;
            for (var i = 0; i < lanes.Length; i++)
            {
                Place(ref low, ref high, i * bits, Bits(lanes[i], bits));
            }
            return new Value(ValueType.V128, low, high);
        }
        var text = value.TryGetProperty("value", out var given) ? given.GetString()! : "null";
        return type switch
        {
            "i32" => new Value(ValueType.I32, Bits(text, 32)),
            "i64" => new Value(ValueType.I64, Bits(text, 64)),
            "f32" => new Value(ValueType.F32, Bits(text, 32)),
            "f64" => new Value(ValueType.F64, Bits(text, 64)),
            "externref" => text == "null" ? Value.Null(ValueType.ExternRef) : Value.Extern(uint.Parse(text, CultureInfo.InvariantCulture)),
            "funcref" => text == "null" ? Value.Null(ValueType.FuncRef) : throw new NotSupportedException("A funcref as an argument."),
            _ => throw new NotSupportedException($"A value of type {type}."),
        };
    }

    public static bool Matches(JsonElement expected, Value actual)
    {
        var type = expected.GetProperty("type").GetString()!;
        if (!actual.Type.ToString().Equals(type, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }
        if (type == "v128")
        {
            var lanes = expected.GetProperty("value").EnumerateArray().Select(lane => lane.GetString()!).ToArray();
            var bits = 128 / lanes.Length;
            return Enumerable.Range(0, lanes.Length).All(i => LaneMatches(lanes[i], bits, Lane(actual, i * bits, bits)));
        }
        if (!expected.TryGetProperty("value", out var value))
        {
            return !actual.IsNull;
        }
        var text = value.GetString()!;
        return type switch
        {
            "i32" or "f32" => LaneMatches(text, 32, actual.Low),
            "i64" or "f64" => LaneMatches(text, 64, actual.Low),
            _ => text == "null" ? actual.IsNull : actual.Low == ulong.Parse(text, CultureInfo.InvariantCulture) + 1,
        };
    }

    private static bool LaneMatches(string expected, int bits, ulong actual)
    {
        if (expected is not (CanonicalNaN or ArithmeticNaN))
        {
            return Bits(expected, bits) == actual;
        }
        var quiet = bits == 32 ? 0x7FC0_0000UL : 0x7FF8_0000_0000_0000UL;
        var sign = 1UL << (bits - 1);
        return expected == CanonicalNaN ? (actual & ~sign) == quiet : (actual & quiet) == quiet;
    }

    private static ulong Bits(string text, int bits)
    {
        var value = text.StartsWith('-')
            ? (ulong)long.Parse(text, CultureInfo.InvariantCulture)
            : ulong.Parse(text, CultureInfo.InvariantCulture);
        return bits == 64 ? value : value & ((1UL << bits) - 1);
    }

    private static void Place(ref ulong low, ref ulong high, int at, ulong bits)
    {
        if (at < 64)
        {
            low |= bits << at;
        }
        else
        {
            high |= bits << (at - 64);
        }
    }

    private static ulong Lane(Value value, int at, int bits)
    {
        var half = at < 64 ? value.Low : value.High;
        var shifted = half >> (at & 63);
        return bits == 64 ? shifted : shifted & ((1UL << bits) - 1);
    }
}
