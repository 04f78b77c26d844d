using System.Globalization;

namespace MeshLedger.Crypto;

// A log's files by C2SP tlog-tiles: tile/<L>/<N>[.p/<W>] has the hashes N × 256 to N × 256 + W - 1 of level L, 32 bytes
// each, where a hash of level L is over 256^L leaves; tile/entries/<N>[.p/<W>] the entries of those leaves, each with its
// length before it as two bytes, high one first. W is 1 to 255; without it the tile is full. N is written in groups of three
// digits, all but the last behind an x: tile 1234067 of level 0 is tile/0/x001/x234/067. Checked by LogTileTests.

/// <summary>One tile of a log, or the bundle of entries below it.</summary>
/// <param name="Level">0 for leaf hashes; <see cref="Entries"/> for the entries themselves.</param>
/// <param name="Width">How many hashes or entries it has: 1 to 256.</param>
public readonly record struct LogTile(int Level, long Index, int Width)
{
    /// <summary>Hashes of a full tile.</summary>
    public const int FullWidth = 256;

    /// <summary>The level of bundles of entries.</summary>
    public const int Entries = -1;

    /// <summary>The longest entry.</summary>
    public const int MaxEntry = ushort.MaxValue;

    /// <summary>The highest level: 256^8 leaves are more than there can be.</summary>
    public const int MaxLevel = 7;

    private const long MaxIndex = long.MaxValue / FullWidth;

    public bool IsFull => Width == FullWidth;

    /// <summary>Its file, relative to the log's directory.</summary>
    public string Path
    {
        get
        {
            var level = Level == Entries ? "entries" : Level.ToString(CultureInfo.InvariantCulture);
            var path = (Index % 1000).ToString("000", CultureInfo.InvariantCulture);
            for (var rest = Index / 1000; rest > 0; rest /= 1000)
            {
                path = $"x{(rest % 1000).ToString("000", CultureInfo.InvariantCulture)}/{path}";
            }

            return IsFull ? $"tile/{level}/{path}" : $"tile/{level}/{path}.p/{Width.ToString(CultureInfo.InvariantCulture)}";
        }
    }

    /// <summary>The same place, full.</summary>
    public LogTile Full => this with { Width = FullWidth };

    /// <summary>The tile that has a node in a tree of <paramref name="size"/> leaves.</summary>
    public static LogTile Of(TreeNode node, long size)
    {
        var level = node.Level / 8;
        return At(level, (node.Index << (node.Level % 8)) / FullWidth, size);
    }

    /// <summary>The tile at a place, as wide as a tree of <paramref name="size"/> leaves has it. A width of 0: it has
    /// none.</summary>
    public static LogTile At(int level, long index, long size)
    {
        var count = size >> (8 * Math.Max(level, 0));
        return new LogTile(level, index, (int)Math.Clamp(count - (index * FullWidth), 0, FullWidth));
    }

    /// <summary>The hash of a node of this tile, from the hashes that the tile holds.</summary>
    public static Digest HashOf(TreeNode node, ReadOnlySpan<Digest> hashes)
    {
        var within = node.Level % 8;
        var start = (int)((node.Index << within) % FullWidth);
        return MerkleTree.Root(hashes.Slice(start, 1 << within));
    }

    /// <summary>Reads what <see cref="Path"/> writes, and nothing else.</summary>
    public static bool TryParse(ReadOnlySpan<char> path, out LogTile tile)
    {
        tile = default;
        if (path.Length > 64 || !path.StartsWith("tile/"))
        {
            return false;
        }

        var rest = path[5..];
        var slash = rest.IndexOf('/');
        if (slash < 0 || !TryLevel(rest[..slash], out var level))
        {
            return false;
        }

        rest = rest[(slash + 1)..];
        var width = FullWidth;
        if (rest.IndexOf(".p/") is >= 0 and var partial)
        {
            if (!int.TryParse(rest[(partial + 3)..], NumberStyles.None, CultureInfo.InvariantCulture, out width)
                || width is < 1 or >= FullWidth)
            {
                return false;
            }

            rest = rest[..partial];
        }

        long index = 0;
        foreach (var part in rest.Split('/'))
        {
            var group = rest[part].TrimStart('x');
            if (group.Length != 3 || index > MaxIndex / 1000
                || !int.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out var digits))
            {
                return false;
            }

            index = (index * 1000) + digits;
        }

        // One spelling a tile: whatever was read is written again and compared.
        tile = new LogTile(level, index, width);
        return path.SequenceEqual(tile.Path);
    }

    private static bool TryLevel(ReadOnlySpan<char> text, out int level)
    {
        if (text is "entries")
        {
            level = Entries;
            return true;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out level) && level <= MaxLevel;
    }
}
