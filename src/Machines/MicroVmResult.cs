using MeshLedger.Crypto;

namespace MeshLedger.Machines;

/// <summary>How a run ended. Each is told from the others by what the machine did, never by text of the guest's
/// program.</summary>
public enum MicroVmOutcome
{
    /// <summary>The program ended by itself; see <see cref="MicroVmResult.ExitCode"/>.</summary>
    Exited,

    /// <summary>A signal ended the program.</summary>
    Signalled,

    /// <summary>Not a static x86-64 ELF program, or the guest's kernel would not start it.</summary>
    NotExecutable,

    /// <summary>The guest's memory was too small: its kernel killed the program, or came to a stop itself.</summary>
    OutOfMemory,

    /// <summary>The time limit passed; what had come until then is kept.</summary>
    TimedOut,

    /// <summary>The guest's kernel stopped for another reason.</summary>
    KernelPanic,

    /// <summary>QEMU ended early, or what came from the guest is no record of ours.</summary>
    MachineFailed,
}

/// <summary>What came of a run.</summary>
public sealed record MicroVmResult
{
    public required MicroVmOutcome Outcome { get; init; }

    /// <summary>One line for people.</summary>
    public required string Reason { get; init; }
    public int? ExitCode { get; init; }
    public int? Signal { get; init; }
    public MicroVmOutput Stdout { get; init; } = MicroVmOutput.Empty;
    public MicroVmOutput Stderr { get; init; } = MicroVmOutput.Empty;

    /// <summary>Those that were asked for, in that order; without those that the run did not get to.</summary>
    public IReadOnlyList<MicroVmFile> Files { get; init; } = [];

    /// <summary>Peak resident set of the largest process that the program was, in the guest.</summary>
    public long? GuestPeakBytes { get; init; }

    /// <summary>Peak resident set of QEMU on this machine: guest memory that was touched, and the emulator.</summary>
    public long? HostPeakBytes { get; init; }

    /// <summary>From the start of QEMU until the guest's init spoke.</summary>
    public TimeSpan? BootTime { get; init; }
    public required TimeSpan Duration { get; init; }

    /// <summary><c>qemu-microvm-tcg</c> or <c>qemu-microvm-kvm</c>.</summary>
    public required string EngineName { get; init; }
    public required string EngineVersion { get; init; }

    /// <summary>Of the kernel's file as the distribution ships it.</summary>
    public required Digest KernelSha256 { get; init; }
}

/// <param name="Bytes">The beginning, up to the cap.</param>
/// <param name="Truncated">True if there was more.</param>
public sealed record MicroVmOutput(ReadOnlyMemory<byte> Bytes, bool Truncated)
{
    public static MicroVmOutput Empty { get; } = new(ReadOnlyMemory<byte>.Empty, false);
}

/// <param name="Path">As it was asked for.</param>
/// <param name="Content">Null if the file could not be had.</param>
/// <param name="Missing">Why not.</param>
public sealed record MicroVmFile(string Path, MicroVmOutput? Content, string? Missing);
