using System.Reflection;
using System.Reflection.Emit;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

// Calls: direct, to imports, and through tables.
internal sealed partial class FunctionCompiler
{
    private static readonly FieldInfo CodeField = IlTypes.Field<Instance>(nameof(Instance.Code));

    private bool EmitCall(int index, in Op op)
    {
        switch (op.Code)
        {
            case Opcode.Call:
                Direct(index, op);
                return true;
            case Opcode.CallIndirect:
                Indirect(index, op);
                return true;
            default:
                return false;
        }
    }

    private void Direct(int index, in Op op)
    {
        var type = _module.FunctionTypeOf(op.A);
        if (op.A < _module.ImportedFunctions)
        {
            SpillAll();
            var arguments = _stack.Count - type.Parameters.Length;
            SaveFuel();
            SlotArguments(type, arguments);
            Drop(type.Parameters.Length);
            _il.Emit(OpCodes.Ldarg, _instance);
            _il.Emit(OpCodes.Ldc_I4, op.A);
            _il.Emit(OpCodes.Ldloc, _depth);
            Call(nameof(CompiledRuntime.CallImport));
            SlotResults(type);
            Returned(index, op, type);
            return;
        }
        SpillAll(except: 0);
        SaveFuel();
        TakeCanonical(type.Parameters.Length);
        Drop(type.Parameters.Length);
        _il.Emit(OpCodes.Ldarg, _instance);
        _il.Emit(OpCodes.Ldloc, _depth);
        _il.Emit(OpCodes.Ldc_I8, (long)op.A << 32);
        _il.Emit(OpCodes.Or);
        Field(CodeField);
        _il.Emit(OpCodes.Ldc_I4, op.A * sizeof(long));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I);
        _il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, IlTypes.ResultOf(type), IlTypes.ParametersOf(type), null);
        StoreResults(type, _stack.Count);
        Returned(index, op, type);
    }

    private void Indirect(int index, in Op op)
    {
        var type = _module.Types[op.A];
        var target = Temporary(ValueType.I32);
        var (foreign, stored) = (_il.DefineLabel(), _il.DefineLabel());
        SpillAll();
        SaveFuel();
        Take(1);
        PopOperand();
        _il.Emit(OpCodes.Ldarg, _instance);
        _il.Emit(OpCodes.Ldc_I4, op.B);
        _il.Emit(OpCodes.Ldc_I4, op.A);
        Call(op.B == 0 ? nameof(CompiledRuntime.TargetInTable0) : nameof(CompiledRuntime.Target));
        _il.Emit(OpCodes.Stloc, target);
        _il.Emit(OpCodes.Ldloc, target);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Blt, foreign);
        var arguments = _stack.Count - type.Parameters.Length;
        var values = _stack.ToArray();
        Take(type.Parameters.Length);
        Drop(type.Parameters.Length);
        _il.Emit(OpCodes.Ldarg, _instance);
        _il.Emit(OpCodes.Ldloc, _depth);
        _il.Emit(OpCodes.Ldloc, target);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Ldc_I4, 32);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Or);
        Field(CodeField);
        _il.Emit(OpCodes.Ldloc, target);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Ldc_I4_3);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I);
        _il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, IlTypes.ResultOf(type), IlTypes.ParametersOf(type), null);
        StoreResults(type, _stack.Count);
        var position = _stack.Count;
        _cold.Add(() =>
        {
            _il.MarkLabel(foreign);
            SlotArguments(type, arguments, values);
            _il.Emit(OpCodes.Ldarg, _instance);
            _il.Emit(OpCodes.Ldloc, target);
            _il.Emit(OpCodes.Ldloc, _depth);
            _il.Emit(OpCodes.Ldc_I4, type.ParameterWords);
            _il.Emit(OpCodes.Ldc_I4, type.ResultWords);
            Call(nameof(CompiledRuntime.CallForeign));
            if (type.Results.Length > 0)
            {
                Field(SlotsField);
                _il.Load(type.Results[0]);
            }
            StoreResults(type, position);
            _il.Emit(OpCodes.Br, stored);
        });
        _il.MarkLabel(stored);
        Returned(index, op, type);
    }

    private void SlotArguments(FunctionType type, int first, Operand[]? stack = null)
    {
        var word = 0;
        for (var i = 0; i < type.Parameters.Length; i++)
        {
            Field(SlotsField);
            _il.Emit(OpCodes.Ldc_I4, word * 8);
            _il.Emit(OpCodes.Add);
            _il.Emit(OpCodes.Ldloc, Slot(first + i, stack is null ? type.Parameters[i] : stack[first + i].Type));
            _il.StoreWord(type.Parameters[i]);
            word += type.Parameters[i].Words();
        }
    }

    // The results of a call that went by the instance's slots.
    private void SlotResults(FunctionType type)
    {
        if (type.Results.Length > 0)
        {
            Field(SlotsField);
            _il.Load(type.Results[0]);
        }
        StoreResults(type, _stack.Count);
    }

    /// <summary>The first result from IL's stack and the others from the instance's slots into the operands' slots.</summary>
    private void StoreResults(FunctionType type, int position)
    {
        if (type.Results.Length == 0)
        {
            return;
        }
        _il.Emit(OpCodes.Stloc, Slot(position, type.Results[0]));
        var word = type.Results[0].Words();
        for (var i = 1; i < type.Results.Length; i++)
        {
            Field(SlotsField);
            _il.Emit(OpCodes.Ldc_I4, word * 8);
            _il.Emit(OpCodes.Add);
            _il.Load(type.Results[i]);
            _il.Emit(OpCodes.Stloc, Slot(position + i, type.Results[i]));
            word += type.Results[i].Words();
        }
    }

    private void Returned(int index, in Op op, FunctionType type)
    {
        foreach (var result in type.Results)
        {
            PushSlot(result);
        }
        var returned = _il.DefineLabel();
        CheckAfterCall(index, op, type.Results.Length, returned);
    }
}
