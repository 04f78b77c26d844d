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
/// One run of a module with WASI preview 1 (and nothing else of the host): started, paused, written down, resumed,
/// ended. Not safe for two threads, except <see cref="RequestPause"/>.
/// </summary>
public sealed class GuestProgram : IDisposable
{
    private readonly WasiHost _host;
    private readonly Store _store;
    private Instance? _instance;
    private Execution? _execution;

    private GuestProgram(GuestOptions options)
    {
        _host = new WasiHost(options);
        _store = new Store(options.Limits, options.Tier);
    }

    /// <summary>
    /// Links and instantiates. A module that is a library (<c>_initialize</c>) is initialised. Throws <see
    /// cref="LinkException"/> (also for a missing entry), <see cref="ModuleLimitException"/>, <see
    /// cref="ArgumentException"/> for options that cannot be, or, from a start function, <see cref="TrapException"/>.
    /// </summary>
    public static GuestProgram Start(Module module, GuestOptions options)
    {
        var program = new GuestProgram(options);
        try
        {
            program.Begin(module, GuestEntry.Find(module, options.Entry));
            return program;
        }
        catch
        {
            program.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Goes on from a snapshot of the same module and options (their tier, fuel and time may be others). Throws
    /// <see cref="FormatException"/> for one that is damaged or of another program.
    /// </summary>
    public static GuestProgram Resume(Module module, GuestOptions options, Stream snapshot)
    {
        var program = new GuestProgram(options);
        try
        {
            program._instance = Instance.Prepare(module, program._host.AddTo(new Imports()), program._store);
            program._execution = Execution.Resume(program._instance, snapshot, out var hostState);
            HostStateReader.Restore(program._host, hostState);
            return program;
        }
        catch
        {
            program.Dispose();
            throw;
        }
    }

    /// <summary>0 after a normal return; the code of <c>proc_exit</c> otherwise. Null until it exited.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>What an entry with a result gave; an i32 is extended with its sign.</summary>
    public long? Result { get; private set; }

    public TrapException? Trap { get; private set; }

    /// <summary>Fuel used since the very start, earlier workers' included.</summary>
    public long FuelUsed => _execution?.FuelUsed ?? _instance?.FuelUsed ?? 0;

    /// <summary>All of standard output so far, earlier workers' included.</summary>
    public ReadOnlyMemory<byte> StandardOutput => _host.Output.Content;

    public ReadOnlyMemory<byte> StandardError => _host.Error.Content;

    /// <summary>Bytes that were dropped because a stream was full.</summary>
    public long DroppedBytes => _host.Output.Dropped + _host.Error.Dropped;

    /// <summary>Files under <c>/out</c>, in ordinal order of their paths relative to it. Made anew whenever it is asked
    /// for.</summary>
    public IReadOnlyList<GuestOutput> Outputs
    {
        get
        {
            var outputs = new List<GuestOutput>();
            // A file with two names is kept once.
            Collect(_host.Outputs, "", outputs, []);
            outputs.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
            return outputs;
        }
    }

    /// <summary>
    /// Runs until the guest ends or pauses. <paramref name="pauseAtFuel"/>: total fuel after which it pauses. Once it
    /// has ended it says how, again.
    /// </summary>
    public GuestState Run(long? pauseAtFuel = null)
    {
        if (ExitCode is not null)
        {
            return GuestState.Exited;
        }
        if (Trap is not null)
        {
            return GuestState.Trapped;
        }
        switch (_execution!.Run(pauseAtFuel))
        {
            case ExecutionState.Completed:
                ExitCode = 0;
                Result = _execution.Results is [var result] ? GuestEntry.Number(result) : null;
                return GuestState.Exited;
            case ExecutionState.Exited:
                ExitCode = _execution.ExitCode;
                return GuestState.Exited;
            case ExecutionState.Trapped:
                Trap = _execution.Trap;
                return GuestState.Trapped;
            default:
                return GuestState.Paused;
        }
    }

    /// <summary>From any thread: pause soon (some tens of milliseconds, more where functions are being compiled).</summary>
    public void RequestPause() => _store.RequestPause();

    /// <summary>
    /// The whole state of a paused guest. Throws <see cref="InvalidOperationException"/> when it is not paused, or has
    /// a file of a real directory open.
    /// </summary>
    public void WriteSnapshot(Stream to)
    {
        if (_execution is not { State: ExecutionState.Paused })
        {
            throw new InvalidOperationException("Only a paused guest can be written down.");
        }
        _execution.WriteSnapshot(to, HostState.Save(_host));
    }

    /// <summary>The canonical bytes of memory, globals and tables, whose BLAKE3 hash is the state digest.</summary>
    public void WriteState(Stream to) => Execution.WriteState(_instance!, to);

    public void Dispose()
    {
        _host.Dispose();
        _store.Dispose();
    }

    private void Begin(Module module, string entry)
    {
        var imports = _host.AddTo(new Imports());
        try
        {
            // Not Instantiate, which gives no instance when the start function exits: its state counts all the same.
            _instance = Instance.Prepare(module, imports, _store);
            _instance.Initialize();
            if (module.StartFunction >= 0)
            {
                _instance.Invoke(module.StartFunction, []);
            }
            if (entry != GuestEntry.Command && GuestEntry.HasInitializer(module))
            {
                _instance.Invoke(GuestEntry.Initializer);
            }
            _execution = Execution.Start(_instance, entry);
        }
        catch (GuestExitException exit)
        {
            ExitCode = exit.Code;
        }
    }

    private static void Collect(
        MemoryDirectory directory, string prefix, List<GuestOutput> outputs,
        Dictionary<ulong, ReadOnlyMemory<byte>> contents)
    {
        foreach (var (name, node) in directory.Entries)
        {
            if (node is MemoryDirectory below)
            {
                Collect(below, $"{prefix}{name}/", outputs, contents);
            }
            else if (node is MemoryFile file)
            {
                if (!contents.TryGetValue(file.State.Inode, out var content))
                {
                    contents.Add(file.State.Inode, content = file.Content());
                }
                outputs.Add(new GuestOutput(prefix + name, content));
            }
        }
    }
}

/// <summary>A file that the guest left under <c>/out</c>.</summary>
public sealed record GuestOutput(string Path, ReadOnlyMemory<byte> Content);
