using System.Collections.Immutable;
using System.Reflection.Emit;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

// Blocks, branches and the metering of blocks.
internal sealed partial class FunctionCompiler
{
    private const int LongestChain = 64;

    private readonly List<BlockLabel> _labels = [];
    private int _chain;

    private sealed class BlockLabel
    {
        public required int Opener;

        /// <summary>What a branch carries.</summary>
        public required ImmutableArray<ValueType> Types;

        /// <summary>Operands below the block.</summary>
        public int Height;
        public Label Target;
        public Label Else;
        public FunctionType? Type;
    }

    private void Emit(int index, in Op op)
    {
        // The host's compiler walks expressions by recursion: a long chain is cut, so that no guest can exhaust its stack.
        if (++_chain > LongestChain)
        {
            Spill(0);
            _chain = 0;
        }
        switch (op.Code)
        {
            case Opcode.Charge:
                Charge(index, op);
                break;
            case Opcode.Block or Opcode.Loop or Opcode.If:
                Open(index, op);
                break;
            case Opcode.Else:
                Else(op);
                break;
            case Opcode.End:
                End(op);
                break;
            case Opcode.Br:
                BranchTo(op.A);
                break;
            case Opcode.BrIf:
                BranchIf(op.A);
                break;
            case Opcode.BrTable:
                BranchTable(_code.BranchTables[op.A]);
                break;
            case Opcode.Return:
                BranchTo(_labels.Count - 1);
                break;
            case Opcode.Unreachable:
                SaveFuel();
                Throw(TrapKind.Unreachable);
                Forget();
                break;
            default:
                if (!EmitCall(index, op) && !EmitMemory(op) && !EmitVariable(op))
                {
                    EmitNumeric(op);
                }
                break;
        }
    }

    private void Charge(int index, in Op op)
    {
        if (op.Immediate != 0)
        {
            _il.Emit(OpCodes.Ldloc, _fuel);
            _il.Emit(OpCodes.Ldc_I8, (long)op.Immediate);
            _il.Emit(OpCodes.Sub);
            _il.Emit(OpCodes.Stloc, _fuel);
        }
        if (op.A == 1)
        {
            CheckAtHead(index, op, index == 0 ? Runtime.PausePoint.Entry : Runtime.PausePoint.Loop);
        }
    }

    private void Open(int index, in Op op)
    {
        var type = _code.BlockTypes[(int)op.Immediate];
        if (op.Code == Opcode.If)
        {
            TakeCondition();
        }
        else
        {
            SpillAll();
        }
        Forget();
        var label = new BlockLabel
        {
            Opener = index,
            Types = op.Code == Opcode.Loop ? type.Parameters : type.Results,
            Height = _stack.Count - type.Parameters.Length,
            Target = _il.DefineLabel(),
            Type = type,
        };
        _labels.Add(label);
        if (op.Code == Opcode.Loop)
        {
            _il.MarkLabel(label.Target);
        }
        else if (op.Code == Opcode.If)
        {
            label.Else = _il.DefineLabel();
            _il.Emit(OpCodes.Brfalse, label.Else);
        }
    }

    // The condition alone is on IL's stack; what is below must be canonical before ways part.
    private void TakeCondition()
    {
        SpillBelow(1);
        PopOperand();
        if (_stack.Exists(operand => operand.Raw))
        {
            _il.Emit(OpCodes.Stloc, Temporary(ValueType.I32));
            Settle(_stack.Count);
            _il.Emit(OpCodes.Ldloc, Temporary(ValueType.I32));
        }
    }

    // What was known of operands on one way does not hold where ways meet.
    private void Forget()
    {
        for (var i = 0; i < _stack.Count; i++)
        {
            _stack[i] = new Operand(_stack[i].Type, OnIl: false, Raw: false);
        }
    }

    private void Else(in Op op)
    {
        var label = _labels[^1];
        if (op.B == 1)
        {
            SpillAll();
            _il.Emit(OpCodes.Br, label.Target);
        }
        _il.MarkLabel(label.Else);
        Reset(label.Height, label.Type!.Parameters);
    }

    private void End(in Op op)
    {
        var label = _labels[^1];
        if (op.A < 0)
        {
            // The function's own end: the label is where branches to it return.
            if (op.B == 1)
            {
                Return();
            }
            return;
        }
        if (op.B == 1)
        {
            SpillAll();
        }
        _labels.RemoveAt(_labels.Count - 1);
        var opener = _code.Ops[op.A];
        if (opener.Code == Opcode.If && opener.B < 0)
        {
            _il.MarkLabel(label.Else);
        }
        if (opener.Code != Opcode.Loop)
        {
            _il.MarkLabel(label.Target);
        }
        Reset(label.Height, label.Type!.Results);
    }

    private void Reset(int height, ImmutableArray<ValueType> types)
    {
        while (_stack.Count > height)
        {
            PopOperand();
        }
        foreach (var type in types)
        {
            PushSlot(type);
        }
    }

    private void BranchTo(int depth)
    {
        var label = _labels[^(depth + 1)];
        if (label.Opener == -1)
        {
            Return();
            return;
        }
        SpillAll();
        Carry(label);
        _il.Emit(OpCodes.Br, label.Target);
    }

    /// <summary>Moves the operands that a branch carries to where its label expects them. All are in slots.</summary>
    private void Carry(BlockLabel label)
    {
        var from = _stack.Count - label.Types.Length;
        if (from == label.Height)
        {
            return;
        }
        for (var i = 0; i < label.Types.Length; i++)
        {
            // Targets are below sources, and slots of other types are other locals: in order, nothing is overwritten too early.
            _il.Emit(OpCodes.Ldloc, Slot(from + i, label.Types[i]));
            _il.Emit(OpCodes.Stloc, Slot(label.Height + i, label.Types[i]));
        }
    }

    private void BranchIf(int depth)
    {
        var label = _labels[^(depth + 1)];
        TakeCondition();
        if (label.Opener != -1 && (label.Types.Length == 0 || _stack.Count - label.Types.Length == label.Height))
        {
            _il.Emit(OpCodes.Brtrue, label.Target);
            return;
        }
        var stays = _il.DefineLabel();
        _il.Emit(OpCodes.Brfalse, stays);
        if (label.Opener == -1)
        {
            var operands = _stack.ToArray();
            Return();
            _stack.Clear();
            _stack.AddRange(operands);
        }
        else
        {
            Carry(label);
            _il.Emit(OpCodes.Br, label.Target);
        }
        _il.MarkLabel(stays);
    }

    private void BranchTable(int[] depths)
    {
        TakeCondition();
        // One landing a label, where what it carries is moved.
        var landings = new Dictionary<int, Label>();
        var targets = new Label[depths.Length - 1];
        for (var i = 0; i < targets.Length; i++)
        {
            targets[i] = Landing(depths[i]);
        }
        _il.Emit(OpCodes.Switch, targets);
        _il.Emit(OpCodes.Br, Landing(depths[^1]));
        var operands = _stack.ToArray();
        foreach (var (depth, landing) in landings)
        {
            _il.MarkLabel(landing);
            BranchTo(depth);
            _stack.Clear();
            _stack.AddRange(operands);
        }

        Label Landing(int depth)
        {
            var label = _labels[^(depth + 1)];
            if (label.Opener != -1 && (label.Types.Length == 0 || _stack.Count - label.Types.Length == label.Height))
            {
                return label.Target;
            }
            if (!landings.TryGetValue(depth, out var landing))
            {
                landings.Add(depth, landing = _il.DefineLabel());
            }
            return landing;
        }
    }

    private void Return()
    {
        var results = _code.Type.Results;
        SaveFuel();
        if (results.Length == 0)
        {
            Spill(0);
            _il.Emit(OpCodes.Ret);
            return;
        }
        TakeOrSpillResults(results);
        _il.Emit(OpCodes.Ret);
        // IL's stack is gone behind a return; what enclosing blocks have below is in slots.
        Forget();
    }

    // The first result is returned, the others are left in the instance's slots.
    private void TakeOrSpillResults(ImmutableArray<ValueType> results)
    {
        if (results.Length == 1)
        {
            SpillBelow(1);
            TakeCanonical(1);
            return;
        }
        SpillAll();
        var first = _stack.Count - results.Length;
        var word = results[0].Words();
        for (var i = 1; i < results.Length; i++)
        {
            Field(SlotsField);
            _il.Emit(OpCodes.Ldc_I4, word * 8);
            _il.Emit(OpCodes.Add);
            _il.Emit(OpCodes.Ldloc, Slot(first + i, results[i]));
            _il.Store(results[i]);
            word += results[i].Words();
        }
        _il.Emit(OpCodes.Ldloc, Slot(first, results[0]));
    }
}
