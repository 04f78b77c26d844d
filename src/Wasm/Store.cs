using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MeshLedger.Wasm;

/// <summary>
/// What instances that may refer to each other share: functions' handles, types' numbers, fuel and limits. One run of one job
/// has a store of its own. Not safe for two threads at once, except <see cref="RequestPause"/>.
/// </summary>
public sealed unsafe partial class Store : IDisposable
{
    private readonly Dictionary<FunctionType, int> _types = [];
    private readonly Dictionary<Function, ulong> _handles = new(ReferenceEqualityComparer.Instance);
    private readonly List<Function?> _functions = [null];
    private readonly List<Instance> _instances = [];
    private int _capacity;

    public Store(RunLimits? limits = null, Tier tier = Tier.Adaptive, TimeProvider? clock = null)
    {
        Limits = limits ?? RunLimits.Default;
        Tier = RuntimeFeature.IsDynamicCodeSupported ? tier : Tier.Interpreter;
        Clock = clock ?? TimeProvider.System;
        DepthLeft = Limits.CallDepth;
        FuelLimit = Limits.Fuel ?? long.MaxValue;
        Reserve(1);
        Entries[0] = new FunctionEntry { Type = -1, Owner = 0 };
    }

    ~Store() => NativeMemory.Free(Entries);

    public RunLimits Limits { get; }

    public Tier Tier { get; }

    internal TimeProvider Clock { get; }

    internal IReadOnlyList<Instance> Instances => _instances;

    /// <summary>By handle; entry 0 is null's, with a type that no call expects. Compiled code reads it at indirect calls.</summary>
    internal FunctionEntry* Entries;

    internal int FunctionCount => _functions.Count;

    public void Dispose()
    {
        foreach (var instance in _instances)
        {
            instance.Free();
        }
        _stack?.Dispose();
        _stack = null;
        NativeMemory.Free(Entries);
        Entries = null;
        _capacity = 0;
        GC.SuppressFinalize(this);
    }

    /// <summary>The function that a reference in a value or table means, null for null.</summary>
    public Function? FunctionOf(Value reference) =>
        reference.Type == ValueType.FuncRef ? FunctionAt(reference.Low) : throw new ArgumentException("Not a funcref.", nameof(reference));

    /// <summary>A reference to a function, to be passed to a guest or put into a table.</summary>
    public Value ReferenceTo(Function function) => new(ValueType.FuncRef, HandleOf(function));

    internal int TypeId(FunctionType type)
    {
        if (!_types.TryGetValue(type, out var id))
        {
            _types.Add(type, id = _types.Count);
        }
        return id;
    }

    /// <summary>The instances are numbered from 1.</summary>
    internal int Enter(Instance instance)
    {
        _instances.Add(instance);
        return _instances.Count;
    }

    internal ulong HandleOf(Function function)
    {
        if (function.Instance is { } owner)
        {
            return owner.HandleOf(function.Index);
        }
        if (!_handles.TryGetValue(function, out var handle))
        {
            handle = (ulong)_functions.Count;
            Reserve(1);
            Entries[handle] = new FunctionEntry { Type = TypeId(function.Type), Owner = 0, Index = -1 };
            _functions.Add(function);
            _handles.Add(function, handle);
        }
        return handle;
    }

    /// <summary>Gives the functions that an instance defines consecutive handles; the first is returned.</summary>
    internal ulong Register(int instance, ReadOnlySpan<int> types, int firstIndex)
    {
        var first = _functions.Count;
        Reserve(types.Length);
        for (var i = 0; i < types.Length; i++)
        {
            Entries[first + i] = new FunctionEntry { Type = types[i], Owner = instance, Index = firstIndex + i };
        }
        CollectionsMarshal.SetCount(_functions, first + types.Length);
        CollectionsMarshal.AsSpan(_functions)[first..].Clear();
        return (ulong)first;
    }

    internal Function? FunctionAt(ulong handle)
    {
        if (handle == 0)
        {
            return null;
        }
        if (handle >= (ulong)_functions.Count)
        {
            throw new TrapException(TrapKind.HostError, $"There is no function with handle {handle}.");
        }
        ref readonly var entry = ref Entries[handle];
        return _functions[(int)handle] ??= _instances[entry.Owner - 1].FunctionAt(entry.Index);
    }

    private void Reserve(int more)
    {
        var needed = _functions.Count + more;
        if (needed > _capacity)
        {
            _capacity = Math.Max(needed, _capacity * 2);
            Entries = (FunctionEntry*)NativeMemory.Realloc(Entries, (nuint)_capacity * (nuint)sizeof(FunctionEntry));
        }
    }
}

/// <summary>What an indirect call reads about a function. 16 bytes.</summary>
internal struct FunctionEntry
{
    public int Type;
    public int Index;

    /// <summary>The number of the instance whose code it is, 0 for the host's.</summary>
    public int Owner;

    private readonly int _reserved;
}
