namespace MeshLedger.Transports.Folder.Posix;

internal enum FileKind
{
    Regular,
    Directory,
    SymbolicLink,
    Fifo,
    Socket,
    Device,
}

/// <summary>Which file it is, whatever its name: what tells that a rename took place although it was reported lost.
/// </summary>
internal readonly record struct FileIdentity(uint DeviceMajor, uint DeviceMinor, ulong Inode);

/// <summary>What the file system says of a file; times are the file server's, in nanoseconds since 1970.</summary>
internal readonly record struct FileStatus(
    FileIdentity Identity, FileKind Kind, ulong Size, long Modified, long Changed)
{
    /// <summary>The last write or rename. The change time cannot be set from outside, the modification time can.
    /// </summary>
    public long LastTouched => Math.Max(Modified, Changed);

    public static FileStatus From(in Libc.StatxBuffer buffer) => new(
        new FileIdentity(buffer.DeviceMajor, buffer.DeviceMinor, buffer.Inode),
        KindOf(buffer.Mode),
        buffer.Size,
        Nanoseconds(buffer.ModifiedSeconds, buffer.ModifiedNanoseconds),
        Nanoseconds(buffer.ChangedSeconds, buffer.ChangedNanoseconds));

    // Times that 64 bits of nanoseconds do not reach can be set from outside; they become the nearest that they reach.
    private static long Nanoseconds(long seconds, uint nanoseconds) =>
        (Math.Clamp(seconds, -9_000_000_000, 9_000_000_000) * 1_000_000_000) + nanoseconds;

    private static FileKind KindOf(int mode) => (mode & 0xF000) switch
    {
        0x8000 => FileKind.Regular,
        0x4000 => FileKind.Directory,
        0xA000 => FileKind.SymbolicLink,
        0x1000 => FileKind.Fifo,
        0xC000 => FileKind.Socket,
        _ => FileKind.Device,
    };
}

/// <summary>What became of a rename that must not replace.</summary>
internal enum MoveOutcome
{
    Moved,

    /// <summary>There was nothing to move: somebody else was first.</summary>
    SourceGone,
    TargetTaken,
}

/// <summary>What reading a file gave.</summary>
internal abstract record FileReading
{
    private FileReading()
    {
    }

    public sealed record Content(byte[] Bytes) : FileReading;

    /// <summary>Larger than asked for; <paramref name="Size"/> is what the file system said.</summary>
    public sealed record TooLarge(ulong Size) : FileReading;

    /// <summary>Not a regular file, and therefore not opened.</summary>
    public sealed record NotAFile(FileKind Kind) : FileReading;

    public sealed record Gone : FileReading;
}
