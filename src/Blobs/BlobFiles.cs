using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MeshLedger.Crypto;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Blobs;

// The store's directory. The blob af1349b9...3262 is
//   af/1349b9...3262          its bytes, nothing else (2 and 62 characters of its name)
//   af/1349b9...3262.obao     its outboard with groups of 16 KiB, if it has more than one group (see BaoTree)
//   af/1349b9...3262.json     its metadata, if it has any (see BlobMetadata)
// and beside them
//   tags/<64 hex>.json        a tag (see BlobTags)
//   partial/<64 hex>[.obao]   being fetched, or left by a fetch that was broken off
//   quarantine/<64 hex>       damaged bytes
//   tmp/<32 hex>/             being written; its writer holds a lock on the file `lock` in it
//   lock, collect, collecting/  see GarbageCollector
// Checked by BlobStoreTests.

/// <summary>Where everything is, and the few steps by which a blob comes, moves and goes.</summary>
internal sealed class BlobFiles
{
    public const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode DirectoryMode = OwnerOnly | UnixFileMode.UserExecute;
    private const string Outboard = ".obao";
    private const string Metadata = ".json";

    private readonly TimeProvider _clock;
    private readonly Lock _publishing = new();

    public BlobFiles(string root, TimeProvider clock)
    {
        _clock = clock;
        Root = Path.GetFullPath(root);
        foreach (var directory in (string[])[Root, Temporary, Tags, Partial, Quarantine])
        {
            Directory.CreateDirectory(directory, DirectoryMode);
        }
    }

    public string Root { get; }

    public string Tags => Path.Combine(Root, "tags");

    public string Partial => Path.Combine(Root, "partial");

    public string Quarantine => Path.Combine(Root, "quarantine");

    /// <summary>Locked by the one who collects.</summary>
    public string CollectLock => Path.Combine(Root, "collect");

    private string Temporary => Path.Combine(Root, "tmp");

    /// <summary>There while a collection is under way: a file for each blob that was asked to stay since it began.</summary>
    private string Collecting => Path.Combine(Root, "collecting");

    public string PathOf(BlobHash hash)
    {
        var name = NameOf(hash);
        return Path.Combine(Root, name[..2], name[2..]);
    }

    public string OutboardOf(BlobHash hash) => PathOf(hash) + Outboard;

    public string MetadataOf(BlobHash hash) => PathOf(hash) + Metadata;

    public string PartialOf(BlobHash hash) => Path.Combine(Partial, NameOf(hash));

    public string PartialOutboardOf(BlobHash hash) => PartialOf(hash) + Outboard;

    public string QuarantineOf(BlobHash hash) => Path.Combine(Quarantine, NameOf(hash));

    public SafeFileHandle Share() => StoreLocks.Take(Path.Combine(Root, "lock"), exclusive: false);

    public SafeFileHandle Exclude() => StoreLocks.Take(Path.Combine(Root, "lock"), exclusive: true);

    /// <summary>A directory of the caller's own, which is gone with it, also if its process ends.</summary>
    public TemporaryDirectory NewTemporary()
    {
        while (true)
        {
            var path = Path.Combine(Temporary, RandomNumberGenerator.GetHexString(32, lowercase: true));
            Directory.CreateDirectory(path, DirectoryMode);
            try
            {
                var handle = StoreLocks.TryTake(Path.Combine(path, "lock"));
                if (handle is not null)
                {
                    return new TemporaryDirectory(path, handle);
                }
            }
            catch (IOException) when (!Directory.Exists(path))
            {
                // Another process opened the store this very moment and swept it.
            }
        }
    }

    /// <summary>Removes what writers left that are no more.</summary>
    public void Sweep()
    {
        foreach (var directory in Directory.EnumerateDirectories(Temporary))
        {
            try
            {
                using var free = StoreLocks.TryTake(Path.Combine(directory, "lock"));
                if (free is not null)
                {
                    Directory.Delete(directory, recursive: true);
                }
            }
            catch (IOException)
            {
                // Its writer, or another who sweeps, was faster.
            }
        }

        // Older stores wrote single files there.
        foreach (var file in Directory.EnumerateFiles(Temporary))
        {
            File.Delete(file);
        }
    }

    /// <summary>
    /// Makes the files <c>content</c> and <c>outboard</c> of a directory, which are on disk already, the blob's: its
    /// outboard first, for a blob is there when its content is. Replaces what was there, so that adding again heals.
    /// </summary>
    /// <returns>False if it was there before.</returns>
    public bool Publish(TemporaryDirectory from, BlobHash hash, long size, BlobAddition addition)
    {
        var outboard = new BaoTree(size).Groups > 1 ? Path.Combine(from.Path, "outboard") : null;
        return Publish(Path.Combine(from.Path, "content"), outboard, hash, addition);
    }

    /// <summary>Makes two files the blob's; there is no outboard where there is one group only.</summary>
    /// <returns>False if it was there before.</returns>
    public bool Publish(string content, string? outboard, BlobHash hash, BlobAddition addition)
    {
        var path = PathOf(hash);
        var shard = Path.GetDirectoryName(path)!;
        bool wasNew;
        lock (_publishing)
        {
            var isNewShard = !Directory.Exists(shard);
            using (Share())
            {
                Directory.CreateDirectory(shard, DirectoryMode);
                if (outboard is not null)
                {
                    File.Move(outboard, OutboardOf(hash), overwrite: true);
                }

                wasNew = !File.Exists(path);
                Stay(hash, content);
                File.Move(content, path, overwrite: true);
                if (!addition.Metadata.IsEmpty)
                {
                    WriteWhole(MetadataOf(hash), addition.Metadata.ToJson());
                }

                if (addition.Tag is { } tag)
                {
                    WriteTag(hash, tag);
                }
            }

            if (isNewShard)
            {
                Linux.SyncDirectory(Root);
            }
        }

        Linux.SyncDirectory(shard);
        if (addition.Tag is not null)
        {
            Linux.SyncDirectory(Tags);
        }

        File.Delete(QuarantineOf(hash));
        return wasNew;
    }

    /// <summary>Keeps a blob from collection for the time of grace from now on; false if it is not here. To be called
    /// while the store's lock is shared.</summary>
    public bool Stay(BlobHash hash) => Stay(hash, PathOf(hash));

    private bool Stay(BlobHash hash, string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, _clock.GetUtcNow().UtcDateTime);
            if (Directory.Exists(Collecting))
            {
                File.WriteAllBytes(Path.Combine(Collecting, NameOf(hash)), []);
            }

            return true;
        }
        catch (IOException) when (!File.Exists(path))
        {
            return false;
        }
    }

    /// <summary>Whether a collection is under way. To be asked while the store's lock is held.</summary>
    public bool IsCollecting => Directory.Exists(Collecting);

    /// <summary>From now on, who asks a blob to stay leaves a sign. To be called with <see cref="CollectLock"/> held.
    /// </summary>
    public void BeginCollecting()
    {
        using (Exclude())
        {
            EndCollecting();
            Directory.CreateDirectory(Collecting, DirectoryMode);
        }
    }

    public void EndCollecting()
    {
        if (Directory.Exists(Collecting))
        {
            Directory.Delete(Collecting, recursive: true);
        }
    }

    /// <summary>To be called while the store's lock is held alone.</summary>
    public bool WasAskedToStay(BlobHash hash) => File.Exists(Path.Combine(Collecting, NameOf(hash)));

    /// <summary>Removes a blob, its content first. To be called while the store's lock is held alone.</summary>
    public void Remove(BlobHash hash)
    {
        File.Delete(PathOf(hash));
        File.Delete(OutboardOf(hash));
        File.Delete(MetadataOf(hash));
    }

    /// <summary>Gives a content that was verified its outboard, unless another took its place meanwhile.</summary>
    public void ReplaceOutboard(BlobHash hash, string outboard, SafeFileHandle content)
    {
        using (Exclude())
        {
            if (Linux.PathOf(content) == PathOf(hash))
            {
                File.Move(outboard, OutboardOf(hash), overwrite: true);
            }
        }
    }

    /// <summary>Puts a damaged blob away, unless it was replaced since <paramref name="damaged"/> was opened. What was
    /// there of it in quarantine is replaced.</summary>
    public void MoveToQuarantine(BlobHash hash, SafeFileHandle damaged)
    {
        using (Exclude())
        {
            if (Linux.PathOf(damaged) == PathOf(hash))
            {
                File.Move(PathOf(hash), QuarantineOf(hash), overwrite: true);
                File.Delete(OutboardOf(hash));
            }
        }
    }

    /// <summary>What is here in the order of the names, from the one after <paramref name="after"/> on.</summary>
    /// <param name="state">Null: all states. What is complete counts as that alone.</param>
    public IEnumerable<(BlobHash Hash, FileInfo File, BlobState State)> Enumerate(BlobHash? after, BlobState? state)
    {
        var first = after is { } hash ? NameOf(hash) : "";
        var others = new SortedDictionary<string, (BlobHash, FileInfo, BlobState)>(StringComparer.Ordinal);
        foreach (var (directory, kind) in
            new[] { (Quarantine, BlobState.Quarantined), (Partial, BlobState.Partial) }.Where(one => state is null || state == one.Item2))
        {
            foreach (var (name, file) in NamedIn(directory))
            {
                others[file.Name] = (name, file, kind);
            }
        }

        for (var shard = 0; shard < 256; shard++)
        {
            var prefix = shard.ToString("x2", CultureInfo.InvariantCulture);
            if (first.Length > 0 && string.CompareOrdinal(prefix, first[..2]) < 0)
            {
                continue;
            }

            var here = new SortedDictionary<string, (BlobHash, FileInfo, BlobState)>(StringComparer.Ordinal);
            foreach (var pair in others.Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal)))
            {
                here[pair.Key] = pair.Value;
            }

            var complete = state is null or BlobState.Complete ? NamedIn(Path.Combine(Root, prefix), prefix) : [];
            foreach (var (name, file) in complete)
            {
                here[NameOf(name)] = (name, file, BlobState.Complete);
            }

            foreach (var found in here.Where(pair => string.CompareOrdinal(pair.Key, first) > 0))
            {
                yield return found.Value;
            }
        }
    }

    /// <summary>What is in <see cref="Partial"/> or <see cref="Quarantine"/>, in no order.</summary>
    private static List<(BlobHash Hash, FileInfo File)> NamedIn(string directory, string prefix = "")
    {
        if (!Directory.Exists(directory))
        {
            return [];
        }

        var found = new List<(BlobHash Hash, FileInfo File)>();
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles())
        {
            if (BlobHash.TryParse(prefix + file.Name, out var hash))
            {
                found.Add((hash, file));
            }
        }

        return found;
    }

    /// <summary>Bytes of all files of the store, but of those that are being written.</summary>
    public long StoredBytes() => Directory.EnumerateDirectories(Root)
        .Where(directory => directory != Temporary)
        .Sum(directory => new DirectoryInfo(directory).EnumerateFiles().Sum(Size));

    private static long Size(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            // Gone meanwhile.
            return 0;
        }
    }

    /// <summary>Replaces a small file; it has the old or the new content, never a part.</summary>
    public void WriteWhole(string path, ReadOnlySpan<byte> content)
    {
        using var temporary = NewTemporary();
        var file = Path.Combine(temporary.Path, "file");
        using (var handle = temporary.Create("file"))
        {
            RandomAccess.Write(handle, content, 0);
            RandomAccess.FlushToDisk(handle);
        }

        File.Move(file, path, overwrite: true);
    }

    public string TagOf(BlobTag tag) => tag == default
        ? throw new ArgumentException("The default tag has no name.", nameof(tag))
        : Path.Combine(Tags, Blake3.Hash(Encoding.UTF8.GetBytes(tag.ToString())) + ".json");

    /// <summary>To be called while the store's lock is shared, with the blob there.</summary>
    public void WriteTag(BlobHash hash, BlobTag tag) => WriteWhole(
        TagOf(tag), Encoding.UTF8.GetBytes($"{{\"tag\":\"{tag}\",\"hash\":\"{hash}\"}}\n"));

    private static string NameOf(BlobHash hash) => hash.IsDefault
        ? throw new ArgumentException("The default hash names no blob.", nameof(hash))
        : hash.ToString();
}

/// <summary>Where something is written before it is moved into place.</summary>
internal sealed class TemporaryDirectory(string path, SafeFileHandle held) : IDisposable
{
    public string Path { get; } = path;

    public SafeFileHandle Create(string name)
    {
        var file = System.IO.Path.Combine(Path, name);
        var handle = File.OpenHandle(file, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        File.SetUnixFileMode(handle, BlobFiles.OwnerOnly);
        return handle;
    }

    public void Dispose()
    {
        Directory.Delete(Path, recursive: true);
        held.Dispose();
    }
}
