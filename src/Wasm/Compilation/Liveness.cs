using System.Runtime.InteropServices;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

/// <summary>
/// Which locals are read again before they are written, at each place where a frame may be saved: the others need not be kept
/// alive for the sake of pausing. A backward pass over the ops, repeated for loops until their heads' sets stand still.
/// </summary>
internal sealed class Liveness
{
    /// <summary>Passes over ops, as a multiple of their number, after which everything is taken as live.</summary>
    private const int Patience = 12;

    /// <summary>Words of sets in all, above which everything is taken as live.</summary>
    private const long MostWords = 4_000_000;

    private readonly Op[] _ops;
    private readonly int[][] _tables;
    private readonly int _words;
    private readonly Dictionary<int, ulong[]> _places = [];
    private readonly Dictionary<int, ulong[]> _heads = [];
    private readonly List<Block> _blocks = [];
    private ulong[] _live;

    private sealed class Block
    {
        public required int Opener;
        public required int End;
        public required ulong[] Label;
        public ulong[] After = [];
        public ulong[]? AfterElse;
    }

    private Liveness(FunctionCode code)
    {
        _ops = code.Ops;
        _tables = code.BranchTables;
        _words = (code.Locals.Length + 63) / 64;
        _live = new ulong[_words];
    }

    /// <summary>Sets by index of the op (a Loop's Charge, a call); null means that all locals are live everywhere.</summary>
    public static Dictionary<int, ulong[]>? Of(FunctionCode code)
    {
        var liveness = new Liveness(code);
        return (long)liveness._words * code.Ops.Length <= MostWords && liveness.Run() ? liveness._places : null;
    }

    private bool Run()
    {
        var left = (long)_ops.Length * Patience;
        // The function's own label needs nothing.
        _blocks.Add(new Block { Opener = -1, End = _ops.Length - 1, Label = new ulong[_words] });
        for (var i = _ops.Length - 2; i >= 0; i--)
        {
            if (left-- == 0)
            {
                return false;
            }
            Visit(ref i);
        }
        return true;
    }

    private void Visit(ref int i)
    {
        ref readonly var op = ref _ops[i];
        switch (op.Code)
        {
            case Opcode.LocalGet:
                _live[op.A >> 6] |= 1UL << (op.A & 63);
                break;
            case Opcode.LocalSet or Opcode.LocalTee:
                _live[op.A >> 6] &= ~(1UL << (op.A & 63));
                break;
            case Opcode.Charge when op.A == 1:
            case Opcode.Call or Opcode.CallIndirect:
                ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(_places, i, out _);
                place ??= new ulong[_words];
                _live.CopyTo(place, 0);
                break;
            case Opcode.Br:
                Label(op.A).CopyTo(_live, 0);
                break;
            case Opcode.BrIf:
                Add(_live, Label(op.A));
                break;
            case Opcode.BrTable:
                Array.Clear(_live);
                foreach (var label in _tables[op.A].AsSpan().Length > 64 ? _tables[op.A].Distinct() : _tables[op.A])
                {
                    Add(_live, Label(label));
                }
                break;
            case Opcode.Return or Opcode.Unreachable:
                Array.Clear(_live);
                break;
            case Opcode.End:
                var head = _ops[op.A].Code == Opcode.Loop ? Head(op.A) : [.. _live];
                _blocks.Add(new Block { Opener = op.A, End = i, Label = head, After = [.. _live] });
                break;
            case Opcode.Else:
                _blocks[^1].AfterElse = _live;
                _live = [.. _blocks[^1].Label];
                break;
            case Opcode.If:
                Add(_live, _blocks[^1].AfterElse ?? _blocks[^1].Label);
                _blocks.RemoveAt(_blocks.Count - 1);
                break;
            case Opcode.Block:
                _blocks.RemoveAt(_blocks.Count - 1);
                break;
            case Opcode.Loop:
                Loop(ref i);
                break;
            default:
                break;
        }
    }

    private void Loop(ref int i)
    {
        var block = _blocks[^1];
        var head = block.Label;
        var before = (ulong[])head.Clone();
        Add(head, _live);
        if (head.AsSpan().SequenceEqual(before))
        {
            _blocks.RemoveAt(_blocks.Count - 1);
            return;
        }
        // Branches back to the head need more than was assumed: once more through the body.
        i = block.End;
        _live = [.. block.After];
    }

    private ulong[] Head(int loop)
    {
        if (!_heads.TryGetValue(loop, out var head))
        {
            _heads.Add(loop, head = new ulong[_words]);
        }
        return head;
    }

    private ulong[] Label(int depth) => _blocks[^(depth + 1)].Label;

    private static void Add(ulong[] to, ulong[] from)
    {
        for (var w = 0; w < to.Length; w++)
        {
            to[w] |= from[w];
        }
    }
}
