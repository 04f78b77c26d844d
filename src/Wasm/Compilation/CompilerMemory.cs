using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Intrinsics;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

// Loads and stores with their bounds, memories, globals, tables, locals and constants.
internal sealed partial class FunctionCompiler
{
    private static readonly FieldInfo OwnGlobalsField = IlTypes.Field<Instance>(nameof(Instance.OwnGlobals));
    private static readonly FieldInfo GlobalCellsField = IlTypes.Field<Instance>(nameof(Instance.GlobalCells));

    private bool EmitMemory(in Op op)
    {
        var signature = Signatures.Of(op.Code);
        switch (signature.Shape)
        {
            case OpShape.Load:
                Address(op, signature.Bytes);
                LoadAs(op.Code, signature);
                Push(signature.Result);
                return true;
            case OpShape.Store:
                TakeCanonical(1);
                Store(op, signature);
                return true;
            case OpShape.LoadLane:
                LoadLane(op, signature);
                return true;
            case OpShape.StoreLane:
                TakeCanonical(1);
                EmitLane(op.A);
                _il.Emit(OpCodes.Call, SimdMethod(LaneInstruction(signature, "ExtractLane")));
                _stack[^1] = new Operand(signature.Bytes == 8 ? ValueType.I64 : ValueType.I32, OnIl: true, Raw: false);
                Store(op, signature);
                return true;
            default:
                return false;
        }
    }

    /// <summary>
    /// Takes the topmost operand as an address and leaves the host's address on IL's stack, or traps. Everything else is in
    /// slots then, so that the way to the trap finds IL's stack empty.
    /// </summary>
    private void Address(in Op op, int bytes)
    {
        SpillBelow(1);
        PopOperand();
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Stloc, _address);
        _il.Emit(OpCodes.Ldloc, _address);
        _il.Emit(OpCodes.Ldc_I8, (long)op.Immediate + bytes);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldloc, _length);
        _memoryTraps = true;
        _il.Emit(OpCodes.Bgt_Un, _memoryTrap);
        _il.Emit(OpCodes.Ldloc, _base);
        _il.Emit(OpCodes.Ldloc, _address);
        _il.Emit(OpCodes.Conv_U);
        _il.Emit(OpCodes.Add);
        if (op.Immediate != 0)
        {
            _il.Emit(OpCodes.Ldc_I8, (long)op.Immediate);
            _il.Emit(OpCodes.Conv_I);
            _il.Emit(OpCodes.Add);
        }
    }

    private void LoadAs(Opcode code, OpSignature signature)
    {
        switch (code)
        {
            case Opcode.I32Load8S or Opcode.I64Load8S:
                _il.Emit(OpCodes.Ldind_I1);
                break;
            case Opcode.I32Load8U or Opcode.I64Load8U or Opcode.V128Load8Splat:
                _il.Emit(OpCodes.Ldind_U1);
                break;
            case Opcode.I32Load16S or Opcode.I64Load16S:
                _il.Emit(OpCodes.Ldind_I2);
                break;
            case Opcode.I32Load16U or Opcode.I64Load16U or Opcode.V128Load16Splat:
                _il.Emit(OpCodes.Ldind_U2);
                break;
            case Opcode.I64Load32S or Opcode.V128Load32Splat or Opcode.V128Load32Zero:
                _il.Emit(OpCodes.Ldind_I4);
                break;
            case Opcode.I64Load32U:
                _il.Emit(OpCodes.Ldind_U4);
                break;
            case >= Opcode.V128Load8x8S and <= Opcode.V128Load32x2U or Opcode.V128Load64Splat or Opcode.V128Load64Zero:
                _il.Emit(OpCodes.Ldind_I8);
                break;
            default:
                _il.Load(signature.Result);
                return;
        }
        if (signature.Result == ValueType.I64)
        {
            _il.Emit(code is Opcode.I64Load8S or Opcode.I64Load16S or Opcode.I64Load32S ? OpCodes.Conv_I8 : OpCodes.Conv_U8);
        }
        else if (signature.Result == ValueType.V128)
        {
            _il.Emit(OpCodes.Call, SimdMethod(code));
        }
    }

    // The value is on IL's stack, the address below it.
    private void Store(in Op op, OpSignature signature)
    {
        var value = PopOperand();
        var temporary = Temporary(value.Type);
        _il.Emit(OpCodes.Stloc, temporary);
        Address(op, signature.Bytes);
        _il.Emit(OpCodes.Ldloc, temporary);
        switch (signature.Bytes)
        {
            case 1:
                _il.Emit(OpCodes.Stind_I1);
                break;
            case 2:
                _il.Emit(OpCodes.Stind_I2);
                break;
            case 4 when value.Type != ValueType.F32:
                _il.Emit(OpCodes.Stind_I4);
                break;
            default:
                _il.Store(value.Type);
                break;
        }
    }

    private void LoadLane(in Op op, OpSignature signature)
    {
        Take(1);
        PopOperand();
        var vector = Temporary(ValueType.V128);
        _il.Emit(OpCodes.Stloc, vector);
        Address(op, signature.Bytes);
        _il.Emit(signature.Bytes switch
        {
            1 => OpCodes.Ldind_U1,
            2 => OpCodes.Ldind_U2,
            4 => OpCodes.Ldind_I4,
            _ => OpCodes.Ldind_I8,
        });
        var lane = Temporary(signature.Bytes == 8 ? ValueType.I64 : ValueType.I32);
        _il.Emit(OpCodes.Stloc, lane);
        _il.Emit(OpCodes.Ldloc, vector);
        _il.Emit(OpCodes.Ldloc, lane);
        EmitLane(op.A);
        _il.Emit(OpCodes.Call, SimdMethod(LaneInstruction(signature, "ReplaceLane")));
        Push(ValueType.V128);
    }

    private static Opcode LaneInstruction(OpSignature signature, string what) => (signature.Bytes, what) switch
    {
        (1, "ExtractLane") => Opcode.I8x16ExtractLaneU,
        (2, "ExtractLane") => Opcode.I16x8ExtractLaneU,
        (4, "ExtractLane") => Opcode.I32x4ExtractLane,
        (_, "ExtractLane") => Opcode.I64x2ExtractLane,
        (1, _) => Opcode.I8x16ReplaceLane,
        (2, _) => Opcode.I16x8ReplaceLane,
        (4, _) => Opcode.I32x4ReplaceLane,
        _ => Opcode.I64x2ReplaceLane,
    };

    private void EmitLane(int lane) => _il.Emit(OpCodes.Ldc_I4, lane);

    private bool EmitVariable(in Op op)
    {
        switch (op.Code)
        {
            case Opcode.LocalGet:
                LoadLocal(op.A);
                Push(op.Type, raw: _pure[op.A]);
                return true;
            case Opcode.LocalSet:
                TakeFor(op.A);
                PopOperand();
                StoreLocal(op.A);
                return true;
            case Opcode.LocalTee:
                TakeFor(op.A);
                _il.Emit(OpCodes.Dup);
                StoreLocal(op.A);
                return true;
            case Opcode.GlobalGet:
                GlobalCell(op.A);
                _il.Load(op.Type);
                Push(op.Type);
                return true;
            case Opcode.GlobalSet:
                TakeCanonical(1);
                PopOperand();
                _il.Emit(OpCodes.Stloc, Temporary(op.Type));
                GlobalCell(op.A);
                _il.Emit(OpCodes.Ldloc, Temporary(op.Type));
                _il.Store(op.Type);
                return true;
            case Opcode.Drop:
                if (PopOperand().OnIl)
                {
                    _il.Emit(OpCodes.Pop);
                }
                return true;
            default:
                return EmitConstant(op) || EmitBulk(op);
        }
    }

    private void TakeFor(int local)
    {
        if (_pure[local])
        {
            Take(1);
        }
        else
        {
            TakeCanonical(1);
        }
    }

    // The address of a global's cell: its own ones lie together, imported ones wherever their makers have them.
    private void GlobalCell(int global)
    {
        var imported = _module.ImportedGlobals;
        Field(global < imported ? GlobalCellsField : OwnGlobalsField);
        _il.Emit(OpCodes.Ldc_I4, global < imported ? global * 8 : (global - imported) * 16);
        _il.Emit(OpCodes.Add);
        if (global < imported)
        {
            _il.Emit(OpCodes.Ldind_I);
        }
    }

    private bool EmitConstant(in Op op)
    {
        switch (op.Code)
        {
            case Opcode.I32Const:
                _il.Emit(OpCodes.Ldc_I4, (int)op.Immediate);
                Push(ValueType.I32, boolean: op.Immediate <= 1, constant: (int)op.Immediate);
                return true;
            case Opcode.I64Const:
                _il.Emit(OpCodes.Ldc_I8, (long)op.Immediate);
                Push(ValueType.I64, constant: (long)op.Immediate);
                return true;
            case Opcode.F32Const:
                // By bits where it is a NaN: a compiler that widens the constant would lose its payload.
                var single = BitConverter.UInt32BitsToSingle((uint)op.Immediate);
                if (float.IsNaN(single))
                {
                    _il.Emit(OpCodes.Ldc_I4, (int)op.Immediate);
                    Call(nameof(CompiledRuntime.SingleOfBits));
                }
                else
                {
                    _il.Emit(OpCodes.Ldc_R4, single);
                }
                Push(ValueType.F32);
                return true;
            case Opcode.F64Const:
                var number = BitConverter.UInt64BitsToDouble(op.Immediate);
                if (double.IsNaN(number))
                {
                    _il.Emit(OpCodes.Ldc_I8, (long)op.Immediate);
                    _il.Emit(OpCodes.Call, typeof(BitConverter).GetMethod(nameof(BitConverter.Int64BitsToDouble))!);
                }
                else
                {
                    _il.Emit(OpCodes.Ldc_R8, number);
                }
                Push(ValueType.F64);
                return true;
            case Opcode.V128Const:
                Vector(op.Immediate, _code.HighHalves[op.A]);
                Push(ValueType.V128);
                return true;
            case Opcode.RefNull:
                _il.Emit(OpCodes.Ldc_I8, 0L);
                Push(op.Type);
                return true;
            default:
                return false;
        }
    }

    private void Vector(ulong low, ulong high)
    {
        _il.Emit(OpCodes.Ldc_I8, (long)low);
        _il.Emit(OpCodes.Ldc_I8, (long)high);
        _il.Emit(OpCodes.Call, typeof(Vector128).GetMethod(nameof(Vector128.Create), [typeof(ulong), typeof(ulong)])!);
        _il.Emit(OpCodes.Call, IlTypes.Static(typeof(CompiledRuntime), nameof(CompiledRuntime.AsBytes)));
    }

    private static MethodInfo SimdMethod(Opcode code) => IlTypes.Static(typeof(Simd), code.ToString());
}
