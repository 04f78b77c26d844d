using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Interpretation;

// Numbers and scalar memory. A comparison before a branch becomes one with it, a constant on the right an immediate, a sum that
// is only an address a part of the access.
internal sealed partial class Lowering
{
    private static readonly Step[] Steps = ByOpcode("");
    private static readonly Step[] Immediates = ByOpcode("Imm");

    // Places in the order of the opcodes Eq, Ne, LtS, LtU, GtS, GtU, LeS, LeU, GeS, GeU.
    private static ReadOnlySpan<byte> Opposites => [1, 0, 8, 9, 6, 7, 4, 5, 2, 3];

    private static ReadOnlySpan<byte> Mirrored => [0, 1, 4, 5, 2, 3, 8, 9, 6, 7];

    private static Step[] ByOpcode(string suffix)
    {
        var steps = new Step[0x108];
        foreach (var code in Enum.GetValues<Opcode>())
        {
            if ((int)code <= 0xFC07 && Enum.TryParse<Step>(code + suffix, out var step))
            {
                steps[Number(code)] = step;
            }
        }
        return steps;
    }

    private static int Number(Opcode code) => (int)code < 0x100 ? (int)code : 0x100 + (byte)code;

    private void Number(in Op op)
    {
        if (op.Code is Opcode.I32ReinterpretF32 or Opcode.I64ReinterpretF64 or Opcode.F32ReinterpretI32
            or Opcode.F64ReinterpretI64 or Opcode.I64ExtendI32U)
        {
            // The slot's bits are the result's already.
            return;
        }
        if (op.Code is >= Opcode.I32Eqz and <= Opcode.I64GeU)
        {
            Compare(op.Code);
            return;
        }
        var binary = Signatures.Of(op.Code).Second != 0;
        if (!binary)
        {
            Define(Steps[Number(op.Code)], b: PopRead());
            return;
        }
        var right = _stack.Pop();
        var left = _stack.Pop();
        if (left.Place == OperandPlace.Constant && right.Place != OperandPlace.Constant && Commutes(op.Code))
        {
            (left, right) = (right, left);
        }
        if (right.Place == OperandPlace.Constant)
        {
            var (code, immediate) = op.Code switch
            {
                Opcode.I32Sub => (Opcode.I32Add, -right.Constant),
                Opcode.I64Sub => (Opcode.I64Add, unchecked(-right.Constant)),
                _ => (op.Code, right.Constant),
            };
            if (Immediates[Number(code)] is var step and not Step.Br)
            {
                Define(step, b: Read(left), immediate: immediate);
                return;
            }
        }
        var b = Read(left);
        Define(Steps[Number(op.Code)], b: b, c: Read(right));
    }

    private static bool Commutes(Opcode code) => code is
        Opcode.I32Add or Opcode.I32Mul or Opcode.I32And or Opcode.I32Or or Opcode.I32Xor
        or Opcode.I64Add or Opcode.I64Mul or Opcode.I64And or Opcode.I64Or or Opcode.I64Xor
        or Opcode.F32Add or Opcode.F32Mul or Opcode.F64Add or Opcode.F64Mul;

    private void Compare(Opcode code)
    {
        var wide = code >= Opcode.I64Eqz;
        var zero = code is Opcode.I32Eqz or Opcode.I64Eqz;
        var kind = zero ? 0 : code - (wide ? Opcode.I64Eq : Opcode.I32Eq);
        var right = zero ? default : _stack.Pop();
        var left = _stack.Pop();
        if (!zero && left.Place == OperandPlace.Constant && right.Place != OperandPlace.Constant)
        {
            (left, right) = (right, left);
            kind = Mirrored[kind];
        }
        var immediate = zero || right.Place == OperandPlace.Constant;
        var constant = zero ? 0 : wide ? right.Constant : (int)right.Constant;
        ref readonly var after = ref _code.Ops[_at + 1];
        var fused = after.Code == Opcode.If || (after.Code == Opcode.BrIf && _open[^(after.A + 1)].Operands.Length == 0);
        if (fused && after.Code == Opcode.If)
        {
            SettleAll();
        }
        var b = Read(left);
        var c = immediate ? 0 : Read(right);
        if (!fused)
        {
            var step = (wide ? immediate ? Step.I64EqImm : Step.I64Eq : immediate ? Step.I32EqImm : Step.I32Eq) + (ushort)kind;
            Define(step, b: b, c: c, immediate: constant);
            return;
        }
        _at++;
        var first = wide ? immediate ? Step.BrIfI64EqImm : Step.BrIfI64Eq : immediate ? Step.BrIfI32EqImm : Step.BrIfI32Eq;
        var (straight, opposite) = (first + (ushort)kind, first + Opposites[kind]);
        if (after.Code == Opcode.If)
        {
            Open(after, opposite, b, c, constant);
        }
        else
        {
            BranchIf(_open[^(after.A + 1)], straight, opposite, b, c, constant);
        }
    }

    private void Access(in Op op)
    {
        if (op.Code == Opcode.MemorySize)
        {
            Define(Step.MemorySize);
            return;
        }
        if (op.Code == Opcode.MemoryGrow)
        {
            Define(Step.MemoryGrow, b: PopRead());
            return;
        }
        var offset = (long)op.Immediate;
        switch (op.Code)
        {
            case Opcode.I32Load or Opcode.F32Load or Opcode.I64Load32U:
                Load(Step.Load32, offset);
                break;
            case Opcode.I64Load or Opcode.F64Load:
                Load(Step.Load64, offset);
                break;
            case Opcode.I32Load8U or Opcode.I64Load8U:
                Load(Step.Load8U, offset);
                break;
            case Opcode.I32Load16U or Opcode.I64Load16U:
                Load(Step.Load16U, offset);
                break;
            case Opcode.I32Load8S or Opcode.I32Load16S or Opcode.I64Load8S or Opcode.I64Load16S or Opcode.I64Load32S:
                Define(Steps[(int)op.Code], b: PopRead(), immediate: offset);
                break;
            case Opcode.I32Store8 or Opcode.I64Store8:
                Store(Step.Store8, offset);
                break;
            case Opcode.I32Store16 or Opcode.I64Store16:
                Store(Step.Store16, offset);
                break;
            case Opcode.I32Store or Opcode.F32Store or Opcode.I64Store32:
                Store(Step.Store32, offset);
                break;
            default:
                Store(Step.Store64, offset);
                break;
        }
    }

    private void Load(Step step, long offset)
    {
        var address = _stack.Pop();
        if (_definition >= 0 && address.Place == OperandPlace.Own && _out[_definition] is { Step: Step.I32Add } sum
            && sum.A == address.Slot)
        {
            _out.RemoveAt(_definition);
            _origins.RemoveAt(_origins.Count - 1);
            Define(step + (Step.Load8UIndexed - Step.Load8U), b: sum.B, c: sum.C, immediate: offset);
            return;
        }
        Define(step, b: Read(address), immediate: offset);
    }

    private void Store(Step step, long offset)
    {
        var value = _stack.Pop();
        var address = _stack.Pop();
        var a = Read(address);
        Emit(step, a, Read(value), immediate: offset);
    }
}
