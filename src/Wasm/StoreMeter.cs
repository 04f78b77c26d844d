using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

// Fuel, deadlines and pauses. Guest code counts down Instance.Fuel and comes here when it is below zero at a check point
// (function entry, loop, return of a call). What it may count down is a slice that ends at the next thing that could happen.
public sealed partial class Store
{
    /// <summary>Fuel after which the host looks at clocks and requests: some tens of milliseconds of compiled code.</summary>
    private const long Slice = 200_000_000;

    /// <summary>The same for the interpreter.</summary>
    private const long SlowSlice = 10_000_000;

    /// <summary>Fuel that the adaptive tier spends in the interpreter before it compiles: about a millisecond.</summary>
    private const long Trial = 1_000_000;

    private long _deadline = long.MaxValue;
    private long _usedAtPause;
    private volatile bool _pauseRequested;

    /// <summary>Fuel that may be used in all.</summary>
    internal long FuelLimit;

    /// <summary>The guest pauses at the first check point at which more than this was used.</summary>
    internal long PauseMark = long.MaxValue;

    /// <summary>What will have been used in all when the running instance's Fuel is 0.</summary>
    internal long SliceEnd;

    /// <summary>Guest code is leaving its frames: each function saves its own and returns at once.</summary>
    internal bool Unwinding;

    /// <summary>False while a frame of the host, or of another instance, is among the guest's.</summary>
    internal bool Pausable;

    /// <summary>What is left of the call depth for what the host calls next.</summary>
    internal int DepthLeft;

    /// <summary>
    /// Calls out of an instance's code, to the host or to another instance, that may be open at once. Each takes frames of the host's
    /// stack, of which little may be left (<see cref="Runtime.HostStack"/>), and is to end at the same call everywhere.
    /// </summary>
    internal const int MostCrossings = 32;

    internal int Crossings;

    /// <summary>The instance whose code runs, or that called the host; null outside of calls.</summary>
    internal Instance? Running;

    /// <summary>Fuel of calls that are over.</summary>
    internal long UsedBefore;

    /// <summary>Frames of a paused guest, innermost first.</summary>
    internal List<SavedFrame> Frames { get; } = [];

    /// <summary>How many of <see cref="Frames"/> are still to be rebuilt on the host's stack; outermost ones come first.</summary>
    internal int Rewinding;

    /// <summary>Keeps the words alive that a frame being rebuilt reads.</summary>
    internal ulong[]? Restored;

    /// <summary>Asks the running guest to pause at its next check point after at most one slice. From any thread.</summary>
    public void RequestPause() => _pauseRequested = true;

    /// <summary>Begins or goes on with a run: fuel is counted from <paramref name="used"/>.</summary>
    internal void Begin(Instance instance, long used)
    {
        if (_deadline == long.MaxValue && Limits.Time is { } time)
        {
            _deadline = Clock.GetTimestamp() + (long)(time.TotalSeconds * Clock.TimestampFrequency);
        }
        Unwinding = false;
        NextSlice(instance, used);
    }

    /// <summary>Frames that nobody goes on with: what a later call saves must not be taken for their callers.</summary>
    private void Abandon()
    {
        Frames.Clear();
        Rewinding = 0;
        Unwinding = false;
    }

    internal void ClearPauseRequest() => _pauseRequested = false;

    internal long Used(Instance running) => Unwinding ? _usedAtPause : Math.Min(SliceEnd - running.Fuel, FuelLimit);

    /// <summary>
    /// Called by the interpreter where fuel is below zero at a check point. Gives the fuel to go on with, or a negative number when
    /// the frames are to be saved and left. Traps when the fuel or the time is used up.
    /// </summary>
    internal long Check(Instance instance)
    {
        if (Unwinding)
        {
            return -1;
        }
        var used = SliceEnd - instance.Fuel;
        // What began in the interpreter and is still there goes on in compiled code.
        if (Tier == Tier.Adaptive || !GoesOn(used))
        {
            Leave(instance);
            return -1;
        }
        return NextSlice(instance, used);
    }

    /// <summary>Ends the slice early, so that what the interpreter is about to run is left to the compiler if it takes long.</summary>
    internal void Shorten(Instance instance)
    {
        if (instance.Fuel > Trial)
        {
            SliceEnd -= instance.Fuel - Trial;
            instance.Fuel = Trial;
        }
    }

    /// <summary>
    /// Ends the slice now if the host wants something: compiling takes time and no fuel, so a guest of many functions would
    /// otherwise not be heard for long.
    /// </summary>
    internal void Attend(Instance instance)
    {
        if (instance.Fuel > 0 && (_pauseRequested || Clock.GetTimestamp() > _deadline))
        {
            SliceEnd -= instance.Fuel;
            instance.Fuel = 0;
        }
    }

    /// <summary>The first frame of a guest that found its fuel below zero is about to be saved.</summary>
    internal void Leave(Instance instance)
    {
        _usedAtPause = SliceEnd - instance.Fuel;
        Unwinding = true;
        instance.Fuel = -1;
    }

    /// <summary>
    /// Compiled code has left its frames: true when it is to be entered again at once with another slice of fuel, false when it
    /// pauses. Traps like <see cref="Check"/>.
    /// </summary>
    internal bool Reenter(Instance instance)
    {
        bool goesOn;
        try
        {
            goesOn = GoesOn(_usedAtPause);
        }
        catch (TrapException trap)
        {
            // Its frames are left already, so the trace is of what was saved.
            trap.BackTrace =
            [
                .. Frames.Take(BackTraces.Longest).Select(frame => new TrapFrame(frame.Function, instance.Module.NameOf(frame.Function))),
            ];
            instance.Fuel = SliceEnd - _usedAtPause;
            Abandon();
            throw;
        }
        if (goesOn)
        {
            Unwinding = false;
            NextSlice(instance, _usedAtPause);
        }
        return goesOn;
    }

    /// <summary>Traps when the time is over, also while frames are being rebuilt.</summary>
    internal void EndIfLate()
    {
        if (Clock.GetTimestamp() > _deadline)
        {
            if (Rewinding > 0)
            {
                Abandon();
            }
            throw new TrapException(TrapKind.DeadlineExceeded, $"{Limits.Time} were allowed");
        }
    }

    private bool GoesOn(long used)
    {
        if (used > FuelLimit)
        {
            throw new TrapException(TrapKind.OutOfFuel, $"{FuelLimit} units were allowed");
        }
        EndIfLate();
        return !Pausable || (used <= PauseMark && !_pauseRequested);
    }

    private long NextSlice(Instance instance, long used)
    {
        var slice = !instance.Module.Pausable ? long.MaxValue : Tier == Tier.Interpreter ? SlowSlice : Slice;
        var end = Math.Min(FuelLimit, used > long.MaxValue - slice ? long.MaxValue : used + slice);
        if (PauseMark > used || Pausable)
        {
            // A mark that was reached before pauses at the very next check point.
            end = Math.Min(end, Math.Max(PauseMark, used));
        }
        SliceEnd = end;
        return instance.Fuel = end - used;
    }
}
