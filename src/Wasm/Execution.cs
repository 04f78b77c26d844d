using System.Collections.Immutable;

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

/// <summary>A call of one exported function that can be paused, written down and resumed.</summary>
public sealed partial class Execution
{
    /// <summary>Prepares the call; nothing runs yet.</summary>
    public static Execution Start(Instance instance, string export, params ReadOnlySpan<Value> arguments) => throw new NotImplementedException();

    /// <summary>
    /// Goes on from a snapshot in a fresh instance of the same module. <paramref name="hostState"/> is what
    /// <see cref="WriteSnapshot"/> was given. Throws <see cref="FormatException"/> for a snapshot that is damaged or of another module.
    /// </summary>
    public static Execution Resume(Instance instance, Stream snapshot, out byte[] hostState) => throw new NotImplementedException();

    public ExecutionState State { get; private set; }

    public ImmutableArray<Value> Results { get; private set; } = [];

    public TrapException? Trap { get; private set; }

    public int? ExitCode { get; private set; }

    public long FuelUsed => throw new NotImplementedException();

    /// <summary>Runs on the calling thread until the call ends or pauses; never throws for what the guest does.</summary>
    public ExecutionState Run(long? pauseAtFuel = null) => throw new NotImplementedException();

    /// <summary>Writes the state of a paused execution, with whatever the host wants to keep beside it.</summary>
    public void WriteSnapshot(Stream to, ReadOnlySpan<byte> hostState) => throw new NotImplementedException();

    /// <summary>The canonical bytes of memory, globals and tables; their BLAKE3 hash is the state digest.</summary>
    public static void WriteState(Instance instance, Stream to) => throw new NotImplementedException();
}
