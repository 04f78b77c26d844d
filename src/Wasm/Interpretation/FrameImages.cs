using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>
/// What the frame of a paused function holds. Both tiers save the same words, so this knows the validated form alone; and it is
/// what a snapshot that came from a stranger is checked against.
/// </summary>
internal static class FrameImages
{
    /// <summary>Words of locals and operands at a pause point, or -1 if there is none at this offset.</summary>
    public static int WordsAt(FunctionCode code, Module module, int offset, PausePoint point, out int op)
    {
        op = OpAt(code, offset, point);
        return op < 0 ? -1 : WordsAt(code, module, op, point);
    }

    /// <summary>The op at which a frame stands still: the call, or the charge of the loop or the function. -1 if none.</summary>
    public static int OpAt(FunctionCode code, int offset, PausePoint point)
    {
        if (point == PausePoint.Entry)
        {
            return offset == 0 ? 0 : -1;
        }
        for (var i = 0; i < code.Ops.Length; i++)
        {
            ref readonly var op = ref code.Ops[i];
            if (op.Offset == offset)
            {
                if (point == PausePoint.Loop ? op.Code == Opcode.Loop : op.Code is Opcode.Call or Opcode.CallIndirect)
                {
                    return point == PausePoint.Loop ? i + 1 : i;
                }
            }
        }
        return -1;
    }

    public static int WordsAt(FunctionCode code, Module module, int op, PausePoint point)
    {
        if (point == PausePoint.Entry)
        {
            return code.LocalWords;
        }
        if (point == PausePoint.Loop)
        {
            return code.LocalWords + code.Ops[op - 1].Height;
        }
        ref readonly var call = ref code.Ops[op];
        var type = TypeOf(call, module);
        return code.LocalWords + call.Height - type.ParameterWords - (call.Code == Opcode.CallIndirect ? 1 : 0)
            + (point == PausePoint.AfterCall ? type.ResultWords : 0);
    }

    /// <summary>The types of the values that those words hold: locals, then operands.</summary>
    public static ValueType[] TypesAt(FunctionCode code, Module module, int op, PausePoint point)
    {
        var operands = new OperandTypes(code, module);
        operands.RunTo(point == PausePoint.Loop ? op - 1 : op);
        if (point is PausePoint.AwaitingCall or PausePoint.AfterCall)
        {
            var type = TypeOf(code.Ops[op], module);
            operands.Pop(type.Parameters.Length + (code.Ops[op].Code == Opcode.CallIndirect ? 1 : 0));
            if (point == PausePoint.AfterCall)
            {
                operands.Push(type.Results.AsSpan());
            }
        }
        return [.. code.Locals, .. operands.Stack];
    }

    /// <summary>The function of a saved frame, if the frame is one that it could have left, with its caller as it is.</summary>
    public static LoweredCode CodeOf(Module module, LoweredModule lowered, SavedFrame[] frames, int index)
    {
        var frame = frames[index];
        if (frame.Function < module.ImportedFunctions || frame.Function >= module.FunctionTypes.Length)
        {
            throw new FormatException($"Frame {index}: the module defines no function {frame.Function}.");
        }
        var code = lowered.Of(frame.Function);
        var words = WordsAt(code.Source, module, frame.Offset, frame.Point, out var op);
        if (words < 0 || (index > 0) != (frame.Point == PausePoint.AwaitingCall))
        {
            throw new FormatException($"Frame {index}: function {frame.Function} does not stand still at {frame.Offset} ({frame.Point}).");
        }
        if (frame.Words.Length != words)
        {
            throw new FormatException($"Frame {index}: {words} words are expected, {frame.Words.Length} are there.");
        }
        if (index > 0)
        {
            ref readonly var call = ref code.Source.Ops[op];
            var callee = frames[index - 1].Function;
            var fits = call.Code == Opcode.Call
                ? call.A == callee
                : callee >= 0 && callee < module.FunctionTypes.Length && module.Types[call.A].Equals(module.FunctionTypeOf(callee));
            if (!fits)
            {
                throw new FormatException($"Frame {index}: what it calls at {frame.Offset} is not function {callee}.");
            }
        }
        var at = 0;
        foreach (var type in TypesAt(code.Source, module, op, frame.Point))
        {
            if (type is ValueType.I32 or ValueType.F32 && frame.Words[at] > uint.MaxValue)
            {
                throw new FormatException($"Frame {index}: word {at} is not a value of type {type.Name()}.");
            }
            at += type.Words();
        }
        return code;
    }

    public static FunctionType TypeOf(in Op call, Module module) =>
        call.Code == Opcode.Call ? module.FunctionTypeOf(call.A) : module.Types[call.A];
}
