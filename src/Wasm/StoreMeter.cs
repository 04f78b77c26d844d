using MeshLedger.Wasm.Runtime;

namespace MeshLedger.Wasm;

// Fuel, deadlines and pauses. Guest code counts down Instance.Fuel and comes here when it is below zero at a check point
// (function entry, loop, return of a call). What it may count down is a slice that ends at the next thing that could happen.
public sealed partial class Store
{
    /// <summary>Fuel after which the host looks at clocks and requests, some milliseconds at most.</summary>
    private const long Slice = 4_000_000;

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

    internal void ClearPauseRequest() => _pauseRequested = false;

    internal long Used(Instance running) => Unwinding ? _usedAtPause : Math.Min(SliceEnd - running.Fuel, FuelLimit);

    /// <summary>
    /// Called where fuel is below zero at a check point. Gives the fuel to go on with, or a negative number when the caller must
    /// save its frame and return. Traps when the fuel or the time is used up.
    /// </summary>
    internal long Check(Instance instance)
    {
        if (Unwinding)
        {
            return -1;
        }
        var used = SliceEnd - instance.Fuel;
        if (used > FuelLimit)
        {
            throw new TrapException(TrapKind.OutOfFuel, $"{FuelLimit} units were allowed");
        }
        if (Clock.GetTimestamp() > _deadline)
        {
            throw new TrapException(TrapKind.DeadlineExceeded, $"{Limits.Time} were allowed");
        }
        if (Pausable && (used > PauseMark || _pauseRequested))
        {
            _pauseRequested = false;
            _usedAtPause = used;
            Unwinding = true;
            instance.Fuel = -1;
            return -1;
        }
        return NextSlice(instance, used);
    }

    private long NextSlice(Instance instance, long used)
    {
        var end = Math.Min(FuelLimit, used > long.MaxValue - Slice ? long.MaxValue : used + Slice);
        if (PauseMark > used)
        {
            end = Math.Min(end, PauseMark);
        }
        SliceEnd = end;
        return instance.Fuel = end - used;
    }
}
