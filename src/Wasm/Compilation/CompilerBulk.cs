using System.Reflection.Emit;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

// Instructions on whole memories, tables and segments: all by functions, with the fuel in the instance, because they charge.
internal sealed partial class FunctionCompiler
{
    private bool EmitBulk(in Op op)
    {
        switch (op.Code)
        {
            case Opcode.MemorySize:
                Field(MemoryLengthField);
                _il.Emit(OpCodes.Ldc_I4, 16);
                _il.Emit(OpCodes.Shr);
                _il.Emit(OpCodes.Conv_I4);
                Push(ValueType.I32);
                return true;
            case Opcode.MemoryGrow:
                Helper(1, nameof(CompiledRuntime.MemoryGrow), ValueType.I32);
                ReloadLength();
                return true;
            case Opcode.MemoryFill:
                Helper(3, nameof(CompiledRuntime.MemoryFill), 0);
                return true;
            case Opcode.MemoryCopy:
                Helper(3, nameof(CompiledRuntime.MemoryCopy), 0);
                return true;
            case Opcode.MemoryInit:
                Helper(3, nameof(CompiledRuntime.MemoryInit), 0, op.A);
                return true;
            case Opcode.DataDrop:
                Helper(0, nameof(CompiledRuntime.DataDrop), 0, op.A);
                return true;
            case Opcode.ElemDrop:
                Helper(0, nameof(CompiledRuntime.ElementDrop), 0, op.A);
                return true;
            case Opcode.TableInit:
                Helper(3, nameof(CompiledRuntime.TableInit), 0, op.A, op.B);
                return true;
            case Opcode.TableCopy:
                Helper(3, nameof(CompiledRuntime.TableCopy), 0, op.A, op.B);
                return true;
            case Opcode.TableFill:
                Helper(3, nameof(CompiledRuntime.TableFill), 0, op.A);
                return true;
            case Opcode.TableGrow:
                Helper(2, nameof(CompiledRuntime.TableGrow), ValueType.I32, op.A);
                return true;
            case Opcode.TableSize:
                Helper(0, nameof(CompiledRuntime.TableSize), ValueType.I32, op.A);
                return true;
            case Opcode.TableGet:
                Helper(1, nameof(CompiledRuntime.TableGet), op.Type, op.A);
                return true;
            case Opcode.TableSet:
                Helper(2, nameof(CompiledRuntime.TableSet), 0, op.A);
                return true;
            case Opcode.RefFunc:
                Helper(0, nameof(CompiledRuntime.FunctionReference), ValueType.FuncRef, op.A);
                return true;
            default:
                return false;
        }
    }

    private void Helper(int operands, string name, ValueType result, params ReadOnlySpan<int> immediates)
    {
        SaveFuel();
        TakeCanonical(operands);
        Drop(operands);
        _il.Emit(OpCodes.Ldarg, _instance);
        foreach (var immediate in immediates)
        {
            _il.Emit(OpCodes.Ldc_I4, immediate);
        }
        Call(name);
        ReloadFuel();
        if (result != 0)
        {
            Push(result);
        }
    }
}
