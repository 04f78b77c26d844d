using MeshLedger.Wasm.Snapshots;

namespace MeshLedger.Wasm;

public sealed partial class Execution
{
    /// <summary>
    /// Goes on from a snapshot in an instance that <see cref="Wasm.Instance.Prepare"/> made of the same module.
    /// <paramref name="hostState"/> is what <see cref="WriteSnapshot"/> was given. Throws <see cref="FormatException"/> for a
    /// snapshot that is damaged, of another module, or beyond the limits; the instance is of no use then.
    /// </summary>
    public static Execution Resume(Instance instance, Stream snapshot, out byte[] hostState)
    {
        var (function, fuel, frames, host) = SnapshotReader.Read(snapshot, instance);
        hostState = host;
        var type = instance.Module.FunctionTypeOf(function);
        instance.Owner.UsedBefore = fuel;
        return new Execution(instance, function, new ulong[Math.Max(type.ParameterWords, type.ResultWords)])
        {
            State = ExecutionState.Paused,
            FuelUsed = fuel,
            _frames = frames,
        };
    }

    /// <summary>
    /// Writes the state of a paused execution, with whatever the host wants to keep beside it. Throws
    /// <see cref="InvalidOperationException"/> when it is not paused, or shares a memory, table or mutable global with another
    /// instance.
    /// </summary>
    public void WriteSnapshot(Stream to, ReadOnlySpan<byte> hostState)
    {
        if (State != ExecutionState.Paused)
        {
            throw new InvalidOperationException($"The execution is not paused: {State}.");
        }
        SnapshotWriter.Write(to, _instance, _function, FuelUsed, _frames, hostState);
    }

    /// <summary>The canonical bytes of memories, tables and globals; their BLAKE3 hash is the state digest.</summary>
    public static void WriteState(Instance instance, Stream to) => SnapshotWriter.WriteState(to, instance);
}
