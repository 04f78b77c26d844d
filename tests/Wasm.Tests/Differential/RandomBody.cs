using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Tests.Generated;
using static MeshLedger.Wasm.ValueType;

namespace MeshLedger.Wasm.Tests.Differential;

/// <summary>
/// A function's body: a walk over the types on the stack. Each step takes operands that happen to lie there or makes those it
/// needs. Loops count their own turns down, nearly all of them; fuel ends the others.
/// </summary>
internal sealed partial class RandomBody
{
    private readonly RandomModule _module;
    private readonly FunctionType _type;
    private readonly bool _calls;
    private readonly CodeWriter _code = new();
    private readonly List<ValueType> _locals;
    private readonly List<ValueType> _stack = [];
    private readonly List<Block> _blocks = [];
    private int _steps;

    private sealed record Block(FunctionType Type, bool IsLoop, int Height, int Counter)
    {
        public IReadOnlyList<ValueType> Carried => IsLoop ? Type.Parameters : Type.Results;
    }

    public RandomBody(RandomModule module, int function, bool calls)
    {
        (_module, _type, _calls) = (module, module.TypeOf(function), calls);
        _locals = [.. _type.Parameters, .. module.SomeTypes(Next(12) == 0 ? 90 : 8)];
        _steps = Next(10, calls ? 150 : 25);
    }

    public byte[] Write()
    {
        _blocks.Add(new Block(new FunctionType([], _type.Results), false, 0, -1));
        while (_steps > 0)
        {
            Walk(6);
        }
        Tell();
        Leave();
        var declared = _locals.Skip(_type.Parameters.Length).ToArray();
        var to = new CodeWriter().Unsigned(declared.Length);
        foreach (var local in declared)
        {
            to.Unsigned(1).Byte((byte)local);
        }
        return to.Bytes(_code.ToArray()).End().ToArray();
    }

    /// <summary>What the locals hold in the end goes into memory, where it is compared.</summary>
    private void Tell()
    {
        for (var local = 0; local < Math.Min(_locals.Count, 12) && Next(8) > 0; local++)
        {
            if (_locals[local] is not (FuncRef or ExternRef))
            {
                _code.I32(1_000 + (local * 16)).Op(Opcode.LocalGet, local)
                    .Op(_locals[local] == V128 ? Opcode.V128Store : Opcode.I32Store + (I32 - _locals[local])).Unsigned(0).Unsigned(0);
            }
        }
    }

    private int Next(int most) => _module.Random.Next(most);

    private int Next(int least, int most) => _module.Random.Next(least, most);

    private void Walk(int depth)
    {
        for (var i = Next(2, 14); i > 0 && _steps > 0; i--)
        {
            _steps--;
            Step(depth);
        }
    }

    private void Step(int depth)
    {
        switch (Next(44))
        {
            case < 4:
                Push(_module.SomeType());
                break;
            case < 17:
                Compute();
                break;
            case > 39:
                // Locals that are written on one path and read on another.
                SetLocal();
                break;
            case < 20:
                SetLocal();
                break;
            case 20:
                SetGlobal();
                break;
            case < 23 when depth > 0:
                Open(depth);
                break;
            case < 26 when depth > 0:
                Loop(depth);
                break;
            case < 29:
                Branch();
                break;
            case 29 or 30 when _calls:
                Call();
                break;
            case 31 or 32 when _calls:
                CallIndirect();
                break;
            case 33:
                Bulk();
                break;
            case 34:
                Tables();
                break;
            case 35:
                Select();
                break;
            case 36 when _stack.Count > _blocks[^1].Height:
                _code.Op(Opcode.Drop);
                Pop();
                break;
            case 37:
                References();
                break;
            case 38:
                Memory();
                break;
            default:
                _code.Op(Opcode.Nop);
                break;
        }
    }

    private ValueType Pop()
    {
        var type = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return type;
    }

    /// <summary>Makes the operands that an instruction takes, of what lies on the stack where that fits, and takes them.</summary>
    private void Need(params IReadOnlyList<ValueType> types)
    {
        var floor = _blocks[^1].Height;
        var there = 0;
        for (var n = Math.Min(types.Count, _stack.Count - floor); n > 0; n--)
        {
            if (Enumerable.Range(0, n).All(i => _stack[_stack.Count - n + i] == types[i]))
            {
                there = n;
                break;
            }
        }
        foreach (var type in types.Skip(there))
        {
            Push(type);
        }
        _stack.RemoveRange(_stack.Count - types.Count, types.Count);
    }

    private void Push(ValueType type)
    {
        var locals = Enumerable.Range(0, _locals.Count).Where(i => _locals[i] == type).ToArray();
        var globals = Enumerable.Range(0, _module.Globals.Count).Where(i => _module.Globals[i].Type == type).ToArray();
        switch (Next(6))
        {
            case < 3 when locals.Length > 0:
                _code.Op(Opcode.LocalGet, _module.Pick(locals));
                break;
            case 3 when globals.Length > 0:
                _code.Op(Opcode.GlobalGet, _module.Pick(globals));
                break;
            default:
                Constant(type);
                break;
        }
        _stack.Add(type);
    }

    private void Constant(ValueType type)
    {
        var bits = Next(6) switch
        {
            0 => Next(-3, 20),
            1 => BitConverter.DoubleToInt64Bits((_module.Random.NextDouble() - 0.5) * 1000),
            2 => ((long)BitConverter.SingleToInt32Bits(Next(-9, 9) / 4f) << 32) | (uint)BitConverter.SingleToInt32Bits(1.5f),
            // NaNs that are not canonical, infinities, the smallest integers.
            3 => _module.Pick<long>([0x7FF0_0000_7F80_0001, unchecked((long)0xFFF8_0000_FFC1_2345), 0x7FF0_0000_7F80_0000, long.MinValue, int.MinValue]),
            _ => _module.Random.NextInt64(long.MinValue, long.MaxValue),
        };
        _ = type switch
        {
            I32 => _code.I32((int)bits),
            I64 => _code.I64(bits),
            F32 => _code.F32((uint)bits),
            F64 => _code.F64((ulong)bits),
            V128 => _code.V128((ulong)bits, (ulong)_module.Random.NextInt64()),
            FuncRef when Next(3) > 0 => _code.Op(Opcode.RefFunc, Next(_module.FunctionCount)),
            _ => _code.Op(Opcode.RefNull).Byte((byte)type),
        };
    }

    private void SetLocal()
    {
        if (_locals.Count == 0)
        {
            return;
        }
        // Counters of loops are locals as well; they come after these.
        var local = Next(Math.Min(_locals.Count, 12));
        if (_blocks.Exists(block => block.Counter == local))
        {
            return;
        }
        Need(_locals[local]);
        if (Next(2) == 0)
        {
            _code.Op(Opcode.LocalSet, local);
        }
        else
        {
            _code.Op(Opcode.LocalTee, local);
            _stack.Add(_locals[local]);
        }
    }

    private void SetGlobal()
    {
        var global = Next(_module.Globals.Count);
        if (_module.Globals[global].Mutable)
        {
            Need(_module.Globals[global].Type);
            _code.Op(Opcode.GlobalSet, global);
        }
    }

    /// <summary>What is on the stack becomes what the block is to give.</summary>
    private void Leave()
    {
        var block = _blocks[^1];
        Arrange(block.Type.Results, block.Height);
        _stack.RemoveRange(block.Height, _stack.Count - block.Height);
        _blocks.RemoveAt(_blocks.Count - 1);
    }

    private void Arrange(IReadOnlyList<ValueType> types, int height)
    {
        while (_stack.Count > height && !Matches(types, height))
        {
            _code.Op(Opcode.Drop);
            Pop();
        }
        foreach (var type in types.Skip(_stack.Count - height))
        {
            Push(type);
        }
    }

    private bool Matches(IReadOnlyList<ValueType> types, int height) =>
        _stack.Count - height <= types.Count && Enumerable.Range(height, _stack.Count - height).All(i => _stack[i] == types[i - height]);
}
