using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Blobs;

/// <summary>What .NET has no call for.</summary>
internal static partial class Linux
{
    private const int ReadOnlyDirectory = 0x10000 | 0x80000; // O_DIRECTORY | O_CLOEXEC
    private const int ReadWriteCreate = 0x2 | 0x40 | 0x80000; // O_RDWR | O_CREAT | O_CLOEXEC
    private const int Shared = 1; // LOCK_SH
    private const int Exclusive = 2; // LOCK_EX
    private const int AtOnce = 4; // LOCK_NB
    private const int Interrupted = 4; // EINTR
    private const int WouldBlock = 11; // EWOULDBLOCK
    private const int SeekData = 3; // SEEK_DATA
    private const int NoSuch = 6; // ENXIO
    private const uint StartWriting = 2; // SYNC_FILE_RANGE_WRITE
    private const uint OwnerOnly = 0x180; // 0600

    /// <summary>A renamed file is durable only once its directory is.</summary>
    public static void SyncDirectory(string path)
    {
        using var handle = new SafeFileHandle(Open(path, ReadOnlyDirectory, 0), ownsHandle: true);
        if (handle.IsInvalid || Fsync(handle) != 0)
        {
            throw new IOException($"Cannot write the directory {path} to disk: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    /// <summary>Opens a file that is only there to be locked, and makes it if it is not there. .NET's own opening would
    /// take a lock of its own.</summary>
    public static SafeFileHandle OpenLock(string path)
    {
        var handle = new SafeFileHandle(Open(path, ReadWriteCreate, OwnerOnly), ownsHandle: true);
        return handle.IsInvalid
            ? throw new IOException($"Cannot open {path}: {Marshal.GetLastPInvokeErrorMessage()}.")
            : handle;
    }

    /// <summary>Waits for the lock on an open file, which its last handle lets go.</summary>
    public static void Lock(SafeFileHandle file, bool exclusive) => _ = TryLock(file, exclusive ? Exclusive : Shared);

    /// <summary>False if somebody else has it.</summary>
    public static bool TryLockExclusive(SafeFileHandle file) => TryLock(file, Exclusive | AtOnce);

    /// <summary>Where an open file stands now; with <c> (deleted)</c> behind it where another took its place.</summary>
    public static string? PathOf(SafeFileHandle file) =>
        new FileInfo($"/proc/self/fd/{file.DangerousGetHandle()}").LinkTarget;

    /// <summary>Lets the kernel begin to write what is in its memory, so that less is left to the end. A hint.</summary>
    public static void BeginWriting(SafeFileHandle file, long offset, long count) =>
        _ = SyncFileRange(file, offset, count, StartWriting);

    /// <summary>Where the next bytes are that were ever written, from <paramref name="offset"/> on: before them is a
    /// hole. Where the file system does not tell, the offset itself; at the end, <see cref="long.MaxValue"/>.</summary>
    public static long NextData(SafeFileHandle file, long offset)
    {
        var found = Seek(file, offset, SeekData);
        return found >= 0 ? found : Marshal.GetLastPInvokeError() == NoSuch ? long.MaxValue : offset;
    }

    private static bool TryLock(SafeFileHandle file, int operation)
    {
        while (Flock(file, operation) != 0)
        {
            switch (Marshal.GetLastPInvokeError())
            {
                case Interrupted:
                    break;
                case WouldBlock:
                    return false;
                default:
                    throw new IOException($"Cannot lock a file of the store: {Marshal.GetLastPInvokeErrorMessage()}.");
            }
        }

        return true;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    private static partial int SyncFileRange(SafeFileHandle handle, long offset, long count, uint flags);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle handle, long offset, int whence);
}
