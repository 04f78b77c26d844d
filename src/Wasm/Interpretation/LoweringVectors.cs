using System.Numerics;
using System.Runtime.InteropServices;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Interpretation;

// v128, references, tables and whole ranges of memory.
internal sealed partial class Lowering
{
    private void Vector(in Op op)
    {
        var signature = Signatures.Of(op.Code);
        switch (op.Code)
        {
            case Opcode.V128Const:
                var high = _code.HighHalves[op.A];
                Define(Step.ConstantWide, true, (int)(uint)high, (int)(high >> 32), (long)op.Immediate);
                return;
            case Opcode.I8x16Shuffle:
                SettleTop(2);
                var second = _stack.Pop();
                Shuffle(_stack.Pop().Slot, op.Immediate, _code.HighHalves[op.A]);
                return;
            case Opcode.V128Bitselect:
                SettleTop(3);
                _stack.Pop();
                _stack.Pop();
                Define(Step.VectorTernary, true, _stack.Pop().Slot, 0, SimdFunctions.Of(op.Code));
                return;
        }
        switch (signature.Shape)
        {
            case OpShape.Load:
                var load = op.Code == Opcode.V128Load ? Step.VectorLoad
                    : Step.VectorLoadFunction64 + (ushort)(3 - BitOperations.Log2(signature.Bytes));
                Define(load, true, PopRead(), (byte)op.Code, (long)op.Immediate);
                break;
            case OpShape.Store:
                Store(Step.VectorStore, (long)op.Immediate);
                break;
            case OpShape.LoadLane or OpShape.StoreLane:
                var vector = _stack.Pop();
                var address = _stack.Pop();
                var (from, at) = (Read(vector), Read(address));
                var extra = (signature.Bytes << 4) | (op.A * signature.Bytes);
                if (signature.Shape == OpShape.LoadLane)
                {
                    Define(Step.VectorLoadLane, true, at, from, (long)op.Immediate, extra);
                }
                else
                {
                    Emit(Step.VectorStoreLane, at, from, immediate: (long)op.Immediate, extra: extra);
                }
                break;
            case OpShape.Lane:
                Lane(op, signature);
                break;
            default:
                Pure(op.Code, signature);
                break;
        }
    }

    private void Pure(Opcode code, in OpSignature signature)
    {
        var function = SimdFunctions.Of(code);
        if (signature.Second != 0)
        {
            var right = _stack.Pop();
            var left = _stack.Pop();
            var b = Read(left);
            Define(signature.Second == ValueType.I32 ? Step.VectorShift : Step.VectorBinary, true, b, Read(right), function);
            return;
        }
        var operand = PopRead();
        switch (signature)
        {
            case { First: ValueType.V128, Result: ValueType.V128 }:
                Define(Step.VectorUnary, true, operand, 0, function);
                break;
            case { First: ValueType.V128 }:
                Define(Step.VectorTest, false, operand, 0, function);
                break;
            case { First: ValueType.I64 or ValueType.F64 }:
                Define(Step.VectorSplat64, true, operand, 0, SimdFunctions.Of(Opcode.I64x2Splat));
                break;
            default:
                // A float's bits are spread as an integer's.
                Define(Step.VectorSplat, true, operand, 0, code == Opcode.F32x4Splat ? SimdFunctions.Of(Opcode.I32x4Splat) : function);
                break;
        }
    }

    private void Lane(in Op op, in OpSignature signature)
    {
        var bytes = 16 / signature.Lanes;
        if (signature.Result == ValueType.V128)
        {
            var scalar = _stack.Pop();
            var vector = _stack.Pop();
            var b = Read(vector);
            Define(Step.ReplaceLane8 + (ushort)BitOperations.Log2((uint)bytes), true, b, Read(scalar), extra: op.A);
            return;
        }
        // A lane is a place in the frame like any other.
        var place = PopRead() + (op.A * bytes);
        Define(
            op.Code switch
            {
                Opcode.I8x16ExtractLaneS => Step.ExtractLane8S,
                Opcode.I8x16ExtractLaneU => Step.ExtractLane8U,
                Opcode.I16x8ExtractLaneS => Step.ExtractLane16S,
                Opcode.I16x8ExtractLaneU => Step.ExtractLane16U,
                _ => bytes == 4 ? Step.Copy32 : Step.Copy,
            },
            b: place);
    }

    private void Shuffle(int slot, ulong low, ulong high)
    {
        var at = Emit(Step.VectorShuffle, slot, immediate: (long)high);
        ref var instruction = ref CollectionsMarshal.AsSpan(_out)[at];
        (instruction.B, instruction.C) = ((int)(uint)low, (int)(low >> 32));
        _stack.PushOwn(true);
    }

    private void Reference(in Op op)
    {
        switch (op.Code)
        {
            case Opcode.RefNull:
                LimitPending();
                _stack.PushConstant(0);
                break;
            case Opcode.RefIsNull:
                Define(Step.RefIsNull, b: PopRead());
                break;
            case Opcode.RefFunc:
                Define(Step.RefFunc, b: op.A);
                break;
            case Opcode.DataDrop:
                Emit(Step.DataDrop, op.A);
                break;
            case Opcode.ElemDrop:
                Emit(Step.ElemDrop, op.A);
                break;
            case Opcode.MemoryInit:
                Range(Step.MemoryInit, op.A);
                break;
            case Opcode.MemoryCopy:
                Range(Step.MemoryCopy, 0);
                break;
            case Opcode.MemoryFill:
                Range(Step.MemoryFill, 0);
                break;
            case Opcode.TableInit:
                Range(Step.TableInit, (uint)op.A | ((long)op.B << 32));
                break;
            case Opcode.TableCopy:
                Range(Step.TableCopy, (uint)op.B | ((long)op.A << 32));
                break;
            case Opcode.TableFill:
                Range(Step.TableFill, (long)op.A << 32);
                break;
            case Opcode.TableSize:
                Define(Step.TableSize, immediate: op.A);
                break;
            case Opcode.TableGrow:
                var count = _stack.Pop();
                var filling = _stack.Pop();
                var b = Read(filling);
                Define(Step.TableGrow, b: b, c: Read(count), immediate: op.A);
                break;
            case Opcode.TableGet:
                Define(Step.TableGet, b: PopRead(), immediate: op.A);
                break;
            default:
                var value = _stack.Pop();
                var index = _stack.Pop();
                var a = Read(index);
                Emit(Step.TableSet, a, Read(value), immediate: op.A);
                break;
        }
    }

    private void Range(Step step, long immediate)
    {
        var count = _stack.Pop();
        var from = _stack.Pop();
        var to = _stack.Pop();
        var (a, b) = (Read(to), Read(from));
        Emit(step, a, b, Read(count), immediate);
    }
}
