using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Transparency;

/// <summary>Makes proofs from a log's tiles, of which it reads only those that it needs. Nothing is believed: what a proof
/// says is for its reader to verify. Not for concurrent use.</summary>
/// <param name="published">The size of the published tree: how wide tiles are.</param>
public sealed class LogReader(ILogSource source, long published)
{
    private readonly Dictionary<LogTile, Digest[]> _tiles = [];

    /// <summary>The audit path of an entry in the tree of the first <paramref name="size"/>, which is at most what is
    /// published.</summary>
    /// <param name="index">From 0.</param>
    /// <exception cref="IOException">A tile is missing, or damaged.</exception>
    public async Task<Digest[]> InclusionAsync(long index, long size, CancellationToken cancellationToken)
    {
        var proof = MerkleProof.Inclusion(index, size);
        return proof.Make(await LoadAsync(proof.Needed, cancellationToken));
    }

    /// <summary>The proof that the tree of <paramref name="size"/> begins with that of <paramref name="first"/>.</summary>
    /// <inheritdoc cref="InclusionAsync" path="/exception"/>
    public async Task<Digest[]> ConsistencyAsync(long first, long size, CancellationToken cancellationToken)
    {
        var proof = MerkleProof.Consistency(first, size);
        return proof.Make(await LoadAsync(proof.Needed, cancellationToken));
    }

    /// <summary>The root of the first <paramref name="size"/> entries.</summary>
    /// <inheritdoc cref="InclusionAsync" path="/exception"/>
    public async Task<Digest> RootAsync(long size, CancellationToken cancellationToken)
    {
        var peaks = MerkleProof.Peaks(size);
        var hashOf = await LoadAsync(peaks, cancellationToken);
        return MerkleProof.Join([.. peaks.Select(hashOf)]);
    }

    /// <summary>The entry at an index.</summary>
    /// <inheritdoc cref="InclusionAsync" path="/exception"/>
    public async Task<byte[]> EntryAsync(long index, CancellationToken cancellationToken)
    {
        var tile = LogTile.At(LogTile.Entries, index / LogTile.FullWidth, published);
        var entries = await source.ReadEntriesAsync(tile, cancellationToken) ?? throw Bad(tile);
        return entries[index % LogTile.FullWidth];
    }

    private async Task<Func<TreeNode, Digest>> LoadAsync(
        IEnumerable<TreeNode> nodes, CancellationToken cancellationToken)
    {
        foreach (var tile in nodes.Select(node => LogTile.Of(node, published)).Distinct())
        {
            if (!_tiles.ContainsKey(tile))
            {
                _tiles[tile] = await source.ReadTileAsync(tile, cancellationToken) ?? throw Bad(tile);
            }
        }

        return node => LogTile.HashOf(node, _tiles[LogTile.Of(node, published)]);
    }

    private IOException Bad(LogTile tile) =>
        new($"{tile.Path} of {source.Name} is missing or damaged. Run: meshledger log fsck");
}
