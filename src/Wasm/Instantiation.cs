using MeshLedger.Wasm.Binary;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

// Allocation, linking and initialisation (section 4.5.4).
public sealed unsafe partial class Instance
{
    private readonly Function[] _imported;
    private Dictionary<string, object>? _exports;
    private bool _freed;

    private Instance(Module module, Store store, Imports imports)
    {
        Module = module;
        Owner = store;
        var linked = Array.ConvertAll(module.Imports, import => Linker.Find(module, import, imports));
        // What may be refused comes first, before anything is taken or the store knows of this instance.
        var limits = store.Limits;
        Memories =
        [
            .. linked.OfType<Memory>(),
            .. module.Memories.Skip(module.ImportedMemories).Select(type => new Memory(type.Minimum, type.Maximum, limits.MemoryPages)),
        ];
        Tables = [.. linked.OfType<Table>(), .. Table.Several(module.Tables.AsSpan(module.ImportedTables), limits.TableEntries)];
        Table0 = Tables.Length > 0 ? Tables[0] : null;
        Id = store.Enter(this);
        _imported = [.. linked.OfType<Function>()];
        _importHandles = Array.ConvertAll(_imported, store.HandleOf);
        Memory?.Attach(this);

        var types = new int[module.Types.Length];
        for (var i = 0; i < types.Length; i++)
        {
            types[i] = store.TypeId(module.Types[i]);
        }
        _typeIds = new NativeBlock((types.Length + 1) / 2);
        TypeIds = (int*)_typeIds.Words;
        types.CopyTo(new Span<int>(TypeIds, types.Length));
        _functions = new Function?[module.FunctionTypes.Length];
        _imported.CopyTo(_functions, 0);
        var defined = new int[module.FunctionTypes.Length - _imported.Length];
        for (var i = 0; i < defined.Length; i++)
        {
            defined[i] = types[module.FunctionTypes[_imported.Length + i]];
        }
        _firstHandle = store.Register(Id, defined, _imported.Length);

        _ownGlobals = new NativeBlock(module.Globals.Length * 2).Clear();
        OwnGlobals = _ownGlobals.Words;
        _globalCells = new NativeBlock(module.GlobalTypes.Length).Clear();
        GlobalCells = (ulong**)_globalCells.Words;
        Globals = new Global[module.GlobalTypes.Length];
        linked.OfType<Global>().ToArray().CopyTo(Globals, 0);
        for (var i = 0; i < Globals.Length; i++)
        {
            Globals[i] ??= OwnGlobal(i - module.ImportedGlobals);
            GlobalCells[i] = Globals[i].Cell;
        }
        var widest = 2;
        foreach (var type in module.Types)
        {
            widest = Math.Max(widest, Math.Max(type.ParameterWords, type.ResultWords));
        }
        _slots = new NativeBlock(widest);
        Slots = _slots.Words;
        if (store.Tier != Tier.Interpreter)
        {
            _saveArea = new NativeBlock(Module.MostCompiledWords + 16);
            SaveArea = _saveArea.Words;
        }
        Code = store.Tier == Tier.Interpreter ? null : module.Compiled.Table;
        DroppedElements = new bool[module.Elements.Length];
        DroppedData = new bool[module.Data.Length];
    }

    /// <summary>Exported functions, tables, memories and globals by name.</summary>
    public IReadOnlyDictionary<string, object> Exports => _exports ??= Module.Exports.ToDictionary(
        export => export.Name,
        object (export) => export.Kind switch
        {
            ExternKind.Function => FunctionAt(export.Index),
            ExternKind.Table => Tables[export.Index],
            ExternKind.Memory => Memories[export.Index],
            _ => Globals[export.Index],
        },
        StringComparer.Ordinal);

    /// <summary>
    /// Links a module, fills its tables and memories and runs its start function. Throws <see cref="LinkException"/>,
    /// <see cref="ModuleLimitException"/> or <see cref="TrapException"/>; what earlier segments wrote to shared tables and memories
    /// then stays, as the specification has it.
    /// </summary>
    public static Instance Instantiate(Module module, Imports imports, Store store)
    {
        var instance = Prepare(module, imports, store);
        instance.Initialize();
        if (module.StartFunction >= 0)
        {
            instance.Invoke(module.StartFunction, []);
        }
        return instance;
    }

    /// <summary>An instance before its segments are applied: what a snapshot is restored into.</summary>
    public static Instance Prepare(Module module, Imports imports, Store store) => new(module, store, imports);

    internal void Initialize()
    {
        for (var i = 0; i < Module.Elements.Length; i++)
        {
            var segment = Module.Elements[i];
            if (segment.Mode == SegmentMode.Active)
            {
                InitTable(i, segment.Table, (uint)Evaluate(segment.Start).Low, 0, (uint)segment.Entries.Length);
            }
            DroppedElements[i] = segment.Mode != SegmentMode.Passive;
        }
        for (var i = 0; i < Module.Data.Length; i++)
        {
            var segment = Module.Data[i];
            if (segment.Mode == SegmentMode.Active)
            {
                InitMemory(i, (uint)Evaluate(segment.Start).Low, 0, (uint)segment.Length);
                DroppedData[i] = true;
            }
        }
    }

    /// <summary>table.init: entries of a segment into a table. Traps when out of either's bounds.</summary>
    internal void InitTable(int segment, int table, uint to, uint from, uint count)
    {
        var entries = Module.Elements[segment].Entries;
        var length = DroppedElements[segment] ? 0 : entries.Length;
        var target = Tables[table];
        if ((ulong)from + count > (ulong)length || (ulong)to + count > (ulong)target.Count)
        {
            throw new TrapException(TrapKind.OutOfBoundsTableAccess);
        }
        for (var i = 0u; i < count; i++)
        {
            target.Elements[to + i] = Evaluate(entries[from + i]).Low;
        }
    }

    /// <summary>memory.init: bytes of a segment into memory 0. Traps when out of either's bounds.</summary>
    internal void InitMemory(int segment, uint to, uint from, uint count)
    {
        var data = Module.Data[segment];
        var length = DroppedData[segment] ? 0 : data.Length;
        if ((ulong)from + count > (ulong)length || (long)to + count > MemoryLength)
        {
            throw new TrapException(TrapKind.OutOfBoundsMemoryAccess);
        }
        Module.Bytes.Span.Slice(data.From + (int)from, (int)count).CopyTo(new Span<byte>(MemoryBase + to, (int)count));
    }

    internal void Free()
    {
        if (_freed)
        {
            return;
        }
        _freed = true;
        // Those it defines; imported ones belong to their makers.
        foreach (var table in Tables.AsSpan(Module.ImportedTables))
        {
            table.Dispose();
        }
        foreach (var memory in Memories.AsSpan(Module.ImportedMemories))
        {
            memory.Dispose();
        }
        _saveArea?.Free();
        SaveArea = null;
        MemoryBase = null;
        MemoryLength = 0;
    }

    private Global OwnGlobal(int index)
    {
        var declared = Module.Globals[index];
        var value = Evaluate(declared.Initial);
        (OwnGlobals[index * 2], OwnGlobals[(index * 2) + 1]) = (value.Low, value.High);
        return new Global(declared.Type.Mutable, declared.Type.Type, _ownGlobals, index);
    }

    private Value Evaluate(in ConstantExpression expression) =>
        expression.Global >= 0 ? Globals[expression.Global].Value
        : expression.Function >= 0 ? new Value(ValueType.FuncRef, HandleOf(expression.Function))
        : new Value(expression.Type, expression.Low, expression.High);
}
