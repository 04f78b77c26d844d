using System.Runtime.InteropServices;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>
/// Makes the interpreter's form of one function in one pass. The stack disappears: each operand has its slot in the frame, and
/// instructions name the slots, or locals, they read and write. This part emits; the others go by families of instructions.
/// </summary>
internal sealed partial class Lowering
{
    private readonly Module _module;
    private readonly FunctionCode _code;
    private readonly List<Instruction> _out = [];
    private readonly List<int> _origins = [];
    private readonly OperandStack _stack;
    private readonly int[] _locals;
    private readonly Stack<Label> _labels = [];
    private readonly List<Label> _open = [];

    // Index of the op that is being lowered.
    private int _at;

    // The last instruction if it made the topmost operand and nothing can jump past it; else -1.
    private int _definition = -1;

    // The last instruction if it is a conditional jump after which code simply goes on; else -1.
    private int _branch = -1;

    public Lowering(Module module, FunctionCode code)
    {
        (_module, _code) = (module, code);
        _locals = new int[code.Locals.Length];
        var slot = 0;
        for (var i = 0; i < _locals.Length; i++)
        {
            _locals[i] = slot;
            slot += code.Locals[i].Words() * sizeof(ulong);
        }
        _stack = new OperandStack(_locals.Length, code.LocalWords);
    }

    public LoweredCode Lower()
    {
        _open.Add(new Label { Type = _code.Type, Below = 0 });
        for (_at = 0; _at < _code.Ops.Length; _at++)
        {
            One(_code.Ops[_at]);
        }
        return new LoweredCode(_code, _out, _origins);
    }

    private void One(in Op op)
    {
        if (op.Code <= Opcode.CallIndirect || op.Code == Opcode.Charge)
        {
            Control(op);
        }
        else if (op.Code < Opcode.I32Load || op.Code is >= Opcode.I32Const and <= Opcode.F64Const)
        {
            Variable(op);
        }
        else if (op.Code <= Opcode.MemoryGrow)
        {
            Access(op);
        }
        else if ((int)op.Code >> 8 == 0xFD)
        {
            Vector(op);
        }
        else if (op.Code is (>= Opcode.RefNull and <= Opcode.RefFunc) or (>= Opcode.MemoryInit and <= Opcode.TableFill))
        {
            Reference(op);
        }
        else
        {
            Number(op);
        }
    }

    private int Emit(Step step, int a = 0, int b = 0, int c = 0, long immediate = 0, int extra = 0)
    {
        _out.Add(new Instruction { Step = step, Extra = (ushort)extra, A = a, B = b, C = c, Immediate = immediate });
        _origins.Add(_at);
        (_definition, _branch) = (-1, -1);
        return _out.Count - 1;
    }

    /// <summary>Emits an instruction whose result becomes the topmost operand; its operands are popped already.</summary>
    private void Define(Step step, bool wide = false, int b = 0, int c = 0, long immediate = 0, int extra = 0)
    {
        Emit(step, _stack.NextSlot, b, c, immediate, extra);
        _stack.PushOwn(wide);
        _definition = _out.Count - 1;
    }

    /// <summary>The place where an operand can be read, which for a constant is made here.</summary>
    private int Read(in Operand operand)
    {
        if (operand.Place == OperandPlace.Constant)
        {
            Emit(Step.Constant, operand.Slot, immediate: operand.Constant);
        }
        return operand.Place == OperandPlace.Local ? _locals[operand.Local] : operand.Slot;
    }

    private int PopRead()
    {
        var operand = _stack.Pop();
        return Read(operand);
    }

    private void CopyTo(int slot, in Operand operand)
    {
        if (operand.Place == OperandPlace.Constant)
        {
            Emit(Step.Constant, slot, immediate: operand.Constant);
            return;
        }
        var from = operand.Place == OperandPlace.Local ? _locals[operand.Local] : operand.Slot;
        if (from != slot)
        {
            Emit(operand.Wide ? Step.CopyWide : Step.Copy, slot, from);
        }
    }

    /// <summary>Puts all operands into their own slots.</summary>
    private void SettleAll()
    {
        while (_stack.Pending.Count > 0)
        {
            Settle(0);
        }
    }

    private void Settle(int pending)
    {
        var operand = _stack[_stack.Pending[pending]];
        CopyTo(operand.Slot, operand);
        _stack.Settle(pending);
    }

    /// <summary>Before a local changes: operands that stand for its value get copies.</summary>
    private void SettleReaders(int local)
    {
        if (!_stack.IsRead(local))
        {
            return;
        }
        for (var i = _stack.Pending.Count - 1; i >= 0; i--)
        {
            if (_stack[_stack.Pending[i]] is { Place: OperandPlace.Local } operand && operand.Local == local)
            {
                Settle(i);
            }
        }
    }

    private void LimitPending()
    {
        if (_stack.Pending.Count >= OperandStack.MostPending)
        {
            Settle(0);
        }
    }

    private void Variable(in Op op)
    {
        var wide = op.Type == ValueType.V128;
        switch (op.Code)
        {
            case Opcode.Drop:
                _stack.Pop();
                break;
            case Opcode.Select or Opcode.SelectTyped:
                var condition = PopRead();
                var second = _stack.Pop();
                var first = _stack.Pop();
                var b = Read(first);
                Define(wide ? Step.SelectWide : Step.Select, wide, b, Read(second), condition);
                break;
            case Opcode.LocalGet:
                LimitPending();
                _stack.PushLocal(op.A, wide);
                break;
            case Opcode.LocalSet:
                SetLocal(op.A);
                break;
            case Opcode.LocalTee:
                SetLocal(op.A);
                LimitPending();
                _stack.PushLocal(op.A, wide);
                break;
            case Opcode.GlobalGet:
                Define(
                    wide ? Step.GlobalGetWide : op.Type is ValueType.I32 or ValueType.F32 ? Step.GlobalGet32 : Step.GlobalGet,
                    wide, op.A);
                break;
            case Opcode.GlobalSet:
                Emit(wide ? Step.GlobalSetWide : Step.GlobalSet, op.A, PopRead());
                break;
            case Opcode.TableGet or Opcode.TableSet:
                Reference(op);
                break;
            default:
                LimitPending();
                _stack.PushConstant(op.Code is Opcode.I32Const or Opcode.F32Const ? (uint)op.Immediate : (long)op.Immediate);
                break;
        }
    }

    private void SetLocal(int local)
    {
        var definition = _definition;
        var value = _stack.Pop();
        SettleReaders(local);
        if (value.Place == OperandPlace.Own && definition == _out.Count - 1 && definition >= 0 && _out[definition].A == value.Slot)
        {
            // Whatever made it writes the local instead.
            CollectionsMarshal.AsSpan(_out)[definition].A = _locals[local];
            _definition = -1;
        }
        else
        {
            CopyTo(_locals[local], value);
        }
    }
}
