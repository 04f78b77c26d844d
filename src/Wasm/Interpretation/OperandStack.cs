namespace MeshLedger.Wasm.Interpretation;

/// <summary>Where an operand's value is while a function is lowered.</summary>
internal enum OperandPlace : byte
{
    /// <summary>In its own slot of the frame.</summary>
    Own,

    /// <summary>In a local, of which no copy was made yet.</summary>
    Local,

    /// <summary>Known, and in no slot yet.</summary>
    Constant,
}

/// <param name="Slot">Its own place in the frame, in bytes.</param>
/// <param name="Local">Index of the local.</param>
internal readonly record struct Operand(OperandPlace Place, bool Wide, int Slot, int Local, long Constant);

/// <summary>
/// The operands as they will be at run time. Reading a local or a constant only notes where the value is; what is noted at most
/// <see cref="MostPending"/> deep, so that lowering takes linear time.
/// </summary>
internal sealed class OperandStack
{
    public const int MostPending = 64;

    private readonly List<Operand> _operands = [];
    private readonly List<int> _pending = [];
    private readonly int[] _readers;
    private readonly int _start;

    public OperandStack(int locals, int localWords)
    {
        _readers = new int[locals];
        _start = localWords * sizeof(ulong);
        NextSlot = _start;
    }

    public int Count => _operands.Count;

    public int NextSlot { get; private set; }

    public Operand this[int index] => _operands[index];

    /// <summary>Operands that are not in their own slots, the deepest first.</summary>
    public IReadOnlyList<int> Pending => _pending;

    /// <summary>Whether an operand stands for the local's present value.</summary>
    public bool IsRead(int local) => _readers[local] > 0;

    public void PushOwn(bool wide) => Push(new Operand(OperandPlace.Own, wide, NextSlot, -1, 0));

    public void PushLocal(int local, bool wide)
    {
        _readers[local]++;
        _pending.Add(_operands.Count);
        Push(new Operand(OperandPlace.Local, wide, NextSlot, local, 0));
    }

    public void PushConstant(long bits)
    {
        _pending.Add(_operands.Count);
        Push(new Operand(OperandPlace.Constant, false, NextSlot, -1, bits));
    }

    public void PushOwn(ReadOnlySpan<ValueType> types)
    {
        foreach (var type in types)
        {
            PushOwn(type == ValueType.V128);
        }
    }

    public Operand Pop()
    {
        var operand = _operands[^1];
        if (operand.Place != OperandPlace.Own)
        {
            Forget(_pending.Count - 1);
        }
        _operands.RemoveAt(_operands.Count - 1);
        NextSlot = operand.Slot;
        return operand;
    }

    /// <summary>The operand is in its own slot from now on.</summary>
    public void Settle(int pending)
    {
        var index = _pending[pending];
        Forget(pending);
        _operands[index] = _operands[index] with { Place = OperandPlace.Own };
    }

    /// <summary>Leaves so many operands, all in their own slots: code that was left out may have left others.</summary>
    public void CutTo(int count)
    {
        while (_operands.Count > count)
        {
            Pop();
        }
    }

    private void Push(Operand operand)
    {
        _operands.Add(operand);
        NextSlot += operand.Wide ? 16 : 8;
    }

    private void Forget(int pending)
    {
        if (_operands[_pending[pending]] is { Place: OperandPlace.Local } operand)
        {
            _readers[operand.Local]--;
        }
        _pending.RemoveAt(pending);
    }
}
