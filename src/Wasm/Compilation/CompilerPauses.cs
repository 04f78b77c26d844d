using System.Reflection;
using System.Reflection.Emit;
using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Compilation;

// Places where a guest can stand still: where fuel is looked at, how a frame is saved there, and how it is entered again.
internal sealed partial class FunctionCompiler
{
    private static readonly FieldInfo SaveAreaField = IlTypes.Field<Instance>(nameof(Instance.SaveArea));

    // What is hardly ever run is written behind the body, so that loops stay dense.
    private readonly List<Action> _cold = [];
    private int _resumePlace = -1;
    private bool _resumeAwaiting;
    private Label _resumeLabel;

    /// <summary>At a function's entry or a loop's head, the charge taken and every operand in its slot.</summary>
    private void CheckAtHead(int index, in Op op, PausePoint point)
    {
        var (slow, go) = (_il.DefineLabel(), _il.DefineLabel());
        _il.Emit(OpCodes.Ldloc, _fuel);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Blt, slow);
        _il.MarkLabel(go);
        var place = AddPlace(index, point == PausePoint.Entry ? 0 : op.Offset, point, resultWords: 0);
        var operands = _stack.ToArray();
        var live = LiveAt(index);
        _cold.Add(() =>
        {
            _il.MarkLabel(slow);
            SaveFuel();
            Save(place, operands, live);
        });
        if (point == PausePoint.Entry)
        {
            ResumeAt(place, operands, live, go, refund: 0);
        }
        else
        {
            // By the loop's own head, whose charge is given back before it is taken again: the loop keeps its only entrance.
            ResumeAt(place, operands, live, _labels[^1].Target, (long)op.Immediate);
        }
    }

    /// <summary>
    /// After a call: fuel is read anew. The results are in their slots; below zero this frame is to be left, because the callee
    /// was or because fuel is to be looked at.
    /// </summary>
    private void CheckAfterCall(int index, in Op op, int results, Label returned)
    {
        var (slow, go) = (_il.DefineLabel(), _il.DefineLabel());
        _il.MarkLabel(returned);
        ReloadFuel();
        ReloadLength();
        _il.Emit(OpCodes.Ldloc, _fuel);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Blt, slow);
        _il.MarkLabel(go);
        var operands = _stack.ToArray();
        var words = 0;
        for (var i = operands.Length - results; i < operands.Length; i++)
        {
            words += operands[i].Type.Words();
        }
        var place = AddPlace(index, op.Offset, PausePoint.AfterCall, words);
        var live = LiveAt(index);
        _cold.Add(() =>
        {
            _il.MarkLabel(slow);
            Save(place, operands, live);
        });
        if (_resuming && place == _resumePlace && _resumeAwaiting)
        {
            ResumeAwaiting(op, operands, results, live, returned);
        }
        else
        {
            ResumeAt(place, operands, live, go, refund: 0);
        }
    }

    private ulong[]? LiveAt(int index) => _live?.GetValueOrDefault(index);

    private int AddPlace(int index, int offset, PausePoint point, int resultWords)
    {
        var words = _code.LocalWords;
        foreach (var operand in _stack)
        {
            words += operand.Type.Words();
        }
        _places.Add(new PausePlace(offset, point, words, resultWords) { Live = LiveAt(index) });
        return _places.Count - 1;
    }

    private LocalBuilder Frame() => _frame ??= _il.DeclareLocal(typeof(nint));

    private void Save(int place, Operand[] operands, ulong[]? live)
    {
        if (!_pausable)
        {
            Throw(TrapKind.OutOfFuel);
            return;
        }
        // The words first and the call last: nothing then lives across a call for the sake of pausing.
        Field(SaveAreaField);
        _il.Emit(OpCodes.Stloc, Frame());
        EachWord(operands, live, (word, type, local, position) =>
        {
            FrameWord(word);
            if (local >= 0)
            {
                LoadLocal(local);
                if (_pure[local])
                {
                    Canonical(type);
                }
            }
            else
            {
                _il.Emit(OpCodes.Ldloc, Slot(position, type));
            }
            _il.StoreWord(type);
        });
        _il.Emit(OpCodes.Ldarg, _instance);
        _il.Emit(OpCodes.Ldc_I4, _code.Index);
        _il.Emit(OpCodes.Ldc_I4, place);
        Call(nameof(CompiledRuntime.SaveFrame));
        _unwinds = true;
        _il.Emit(OpCodes.Br, _unwind);
    }

    private void ResumeAt(int place, Operand[] operands, ulong[]? live, Label go, long refund)
    {
        if (!_resuming || place != _resumePlace)
        {
            return;
        }
        _cold.Add(() =>
        {
            Restore(operands, live);
            if (refund != 0)
            {
                _il.Emit(OpCodes.Ldloc, _fuel);
                _il.Emit(OpCodes.Ldc_I8, refund);
                _il.Emit(OpCodes.Add);
                _il.Emit(OpCodes.Stloc, _fuel);
            }
            _il.Emit(OpCodes.Br, go);
        });
    }

    // The frame of the callee is rebuilt by calling the code that continues it, which returns as the callee would have.
    private void ResumeAwaiting(Op op, Operand[] operands, int results, ulong[]? live, Label returned)
    {
        var type = op.Code == Opcode.Call ? _module.FunctionTypeOf(op.A) : _module.Types[op.A];
        _cold.Add(() =>
        {
            Restore(operands[..^results], live);
            _il.Emit(OpCodes.Ldarg, _instance);
            _il.Emit(OpCodes.Ldloc, _depth);
            _il.Emit(OpCodes.Ldarg, _instance);
            Call(nameof(CompiledRuntime.NextResume));
            _il.EmitCalli(
                OpCodes.Calli, System.Reflection.CallingConventions.Standard, IlTypes.ResultOf(type), [typeof(Instance), typeof(long)], null);
            StoreResults(type, operands.Length - results);
            _il.Emit(OpCodes.Br, returned);
        });
    }

    private void Restore(Operand[] operands, ulong[]? live)
    {
        _il.MarkLabel(_resumeLabel);
        _il.Emit(OpCodes.Ldarg, _instance);
        Call(nameof(CompiledRuntime.RestoreFrame));
        _il.Emit(OpCodes.Stloc, Frame());
        EachWord(operands, live, (word, type, local, position) =>
        {
            FrameWord(word);
            _il.Load(type);
            if (local >= 0)
            {
                StoreLocal(local);
            }
            else
            {
                _il.Emit(OpCodes.Stloc, Slot(position, type));
            }
        });
    }

    private void EachWord(Operand[] operands, ulong[]? live, Action<int, ValueType, int, int> visit)
    {
        var word = 0;
        for (var i = 0; i < _code.Locals.Length; i++)
        {
            if (live is null || (live[i >> 6] & (1UL << (i & 63))) != 0)
            {
                visit(word, _code.Locals[i], i, -1);
            }
            word += _code.Locals[i].Words();
        }
        for (var i = 0; i < operands.Length; i++)
        {
            visit(word, operands[i].Type, -1, i);
            word += operands[i].Type.Words();
        }
    }

    private void FrameWord(int word)
    {
        _il.Emit(OpCodes.Ldloc, Frame());
        if (word > 0)
        {
            _il.Emit(OpCodes.Ldc_I4, word * 8);
            _il.Emit(OpCodes.Add);
        }
    }
}
