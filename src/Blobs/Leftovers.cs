using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

/// <summary>
/// Files beside a content that is not there: a crash came after an outboard and before its content, or in the middle of
/// a removal. Nobody reads them, and a blob that comes replaces them; but they take room.
/// </summary>
internal static class Leftovers
{
    public static void Sweep(BlobFiles files)
    {
        foreach (var shard in Directory.EnumerateDirectories(files.Root, "??"))
        {
            foreach (var file in Directory.EnumerateFiles(shard, "*.*"))
            {
                var name = Path.GetFileName(shard) + Path.GetFileNameWithoutExtension(file);
                if (BlobHash.TryParse(name, out var hash) && !File.Exists(files.PathOf(hash)))
                {
                    Remove(files, hash, file);
                }
            }
        }

        foreach (var file in Directory.EnumerateFiles(files.Partial, "*.*"))
        {
            if (BlobHash.TryParse(Path.GetFileNameWithoutExtension(file), out var hash)
                && !File.Exists(files.PartialOf(hash)))
            {
                PartialBlob.TryRemove(files, hash);
            }
        }
    }

    private static void Remove(BlobFiles files, BlobHash hash, string file)
    {
        using (files.Exclude())
        {
            // Who makes a blob appear holds the lock from the outboard on; and what is in quarantine may be healed, and
            // has its metadata then.
            var isAwaited = File.Exists(files.PathOf(hash))
                || (file == files.MetadataOf(hash) && File.Exists(files.QuarantineOf(hash)));
            if (!isAwaited)
            {
                File.Delete(file);
            }
        }
    }
}
