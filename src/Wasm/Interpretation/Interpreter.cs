using MeshLedger.Wasm.Code;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm.Interpretation;

/// <summary>
/// Runs guest code without generating any. Calls within an instance take no room on the host's stack. README.md of this room
/// describes the lowered form, the frames and what holds at a pause.
/// </summary>
internal static unsafe partial class Interpreter
{
    private const int LongestTrace = 64;

    /// <summary>
    /// Calls a function that the instance defines. Arguments' words in, results' words out; untouched when the guest pauses, whose
    /// frames are then among the store's. <paramref name="depth"/> is what is left of the call depth.
    /// </summary>
    public static void Call(Instance instance, int function, Span<ulong> slots, int depth)
    {
        var (module, stack) = (instance.Module.Lowered, instance.Owner.Stack);
        var code = module.Of(function);
        if (depth - code.Depth < 0)
        {
            throw new TrapException(TrapKind.CallStackExhausted)
            {
                BackTrace = [new TrapFrame(function, instance.Module.NameOf(function))],
            };
        }
        var top = stack.Top;
        var free = stack.Free;
        var type = code.Source.Type;
        var frame = new Span<ulong>(free, code.Source.LocalWords);
        slots[..type.ParameterWords].CopyTo(frame);
        frame[type.ParameterWords..].Clear();
        Clean(type.Parameters.AsSpan(), (ulong*)free);
        stack.Top++;
        *stack.Top = new FrameRecord { Frame = free, Function = function };
        try
        {
            if (Run(instance, module, stack, code.BeforeStart, depth - code.Depth))
            {
                new Span<ulong>(free, type.ResultWords).CopyTo(slots);
            }
            else
            {
                SaveFrames(instance, module, stack, top);
            }
        }
        catch (TrapException trap) when (!AddsFrames(trap, instance, stack, top))
        {
            throw;
        }
        finally
        {
            stack.Top = top;
            stack.Free = free;
        }
    }

    /// <summary>
    /// Goes on where a guest paused. The frames come innermost first; they are checked against the module and refused with
    /// <see cref="FormatException"/>. Results are written when the outermost frame returns.
    /// </summary>
    public static void Resume(Instance instance, IReadOnlyList<SavedFrame> frames, Span<ulong> results, int depth)
    {
        var (module, stack) = (instance.Module.Lowered, instance.Owner.Stack);
        var top = stack.Top;
        var free = stack.Free;
        // The list may be the store's own, to which a new pause adds.
        var saved = frames.ToArray();
        try
        {
            var at = free;
            Instruction* ip = null;
            for (var i = saved.Length - 1; i >= 0; i--)
            {
                var code = FrameImages.CodeOf(instance.Module, module, saved, i);
                if ((depth -= code.Depth) < 0)
                {
                    throw new TrapException(TrapKind.CallStackExhausted);
                }
                var words = saved[i].Words;
                words.CopyTo(new Span<ulong>(at, words.Length));
                stack.Top++;
                *stack.Top = new FrameRecord { Frame = at, Return = ip, Function = code.Function };
                ip = code.Find(FrameImages.OpAt(code.Source, saved[i].Offset, saved[i].Point));
                // A callee's frame begins where the operands of its waiting caller end.
                at += words.Length * sizeof(ulong);
            }
            instance.Owner.Frames.Clear();
            if (Run(instance, module, stack, ip, depth))
            {
                var type = instance.Module.FunctionTypeOf(saved[^1].Function);
                new Span<ulong>(free, type.ResultWords).CopyTo(results);
            }
            else
            {
                SaveFrames(instance, module, stack, top);
            }
        }
        catch (TrapException trap) when (!AddsFrames(trap, instance, stack, top))
        {
            throw;
        }
        finally
        {
            stack.Top = top;
            stack.Free = free;
        }
    }

    private static void SaveFrames(Instance instance, LoweredModule module, InterpreterStack stack, FrameRecord* below)
    {
        var ip = stack.PausedAt;
        var innermost = true;
        for (var record = stack.Top; record > below; ip = record->Return, record--)
        {
            var code = module.Of(record->Function);
            var op = code.OriginOf(ip);
            var point = ip->Step != Step.ChargeCheck
                ? innermost ? PausePoint.AfterCall : PausePoint.AwaitingCall
                : op == 0 ? PausePoint.Entry : PausePoint.Loop;
            var words = code.Image(record->Frame, op, FrameImages.WordsAt(code.Source, instance.Module, op, point));
            var offset = point == PausePoint.Entry ? 0 : code.Source.Ops[op].Offset;
            instance.Owner.Frames.Add(new SavedFrame(record->Function, offset, point, words));
            innermost = false;
        }
    }

    /// <summary>
    /// Always true. A filter, as an exception that is thrown again in each of many nested calls takes much of the host's stack; it
    /// runs before the frames within are left, so what it has seen it takes away from those that are asked after it.
    /// </summary>
    private static bool AddsFrames(TrapException trap, Instance instance, InterpreterStack stack, FrameRecord* below)
    {
        var trace = trap.BackTrace.ToBuilder();
        for (var record = stack.Top; record > below && trace.Count < LongestTrace; record--)
        {
            trace.Add(new TrapFrame(record->Function, instance.Module.NameOf(record->Function)));
        }
        trap.BackTrace = trace.ToImmutable();
        stack.Top = below;
        return true;
    }

    /// <summary>The upper halves of 32-bit words are zero in frames, whatever a host left in them.</summary>
    private static void Clean(ReadOnlySpan<ValueType> types, ulong* words)
    {
        foreach (var type in types)
        {
            if (type is ValueType.I32 or ValueType.F32)
            {
                *words = (uint)*words;
            }
            words += type.Words();
        }
    }

    /// <summary>The function index that an indirect call reaches, or -1 for one of the host or of another instance.</summary>
    private static int Indirect(Instance instance, Instruction* ip, byte* f)
    {
        var table = instance.Tables[(int)ip->Immediate];
        var index = *(uint*)(f + ip->C);
        if (index >= (uint)table.Count)
        {
            Trap.Throw(TrapKind.UndefinedElement);
        }
        var handle = table.Elements[index];
        if (handle == 0)
        {
            Trap.Throw(TrapKind.UninitializedElement);
        }
        var entry = instance.Owner.Entries + handle;
        if (entry->Type != instance.TypeIds[ip->B])
        {
            Trap.Throw(TrapKind.IndirectCallTypeMismatch);
        }
        return entry->Owner == instance.Id ? entry->Index : -1;
    }

    private static void CallForeign(
        Instance instance, LoweredModule module, InterpreterStack stack, Instruction* ip, FrameRecord* record, int depth)
    {
        var type = instance.Module.Types[ip->B];
        var handle = instance.Tables[(int)ip->Immediate].Elements[*(uint*)(record->Frame + ip->C)];
        instance.CallForeign(handle, Slots(module, stack, ip, record, type), depth);
        Clean(type.Results.AsSpan(), (ulong*)(record->Frame + ip->A));
    }

    private static void CallImport(
        Instance instance, LoweredModule module, InterpreterStack stack, Instruction* ip, FrameRecord* record, int depth)
    {
        var type = instance.Module.FunctionTypeOf(ip->B);
        instance.CallImport(ip->B, Slots(module, stack, ip, record, type), depth);
        Clean(type.Results.AsSpan(), (ulong*)(record->Frame + ip->A));
    }

    /// <summary>The words of a call out of the instance; what it calls back in begins above this frame.</summary>
    private static Span<ulong> Slots(
        LoweredModule module, InterpreterStack stack, Instruction* ip, FrameRecord* record, FunctionType type)
    {
        stack.Free = record->Frame + module.Functions[record->Function]!.FrameSize;
        return new Span<ulong>(record->Frame + ip->A, Math.Max(type.ParameterWords, type.ResultWords));
    }

    private static void Rare(Instance instance, Instruction* ip, byte* f)
    {
        if (ip->Step >= Step.VectorUnary)
        {
            Vectors.Execute(ip, f);
        }
        else
        {
            Bulk.Execute(instance, ip, f);
        }
    }

    private static void GrowMemory(Instance instance, Instruction* ip, byte* f)
    {
        var delta = *(uint*)(f + ip->B);
        var before = instance.Memory!.Grow(delta);
        if (before >= 0)
        {
            instance.Fuel -= (long)FuelCosts.GrownPage * delta;
        }
        *(ulong*)(f + ip->A) = (uint)before;
    }
}
