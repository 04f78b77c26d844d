using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Blobs;

/// <summary>Locks between all that use one store, in this process or another. Closing the handle lets go, and so does the
/// process's end.</summary>
internal static class StoreLocks
{
    /// <summary>Held for moments: shared by who makes a blob, a tag or a reference appear, alone by who removes a blob.
    /// </summary>
    public static SafeFileHandle Take(string path, bool exclusive)
    {
        var handle = Linux.OpenLock(path);
        try
        {
            Linux.Lock(handle, exclusive);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Null if somebody has it. Who has it may remove the file before letting go: a token in it tells whether what was
    /// locked is what stands at the path.
    /// </summary>
    public static SafeFileHandle? TryTake(string path)
    {
        while (true)
        {
            var handle = Linux.OpenLock(path);
            if (!Linux.TryLockExclusive(handle))
            {
                handle.Dispose();
                return null;
            }

            var token = RandomNumberGenerator.GetBytes(16);
            RandomAccess.Write(handle, token, 0);
            if (IsAt(path, token))
            {
                return handle;
            }

            handle.Dispose();
        }
    }

    private static bool IsAt(string path, ReadOnlySpan<byte> token)
    {
        using var file = Linux.OpenLock(path);
        Span<byte> found = stackalloc byte[token.Length];
        return RandomAccess.Read(file, found, 0) == found.Length && found.SequenceEqual(token);
    }
}
