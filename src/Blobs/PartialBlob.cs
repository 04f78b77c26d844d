using System.Buffers.Binary;
using MeshLedger.Crypto;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Blobs;

// A blob that is being fetched: partial/<hash>, as long as the blob is to be, with holes where nothing came yet;
// partial/<hash>.obao, its outboard, which may be cut; partial/<hash>.lock, held by the one who fetches. Nothing says
// which groups are there: after a crash those that verify are. So no order of writes to the disk can deceive anyone.

/// <summary>One blob in the making by a fetch, which has it alone.</summary>
internal sealed class PartialBlob : IDisposable
{
    private readonly BlobFiles _files;
    private readonly SafeFileHandle _held;

    private PartialBlob(BlobFiles files, BlobHash hash, SafeFileHandle held)
    {
        _files = files;
        Hash = hash;
        _held = held;
        Content = Open(files.PartialOf(hash));
        Outboard = Open(files.PartialOutboardOf(hash));
    }

    public BlobHash Hash { get; }

    public SafeFileHandle Content { get; }

    public SafeFileHandle Outboard { get; }

    /// <summary>Null if somebody else fetches it.</summary>
    public static PartialBlob? TryBegin(BlobFiles files, BlobHash hash)
    {
        var held = StoreLocks.TryTake(LockOf(files, hash));
        return held is null ? null : new PartialBlob(files, hash, held);
    }

    /// <summary>False if somebody is fetching it.</summary>
    public static bool TryRemove(BlobFiles files, BlobHash hash)
    {
        using var partial = TryBegin(files, hash);
        partial?.Remove();
        return partial is not null;
    }

    /// <summary>The size that a partial blob is to have, if that is known.</summary>
    public static long? SizeOf(BlobFiles files, BlobHash hash)
    {
        try
        {
            using var outboard = BlobStream.OpenFile(files.PartialOutboardOf(hash));
            return ReadSize(outboard);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>What the outboard here says; null if it says nothing yet.</summary>
    public long? ReadSize() => ReadSize(Outboard);

    /// <summary>Forgets all that came.</summary>
    public void Clear()
    {
        RandomAccess.SetLength(Content, 0);
        RandomAccess.SetLength(Outboard, 0);
    }

    /// <summary>Makes it complete. Returns once it is durable.</summary>
    public void Publish(BlobAddition addition)
    {
        RandomAccess.FlushToDisk(Content);
        var size = RandomAccess.GetLength(Content);
        var hasOutboard = new BaoTree(size).Groups > 1;
        if (hasOutboard)
        {
            RandomAccess.FlushToDisk(Outboard);
        }

        _files.Publish(_files.PartialOf(Hash), hasOutboard ? _files.PartialOutboardOf(Hash) : null, Hash, addition);
        Remove();
    }

    public void Remove()
    {
        File.Delete(_files.PartialOf(Hash));
        File.Delete(_files.PartialOutboardOf(Hash));
        File.Delete(LockOf(_files, Hash));
    }

    public void Dispose()
    {
        Content.Dispose();
        Outboard.Dispose();
        _held.Dispose();
    }

    private static long? ReadSize(SafeFileHandle outboard)
    {
        Span<byte> header = stackalloc byte[BaoTree.HeaderBytes];
        return RandomAccess.Read(outboard, header, 0) == header.Length
            && BinaryPrimitives.ReadInt64LittleEndian(header) is >= 0 and var size ? size : null;
    }

    private static string LockOf(BlobFiles files, BlobHash hash) => files.PartialOf(hash) + ".lock";

    private static SafeFileHandle Open(string path)
    {
        var handle = File.OpenHandle(
            path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        File.SetUnixFileMode(handle, BlobFiles.OwnerOnly);
        return handle;
    }
}
