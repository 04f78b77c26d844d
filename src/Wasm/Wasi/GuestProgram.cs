namespace MeshLedger.Wasm.Wasi;

public enum GuestState
{
    /// <summary>Paused by a fuel mark or a request; <see cref="GuestProgram.Run"/> goes on.</summary>
    Paused,

    /// <summary>Ended by itself: returned from its entry, or <c>proc_exit</c>.</summary>
    Exited,

    /// <summary>Ended by a trap or a limit.</summary>
    Trapped,
}

/// <summary>
/// One run of a module with WASI preview 1 (and nothing else of the host): started, paused, written down, resumed, ended.
/// Not safe for two threads, except <see cref="RequestPause"/>.
/// </summary>
public sealed class GuestProgram : IDisposable
{
    /// <summary>Links and instantiates. Throws <see cref="LinkException"/>, <see cref="ModuleLimitException"/> or, from a start function, <see cref="TrapException"/>.</summary>
    public static GuestProgram Start(Module module, GuestOptions options) => throw new NotImplementedException();

    /// <summary>Goes on from a snapshot of the same module and options. Throws <see cref="FormatException"/> for one that is damaged or of another program.</summary>
    public static GuestProgram Resume(Module module, GuestOptions options, Stream snapshot) => throw new NotImplementedException();

    /// <summary>0 after a normal return; the code of <c>proc_exit</c> otherwise. Null until it exited.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>What <c>run: () -> i64</c> gave.</summary>
    public long? Result { get; private set; }

    public TrapException? Trap { get; private set; }

    /// <summary>Fuel used since the very start, earlier workers' included.</summary>
    public long FuelUsed => throw new NotImplementedException();

    /// <summary>All of standard output so far, earlier workers' included.</summary>
    public ReadOnlyMemory<byte> StandardOutput => throw new NotImplementedException();

    public ReadOnlyMemory<byte> StandardError => throw new NotImplementedException();

    /// <summary>Bytes that were dropped because a stream was full.</summary>
    public long DroppedBytes => throw new NotImplementedException();

    /// <summary>Files under <c>/out</c>, in ordinal order of their paths relative to it.</summary>
    public IReadOnlyList<GuestOutput> Outputs => throw new NotImplementedException();

    /// <summary>Runs until the guest ends or pauses. <paramref name="pauseAtFuel"/>: total fuel after which it pauses.</summary>
    public GuestState Run(long? pauseAtFuel = null) => throw new NotImplementedException();

    /// <summary>From any thread: pause soon (some milliseconds at most).</summary>
    public void RequestPause() => throw new NotImplementedException();

    /// <summary>The whole state of a paused guest.</summary>
    public void WriteSnapshot(Stream to) => throw new NotImplementedException();

    /// <summary>The canonical bytes of memory, globals and tables, whose BLAKE3 hash is the state digest.</summary>
    public void WriteState(Stream to) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}

/// <summary>A file that the guest left under <c>/out</c>.</summary>
public sealed record GuestOutput(string Path, ReadOnlyMemory<byte> Content);
