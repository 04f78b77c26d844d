using System.Collections.Concurrent;
using System.Reflection.Emit;

namespace MeshLedger.Wasm.Compilation;

/// <summary>
/// Small methods that depend on a function's type alone, shared by all modules: the stub that stands for a function until its
/// first call, and the entry that takes arguments from words of memory.
/// </summary>
internal sealed unsafe class Thunks
{
    /// <summary>Types beyond this many are compiled for the module that brings them only.</summary>
    private const int Kept = 1_000;

    private static readonly ConcurrentDictionary<FunctionType, Thunks> Shared = new();

    private readonly DynamicMethod _stub;
    private readonly DynamicMethod _enter;

    private Thunks(FunctionType type)
    {
        _stub = Stub(type);
        _enter = Entry(type);
        StubAddress = IlTypes.AddressOf(_stub);
        Enter = (delegate*<nint, Instance, ulong*, long, void>)IlTypes.AddressOf(_enter);
    }

    /// <summary>Compiles the function whose index is in the call's context, puts it into the table and calls it.</summary>
    public nint StubAddress { get; }

    /// <summary>Calls compiled code with arguments in words; puts the results there.</summary>
    public delegate*<nint, Instance, ulong*, long, void> Enter { get; }

    public static Thunks For(FunctionType type)
    {
        if (Shared.TryGetValue(type, out var thunks))
        {
            return thunks;
        }
        thunks = new Thunks(type);
        return Shared.Count < Kept ? Shared.GetOrAdd(type, thunks) : thunks;
    }

    private static DynamicMethod Stub(FunctionType type)
    {
        var parameters = IlTypes.ParametersOf(type);
        var result = IlTypes.ResultOf(type);
        var method = new DynamicMethod($"wasm stub {type}", result, parameters, typeof(Instance).Module, skipVisibility: true);
        var il = method.GetILGenerator();
        var (instance, context) = ((short)(parameters.Length - 2), (short)(parameters.Length - 1));
        var (code, interpret) = (il.DeclareLocal(typeof(nint)), il.DefineLabel());
        il.Emit(OpCodes.Ldarg, instance);
        il.Emit(OpCodes.Ldarg, context);
        il.Emit(OpCodes.Call, IlTypes.Static(typeof(CompiledRuntime), nameof(CompiledRuntime.Compile)));
        il.Emit(OpCodes.Stloc, code);
        il.Emit(OpCodes.Ldloc, code);
        il.Emit(OpCodes.Brfalse, interpret);
        for (var i = 0; i < parameters.Length; i++)
        {
            il.Emit(OpCodes.Ldarg, (short)i);
        }
        il.Emit(OpCodes.Ldloc, code);
        il.EmitCalli(OpCodes.Calli, System.Reflection.CallingConventions.Standard, result, parameters, null);
        il.Emit(OpCodes.Ret);
        il.MarkLabel(interpret);
        var word = 0;
        for (var i = 0; i < type.Parameters.Length; i++)
        {
            Slot(il, instance, word);
            il.Emit(OpCodes.Ldarg, (short)i);
            il.StoreWord(type.Parameters[i]);
            word += type.Parameters[i].Words();
        }
        il.Emit(OpCodes.Ldarg, instance);
        il.Emit(OpCodes.Ldarg, context);
        il.Emit(OpCodes.Call, IlTypes.Static(typeof(CompiledRuntime), nameof(CompiledRuntime.Try)));
        if (result != typeof(void))
        {
            Slot(il, instance, 0);
            il.Load(type.Results[0]);
        }
        il.Emit(OpCodes.Ret);
        return method;
    }

    private static void Slot(ILGenerator il, short instance, int word)
    {
        il.Emit(OpCodes.Ldarg, instance);
        il.Emit(OpCodes.Ldfld, IlTypes.Field<Instance>(nameof(Instance.Slots)));
        il.Emit(OpCodes.Ldc_I4, word * 8);
        il.Emit(OpCodes.Add);
    }

    private static DynamicMethod Entry(FunctionType type)
    {
        Type[] own = [typeof(nint), typeof(Instance), typeof(ulong*), typeof(long)];
        var method = new DynamicMethod($"wasm entry {type}", typeof(void), own, typeof(Instance).Module, skipVisibility: true);
        var il = method.GetILGenerator();
        var result = IlTypes.ResultOf(type);
        if (result != typeof(void))
        {
            il.Emit(OpCodes.Ldarg_2);
        }
        var word = 0;
        foreach (var parameter in type.Parameters)
        {
            il.Emit(OpCodes.Ldarg_2);
            il.Emit(OpCodes.Ldc_I4, word * 8);
            il.Emit(OpCodes.Add);
            il.Load(parameter);
            word += parameter.Words();
        }
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldarg_3);
        il.Emit(OpCodes.Ldarg_0);
        il.EmitCalli(OpCodes.Calli, System.Reflection.CallingConventions.Standard, result, IlTypes.ParametersOf(type), null);
        if (result != typeof(void))
        {
            il.StoreWord(type.Results[0]);
        }
        if (type.Results.Length > 1)
        {
            il.Emit(OpCodes.Ldarg_1);
            il.Emit(OpCodes.Ldarg_2);
            il.Emit(OpCodes.Ldc_I4, type.Results[0].Words());
            il.Emit(OpCodes.Ldc_I4, type.ResultWords);
            il.Emit(OpCodes.Call, IlTypes.Static(typeof(CompiledRuntime), nameof(CompiledRuntime.CopyResults)));
        }
        il.Emit(OpCodes.Ret);
        return method;
    }
}
