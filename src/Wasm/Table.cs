using System.Runtime.InteropServices;
using MeshLedger.Wasm.Binary;

namespace MeshLedger.Wasm;

/// <summary>A table of references: handles of functions in the store, or numbers of the host plus 1; 0 is null.</summary>
public sealed unsafe class Table : IDisposable
{
    private readonly Budget _budget;
    private int _capacity;

    public Table(ValueType type, uint minimum, uint? maximum = null, int limit = 10_000_000)
        : this(type, minimum, maximum, new Budget(limit))
    {
    }

    private Table(ValueType type, uint minimum, uint? maximum, Budget budget)
    {
        (Type, DeclaredMaximum, _budget) = (type, maximum, budget);
        MaximumLength = (int)Math.Min(maximum ?? uint.MaxValue, (uint)budget.Limit);
        if (minimum > (uint)Math.Min(MaximumLength, budget.Left))
        {
            throw new ModuleLimitException($"A table of {minimum} entries is asked for, {budget.Left} of {budget.Limit} are left.");
        }
        Resize((int)minimum);
    }

    /// <summary>Tables that may have <paramref name="limit"/> entries together. All are refused, or none.</summary>
    internal static Table[] Several(ReadOnlySpan<TableType> types, int limit)
    {
        var budget = new Budget(limit);
        var wanted = 0L;
        foreach (var type in types)
        {
            wanted += type.Limits.Minimum;
        }
        if (wanted > budget.Limit)
        {
            throw new ModuleLimitException($"Tables of {wanted} entries are asked for, {budget.Limit} are allowed.");
        }
        var tables = new Table[types.Length];
        for (var i = 0; i < tables.Length; i++)
        {
            tables[i] = new Table(types[i].Type, types[i].Limits.Minimum, types[i].Limits.Maximum, budget);
        }
        return tables;
    }

    private sealed class Budget(int limit)
    {
        public int Limit { get; } = Math.Max(limit, 0);

        public int Left { get; set; } = Math.Max(limit, 0);
    }

    ~Table() => NativeMemory.Free(Elements);

    public ValueType Type { get; }

    public uint? DeclaredMaximum { get; }

    public int MaximumLength { get; }

    // Fields: compiled code reads them.
    internal ulong* Elements;
    internal int Count;

    public int Length => Count;

    /// <summary>Entries that it may still grow by.</summary>
    internal int MostMore => Math.Min(MaximumLength - Count, _budget.Left);

    public Value this[int index]
    {
        get => index >= 0 && index < Count
            ? new Value(Type, Elements[index])
            : throw new TrapException(TrapKind.OutOfBoundsTableAccess);
        set
        {
            if (index < 0 || index >= Count)
            {
                throw new TrapException(TrapKind.OutOfBoundsTableAccess);
            }
            Elements[index] = value.Type == Type
                ? value.Low
                : throw new ArgumentException($"A table of {Type.Name()} takes no {value.Type.Name()}.", nameof(value));
        }
    }

    /// <summary>Adds entries; gives the length before, or -1 if there would be too many.</summary>
    public int Grow(uint delta, ulong reference)
    {
        var before = Count;
        if (delta > (uint)MostMore)
        {
            return -1;
        }
        Resize(before + (int)delta);
        new Span<ulong>(Elements + before, (int)delta).Fill(reference);
        return before;
    }

    public void Dispose()
    {
        NativeMemory.Free(Elements);
        Elements = null;
        Count = _capacity = 0;
        GC.SuppressFinalize(this);
    }

    internal void Resize(int length)
    {
        if (length > _capacity || Elements is null)
        {
            var capacity = (int)Math.Min(MaximumLength, Math.Max((long)length, _capacity * 2L));
            Elements = (ulong*)NativeMemory.Realloc(Elements, (nuint)Math.Max(capacity, 1) * sizeof(ulong));
            new Span<ulong>(Elements + _capacity, capacity - _capacity).Clear();
            _capacity = capacity;
        }
        _budget.Left -= length - Count;
        Count = length;
    }
}
