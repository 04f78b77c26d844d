using MeshLedger.Wasm.Code;
using static MeshLedger.Wasm.ValueType;

namespace MeshLedger.Wasm.Tests.Differential;

// Blocks, branches and calls.
internal sealed partial class RandomBody
{
    /// <summary>A type whose parameters are, often, what lies on the stack.</summary>
    private FunctionType SomeBlock()
    {
        var there = Next(Math.Min(3, _stack.Count - _blocks[^1].Height) + 1);
        var parameters = Next(3) == 0 ? _module.SomeTypes(2) : [.. _stack.Skip(_stack.Count - there)];
        return new FunctionType([.. parameters], [.. _module.SomeTypes(2)]);
    }

    private void Begin(Opcode code, FunctionType type, int counter = -1)
    {
        _ = type.Parameters.Length == 0 && type.Results.Length <= 1
            ? _code.Open(code, type.Results.Length == 0 ? 0 : type.Results[0])
            : _code.Open(code, _module.TypeIndex(type));
        _blocks.Add(new Block(type, code == Opcode.Loop, _stack.Count, counter));
        _stack.AddRange(type.Parameters);
    }

    private void Open(int depth)
    {
        var type = SomeBlock();
        if (Next(2) == 0)
        {
            Need(type.Parameters);
            Begin(Opcode.Block, type);
            Walk(depth - 1);
        }
        else
        {
            Need([.. type.Parameters, I32]);
            var both = Next(2) == 0;
            type = both ? type : new FunctionType(type.Parameters, type.Parameters);
            Begin(Opcode.If, type);
            Walk(depth - 1);
            if (both)
            {
                var block = _blocks[^1];
                Leave();
                _code.Op(Opcode.Else);
                _blocks.Add(block);
                _stack.AddRange(type.Parameters);
                Walk(depth - 1);
            }
        }
        Leave();
        _code.End();
        _stack.AddRange(type.Results);
    }

    private void Loop(int depth)
    {
        var type = SomeBlock();
        var counter = _locals.Count;
        _locals.Add(I32);
        Need(type.Parameters);
        _code.I32(Next(1, 8)).Op(Opcode.LocalSet, counter);
        Begin(Opcode.Loop, type, counter);
        Walk(depth - 1);
        if (Next(8) > 0)
        {
            Arrange(type.Parameters, _blocks[^1].Height);
            Again(0, _blocks[^1]);
        }
        Leave();
        _code.End();
        _stack.AddRange(type.Results);
    }

    /// <summary>Back to a loop's head while its count lasts; the operands that it takes are on the stack, and stay.</summary>
    private void Again(int label, Block loop) =>
        _code.Op(Opcode.LocalGet, loop.Counter).I32(1).Op(Opcode.I32Sub).Op(Opcode.LocalTee, loop.Counter).I32(0).Op(Opcode.I32GtS)
            .Op(Opcode.BrIf, label);

    private void Branch()
    {
        var label = Next(_blocks.Count);
        var target = _blocks[^(label + 1)];
        switch (Next(10))
        {
            case < 5:
                Need(target.Carried);
                _stack.AddRange(target.Carried);
                if (target.IsLoop)
                {
                    Again(label, target);
                }
                else
                {
                    Push(I32);
                    Pop();
                    _code.Op(Opcode.BrIf, label);
                }
                break;
            case < 8:
                Table(label, target);
                break;
            case 8 when !target.IsLoop || Next(10) == 0:
                // Within an if, so that what follows runs at times.
                Need(I32);
                Begin(Opcode.If, new FunctionType([], []));
                Need(target.Carried);
                _code.Op(Opcode.Br, label + 1);
                Dead();
                break;
            case 9:
                Need(I32);
                Begin(Opcode.If, new FunctionType([], []));
                if (Next(12) == 0)
                {
                    _code.Op(Opcode.Unreachable);
                }
                else
                {
                    Need(_type.Results);
                    _code.Op(Opcode.Return);
                }
                Dead();
                break;
            default:
                break;
        }
    }

    // To labels that carry the same types, out of a block of its own so that the walk goes on after it.
    private void Table(int label, Block target)
    {
        var labels = Enumerable.Range(0, _blocks.Count)
            .Where(i => !_blocks[^(i + 1)].IsLoop && _blocks[^(i + 1)].Carried.SequenceEqual(target.Carried)).ToList();
        if (target.IsLoop)
        {
            labels.Clear();
        }
        var type = new FunctionType([], [.. target.Carried]);
        Begin(Opcode.Block, type);
        Need([.. target.Carried, I32]);
        if (Next(4) > 0)
        {
            _code.I32(7).Op(Opcode.I32And);
        }
        var count = Next(6);
        _code.Op(Opcode.BrTable).Unsigned(count);
        for (var i = 0; i <= count; i++)
        {
            _code.Unsigned(labels.Count == 0 || Next(3) == 0 ? 0 : _module.Pick(labels) + 1);
        }
        Dead();
        _stack.AddRange(type.Results);
    }

    /// <summary>The rest of a block that is not reached, operands out of nothing included, and its end.</summary>
    private void Dead()
    {
        for (var i = Next(3); i > 0; i--)
        {
            switch (Next(5))
            {
                case 0:
                    _code.Op(Opcode.I32Add).Op(Opcode.Drop);
                    break;
                case 1:
                    _code.Op(Opcode.Select).Op(Opcode.Drop);
                    break;
                case 2:
                    _code.Open(Opcode.Block).Op(Opcode.Unreachable).Op(Opcode.BrIf, 0).Op(Opcode.Br, 0).End();
                    break;
                case 3:
                    _code.I64(1).Op(Opcode.LocalSet, _locals.Count).Op(Opcode.Unreachable);
                    _locals.Add(I64);
                    break;
                default:
                    _code.Open(Opcode.Loop).Op(Opcode.Br, 0).Op(Opcode.F64Add).Op(Opcode.I64TruncF64S).Op(Opcode.Drop).End();
                    break;
            }
        }
        var block = _blocks[^1];
        _stack.RemoveRange(block.Height, _stack.Count - block.Height);
        _blocks.RemoveAt(_blocks.Count - 1);
        _code.End();
    }

    private void Call()
    {
        var callee = Next(_module.FunctionCount);
        Need(_module.TypeOf(callee).Parameters);
        _code.Op(Opcode.Call, callee);
        _stack.AddRange(_module.TypeOf(callee).Results);
    }

    private void CallIndirect()
    {
        var table = Next(2) == 0 ? RandomModule.FunctionTable : RandomModule.OtherTable;
        var entry = Next(RandomModule.TableEntries);
        var type = Next(40) == 0 ? _module.TypeOf(Next(_module.FunctionCount)) : _module.TypeOf(_module.InTable(entry));
        Need(type.Parameters);
        _code.I32(entry).Op(Opcode.CallIndirect, _module.TypeIndex(type), table);
        _stack.AddRange(type.Results);
    }
}
