using System.Reflection.Emit;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

// Arithmetic, comparisons and conversions: one IL instruction where IL has it with the same meaning, else a function.
internal sealed partial class FunctionCompiler
{
    private void EmitNumeric(in Op op)
    {
        if (op.Code is Opcode.Select or Opcode.SelectTyped)
        {
            Select(op.Type);
            return;
        }
        if (op.Code == Opcode.RefIsNull)
        {
            Take(1);
            _il.Emit(OpCodes.Ldc_I8, 0L);
            Replace(1, ValueType.I32, boolean: true, OpCodes.Ceq);
            return;
        }
        if (op.Code == Opcode.I8x16Shuffle)
        {
            Take(2);
            Vector(op.Immediate, _code.HighHalves[op.A]);
            _il.Emit(OpCodes.Call, SimdMethod(op.Code));
            Drop(2);
            Push(ValueType.V128);
            return;
        }
        var signature = Signatures.Of(op.Code);
        var count = signature.Third != 0 ? 3 : signature.Second != 0 ? 2 : 1;
        if (Comparison(op.Code) || Integer(op.Code) || Conversion(op.Code))
        {
            return;
        }
        if (IsArithmetic(op.Code))
        {
            Take(count);
            Arithmetic(op.Code);
            Drop(count);
            Push(signature.Result, raw: true);
            return;
        }
        TakeCanonical(count);
        if (signature.Shape == OpShape.Lane)
        {
            EmitLane(op.A);
        }
        Drop(count);
        if (IsVector(op.Code))
        {
            _il.Emit(OpCodes.Call, SimdMethod(op.Code));
        }
        else
        {
            Function(op.Code);
        }
        Push(signature.Result, boolean: signature.Result == ValueType.I32 && op.Code is Opcode.V128AnyTrue);
    }

    private static bool IsVector(Opcode code) => (int)code >> 8 == 0xFD;

    // Those that may trap find the fuel where the trap is reported from.
    private void Function(Opcode code)
    {
        if (code is >= Opcode.I32DivS and <= Opcode.I32RemU or >= Opcode.I64DivS and <= Opcode.I64RemU
            or >= Opcode.I32TruncF32S and <= Opcode.I32TruncF64U or >= Opcode.I64TruncF32S and <= Opcode.I64TruncF64U)
        {
            SaveFuel();
        }
        _il.Emit(OpCodes.Call, IlTypes.Static(typeof(Numerics), code.ToString()));
    }

    private void Replace(int operands, ValueType type, bool boolean, params ReadOnlySpan<OpCode> codes)
    {
        Drop(operands);
        foreach (var code in codes)
        {
            _il.Emit(code);
        }
        Push(type, boolean: boolean);
    }

    private bool Comparison(Opcode code)
    {
        if (code is < Opcode.I32Eqz or > Opcode.F64Ge)
        {
            return false;
        }
        if (code is Opcode.I32Eqz or Opcode.I64Eqz)
        {
            Take(1);
            _il.Emit(OpCodes.Ldc_I4_0);
            if (code == Opcode.I64Eqz)
            {
                _il.Emit(OpCodes.Conv_I8);
            }
            Replace(1, ValueType.I32, true, OpCodes.Ceq);
            return true;
        }
        Take(2);
        ReadOnlySpan<OpCode> codes = code switch
        {
            Opcode.I32Eq or Opcode.I64Eq or Opcode.F32Eq or Opcode.F64Eq => [OpCodes.Ceq],
            Opcode.I32Ne or Opcode.I64Ne or Opcode.F32Ne or Opcode.F64Ne => [OpCodes.Ceq, OpCodes.Ldc_I4_0, OpCodes.Ceq],
            Opcode.I32LtS or Opcode.I64LtS or Opcode.F32Lt or Opcode.F64Lt => [OpCodes.Clt],
            Opcode.I32LtU or Opcode.I64LtU => [OpCodes.Clt_Un],
            Opcode.I32GtS or Opcode.I64GtS or Opcode.F32Gt or Opcode.F64Gt => [OpCodes.Cgt],
            Opcode.I32GtU or Opcode.I64GtU => [OpCodes.Cgt_Un],
            Opcode.I32LeS or Opcode.I64LeS => [OpCodes.Cgt, OpCodes.Ldc_I4_0, OpCodes.Ceq],
            Opcode.I32LeU or Opcode.I64LeU => [OpCodes.Cgt_Un, OpCodes.Ldc_I4_0, OpCodes.Ceq],
            Opcode.I32GeS or Opcode.I64GeS => [OpCodes.Clt, OpCodes.Ldc_I4_0, OpCodes.Ceq],
            Opcode.I32GeU or Opcode.I64GeU => [OpCodes.Clt_Un, OpCodes.Ldc_I4_0, OpCodes.Ceq],
            // For floats the unordered comparison is the negation of the ordered opposite.
            Opcode.F32Le or Opcode.F64Le => [OpCodes.Cgt_Un, OpCodes.Ldc_I4_0, OpCodes.Ceq],
            _ => [OpCodes.Clt_Un, OpCodes.Ldc_I4_0, OpCodes.Ceq],
        };
        Replace(2, ValueType.I32, true, codes);
        return true;
    }

    private bool Integer(Opcode code)
    {
        var wide = code is >= Opcode.I64Add and <= Opcode.I64Rotr;
        if (!wide && code is < Opcode.I32Add or > Opcode.I32Rotr)
        {
            return false;
        }
        var type = wide ? ValueType.I64 : ValueType.I32;
        var narrow = wide ? code - Opcode.I64Add + Opcode.I32Add : code;
        Take(2);
        var right = _stack[^1];
        OpCode? one = narrow switch
        {
            Opcode.I32Add => OpCodes.Add,
            Opcode.I32Sub => OpCodes.Sub,
            Opcode.I32Mul => OpCodes.Mul,
            Opcode.I32And => OpCodes.And,
            Opcode.I32Or => OpCodes.Or,
            Opcode.I32Xor => OpCodes.Xor,
            Opcode.I32Shl => OpCodes.Shl,
            Opcode.I32ShrS => OpCodes.Shr,
            Opcode.I32ShrU => OpCodes.Shr_Un,
            // A divisor that is known not to trap needs no checks.
            Opcode.I32DivS when right.Constant is not (null or 0 or -1) => OpCodes.Div,
            Opcode.I32DivU when right.Constant is not (null or 0) => OpCodes.Div_Un,
            Opcode.I32RemS when right.Constant is not (null or 0 or -1) => OpCodes.Rem,
            Opcode.I32RemU when right.Constant is not (null or 0) => OpCodes.Rem_Un,
            _ => null,
        };
        Drop(2);
        if (one is not { } instruction)
        {
            Function(code);
        }
        else
        {
            if (narrow is Opcode.I32Shl or Opcode.I32ShrS or Opcode.I32ShrU)
            {
                ShiftCount(wide);
            }
            _il.Emit(instruction);
        }
        Push(type);
        return true;
    }

    // Counts are modulo the width; IL wants them as i32.
    private void ShiftCount(bool wide)
    {
        if (wide)
        {
            _il.Emit(OpCodes.Conv_I4);
        }
        _il.Emit(OpCodes.Ldc_I4, wide ? 63 : 31);
        _il.Emit(OpCodes.And);
    }

    private bool Conversion(Opcode code)
    {
        var (taken, type, instruction) = code switch
        {
            Opcode.I32WrapI64 => (1, ValueType.I32, OpCodes.Conv_I4),
            Opcode.I64ExtendI32S => (1, ValueType.I64, OpCodes.Conv_I8),
            Opcode.I64ExtendI32U => (1, ValueType.I64, OpCodes.Conv_U8),
            Opcode.I32Extend8S => (1, ValueType.I32, OpCodes.Conv_I1),
            Opcode.I32Extend16S => (1, ValueType.I32, OpCodes.Conv_I2),
            Opcode.F32ConvertI32S or Opcode.F32ConvertI64S => (1, ValueType.F32, OpCodes.Conv_R4),
            Opcode.F64ConvertI32S or Opcode.F64ConvertI64S => (1, ValueType.F64, OpCodes.Conv_R8),
            _ => (0, default, OpCodes.Nop),
        };
        if (taken == 0)
        {
            return Reinterpretation(code);
        }
        Take(1);
        Replace(1, type, false, instruction);
        return true;
    }

    private bool Reinterpretation(Opcode code)
    {
        var (name, type) = code switch
        {
            Opcode.I32ReinterpretF32 => (nameof(BitConverter.SingleToInt32Bits), ValueType.I32),
            Opcode.I64ReinterpretF64 => (nameof(BitConverter.DoubleToInt64Bits), ValueType.I64),
            Opcode.F32ReinterpretI32 => (nameof(BitConverter.Int32BitsToSingle), ValueType.F32),
            Opcode.F64ReinterpretI64 => (nameof(BitConverter.Int64BitsToDouble), ValueType.F64),
            _ => ("", default),
        };
        if (name.Length == 0)
        {
            return false;
        }
        TakeCanonical(1);
        if (code == Opcode.F32ReinterpretI32)
        {
            Call(nameof(CompiledRuntime.SingleOfBits));
        }
        else
        {
            _il.Emit(OpCodes.Call, typeof(BitConverter).GetMethod(name)!);
        }
        Drop(1);
        Push(type);
        return true;
    }

    private void Arithmetic(Opcode code)
    {
        switch (code)
        {
            case Opcode.F32Add or Opcode.F64Add:
                _il.Emit(OpCodes.Add);
                break;
            case Opcode.F32Sub or Opcode.F64Sub:
                _il.Emit(OpCodes.Sub);
                break;
            case Opcode.F32Mul or Opcode.F64Mul:
                _il.Emit(OpCodes.Mul);
                break;
            case Opcode.F32Div or Opcode.F64Div:
                _il.Emit(OpCodes.Div);
                break;
            case Opcode.F32Sqrt:
                _il.Emit(OpCodes.Call, typeof(MathF).GetMethod(nameof(MathF.Sqrt))!);
                break;
            case Opcode.F64Sqrt:
                _il.Emit(OpCodes.Call, typeof(Math).GetMethod(nameof(Math.Sqrt))!);
                break;
            case Opcode.F32DemoteF64:
                _il.Emit(OpCodes.Conv_R4);
                break;
            default:
                _il.Emit(OpCodes.Conv_R8);
                break;
        }
    }

    /// <summary>
    /// Integers are chosen without a branch, which data would often mispredict: b ^ ((a ^ b) &amp; -condition). Others by one.
    /// </summary>
    private void Select(ValueType type)
    {
        TakeCanonical(3);
        var condition = PopOperand();
        Drop(2);
        var (a, b) = (Slot(_stack.Count, type), Slot(_stack.Count + 1, type));
        if (type is ValueType.I32 or ValueType.I64)
        {
            if (!condition.Boolean)
            {
                _il.Emit(OpCodes.Ldc_I4_0);
                _il.Emit(OpCodes.Cgt_Un);
            }
            _il.Emit(OpCodes.Neg);
            if (type == ValueType.I64)
            {
                _il.Emit(OpCodes.Conv_I8);
            }
            var mask = Temporary(type);
            _il.Emit(OpCodes.Stloc, mask);
            _il.Emit(OpCodes.Stloc, b);
            _il.Emit(OpCodes.Ldloc, b);
            _il.Emit(OpCodes.Xor);
            _il.Emit(OpCodes.Ldloc, mask);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Ldloc, b);
            _il.Emit(OpCodes.Xor);
            Push(type);
            return;
        }
        var first = _il.DefineLabel();
        var choice = Temporary(ValueType.I32);
        _il.Emit(OpCodes.Stloc, choice);
        _il.Emit(OpCodes.Stloc, b);
        _il.Emit(OpCodes.Stloc, a);
        Spill(0);
        _il.Emit(OpCodes.Ldloc, choice);
        _il.Emit(OpCodes.Brtrue, first);
        _il.Emit(OpCodes.Ldloc, b);
        _il.Emit(OpCodes.Stloc, a);
        _il.MarkLabel(first);
        PushSlot(type);
    }
}
