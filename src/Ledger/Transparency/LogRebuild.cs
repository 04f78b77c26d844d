using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Transparency;

/// <summary>Makes a log's tiles again from the events, once these were proven to be those that its head was signed over.
/// </summary>
internal static class LogRebuild
{
    private const int MostCompleted = 512;

    /// <summary>Writes every tile that is missing or has other bytes. Under the lock.</summary>
    /// <param name="heads">All heads of the log, smallest first; those whose partial tiles are still to be there get
    /// them.</param>
    /// <param name="progress">Gets the positions that were worked through, of both passes.</param>
    /// <returns>The tree, and how many files were written.</returns>
    /// <exception cref="InvalidHistoryException">The events do not lead to this head; nothing was changed.</exception>
    public static async Task<(TileTree Tree, int Written)> RunAsync(
        EntryReader entries, LogFiles files, SignedHead head, IAsyncEnumerable<SignedHead> heads, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        await ProveAsync(entries, head, progress, cancellationToken);
        var (tree, written) = (new TileTree(), 0);
        await foreach (var batch in entries.ReadAsync(0, head.Head.Size, cancellationToken))
        {
            foreach (var leaf in batch)
            {
                tree.Add(leaf);
            }

            if (tree.Completed.Count >= MostCompleted)
            {
                written += files.WriteIfOther(tree.Completed.Select(one => (one.Tile.Path, one.Bytes)));
                tree.Completed.Clear();
            }

            progress?.Report(head.Head.Size + tree.Size);
        }

        written += files.WriteIfOther(tree.Completed.Select(one => (one.Tile.Path, one.Bytes)));
        tree.Completed.Clear();
        var done = new HashSet<LogTile>();
        await foreach (var one in heads.WithCancellation(cancellationToken))
        {
            if (one.Head.Size > tree.Size)
            {
                // Another node signed on meanwhile.
                break;
            }

            written += files.WriteIfOther(tree.Partials(one.Head.Size).Where(partial => done.Add(partial.Tile))
                .Select(partial => (partial.Tile.Path, partial.Bytes)));
        }

        files.Sync();
        return (tree, written);
    }

    /// <summary>Returns if the events of the database are those that the head was signed over.</summary>
    /// <exception cref="InvalidHistoryException">They are not.</exception>
    public static async Task ProveAsync(
        EntryReader entries, SignedHead head, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        var frontier = new MerkleFrontier();
        await foreach (var batch in entries.ReadAsync(0, head.Head.Size, cancellationToken))
        {
            foreach (var leaf in batch)
            {
                frontier.Add(leaf.Hash);
            }

            progress?.Report(frontier.Size);
        }

        if (frontier.Root != head.Head.Root)
        {
            throw new InvalidHistoryException(
                $"The events 1 to {head.Head.Size} of the database are not those over which the log signed its tree head "
                + $"at {Timestamps.Write(head.At)}: the root is {frontier.Root}, signed was {head.Head.Root}. "
                + "Run: meshledger audit");
        }
    }
}
