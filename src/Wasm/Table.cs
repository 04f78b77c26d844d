using System.Runtime.InteropServices;

namespace MeshLedger.Wasm;

/// <summary>A table of references: handles of functions in the store, or numbers of the host plus 1; 0 is null.</summary>
public sealed unsafe class Table : IDisposable
{
    private int _capacity;

    public Table(ValueType type, uint minimum, uint? maximum = null, int limit = 10_000_000)
    {
        Type = type;
        DeclaredMaximum = maximum;
        MaximumLength = (int)Math.Min(maximum ?? uint.MaxValue, (uint)Math.Max(limit, 0));
        if (minimum > (uint)MaximumLength)
        {
            throw new ModuleLimitException($"A table of {minimum} entries is asked for, {MaximumLength} are allowed.");
        }
        Resize((int)minimum);
    }

    ~Table() => NativeMemory.Free(Elements);

    public ValueType Type { get; }

    public uint? DeclaredMaximum { get; }

    public int MaximumLength { get; }

    // Fields: compiled code reads them.
    internal ulong* Elements;
    internal int Count;

    public int Length => Count;

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
        if (delta > (uint)(MaximumLength - before))
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
        Count = length;
    }
}
