using MeshLedger.Wasm.Code;
using static MeshLedger.Wasm.ValueType;

namespace MeshLedger.Wasm.Tests.Generated;

/// <summary>
/// Random valid modules from a seed: every instruction on numbers and vectors, memory, locals changed under operands that were
/// read before, blocks with parameters and results, branches with values, calls of all kinds. The entry is "main: () -> (i64)".
/// </summary>
internal sealed class ModuleGenerator
{
    private static readonly ValueType[] Types = [I32, I64, F32, F64, V128];

    private static readonly Dictionary<ValueType, (Opcode Code, OpSignature Signature)[]> Makers = Types.ToDictionary(
        type => type,
        type => Enum.GetValues<Opcode>().Select(code => (code, Signatures.Of(code)))
            .Where(op => op.Item2.Result == type && op.Item2.Shape is OpShape.Plain or OpShape.Lane or OpShape.Load).ToArray());

    private static readonly (Opcode Code, OpSignature Signature)[] Stores =
        [.. Enum.GetValues<Opcode>().Select(code => (code, Signatures.Of(code))).Where(op => op.Item2.Shape == OpShape.Store)];

    private readonly Random _random;
    private readonly ModuleWriter _module = new();
    private readonly List<(ValueType[] Parameters, ValueType[] Results)> _signatures = [];
    private readonly List<int> _typeIndices = [];
    private readonly List<ValueType> _globals = [];

    private CodeWriter _code = new();
    private ValueType[] _locals = [];
    private List<ValueType> _labels = [];
    private ValueType[] _results = [];
    private int _current;
    private int _loops;
    private int _budget;

    private ModuleGenerator(int seed) => _random = new Random(seed);

    public static byte[] Module(int seed) => new ModuleGenerator(seed).Make();

    private byte[] Make()
    {
        var functions = _random.Next(2, 6);
        for (var i = 0; i < functions; i++)
        {
            _signatures.Add(i == 0 ? ([], [I64]) : (Some(4), Some(3)));
            _typeIndices.Add(_module.Type(_signatures[i].Parameters, _signatures[i].Results));
        }
        for (var i = _random.Next(1, 5); i > 0; i--)
        {
            _globals.Add(Pick(Types));
            _module.Global(_globals[^1]);
        }
        for (var i = 0; i < functions; i++)
        {
            Function(i);
        }
        return _module.ToArray();
    }

    private void Function(int index)
    {
        _current = index;
        var (parameters, results) = _signatures[index];
        var declared = Some(7);
        // The last locals count loops: nothing else writes them.
        _locals = [.. parameters, .. declared];
        _loops = 0;
        (_code, _labels, _results, _budget) = (new CodeWriter(), [], results, _random.Next(20, 160));
        for (var i = _random.Next(1, 8); i > 0; i--)
        {
            Statement(4);
        }
        foreach (var result in results)
        {
            Value(result, 4);
        }
        _module.Function(_typeIndices[index], [.. declared, .. Enumerable.Repeat(I32, _loops)], _code, index == 0 ? "main" : null);
    }

    private void Statement(int depth)
    {
        _budget--;
        switch (_random.Next(depth > 0 && _budget > 0 ? 16 : 6))
        {
            case 0 or 1 or 2 when _locals.Length > 0:
                var local = _random.Next(_locals.Length);
                Value(_locals[local], depth);
                _code.Op(Opcode.LocalSet, local);
                break;
            case 3:
                var global = _random.Next(_globals.Count);
                Value(_globals[global], depth);
                _code.Op(Opcode.GlobalSet, global);
                break;
            case 4 or 5:
                var (store, signature) = Pick(Stores);
                Address(depth);
                Value(signature.Second, depth);
                _code.Op(store, 0, _random.Next(40));
                break;
            case 6 or 7:
                Value(I32, depth - 1);
                _code.Open(Opcode.If);
                Inside(0, () => Statements(depth - 1));
                if (_random.Next(2) == 0)
                {
                    _code.Op(Opcode.Else);
                    Inside(0, () => Statements(depth - 1));
                }
                _code.End();
                break;
            case 8 or 9:
                Loop(depth);
                break;
            case 10:
                _code.Open(Opcode.Block);
                Inside(0, () => Statements(depth - 1));
                _code.End();
                break;
            case 11 when _labels.Contains(0):
                Value(I32, depth - 1);
                _code.Op(Opcode.BrIf, Label(0));
                break;
            case 12 when _labels.Contains(0):
                Table(depth);
                break;
            case 13:
                Value(I32, depth - 1);
                _code.Open(Opcode.If);
                Array.ForEach(_results, result => Value(result, depth - 2));
                _code.Op(Opcode.Return).End();
                break;
            case 14:
                Bulk(depth);
                break;
            default:
                var type = Pick(Types);
                Value(type, depth - 1);
                _code.Op(Opcode.Drop);
                break;
        }
    }

    private void Statements(int depth)
    {
        for (var i = _random.Next(1, 4); i > 0; i--)
        {
            Statement(depth);
        }
    }

    private void Loop(int depth)
    {
        var counter = _locals.Length + _loops++;
        _code.I32(_random.Next(1, 7)).Op(Opcode.LocalSet, counter).Open(Opcode.Loop);
        // The label of the loop is not used but for its own end.
        Inside(ExternRef, () => Statements(depth - 1));
        _code.Op(Opcode.LocalGet, counter).I32(1).Op(Opcode.I32Sub).Op(Opcode.LocalTee, counter).Op(Opcode.BrIf, 0).End();
    }

    private void Table(int depth)
    {
        _code.Open(Opcode.Block);
        Inside(0, () =>
        {
            Value(I32, depth - 1);
            var count = _random.Next(0, 5);
            _code.Op(Opcode.BrTable).Unsigned(count);
            for (var i = 0; i <= count; i++)
            {
                _code.Unsigned(Label(0));
            }
        });
        _code.End();
    }

    private void Bulk(int depth)
    {
        Address(depth - 1);
        if (_random.Next(2) == 0)
        {
            Value(I32, depth - 2);
            _code.I32(_random.Next(300)).Op(Opcode.MemoryFill, 0);
        }
        else
        {
            Address(depth - 1);
            _code.I32(_random.Next(300)).Op(Opcode.MemoryCopy, 0, 0);
        }
    }

    private void Value(ValueType type, int depth)
    {
        _budget--;
        var locals = Enumerable.Range(0, _locals.Length).Where(i => _locals[i] == type).ToArray();
        switch (_random.Next(depth > 0 && _budget > 0 ? 24 : 6))
        {
            case 0 or 1:
                Constant(type);
                break;
            case 2 or 3 or 4 or 5 when locals.Length > 0:
                _code.Op(Opcode.LocalGet, Pick(locals));
                break;
            case 6 when locals.Length > 0:
                Value(type, depth - 1);
                _code.Op(Opcode.LocalTee, Pick(locals));
                break;
            case 7 when _globals.Contains(type):
                _code.Op(Opcode.GlobalGet, _globals.IndexOf(type));
                break;
            case 8:
                Value(type, depth - 1);
                Value(type, depth - 1);
                Value(I32, depth - 1);
                _code.Op(Opcode.Select);
                break;
            case 9:
                _code.Open(Opcode.Block, type);
                Inside(type, () => Statement(depth - 1), () => Carried(type, depth));
                _code.End();
                break;
            case 10:
                Value(I32, depth - 1);
                _code.Open(Opcode.If, type);
                Inside(type, () => Carried(type, depth));
                _code.Op(Opcode.Else);
                Inside(type, () => Statement(depth - 1), () => Value(type, depth - 1));
                _code.End();
                break;
            case 11 or 12:
                Call(type, depth);
                break;
            case 13:
                Swapped(type, depth);
                break;
            case > 5:
                Make(type, depth);
                break;
            default:
                Constant(type);
                break;
        }
    }

    /// <summary>A value that may leave the block early by a conditional branch, operands below it included.</summary>
    private void Carried(ValueType type, int depth)
    {
        if (_random.Next(2) == 0)
        {
            Value(type, depth - 1);
            Value(type, depth - 1);
            Value(I32, depth - 2);
            _code.Op(Opcode.BrIf, Label(type)).Op(Opcode.Drop);
        }
        else
        {
            Value(type, depth - 1);
            Value(I32, depth - 2);
            _code.Op(Opcode.BrIf, Label(type));
        }
    }

    /// <summary>Parameters and results of a block.</summary>
    private void Swapped(ValueType type, int depth)
    {
        var other = Pick(Types);
        Value(type, depth - 1);
        Value(other, depth - 1);
        _code.Open(Opcode.Block, _module.Type([type, other], [type]));
        Inside(type, () => Statement(depth - 1));
        _code.Op(Opcode.Drop).End();
    }

    private void Call(ValueType type, int depth)
    {
        // Downwards, mostly: a function that always calls itself exhausts the stack.
        var from = _random.Next(25) == 0 ? 0 : _current + 1;
        var candidates = Enumerable.Range(0, _signatures.Count)
            .Where(i => i >= from && _signatures[i].Results.Contains(type)).ToArray();
        if (candidates.Length == 0)
        {
            Constant(type);
            return;
        }
        var callee = Pick(candidates);
        Array.ForEach(_signatures[callee].Parameters, parameter => Value(parameter, depth - 2));
        if (_random.Next(3) == 0)
        {
            _code.I32(callee).Op(Opcode.CallIndirect, _typeIndices[callee], 0);
        }
        else
        {
            _code.Op(Opcode.Call, callee);
        }
        // Keeps the first result of the type, by way of a block that drops the others where that is not the only one.
        var results = _signatures[callee].Results;
        for (var i = results.Length - 1; i > Array.IndexOf(results, type); i--)
        {
            _code.Op(Opcode.Drop);
        }
        if (Array.IndexOf(results, type) > 0)
        {
            var below = results[..Array.IndexOf(results, type)];
            var kept = _locals.Length > 0 ? Array.IndexOf(_locals, type) : -1;
            if (kept >= 0)
            {
                _code.Op(Opcode.LocalSet, kept);
                Array.ForEach(below, _ => _code.Op(Opcode.Drop));
                _code.Op(Opcode.LocalGet, kept);
            }
            else
            {
                _code.Op(Opcode.Drop);
                Array.ForEach(below, _ => _code.Op(Opcode.Drop));
                Constant(type);
            }
        }
    }

    private void Make(ValueType type, int depth)
    {
        var (code, signature) = Pick(Makers[type]);
        if (signature.Shape == OpShape.Load)
        {
            Address(depth - 1);
            _code.Op(code, 0, _random.Next(40));
            return;
        }
        if (IsPartial(code) && _random.Next(60) != 0)
        {
            Constant(type);
            return;
        }
        foreach (var operand in (ValueType[])[signature.First, signature.Second, signature.Third])
        {
            if (operand != 0)
            {
                Value(operand, depth - 1);
            }
        }
        _code.Op(code);
        if (signature.Shape == OpShape.Lane)
        {
            _code.Byte((byte)_random.Next(signature.Lanes));
        }
    }

    private static bool IsPartial(Opcode code) =>
        code is (>= Opcode.I32DivS and <= Opcode.I32RemU) or (>= Opcode.I64DivS and <= Opcode.I64RemU)
            or (>= Opcode.I32TruncF32S and <= Opcode.I32TruncF64U) or (>= Opcode.I64TruncF32S and <= Opcode.I64TruncF64U);

    private void Address(int depth)
    {
        Value(I32, depth - 1);
        if (_random.Next(400) != 0)
        {
            _code.I32(0x3FFF).Op(Opcode.I32And);
        }
        if (_random.Next(3) == 0)
        {
            _code.I32(_random.Next(64)).Op(Opcode.I32Add);
        }
    }

    private void Constant(ValueType type)
    {
        var bits = _random.Next(4) switch
        {
            0 => _random.NextInt64(-3, 10),
            1 => BitConverter.DoubleToInt64Bits((_random.NextDouble() - 0.5) * 1000),
            2 => ((long)BitConverter.SingleToInt32Bits(_random.Next(-9, 9) / 4f) << 32) | (uint)BitConverter.SingleToInt32Bits(1.5f),
            _ => _random.NextInt64(long.MinValue, long.MaxValue),
        };
        _ = type switch
        {
            I32 => _code.I32((int)bits),
            I64 => _code.I64(bits),
            F32 => _code.F32((uint)bits),
            F64 => _code.F64((ulong)bits),
            _ => _code.V128((ulong)bits, (ulong)_random.NextInt64()),
        };
    }

    private void Inside(ValueType label, params ReadOnlySpan<Action> parts)
    {
        _labels.Add(label);
        foreach (var part in parts)
        {
            part();
        }
        _labels.RemoveAt(_labels.Count - 1);
    }

    private int Label(ValueType type)
    {
        var depths = Enumerable.Range(0, _labels.Count).Where(depth => _labels[^(depth + 1)] == type).ToArray();
        return Pick(depths);
    }

    private ValueType[] Some(int most) => [.. Enumerable.Range(0, _random.Next(most)).Select(_ => Pick(Types))];

    private T Pick<T>(IReadOnlyList<T> from) => from[_random.Next(from.Count)];
}
