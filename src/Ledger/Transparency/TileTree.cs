using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Transparency;

/// <summary>The right edge of a log: for each level the hashes of its last tile, and the entries below it. Tiles that
/// became full wait in <see cref="Completed"/> to be taken.</summary>
internal sealed class TileTree
{
    private readonly List<Digest>[] _edge = [.. Enumerable.Range(0, LogTile.MaxLevel + 1).Select(_ => new List<Digest>())];
    private readonly List<byte[]> _entries = [];

    /// <summary>How many entries there are.</summary>
    public long Size { get; private set; }

    /// <summary>Full tiles and bundles, with their bytes, since they were last taken.</summary>
    public List<(LogTile Tile, byte[] Bytes)> Completed { get; } = [];

    public Digest Root => MerkleProof.Join([.. MerkleProof.Peaks(Size).Select(HashOf)]);

    public void Add(byte[] entry) => Add(new LogLeaf(entry, MerkleTree.LeafHash(entry)));

    public void Add(LogLeaf leaf)
    {
        var entry = leaf.Entry;
        if (entry.Length > LogTile.MaxEntry)
        {
            throw new InvalidOperationException($"A log entry has at most {LogTile.MaxEntry} bytes, not {entry.Length}.");
        }

        _entries.Add(entry);
        if (_entries.Count == LogTile.FullWidth)
        {
            Completed.Add((new LogTile(LogTile.Entries, Size / LogTile.FullWidth, LogTile.FullWidth), EntryBundle.Write(_entries)));
            _entries.Clear();
        }

        AddLeaf(leaf.Hash);
    }

    /// <summary>Takes a leaf without its entry, for those who only hash.</summary>
    public void AddLeaf(Digest leaf)
    {
        Size++;
        for (var level = 0; ; level++)
        {
            var edge = _edge[level];
            edge.Add(leaf);
            if (edge.Count < LogTile.FullWidth)
            {
                return;
            }

            leaf = MerkleTree.Root(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(edge));
            Completed.Add((
                new LogTile(level, ((Size - 1) >> (8 * level)) / LogTile.FullWidth, LogTile.FullWidth), TileBytes.Write(edge)));
            edge.Clear();
        }
    }

    /// <summary>The tiles that are not full, as a tree of <paramref name="size"/> entries has them, where those are
    /// beginnings of the ones of now; the others are left out.</summary>
    public IEnumerable<(LogTile Tile, byte[] Bytes)> Partials(long size)
    {
        for (var level = 0; level <= LogTile.MaxLevel; level++)
        {
            var tile = LogTile.At(level, (Size >> (8 * level)) / LogTile.FullWidth, size);
            if (tile.Width is > 0 and < LogTile.FullWidth)
            {
                yield return (tile, TileBytes.Write(_edge[level][..tile.Width]));
                if (level == 0 && _entries.Count >= tile.Width)
                {
                    yield return (tile with { Level = LogTile.Entries }, EntryBundle.Write(_entries[..tile.Width]));
                }
            }
        }
    }

    /// <summary>The tree of a log, from its files.</summary>
    /// <returns>Null if a file is missing or the files do not lead to this root.</returns>
    public static async Task<TileTree?> LoadAsync(
        ILogSource source, long size, Digest root, CancellationToken cancellationToken)
    {
        var tree = new TileTree { Size = size };
        for (var level = 0; level <= LogTile.MaxLevel; level++)
        {
            var tile = LogTile.At(level, (size >> (8 * level)) / LogTile.FullWidth, size);
            if (tile.Width == 0)
            {
                continue;
            }

            if (await source.ReadTileAsync(tile, cancellationToken) is not { } hashes)
            {
                return null;
            }

            tree._edge[level].AddRange(hashes);
            if (level > 0)
            {
                continue;
            }

            if (await source.ReadEntriesAsync(tile, cancellationToken) is not { } entries
                || !entries.Select(entry => MerkleTree.LeafHash(entry)).SequenceEqual(hashes))
            {
                return null;
            }

            tree._entries.AddRange(entries);
        }

        return tree.Root == root ? tree : null;
    }

    private Digest HashOf(TreeNode node) => LogTile.HashOf(
        node, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_edge[node.Level / 8]));
}

/// <summary>The bytes of a tile of hashes.</summary>
internal static class TileBytes
{
    public static byte[] Write(IReadOnlyList<Digest> hashes)
    {
        var bytes = new byte[hashes.Count * Digest.Size];
        for (var i = 0; i < hashes.Count; i++)
        {
            hashes[i].CopyTo(bytes.AsSpan(i * Digest.Size));
        }

        return bytes;
    }

    /// <returns>Null if there are not that many.</returns>
    public static Digest[]? Read(ReadOnlySpan<byte> bytes, int count)
    {
        if (bytes.Length != count * Digest.Size)
        {
            return null;
        }

        var hashes = new Digest[count];
        for (var i = 0; i < count; i++)
        {
            hashes[i] = new Digest(bytes.Slice(i * Digest.Size, Digest.Size));
        }

        return hashes;
    }
}

/// <summary>The bytes of a bundle of entries: each with its length before it, two bytes, high one first.</summary>
internal static class EntryBundle
{
    public const int MaxBytes = LogTile.FullWidth * (LogTile.MaxEntry + 2);

    public static byte[] Write(IReadOnlyList<byte[]> entries)
    {
        var bytes = new byte[entries.Sum(entry => entry.Length + 2)];
        var at = 0;
        foreach (var entry in entries)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at), (ushort)entry.Length);
            entry.CopyTo(bytes, at + 2);
            at += entry.Length + 2;
        }

        return bytes;
    }

    /// <returns>Null if there are not exactly that many.</returns>
    public static byte[][]? Read(ReadOnlySpan<byte> bytes, int count)
    {
        var entries = new byte[count][];
        for (var i = 0; i < count; i++)
        {
            if (bytes.Length < 2
                || System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(bytes) is var length && bytes.Length < 2 + length)
            {
                return null;
            }

            entries[i] = bytes.Slice(2, length).ToArray();
            bytes = bytes[(2 + length)..];
        }

        return bytes.IsEmpty ? entries : null;
    }
}
