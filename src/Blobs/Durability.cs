using System.Runtime.InteropServices;

namespace MeshLedger.Blobs;

/// <summary>What .NET has no call for: a renamed file is durable only once its directory is.</summary>
internal static partial class Durability
{
    private const int ReadOnlyDirectory = 0x10000 | 0x80000; // O_DIRECTORY | O_CLOEXEC

    public static void SyncDirectory(string path)
    {
        var handle = Open(path, ReadOnlyDirectory);
        if (handle < 0)
        {
            throw new IOException($"Cannot open the directory {path}: {Marshal.GetLastPInvokeErrorMessage()}.");
        }

        try
        {
            if (Fsync(handle) != 0)
            {
                throw new IOException($"Cannot write the directory {path} to disk: " +
                    $"{Marshal.GetLastPInvokeErrorMessage()}.");
            }
        }
        finally
        {
            _ = Close(handle);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int handle);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);
}
