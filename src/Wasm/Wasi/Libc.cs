using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Wasm.Wasi;

/// <summary>The calls of Linux that name a file relative to an open directory, and their constants and
/// errors.</summary>
internal static partial class Libc
{
    public const int AtEmptyPath = 0x1000;
    public const int AtNoFollow = 0x100;
    public const int AtRemoveDirectory = 0x200;
    public const int WriteOnly = 1;
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;

    /// <summary>UTIME_OMIT as nanoseconds: this time stays as it is.</summary>
    public const long OmitTime = 0x3ffffffe;

    private static readonly bool Arm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    public static readonly int Directory = Arm ? 0x4000 : 0x10000;
    public static readonly int NoFollow = Arm ? 0x8000 : 0x20000;

    /// <summary>The error of the call that was just made, as the guest is told.</summary>
    public static Errno LastError() => Marshal.GetLastPInvokeError() switch
    {
        1 => Errno.Perm,
        2 => Errno.Noent,
        5 => Errno.Io,
        6 => Errno.Nxio,
        9 => Errno.Badf,
        11 => Errno.Again,
        12 => Errno.Nomem,
        13 => Errno.Acces,
        16 => Errno.Busy,
        17 => Errno.Exist,
        18 => Errno.Xdev,
        19 => Errno.Nodev,
        20 => Errno.Notdir,
        21 => Errno.Isdir,
        22 => Errno.Inval,
        23 or 24 => Errno.Mfile,
        27 => Errno.Fbig,
        28 or 122 => Errno.Nospc,
        30 => Errno.Rofs,
        31 => Errno.Mlink,
        36 => Errno.Nametoolong,
        39 => Errno.Notempty,
        40 => Errno.Loop,
        75 => Errno.Overflow,
        95 => Errno.Notsup,
        _ => Errno.Io,
    };

    public static Errno Check(int result) => result < 0 ? LastError() : Errno.Success;

    /// <summary>What is known of a name in a directory (never following it), or of an open file where the name is
    /// empty.</summary>
    public static unsafe Errno Stat(SafeFileHandle directory, string name, out FileStat stat)
    {
        var bytes = stackalloc byte[256];
        stat = default;
        if (StatX(directory, name, AtNoFollow | (name.Length == 0 ? AtEmptyPath : 0), 0x7ff, bytes) < 0)
        {
            return LastError();
        }
        var read = new ReadOnlySpan<byte>(bytes, 256);
        var type = (BinaryPrimitives.ReadUInt16LittleEndian(read[28..]) & 0xf000) switch
        {
            0x4000 => FileType.Directory,
            0x8000 => FileType.RegularFile,
            0xa000 => FileType.SymbolicLink,
            0x2000 => FileType.CharacterDevice,
            0x6000 => FileType.BlockDevice,
            _ => FileType.Unknown,
        };
        stat = new FileStat(
            BinaryPrimitives.ReadUInt64LittleEndian(read[136..]),
            BinaryPrimitives.ReadUInt64LittleEndian(read[32..]),
            type,
            BinaryPrimitives.ReadUInt32LittleEndian(read[16..]), BinaryPrimitives.ReadUInt64LittleEndian(read[40..]),
            Time(read[64..]), Time(read[112..]), Time(read[96..]));
        return Errno.Success;
    }

    /// <summary>The names in a directory with their types, without "." and "..", in the file system's order; null if
    /// there are too many.</summary>
    public static unsafe List<DirectoryEntry>? List(SafeFileHandle directory, int most)
    {
        var copy = OpenAt(directory, ".", Directory | CloseOnExec, 0);
        var stream = copy < 0 ? 0 : OpenDirectory(copy);
        if (stream == 0)
        {
            new SafeFileHandle(copy, ownsHandle: true).Dispose();
            return [];
        }
        var entries = new List<DirectoryEntry>();
        try
        {
            // struct dirent of 64-bit Linux: inode, offset, length, type at 18, name at 19.
            for (var entry = ReadDirectory(stream); entry != null; entry = ReadDirectory(stream))
            {
                var name = Marshal.PtrToStringUTF8((nint)(entry + 19))!;
                if (name is "." or ".." || name.Contains('\uFFFD', StringComparison.Ordinal))
                {
                    // A name that is not UTF-8 cannot be said in preview 1.
                    continue;
                }
                if (entries.Count == most)
                {
                    return null;
                }
                var type = entry[18] switch
                {
                    4 => FileType.Directory,
                    8 => FileType.RegularFile,
                    10 => FileType.SymbolicLink,
                    _ => FileType.Unknown,
                };
                entries.Add(new DirectoryEntry(name, *(ulong*)entry, type));
            }
        }
        finally
        {
            _ = CloseDirectory(stream);
        }
        return entries;
    }

    public static Errno SetTimes(SafeFileHandle directory, string? name, NewTimes times)
    {
        Span<long> spec = [.. Split(times.Accessed), .. Split(times.Modified)];
        return Check(name is null ? SetTimesOf(directory, spec) : SetTimesAt(directory, name, spec, AtNoFollow));
    }

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenAt(SafeFileHandle directory, string name, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeDirectoryAt(SafeFileHandle directory, string name, int mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int UnlinkAt(SafeFileHandle directory, string name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt(SafeFileHandle directory, string name, SafeFileHandle to, string newName);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int LinkAt(
        SafeFileHandle directory, string name, SafeFileHandle to, string newName, int flags);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SymbolicLinkAt(string target, SafeFileHandle directory, string name);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ReadLinkAt(SafeFileHandle directory, string name, Span<byte> target, nuint length);

    [LibraryImport("libc", EntryPoint = "pread64", SetLastError = true)]
    public static partial nint Read(SafeFileHandle file, Span<byte> to, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite64", SetLastError = true)]
    public static partial nint Write(SafeFileHandle file, ReadOnlySpan<byte> from, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "ftruncate64", SetLastError = true)]
    public static partial int SetSize(SafeFileHandle file, long size);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int SyncData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(SafeFileHandle directory, string name, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    private static partial int SetTimesOf(SafeFileHandle file, Span<long> times);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetTimesAt(SafeFileHandle directory, string name, Span<long> times, int flags);

    [LibraryImport("libc", EntryPoint = "fdopendir", SetLastError = true)]
    private static partial nint OpenDirectory(int descriptor);

    [LibraryImport("libc", EntryPoint = "readdir64", SetLastError = true)]
    private static unsafe partial byte* ReadDirectory(nint stream);

    [LibraryImport("libc", EntryPoint = "closedir", SetLastError = true)]
    private static partial int CloseDirectory(nint stream);

    private static ulong Time(ReadOnlySpan<byte> at) => unchecked(
        (BinaryPrimitives.ReadUInt64LittleEndian(at) * 1_000_000_000)
        + BinaryPrimitives.ReadUInt32LittleEndian(at[8..]));

    private static long[] Split(ulong? time) =>
        time is { } at ? [(long)(at / 1_000_000_000), (long)(at % 1_000_000_000)] : [0, OmitTime];
}
