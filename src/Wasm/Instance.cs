using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

/// <summary>
/// A module with its memories, tables and globals, ready to be called. Made by <see cref="Instantiate"/>; lives as long as its
/// store.
/// </summary>
public sealed unsafe partial class Instance
{
    private readonly ulong[] _importHandles;
    private readonly ulong _firstHandle;
    private readonly NativeBlock _ownGlobals;
    private readonly NativeBlock _globalCells;
    private readonly NativeBlock _typeIds;
    private readonly NativeBlock _slots;
    private readonly NativeBlock? _saveArea;
    private readonly Function?[] _functions;

    // What compiled code reads and writes; the names are known to the compiler.
    internal byte* MemoryBase;
    internal long MemoryLength;
    internal long Fuel;
    internal nint* Code;
    internal nuint StackLimit;
    internal ulong* OwnGlobals;
    internal ulong** GlobalCells;
    internal int* TypeIds;

    /// <summary>Results after the first, and the words of arguments where a call goes by slots.</summary>
    internal ulong* Slots;

    /// <summary>Where compiled functions leave their words when they leave their frames.</summary>
    internal ulong* SaveArea;
    internal int Id;
    internal Table? Table0;
    internal readonly Store Owner;

    public Store Store => Owner;

    public Module Module { get; }

    /// <summary>Memory 0, if there is one.</summary>
    public Memory? Memory => Memories.Length > 0 ? Memories[0] : null;

    /// <summary>Fuel used so far, exact wherever the host is called.</summary>
    public long FuelUsed => Owner.Used(this);

    internal Memory[] Memories { get; }

    internal Table[] Tables { get; }

    internal Global[] Globals { get; }

    /// <summary>Segments that elem.drop and data.drop have emptied.</summary>
    internal bool[] DroppedElements { get; }

    internal bool[] DroppedData { get; }

    /// <summary>Takes fuel for what the host does for the guest; seen at the next check point.</summary>
    public void Charge(long fuel) => Fuel -= fuel;

    internal ulong HandleOf(int function) =>
        function < _importHandles.Length ? _importHandles[function] : _firstHandle + (ulong)(function - _importHandles.Length);

    /// <summary>The index of the function with a handle, or -1 if it is none of this instance's.</summary>
    internal int IndexOf(ulong handle)
    {
        var own = handle - _firstHandle;
        return handle >= _firstHandle && own < (ulong)(Module.FunctionTypes.Length - _importHandles.Length)
            ? (int)own + _importHandles.Length
            : Array.IndexOf(_importHandles, handle);
    }

    internal Function FunctionAt(int index) =>
        _functions[index] ??= Function.OfGuest(Module.FunctionTypeOf(index), this, index);
}
