using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

/// <summary>A global variable: a cell of 16 bytes that instances share.</summary>
public sealed unsafe class Global
{
    // Keeps the memory of the cell alive.
    private readonly NativeBlock _owner;

    public Global(bool mutable, Value value)
        : this(mutable, value.Type, new NativeBlock(2).Clear(), 0)
    {
        Cell[0] = value.Low;
        Cell[1] = value.High;
    }

    internal Global(bool mutable, ValueType type, NativeBlock owner, int index)
    {
        (Mutable, Type, _owner) = (mutable, type, owner);
        Cell = owner.Words + (index * 2);
    }

    public ValueType Type { get; }

    public bool Mutable { get; }

    public Value Value => new(Type, Cell[0], Cell[1]);

    internal ulong* Cell { get; }

    public void Set(Value value)
    {
        if (!Mutable || value.Type != Type)
        {
            throw new ArgumentException($"This global is {(Mutable ? "" : "not mutable, ")}of type {Type.Name()}.", nameof(value));
        }
        (Cell[0], Cell[1]) = (value.Low, value.High);
        GC.KeepAlive(_owner);
    }
}
