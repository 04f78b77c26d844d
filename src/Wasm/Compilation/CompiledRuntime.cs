using System.Runtime.CompilerServices;
using MeshLedger.Wasm.Interpretation;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Compilation;

/// <summary>What compiled code calls. Each takes its arguments in the order in which IL has them.</summary>
internal static unsafe partial class CompiledRuntime
{
    /// <summary>The code of the function in a call's context, or 0 when this call is to be interpreted.</summary>
    public static nint Compile(Instance instance, long context)
    {
        var function = (int)(context >> 32);
        var compiled = instance.Module.Compiled;
        if (instance.Owner.Tier == Tier.Adaptive && compiled.IsOnTrial(function))
        {
            return 0;
        }
        instance.Owner.Attend(instance);
        return compiled.Compile(function);
    }

    /// <summary>One of the first calls of a function: in the interpreter, and not for long.</summary>
    public static void Try(Instance instance, long context)
    {
        instance.Owner.Shorten(instance);
        Interpret(instance, (int)(context >> 32), context);
    }

    public static void CopyResults(Instance instance, ulong* to, int from, int count)
    {
        for (var i = from; i < count; i++)
        {
            to[i] = instance.Slots[i];
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Exception Trap(int kind) => new TrapException((TrapKind)kind);

    /// <summary>
    /// Takes the words that a function left in the save area as its frame. The first frame of a series is the one that found its
    /// fuel below zero; those that follow await the call of the one before.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void SaveFrame(Instance instance, int function, int place)
    {
        var store = instance.Owner;
        var at = instance.Module.Compiled.PlaceOf(function, place);
        if (store.Frames.Count == 0)
        {
            store.Leave(instance);
        }
        var awaiting = at.Point == PausePoint.AfterCall && store.Frames.Count > 0;
        var count = awaiting ? at.Words - at.ResultWords : at.Words;
        var words = new ReadOnlySpan<ulong>(instance.SaveArea, count).ToArray();
        // Locals that are not read again are not saved.
        at.ClearDead(words, instance.Module.Compiled.LocalsOf(function));
        store.Frames.Add(new SavedFrame(function, at.Offset, awaiting ? PausePoint.AwaitingCall : at.Point, words));
    }

    /// <summary>The words of the next frame to be rebuilt.</summary>
    public static ulong* RestoreFrame(Instance instance)
    {
        var store = instance.Owner;
        var frame = store.Frames[--store.Rewinding];
        var words = GC.AllocateArray<ulong>(frame.Words.Length + 1, pinned: true);
        frame.Words.CopyTo(words, 0);
        // Kept until the next one, by when its words are in locals.
        store.Restored = words;
        if (store.Rewinding == 0)
        {
            store.Frames.Clear();
        }
        return (ulong*)Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(words));
    }

    public static nint NextResume(Instance instance) => instance.Module.Compiled.NextResume(instance);

    /// <summary>Runs a function in the interpreter, arguments and results in the instance's slots.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Interpret(Instance instance, int function, long context)
    {
        var type = instance.Module.FunctionTypeOf(function);
        Span<ulong> slots = new ulong[Math.Max(type.ParameterWords, type.ResultWords)];
        new ReadOnlySpan<ulong>(instance.Slots, type.ParameterWords).CopyTo(slots);
        Interpreter.Call(instance, function, slots, (int)context);
        slots[..type.ResultWords].CopyTo(new Span<ulong>(instance.Slots, type.ResultWords));
    }

    /// <summary>Rebuilds this frame and all within it in the interpreter.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ResumeInterpreted(Instance instance, int function, long context)
    {
        var store = instance.Owner;
        var type = instance.Module.FunctionTypeOf(function);
        var frames = store.Frames[..store.Rewinding];
        store.Frames.Clear();
        store.Rewinding = 0;
        Span<ulong> results = new ulong[type.ResultWords];
        Interpreter.Resume(instance, frames, results, (int)context);
        results.CopyTo(new Span<ulong>(instance.Slots, type.ResultWords));
    }

    public static void CallImport(Instance instance, int function, long depth)
    {
        var type = instance.Module.FunctionTypeOf(function);
        Through(instance, type.ParameterWords, type.ResultWords, function, handle: 0, depth);
    }

    /// <summary>Calls what an indirect call found to be another's: its number is the complement of the handle.</summary>
    public static void CallForeign(Instance instance, int target, long depth, int parameters, int results) =>
        Through(instance, parameters, results, -1, (ulong)~target, depth);

    // The callee may call back and use the instance's slots, so it gets a copy.
    private static void Through(Instance instance, int parameters, int results, int function, ulong handle, long depth)
    {
        var count = Math.Max(parameters, results);
        Span<ulong> slots = count <= 64 ? stackalloc ulong[64] : new ulong[count];
        slots = slots[..count];
        slots.Clear();
        new ReadOnlySpan<ulong>(instance.Slots, parameters).CopyTo(slots);
        if (function >= 0)
        {
            instance.CallImport(function, slots, (int)depth);
        }
        else
        {
            instance.CallForeign(handle, slots, (int)depth);
        }
        slots[..results].CopyTo(new Span<ulong>(instance.Slots, results));
    }

    /// <summary>
    /// The function that a table's entry calls: its index in this instance, or the complement of its handle. Traps when there is
    /// none or it is of another type.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int TargetInTable0(int element, Instance instance, int table, int type) => Resolve(element, instance, instance.Table0!, type);

    public static int Target(int element, Instance instance, int table, int type) => Resolve(element, instance, instance.Tables[table], type);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Resolve(int element, Instance instance, Table table, int type)
    {
        if ((uint)element >= (uint)table.Count)
        {
            ThrowNow(TrapKind.UndefinedElement);
        }
        var handle = table.Elements[(uint)element];
        var entry = instance.Owner.Entries + handle;
        if (entry->Type != instance.TypeIds[type])
        {
            ThrowNow(handle == 0 ? TrapKind.UninitializedElement : TrapKind.IndirectCallTypeMismatch);
        }
        return entry->Owner == instance.Id ? entry->Index : ~(int)handle;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ThrowNow(TrapKind kind) => throw new TrapException(kind);
}
