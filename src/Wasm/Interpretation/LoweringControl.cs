using System.Runtime.InteropServices;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Interpretation;

// Blocks, branches and calls. At the start of a block, and at whatever can be jumped to, all operands are in their own slots;
// a branch moves the label's operands there first.
internal sealed partial class Lowering
{
    private sealed class Label
    {
        public required FunctionType Type { get; init; }

        /// <summary>Operands below the block's own.</summary>
        public required int Below { get; init; }

        public bool IsLoop { get; init; }

        /// <summary>Of a loop: the instruction to jump to.</summary>
        public int Start { get; init; }

        /// <summary>The jump past the first arm of an if, or -1.</summary>
        public int Otherwise { get; set; } = -1;

        public List<int> Jumps { get; } = [];

        public ReadOnlySpan<ValueType> Operands => (IsLoop ? Type.Parameters : Type.Results).AsSpan();
    }

    private void Control(in Op op)
    {
        switch (op.Code)
        {
            case Opcode.Unreachable:
                Emit(Step.Unreachable);
                break;
            case Opcode.Nop:
                break;
            case Opcode.Charge:
                Charge(op);
                break;
            case Opcode.Block or Opcode.Loop:
                SettleAll();
                Open(op, Step.Br);
                break;
            case Opcode.If:
                var condition = _stack.Pop();
                SettleAll();
                Open(op, Step.BrIfZero, Read(condition));
                break;
            case Opcode.Else:
                Else(op);
                break;
            case Opcode.End:
                End(op);
                break;
            case Opcode.Br:
                Branch(_open[^(op.A + 1)]);
                break;
            case Opcode.BrIf:
                var taken = _stack.Pop();
                BranchIf(_open[^(op.A + 1)], Step.BrIf, Step.BrIfZero, Read(taken), 0, 0);
                break;
            case Opcode.BrTable:
                BranchTable(_code.BranchTables[op.A]);
                break;
            case Opcode.Return:
                Return();
                break;
            default:
                Call(op);
                break;
        }
    }

    private void Charge(in Op op)
    {
        if (op.A == 1)
        {
            Emit(Step.ChargeCheck, immediate: (long)op.Immediate);
        }
        else if (_branch >= 0 && op.Immediate <= ushort.MaxValue)
        {
            CollectionsMarshal.AsSpan(_out)[_branch].Extra = (ushort)op.Immediate;
            _branch = -1;
        }
        else if (op.Immediate > 0)
        {
            Emit(Step.Charge, immediate: (long)op.Immediate);
        }
    }

    /// <summary>Of an if, the jump past its first arm is emitted here.</summary>
    private void Open(in Op op, Step otherwise, int b = 0, int c = 0, long immediate = 0)
    {
        var type = _code.BlockTypes[(int)op.Immediate];
        var label = new Label
        {
            Type = type,
            Below = _stack.Count - type.Parameters.Length,
            IsLoop = op.Code == Opcode.Loop,
            Start = _out.Count,
        };
        if (op.Code == Opcode.If)
        {
            label.Otherwise = Emit(otherwise, 0, b, c, immediate);
            _branch = label.Otherwise;
        }
        else
        {
            (_definition, _branch) = (-1, -1);
        }
        _open.Add(label);
    }

    private void Else(in Op op)
    {
        var label = _open[^1];
        if (op.B == 1)
        {
            SettleAll();
            label.Jumps.Add(Emit(Step.Br));
        }
        Land(label.Otherwise);
        label.Otherwise = -1;
        _stack.CutTo(label.Below);
        _stack.PushOwn(label.Type.Parameters.AsSpan());
    }

    private void End(in Op op)
    {
        var label = _open[^1];
        _open.RemoveAt(_open.Count - 1);
        var joined = label.Jumps.Count > 0 || label.Otherwise >= 0;
        if (op.B == 0 || joined)
        {
            if (op.B == 1)
            {
                SettleAll();
            }
            Land(label.Otherwise);
            foreach (var jump in label.Jumps)
            {
                Land(jump);
            }
            _stack.CutTo(label.Below);
            _stack.PushOwn(label.Type.Results.AsSpan());
        }
        if (op.A < 0 && (op.B == 1 || joined))
        {
            Return();
        }
    }

    /// <summary>A jump that was emitted before leads here.</summary>
    private void Land(int jump)
    {
        if (jump >= 0)
        {
            CollectionsMarshal.AsSpan(_out)[jump].A = Distance(jump, _out.Count);
            (_definition, _branch) = (-1, -1);
        }
    }

    private static int Distance(int from, int to) => (to - from - 1) * 24;

    private void Jump(Label label, Step step, int b = 0, int c = 0, long immediate = 0)
    {
        var jump = Emit(step, 0, b, c, immediate);
        if (label.IsLoop)
        {
            CollectionsMarshal.AsSpan(_out)[jump].A = Distance(jump, label.Start);
        }
        else
        {
            label.Jumps.Add(jump);
        }
    }

    private void Branch(Label label)
    {
        if (label == _open[0])
        {
            Return();
            return;
        }
        MoveOperands(label);
        Jump(label, Step.Br);
    }

    private void BranchIf(Label label, Step step, Step opposite, int b, int c, long immediate)
    {
        var arity = label.Operands.Length;
        if (arity > 0)
        {
            SettleTop(arity);
        }
        if (arity == 0 || IsInPlace(label))
        {
            Jump(label, step, b, c, immediate);
            _branch = _out.Count - 1;
            return;
        }
        var past = Emit(opposite, 0, b, c, immediate);
        MoveOperands(label);
        Jump(label, Step.Br);
        Land(past);
    }

    private void BranchTable(int[] depths)
    {
        var index = PopRead();
        SettleTop(_open[^(depths[^1] + 1)].Operands.Length);
        Emit(Step.BrTable, 0, index, depths.Length - 1);
        var first = _out.Count;
        var detours = new Dictionary<int, List<int>>();
        foreach (var depth in depths)
        {
            var label = _open[^(depth + 1)];
            if (IsInPlace(label))
            {
                Jump(label, Step.Br);
            }
            else
            {
                CollectionsMarshal.GetValueRefOrAddDefault(detours, depth, out _) ??= [];
                detours[depth].Add(Emit(Step.Br));
            }
        }
        foreach (var (depth, jumps) in detours)
        {
            jumps.ForEach(Land);
            MoveOperands(_open[^(depth + 1)]);
            Jump(_open[^(depth + 1)], Step.Br);
        }
    }

    /// <summary>The topmost operands are where the label wants them.</summary>
    private bool IsInPlace(Label label) => _stack.Count - label.Operands.Length == label.Below || label.Operands.Length == 0;

    private void SettleTop(int count)
    {
        while (_stack.Pending.Count > 0 && _stack.Pending[^1] >= _stack.Count - count)
        {
            Settle(_stack.Pending.Count - 1);
        }
    }

    private void MoveOperands(Label label)
    {
        var count = label.Operands.Length;
        if (count == 0)
        {
            return;
        }
        // Upwards: a slot that is written is never one that is still to be read.
        var slot = SlotOf(label.Below);
        for (var i = _stack.Count - count; i < _stack.Count; i++)
        {
            CopyTo(slot, _stack[i]);
            slot += _stack[i].Wide ? 16 : 8;
        }
    }

    private int SlotOf(int operand) => operand < _stack.Count ? _stack[operand].Slot : _stack.NextSlot;

    /// <summary>Results go to the start of the frame, which is where the caller expects them.</summary>
    private void Return()
    {
        var results = _code.Type.Results.Length;
        if (results == 1 && !_stack[_stack.Count - 1].Wide && _stack[_stack.Count - 1].Place != OperandPlace.Constant)
        {
            Emit(Step.ReturnValue, 0, Read(_stack[_stack.Count - 1]), _code.Depth);
            return;
        }
        if (results > 1)
        {
            // They may be locals that the first results overwrite.
            SettleTop(results);
        }
        var slot = 0;
        for (var i = _stack.Count - results; i < _stack.Count; i++)
        {
            CopyTo(slot, _stack[i]);
            slot += _stack[i].Wide ? 16 : 8;
        }
        Emit(Step.Return, c: _code.Depth);
    }

    private void Call(in Op op)
    {
        var type = FrameImages.TypeOf(op, _module);
        var index = 0;
        if (op.Code == Opcode.CallIndirect)
        {
            var operand = _stack.Pop();
            SettleAll();
            index = Read(operand);
        }
        SettleAll();
        _stack.CutTo(_stack.Count - type.Parameters.Length);
        if (op.Code == Opcode.CallIndirect)
        {
            Emit(Step.CallIndirect, _stack.NextSlot, op.A, index, op.B);
        }
        else
        {
            Emit(op.A < _module.ImportedFunctions ? Step.CallImport : Step.Call, _stack.NextSlot, op.A);
        }
        _stack.PushOwn(type.Results.AsSpan());
    }
}
