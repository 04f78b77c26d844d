using System.Globalization;
using System.Runtime.CompilerServices;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Transparency;

/// <summary>What is wrong with a log.</summary>
/// <param name="Kind"><c>wrong_head</c>, <c>wrong_root</c>, <c>wrong_tile</c>, <c>wrong_entries</c>, <c>wrong_key</c>, <c>missing</c>.</param>
/// <param name="File">Within the log.</param>
/// <param name="Position">Of the first event that it concerns; null where it concerns none or all.</param>
public sealed record LogFault(string Kind, string File, long? Position, string Reason);

/// <summary>What a check found.</summary>
public sealed record LogCheckReport(
    SignedHead? Head, long Entries, long Tiles, long Heads, long FaultCount, IReadOnlyList<LogFault> Faults);

/// <summary>Checks a log from its files alone, in memory that does not grow with it: the published head and every head that
/// was ever signed, every entry, every tile, and that all of these are of one tree.</summary>
public sealed class LogCheck
{
    private const int MostFaults = 1000;

    private readonly ILogSource _source;
    private readonly LogKeys _keys;
    private readonly IProgress<(long Done, long Total)>? _progress;
    private readonly List<LogFault> _faults = [];
    private readonly MerkleFrontier _frontier = new();
    private readonly TileTree _tree = new();
    private readonly Dictionary<LogTile, long> _earlier = []; // Partial tiles of the right edge, by the size that had them.
    private readonly StreamId _handOvers;
    private readonly HashSet<long> _starts; // Where the keys say that one begins.
    private byte[][] _lastEntries = [];
    private Digest _root; // Of the published head.
    private long _faultCount;
    private long _tiles;
    private long _heads;

    private LogCheck(ILogSource source, LogKeys keys, IProgress<(long Done, long Total)>? progress)
    {
        _source = source;
        _keys = keys;
        _handOvers = StreamId.OfLog(keys.Origin);
        _starts = [.. keys.Terms.Select(term => term.From)];
        _progress = progress;
    }

    /// <param name="progress">Gets how many entries are checked, and how many there are.</param>
    /// <exception cref="IOException">The log cannot be reached.</exception>
    public static Task<LogCheckReport> RunAsync(
        ILogSource source, LogKeys keys, IProgress<(long Done, long Total)>? progress, CancellationToken cancellationToken) =>
        new LogCheck(source, keys, progress).RunAsync(cancellationToken);

    private async Task<LogCheckReport> RunAsync(CancellationToken cancellationToken)
    {
        SignedHead? head = null;
        try
        {
            head = await LogHeads.LatestAsync(_source, _keys, cancellationToken);
            if (head is null)
            {
                Add("missing", LogFiles.Checkpoint, null, "there is no published tree head");
            }
        }
        catch (FormatException wrong)
        {
            Add("wrong_head", LogFiles.Checkpoint, null, wrong.Message);
        }

        if (head is not null)
        {
            await CheckTreeAsync(head, cancellationToken);
        }

        return new LogCheckReport(head, _tree.Size, _tiles, _heads, _faultCount, _faults);
    }

    private async Task CheckTreeAsync(SignedHead head, CancellationToken cancellationToken)
    {
        var size = head.Head.Size;
        _root = head.Head.Root;
        await using var heads = HeadsAsync(size, cancellationToken).GetAsyncEnumerator(cancellationToken);
        var more = await heads.MoveNextAsync();
        SignedHead? latest = null;
        for (var index = 0L; index * LogTile.FullWidth < size; index++)
        {
            foreach (var leaf in await LeavesAsync(LogTile.At(0, index, size), size, cancellationToken))
            {
                _tree.AddLeaf(leaf);
                _frontier.Add(leaf);
                for (; more && heads.Current.Head.Size == _frontier.Size; more = await heads.MoveNextAsync())
                {
                    latest = heads.Current;
                    Remember(_frontier.Size, size);
                    if (latest.Head.Root != _frontier.Root)
                    {
                        Add("wrong_root", LogFiles.Heads, latest.Head.Size, "a tree head was signed over other entries");
                    }
                }
            }

            await CompareUpperAsync(cancellationToken);
            _progress?.Report((_tree.Size, size));
        }

        foreach (var (tile, bytes) in _tree.Partials(size).Where(one => one.Tile.Level > 0))
        {
            await CompareAsync(tile, bytes, cancellationToken);
        }

        foreach (var earlier in _earlier.Values.Distinct())
        {
            await CompareEarlierAsync(earlier, size, cancellationToken);
        }

        if (_frontier.Root != head.Head.Root)
        {
            Add("wrong_root", LogFiles.Checkpoint, null, $"its root is {head.Head.Root}, and that of the entries {_frontier.Root}");
        }

        if (latest is not null && latest.Head.Size != size)
        {
            Add("missing", LogFiles.Heads, size, "the published tree head is not in the list of those that were signed");
        }
    }

    /// <summary>The heads of up to so many entries that hold; faults of the others are told on the way.</summary>
    private async IAsyncEnumerable<SignedHead> HeadsAsync(
        long most, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        SignedHead? before = null;
        var (any, held) = (false, 0L);
        await foreach (var head in LogHeads.ReadAsync(_source, _keys, cancellationToken))
        {
            any = true;
            if (_heads - held > MostFaults)
            {
                // A server may send lines without an end, none of which it would have to sign.
                Add("wrong_head", LogFiles.Heads, null, $"more than {MostFaults} lines are none of the log's tree heads, and the rest was not read");
                yield break;
            }

            _heads++;
            if (head is null)
            {
                Add("wrong_head", LogFiles.Heads, null, $"line {_heads} is no tree head that {_keys} signed");
            }
            else if (before is not null && head.Head.Size <= before.Head.Size)
            {
                Add("wrong_head", LogFiles.Heads, head.Head.Size, $"line {_heads} is not of a larger tree than the one before");
            }
            else if (before is not null && head.At < before.At)
            {
                Add("wrong_head", LogFiles.Heads, head.Head.Size, $"line {_heads} has an earlier time than the one before");
            }
            else if (head.Head.Size > most)
            {
                // Signed since the check began.
                yield break;
            }
            else
            {
                before = head;
                held++;
                yield return head;
            }
        }

        if (!any)
        {
            Add("missing", LogFiles.Heads, null, "there is no list of the tree heads that were signed");
        }
    }

    /// <summary>The leaf hashes of a tile; where tile and entries do not agree, those of which the tile above speaks.
    /// </summary>
    private async Task<IReadOnlyList<Digest>> LeavesAsync(LogTile tile, long size, CancellationToken cancellationToken)
    {
        var bundle = tile with { Level = LogTile.Entries };
        var first = (tile.Index * LogTile.FullWidth) + 1;
        var hashes = await _source.ReadTileAsync(tile, cancellationToken);
        var entries = await _source.ReadEntriesAsync(bundle, cancellationToken);
        _tiles += 2;
        _lastEntries = entries ?? [];
        var leaves = entries?.Select(entry => MerkleTree.LeafHash(entry)).ToArray();
        if (hashes is not null && leaves is not null && hashes.AsSpan().SequenceEqual(leaves))
        {
            CheckEntries(bundle, entries!, first);
            return leaves;
        }

        var above = tile.IsFull ? await AboveAsync(tile, size, cancellationToken) : null;
        var (tileHolds, entriesHold) = tile.IsFull
            ? (Leads(hashes, above), Leads(leaves, above))
            : (LeadsToRoot(hashes), LeadsToRoot(leaves));
        if (hashes is null || (entriesHold && !tileHolds))
        {
            await AddAsync("wrong_tile", tile, hashes is not null, first, "it is not what its entries hash to", cancellationToken);
        }

        if (leaves is null || !entriesHold || tileHolds)
        {
            var wrong = leaves is null || hashes is null
                ? 0
                : Enumerable.Range(0, tile.Width).First(i => leaves[i] != hashes[i]);
            await AddAsync(
                "wrong_entries", bundle, entries is not null, first + wrong, "an entry is not what its leaf hash in the tree is of",
                cancellationToken);
        }

        return (tileHolds || leaves is null ? hashes : leaves) ?? leaves
            ?? [.. Enumerable.Repeat(MerkleTree.LeafHash([]), tile.Width)];
    }

    private static bool Leads(Digest[]? hashes, Digest? above) =>
        hashes is not null && above is not null && MerkleTree.Root(hashes) == above;

    /// <summary>True if the tree ends with these leaves, by the published head.</summary>
    private bool LeadsToRoot(Digest[]? hashes)
    {
        var frontier = _frontier.Copy();
        foreach (var leaf in hashes ?? [])
        {
            frontier.Add(leaf);
        }

        return hashes is not null && frontier.Root == _root;
    }

    /// <summary>What the level above says of a full tile.</summary>
    private async Task<Digest?> AboveAsync(LogTile tile, long size, CancellationToken cancellationToken)
    {
        var above = LogTile.At(1, tile.Index / LogTile.FullWidth, size);
        return (await _source.ReadTileAsync(above, cancellationToken))?[(int)(tile.Index % LogTile.FullWidth)];
    }

    private void CheckEntries(LogTile bundle, byte[][] entries, long position)
    {
        foreach (var bytes in entries)
        {
            if (!LogEntry.TryRead(bytes, out var entry))
            {
                Add("wrong_entries", bundle.Path, position, "it is no log entry in canonical form");
            }
            else if (entry!.Position != position)
            {
                Add("wrong_entries", bundle.Path, position,
                    $"it says that it stands at {entry.Position.ToString(CultureInfo.InvariantCulture)}");
            }
            else if (entry.Stream != _handOvers && _starts.Contains(position))
            {
                // The other way round it may be one that was invented, and that the log does not follow: who signs the heads
                // behind it tells.
                Add("wrong_key", LogFiles.Keys, position, "the log's keys say that its key was handed over here, and it was not");
            }

            position++;
        }
    }

    private async Task CompareUpperAsync(CancellationToken cancellationToken)
    {
        foreach (var (tile, bytes) in _tree.Completed.Where(one => one.Tile.Level > 0))
        {
            await CompareAsync(tile, bytes, cancellationToken);
        }

        _tree.Completed.Clear();
    }

    /// <summary>Notes a head whose partial tiles may still be there.</summary>
    private void Remember(long earlier, long size)
    {
        for (var level = 0; level <= LogTile.MaxLevel && earlier != size; level++)
        {
            var tile = LogTile.At(level, (size >> (8 * level)) / LogTile.FullWidth, earlier);
            if (tile.Width > 0 && tile != LogTile.At(level, tile.Index, size))
            {
                _earlier.TryAdd(tile, earlier);
            }
        }
    }

    /// <summary>Partial tiles of an earlier head: another node may have published that, and they need not be here.</summary>
    private async Task CompareEarlierAsync(long earlier, long size, CancellationToken cancellationToken)
    {
        foreach (var (tile, bytes) in _tree.Partials(earlier))
        {
            await CompareBytesAsync(tile, bytes, cancellationToken);
            if (tile.Level == 0 && tile.Width <= _lastEntries.Length)
            {
                var bundle = tile with { Level = LogTile.Entries };
                await CompareBytesAsync(bundle, EntryBundle.Write(_lastEntries[..tile.Width]), cancellationToken);
            }
        }

        async Task CompareBytesAsync(LogTile tile, byte[] bytes, CancellationToken cancellationToken)
        {
            if (_earlier.GetValueOrDefault(tile with { Level = Math.Max(tile.Level, 0) }) != earlier
                || tile.Width == LogTile.At(tile.Level, tile.Index, size).Width)
            {
                return;
            }

            _tiles++;
            if (await ReadBytesAsync(tile, cancellationToken) is { } found && !found.AsSpan().SequenceEqual(bytes))
            {
                Add(tile.Level < 0 ? "wrong_entries" : "wrong_tile", tile.Path,
                    ((tile.Index * LogTile.FullWidth) << (8 * Math.Max(tile.Level, 0))) + 1, "it is not the beginning of its later form");
            }
        }
    }

    private async Task<byte[]?> ReadBytesAsync(LogTile tile, CancellationToken cancellationToken)
    {
        try
        {
            return await _source.ReadAsync(tile.Path, EntryBundle.MaxBytes, cancellationToken);
        }
        catch (InvalidDataException)
        {
            return [];
        }
    }

    private async Task CompareAsync(LogTile tile, byte[] bytes, CancellationToken cancellationToken)
    {
        _tiles++;
        var found = await _source.ReadTileAsync(tile, cancellationToken);
        if (found is null || !TileBytes.Write(found).AsSpan().SequenceEqual(bytes))
        {
            await AddAsync(
                "wrong_tile", tile, found is not null, ((tile.Index * LogTile.FullWidth) << (8 * tile.Level)) + 1,
                "it is not what the tiles below hash to", cancellationToken);
        }
    }

    /// <param name="isRead">False if the file gave no tile: it is not there, or of another size.</param>
    private async Task AddAsync(
        string kind, LogTile tile, bool isRead, long position, string reason, CancellationToken cancellationToken)
    {
        if (isRead)
        {
            Add(kind, tile.Path, position, reason);
        }
        else if (await ReadBytesAsync(tile, cancellationToken) is null)
        {
            Add("missing", tile.Path, position, "there is no such file");
        }
        else
        {
            Add(kind, tile.Path, position, "it is cut, too long, or has not the form of such a file");
        }
    }

    private void Add(string kind, string file, long? position, string reason)
    {
        _faultCount++;
        if (_faults.Count < MostFaults)
        {
            _faults.Add(new LogFault(kind, file, position, reason));
        }
    }
}
