using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

// Mark and sweep, while blobs are added, tagged and read by any number of processes:
//   1. The lock `collect` is taken: one collection at a time.
//   2. Holding the store's lock alone, the directory `collecting` is made. From now on whoever makes a blob or a tag appear,
//      or asks a blob to stay (always holding the store's lock shared), leaves a file there, named by the blob.
//   3. Marking: all tags, and all references, are read.
//   4. Each blob that is not marked and whose time of grace is over is looked at again, holding the store's lock alone:
//      if it has a file in `collecting` or was renewed, it stays. Otherwise it is removed.
// So what appears before 2 is seen by 3, and what appears after 2 by 4; no clock decides. A reference that appears after 3,
// to a blob that nothing kept until then and whose time of grace is over, comes too late unless the blob is asked to stay
// first, as a node does with what a document names before it is submitted. Checked by CollectionTests.

/// <summary>What a collection did.</summary>
/// <param name="Examined">How many blobs there were.</param>
/// <param name="Removed">The blobs that went.</param>
/// <param name="FreedBytes">Of their contents.</param>
public sealed record CollectionReport(long Examined, IReadOnlyList<BlobHash> Removed, long FreedBytes);

/// <summary>Removes blobs that neither a tag nor a reference keeps alive, after their time of grace.</summary>
public sealed class GarbageCollector
{
    private readonly BlobFiles _files;
    private readonly BlobTags _tags;
    private readonly BlobStoreOptions _options;
    private readonly TimeProvider _clock;

    internal GarbageCollector(BlobFiles files, BlobTags tags, BlobStoreOptions options, TimeProvider clock)
    {
        _files = files;
        _tags = tags;
        _options = options;
        _clock = clock;
    }

    /// <summary>Collects. Returns at once, with nothing examined, if somebody else is at it.</summary>
    /// <param name="isTrial">Only tells what would go.</param>
    /// <exception cref="IOException">Tags or references cannot be read; nothing was removed.</exception>
    public async Task<CollectionReport> CollectAsync(CancellationToken cancellationToken, bool isTrial = false)
    {
        using var alone = StoreLocks.TryTake(_files.CollectLock);
        if (alone is null)
        {
            return new CollectionReport(0, [], 0);
        }

        _files.BeginCollecting();
        try
        {
            var kept = await MarkAsync(cancellationToken);
            return Sweep(kept, isTrial, cancellationToken);
        }
        finally
        {
            using (_files.Exclude())
            {
                _files.EndCollecting();
            }
        }
    }

    /// <summary>Everything that something keeps alive: tags, and what <see cref="BlobStoreOptions.References"/> says.
    /// </summary>
    public async Task<IReadOnlySet<BlobHash>> MarkAsync(CancellationToken cancellationToken)
    {
        var kept = _tags.List().Select(tag => tag.Hash).ToHashSet();
        if (_options.References is { } references)
        {
            kept.UnionWith(await references(cancellationToken));
        }

        return kept;
    }

    private CollectionReport Sweep(IReadOnlySet<BlobHash> kept, bool isTrial, CancellationToken cancellationToken)
    {
        var removed = new List<BlobHash>();
        var (examined, freed) = (0L, 0L);
        foreach (var (hash, file, state) in _files.Enumerate(null, null))
        {
            cancellationToken.ThrowIfCancellationRequested();
            examined++;
            var isFree = !kept.Contains(hash) || state == BlobState.Quarantined;
            if (!isFree || !IsOver(file))
            {
                continue;
            }

            var size = Size(file);
            if (isTrial || Remove(hash, file, state))
            {
                removed.Add(hash);
                freed += size;
            }
        }

        if (!isTrial)
        {
            Leftovers.Sweep(_files);
        }

        return new CollectionReport(examined, removed, freed);
    }

    private bool Remove(BlobHash hash, FileInfo file, BlobState state)
    {
        if (state == BlobState.Partial)
        {
            // One that is being fetched stays.
            return PartialBlob.TryRemove(_files, hash);
        }

        using (_files.Exclude())
        {
            file.Refresh();
            if (!file.Exists || _files.WasAskedToStay(hash) || !IsOver(file))
            {
                return false;
            }

            if (state == BlobState.Quarantined)
            {
                file.Delete();
            }
            else
            {
                _files.Remove(hash);
            }

            return true;
        }
    }

    /// <summary>A file that is gone has no time any more; it is looked at again before anything is done.</summary>
    private bool IsOver(FileInfo file) =>
        _clock.GetUtcNow().UtcDateTime - file.LastWriteTimeUtc >= _options.Grace;

    private static long Size(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }
}
