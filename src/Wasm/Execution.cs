using System.Collections.Immutable;
using MeshLedger.Wasm.Interpretation;
using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

public enum ExecutionState
{
    Ready,
    Paused,
    Completed,

    /// <summary>The guest ended by <see cref="GuestExitException"/>.</summary>
    Exited,
    Trapped,
}

/// <summary>
/// A call of one exported function that can be paused, written down and resumed. A pause takes in the frames of one instance: a
/// guest pauses once every call into the host, or through it into other instances, has returned. For one thread at a time.
/// </summary>
public sealed partial class Execution
{
    private readonly Instance _instance;
    private readonly int _function;
    private readonly FunctionType _type;
    private readonly ulong[] _slots;
    private SavedFrame[] _frames = [];

    private Execution(Instance instance, int function, ulong[] slots)
    {
        (_instance, _function, _slots) = (instance, function, slots);
        _type = instance.Module.FunctionTypeOf(function);
    }

    /// <summary>
    /// Prepares the call; nothing runs yet. Throws <see cref="ArgumentException"/> when there is no such function or the arguments
    /// are of other types.
    /// </summary>
    public static Execution Start(Instance instance, string export, params ReadOnlySpan<Value> arguments)
    {
        var function = instance.ExportedFunction(export);
        return new Execution(instance, function, Instance.Marshal(instance.Module.FunctionTypeOf(function), arguments));
    }

    public ExecutionState State { get; private set; }

    public ImmutableArray<Value> Results { get; private set; } = [];

    public TrapException? Trap { get; private set; }

    public int? ExitCode { get; private set; }

    /// <summary>Fuel used so far, before a resumption included; exact, and the same in either tier.</summary>
    public long FuelUsed { get; private set; }

    /// <summary>
    /// Runs on the calling thread until the call ends or pauses; never throws for what the guest does.
    /// <paramref name="pauseAtFuel"/>: pause at the first place at which more than this was used in all. A request that was made
    /// before counts.
    /// </summary>
    public ExecutionState Run(long? pauseAtFuel = null)
    {
        if (State is not (ExecutionState.Ready or ExecutionState.Paused))
        {
            throw new InvalidOperationException($"The execution is over: {State}.");
        }
        var store = _instance.Owner;
        store.PauseMark = pauseAtFuel ?? long.MaxValue;
        store.Pausable = true;
        store.Running = _instance;
        store.Frames.Clear();
        store.Frames.AddRange(_frames);
        store.Begin(_instance, State == ExecutionState.Ready ? store.UsedBefore : FuelUsed);
        try
        {
            Go(store);
            State = store.Unwinding ? ExecutionState.Paused : ExecutionState.Completed;
        }
        catch (TrapException trap) when (BackTraces.Completes(trap))
        {
            (State, Trap) = (ExecutionState.Trapped, trap);
        }
        catch (GuestExitException exit)
        {
            (State, ExitCode) = (ExecutionState.Exited, exit.Code);
        }
        FuelUsed = store.UsedBefore = store.Used(_instance);
        _frames = State == ExecutionState.Paused ? [.. store.Frames] : [];
        (store.Pausable, store.Running, store.PauseMark) = (false, null, long.MaxValue);
        store.Unwinding = false;
        store.ClearPauseRequest();
        store.Frames.Clear();
        if (State == ExecutionState.Completed)
        {
            Results = [.. Instance.Values(_type, _slots)];
        }
        return State;
    }

    private void Go(Store store)
    {
        if (State == ExecutionState.Ready)
        {
            _instance.Enter(_function, _slots);
        }
        else if (store.Tier != Tier.Interpreter)
        {
            _instance.Continue(_slots);
        }
        else
        {
            store.Frames.Clear();
            Interpreter.Resume(_instance, _frames, _slots, store.DepthLeft);
        }
    }
}
