using System.Runtime.CompilerServices;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Ledger.Transparency;

/// <summary>Makes a log's tiles again from the events, once these were proven to be those that its head was signed over.
/// </summary>
internal static class LogRebuild
{
    private const int Batch = 5000;

    /// <summary>Writes every tile that is missing or has other bytes. Under the lock.</summary>
    /// <param name="heads">All heads of the log, smallest first; those whose partial tiles are still to be there get
    /// them.</param>
    /// <param name="progress">Gets the positions that were worked through, of both passes.</param>
    /// <returns>The tree, and how many files were written.</returns>
    /// <exception cref="InvalidHistoryException">The events do not lead to this head; nothing was changed.</exception>
    public static async Task<(TileTree Tree, int Written)> RunAsync(
        IEventStore store, LogFiles files, SignedHead head, IAsyncEnumerable<SignedHead> heads, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        await ProveAsync(store, head, progress, cancellationToken);
        var (tree, written) = (new TileTree(), 0);
        await foreach (var entry in EntriesAsync(store, head.Head.Size, cancellationToken))
        {
            tree.Add(entry);
            foreach (var (tile, bytes) in tree.Completed)
            {
                written += files.WriteIfOther(tile.Path, bytes) ? 1 : 0;
            }

            tree.Completed.Clear();
            Report(progress, head.Head.Size + tree.Size);
        }

        var done = new HashSet<LogTile>();
        await foreach (var one in heads.WithCancellation(cancellationToken))
        {
            foreach (var (tile, bytes) in tree.Partials(one.Head.Size).Where(partial => done.Add(partial.Tile)))
            {
                written += files.WriteIfOther(tile.Path, bytes) ? 1 : 0;
            }
        }

        files.Sync();
        return (tree, written);
    }

    /// <summary>Returns if the events of the database are those that the head was signed over.</summary>
    /// <exception cref="InvalidHistoryException">They are not.</exception>
    public static async Task ProveAsync(
        IEventStore store, SignedHead head, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        var frontier = new MerkleFrontier();
        await foreach (var entry in EntriesAsync(store, head.Head.Size, cancellationToken))
        {
            frontier.Add(MerkleTree.LeafHash(entry));
            Report(progress, frontier.Size);
        }

        if (frontier.Root != head.Head.Root)
        {
            throw new InvalidHistoryException(
                $"The events 1 to {head.Head.Size} of the database are not those over which the log signed its tree head "
                + $"at {Timestamps.Write(head.At)}: the root is {frontier.Root}, signed was {head.Head.Root}. "
                + "Run: meshledger audit");
        }
    }

    private static async IAsyncEnumerable<byte[]> EntriesAsync(
        IEventStore store, long size, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var position = 0L; position < size;)
        {
            var events = await store.ReadAfterAsync(position, (int)Math.Min(Batch, size - position), cancellationToken);
            if (events.Count == 0)
            {
                throw new InvalidHistoryException(
                    $"The database has no event at position {position + 1}, but the log signed a tree head of {size}. "
                    + "Run: meshledger audit");
            }

            foreach (var recorded in events)
            {
                if (recorded.Position != ++position)
                {
                    throw new InvalidHistoryException(
                        $"The database has no event at position {position}. Run: meshledger audit");
                }

                yield return LogEntry.Write(recorded);
            }
        }
    }

    private static void Report(IProgress<long>? progress, long done)
    {
        if (done % 1024 == 0)
        {
            progress?.Report(done);
        }
    }
}
