using System.Runtime.InteropServices;

namespace MeshLedger.Wasm.Code;

/// <summary>
/// Writes down a body while it is validated. Besides the instructions it divides the body into metering blocks: one begins at
/// the function's entry, at each loop, at each arm of an if, where arms and branches join, and after a conditional branch. A
/// block's charge is taken when it is entered; whether fuel is below zero is asked at entries and loops, and after calls.
/// </summary>
internal sealed class CodeRecorder
{
    private readonly List<Op> _ops = [];
    private readonly List<FunctionType> _blockTypes = [];
    private readonly List<int[]> _tables = [];
    private readonly List<ulong> _halves = [];
    private ValueType[] _locals = [];
    private int _start;
    private int _charge;
    private int _operandWords;

    public void Begin(ReadOnlySpan<ValueType> locals, int start)
    {
        _locals = locals.ToArray();
        _start = start;
        Charge(check: true, start);
    }

    public void Add(Op op)
    {
        Cost(op.Code);
        Append(op);
    }

    /// <summary>A conditional branch: what follows is another metering block.</summary>
    public void AddAndSplit(Op op)
    {
        Add(op);
        Charge(check: false, op.Offset);
    }

    public int Open(Op op, FunctionType type)
    {
        Cost(op.Code);
        op.Immediate = (ulong)_blockTypes.Count;
        op.B = -1;
        _blockTypes.Add(type);
        var index = _ops.Count;
        Append(op);
        if (op.Code != Opcode.Block)
        {
            Charge(op.Code == Opcode.Loop, op.Offset);
        }
        return index;
    }

    public void Else(Op op, int opener, bool reachable)
    {
        op.B = reachable ? 1 : 0;
        CollectionsMarshal.AsSpan(_ops)[opener].B = _ops.Count;
        Append(op);
        Charge(check: false, op.Offset);
    }

    public void End(Op op, int opener, bool reachable, bool joins)
    {
        var index = _ops.Count;
        op.A = opener;
        op.B = reachable ? 1 : 0;
        if (opener >= 0)
        {
            var ops = CollectionsMarshal.AsSpan(_ops);
            ops[opener].A = index;
            if (ops[opener].Code == Opcode.If && ops[opener].B >= 0)
            {
                ops[ops[opener].B].A = index;
            }
        }
        Append(op);
        // What follows an end that nothing reaches is a block of its own too: its cost must not burden what is before it.
        if (joins || (!reachable && opener >= 0))
        {
            Charge(check: false, op.Offset);
        }
    }

    public int BranchTable(int[] labels)
    {
        _tables.Add(labels);
        return _tables.Count - 1;
    }

    public int HighHalf(ulong bits)
    {
        _halves.Add(bits);
        return _halves.Count - 1;
    }

    public FunctionCode Finish(int index, FunctionType type) => new()
    {
        Index = index,
        Type = type,
        Locals = _locals,
        Ops = [.. _ops],
        BlockTypes = [.. _blockTypes],
        BranchTables = [.. _tables],
        HighHalves = [.. _halves],
        LocalWords = ((ReadOnlySpan<ValueType>)_locals).Words(),
        OperandWords = _operandWords,
    };

    private void Charge(bool check, int offset)
    {
        _charge = _ops.Count;
        Append(new Op { Code = Opcode.Charge, A = check ? 1 : 0, Offset = offset, Height = _ops.Count == 0 ? 0 : _ops[^1].Height });
    }

    private void Cost(Opcode code) => CollectionsMarshal.AsSpan(_ops)[_charge].Immediate += (ulong)FuelCosts.Of(code);

    private void Append(Op op)
    {
        // Height is that before the instruction, which adds two words at most; calls add their results, which the next one sees.
        _operandWords = Math.Max(_operandWords, op.Height + 2);
        op.Offset -= _start;
        _ops.Add(op);
    }
}
