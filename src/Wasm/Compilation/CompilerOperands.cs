using System.Reflection.Emit;
using MeshLedger.Wasm.Code;

namespace MeshLedger.Wasm.Compilation;

// The stack of operands while IL is written: which are on IL's stack (always the topmost), which in locals.
internal sealed partial class FunctionCompiler
{
    private readonly List<Operand> _stack = [];
    private readonly Dictionary<(int Position, ValueType Type), LocalBuilder> _slots = [];
    private readonly Dictionary<ValueType, LocalBuilder> _temporaries = [];

    /// <param name="OnIl">On IL's stack; otherwise in the slot of its position and type.</param>
    /// <param name="Raw">A result of float arithmetic whose NaN, if it is one, may have any bits.</param>
    /// <param name="Boolean">An i32 known to be 0 or 1.</param>
    /// <param name="Constant">Known at compile time (i32 and i64).</param>
    private readonly record struct Operand(ValueType Type, bool OnIl, bool Raw, bool Boolean = false, long? Constant = null);

    private LocalBuilder Slot(int position, ValueType type)
    {
        if (!_slots.TryGetValue((position, type), out var slot))
        {
            _slots.Add((position, type), slot = _il.DeclareLocal(IlTypes.Of(type)));
        }
        return slot;
    }

    private LocalBuilder Temporary(ValueType type)
    {
        if (!_temporaries.TryGetValue(type, out var temporary))
        {
            _temporaries.Add(type, temporary = _il.DeclareLocal(IlTypes.Of(type)));
        }
        return temporary;
    }

    /// <summary>The operand that was just put onto IL's stack.</summary>
    private void Push(ValueType type, bool raw = false, bool boolean = false, long? constant = null) =>
        _stack.Add(new Operand(type, OnIl: true, raw, boolean, constant));

    private void PushSlot(ValueType type) => _stack.Add(new Operand(type, OnIl: false, Raw: false));

    private Operand PopOperand()
    {
        var operand = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return operand;
    }

    /// <summary>Moves operands on IL's stack, down to a position, into their slots.</summary>
    private void Spill(int from)
    {
        for (var i = _stack.Count - 1; i >= from && _stack[i].OnIl; i--)
        {
            _il.Emit(OpCodes.Stloc, Slot(i, _stack[i].Type));
            _stack[i] = _stack[i] with { OnIl = false };
        }
    }

    /// <summary>All operands below the topmost <paramref name="keep"/> into slots; those stay or come onto IL's stack.</summary>
    private void SpillBelow(int keep)
    {
        var first = _stack.Count - keep;
        if (first > 0 && _stack[first - 1].OnIl)
        {
            Spill(0);
        }
        Take(keep);
    }

    /// <summary>Everything into slots, NaNs canonical: what a join, a call or a saved frame needs.</summary>
    private void SpillAll(int except = 0)
    {
        Spill(0);
        Settle(_stack.Count - except);
    }

    /// <summary>Makes operands in slots below a position canonical.</summary>
    private void Settle(int below)
    {
        for (var i = 0; i < below; i++)
        {
            if (_stack[i].Raw)
            {
                _il.Emit(OpCodes.Ldloc, Slot(i, _stack[i].Type));
                Canonical(_stack[i].Type);
                _il.Emit(OpCodes.Stloc, Slot(i, _stack[i].Type));
                _stack[i] = _stack[i] with { Raw = false };
            }
        }
    }

    /// <summary>Brings the topmost operands onto IL's stack, in order.</summary>
    private void Take(int count)
    {
        var first = _stack.Count - count;
        var missing = first;
        while (missing < _stack.Count && _stack[missing].OnIl)
        {
            missing++;
        }
        if (missing == _stack.Count)
        {
            return;
        }
        Spill(first);
        for (var i = first; i < _stack.Count; i++)
        {
            _il.Emit(OpCodes.Ldloc, Slot(i, _stack[i].Type));
            _stack[i] = _stack[i] with { OnIl = true };
        }
    }

    /// <summary>Like <see cref="Take"/>, with every NaN canonical: for whatever shows or keeps a value's bits.</summary>
    private void TakeCanonical(int count)
    {
        var first = _stack.Count - count;
        var below = _stack.Count - 1;
        for (var i = first; i < below; i++)
        {
            if (_stack[i].Raw)
            {
                Spill(first);
                Settle(_stack.Count);
                break;
            }
        }
        Take(count);
        if (count > 0 && _stack[^1].Raw)
        {
            Canonical(_stack[^1].Type);
            _stack[^1] = _stack[^1] with { Raw = false };
        }
    }

    private void Drop(int count) => _stack.RemoveRange(_stack.Count - count, count);

    /// <summary>The value on IL's stack becomes the canonical NaN if it is one.</summary>
    private void Canonical(ValueType type) => _il.Emit(
        OpCodes.Call,
        typeof(Numerics).GetMethod(
            nameof(Numerics.Canonical),
            System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic,
            [IlTypes.Of(type)])!);
}
