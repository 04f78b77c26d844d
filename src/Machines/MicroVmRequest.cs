namespace MeshLedger.Machines;

/// <summary>Where a program writes.</summary>
public enum MicroVmStream
{
    Stdout,
    Stderr,
}

/// <summary>One program to run, once, in a machine of its own.</summary>
public sealed record MicroVmRequest
{
    public const int DefaultMemoryMb = 256;
    public const int MinMemoryMb = 96;
    public const int MaxMemoryMb = 16 * 1024;
    public const int MaxVcpus = 16;

    /// <summary>What QEMU takes of the host's memory beside the guest's, in MB: some 115 were measured, and up to 64
    /// are for translated code.</summary>
    public const int EmulatorMb = 192;
    public const long DefaultOutputBytes = 1 << 20;
    public const long MaxOutputBytes = 64 << 20;

    /// <summary>The most bytes of one call of <see cref="Output"/>.</summary>
    public const int MaxLiveBytes = 64 * 1024;

    /// <summary>The most arguments, and the most variables, and the most files; the guest's init knows it too.</summary>
    public const int MaxStrings = 1024;

    /// <summary>The longest argument, variable or path, in bytes of UTF-8; the guest's kernel takes no longer ones.
    /// </summary>
    public const int MaxStringBytes = 128 * 1024 - 1;

    /// <summary>A static x86-64 ELF program.</summary>
    public required ReadOnlyMemory<byte> Program { get; init; }

    /// <summary>What follows the program's name, which is <c>/program</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The whole environment: nothing is added.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    public ReadOnlyMemory<byte> Stdin { get; init; }

    /// <summary>Files that are there when the program starts; it may read them, and not write them.</summary>
    public IReadOnlyList<MicroVmInput> Inputs { get; init; } = [];

    /// <summary>Absolute paths of regular files in the guest that are handed back when the program has ended.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    public int Vcpus { get; init; } = 1;

    public int MemoryMb { get; init; } = DefaultMemoryMb;

    /// <summary>How much is kept of each output: of stdout, of stderr, and of every file.</summary>
    public long OutputBytes { get; init; } = DefaultOutputBytes;

    /// <summary>From the start of the machine to its end.</summary>
    public required TimeSpan TimeLimit { get; init; }

    /// <summary>Called once, when the guest's kernel is up and the program is about to start.</summary>
    public Action? Booted { get; init; }

    /// <summary>
    /// Called with what the program writes while it runs, in order within each stream, one call at a time. All pieces
    /// of a stream together are the bytes that the result keeps of it, also where the run is cancelled or timed out.
    /// A listener that throws is not called again, and one that is still busy a second after the machine's end is not
    /// waited for; neither harms the run. The bytes do not change and may be held.
    /// </summary>
    public Action<MicroVmStream, ReadOnlyMemory<byte>>? Output { get; init; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Vcpus, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Vcpus, MaxVcpus);
        ArgumentOutOfRangeException.ThrowIfLessThan(MemoryMb, MinMemoryMb);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MemoryMb, MaxMemoryMb);
        ArgumentOutOfRangeException.ThrowIfNegative(OutputBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(OutputBytes, MaxOutputBytes);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(TimeLimit, TimeSpan.Zero);
        if (MicroVmInput.Fault(Inputs.Select(input => input.Path).ToArray()) is { } fault)
        {
            throw new ArgumentException(fault.Expected);
        }
    }
}
