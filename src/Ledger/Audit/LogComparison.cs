using System.Globalization;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Compares the rows, as they come in log order, with every tree head there is: those that the database keeps, the log's
/// own list, the published one, and those that somebody kept elsewhere. One tree grows with the rows and has the root at
/// each head's size, so a pass over the rows is enough, and memory does not grow with either.
/// </summary>
/// <remarks>Heads are looked at before the rows: one that was signed by then is over events that were there.</remarks>
internal sealed class LogComparison : IAsyncDisposable
{
    private readonly AuditOptions _options;
    private readonly Action<AuditFault> _report;
    private readonly List<string> _remarks = [];
    private readonly MerkleFrontier _frontier = new();
    private readonly HeadsOfTable _table;
    private readonly HeadsOfFile? _file;
    private readonly List<EarlierHead> _earlier;
    private readonly Dictionary<string, bool> _differs = [];
    private readonly SignedHead? _published;
    private long _unknown; // The first position whose row gives no leaf; 0 while all do.
    private bool _lacksHead; // Whether the last head of the table was missing in the file.
    private bool _lacksRow;
    private long _behind; // The first head that the file does not have yet; 0: it has all.
    private bool _publishedIsKept;
    private readonly HashSet<Digest> _counted = []; // The roots that were compared at the last size.
    private long _countedSize;

    private LogComparison(
        AuditOptions options, HeadsOfTable table, HeadsOfFile? file, SignedHead? published, Action<AuditFault> report)
    {
        _options = options;
        _table = table;
        _file = file;
        _published = published;
        _report = report;
        _earlier = [.. options.Earlier.OrderBy(head => head.Size)];
    }

    /// <summary>How many heads were compared: one that stands in several places is one.</summary>
    public long Compared { get; private set; }

    /// <summary>The tree over the rows so far.</summary>
    public AuditedTree Tree => new(_frontier.Size, _unknown == 0 && _frontier.Size > 0 ? _frontier.Root : null);

    public IReadOnlyList<string> Remarks => _remarks;

    /// <summary>Reads what is published, and begins with the lists. The rows are to be read after this.</summary>
    public static async Task<LogComparison> BeginAsync(
        NpgsqlDataSource database, AuditOptions options, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var remarks = new List<string>();
        var (directory, keys) = (options.LogDirectory, options.LogKeys);
        SignedHead? published = null;
        HeadsOfFile? file = null;
        if (directory is null || keys is null || !Directory.Exists(directory))
        {
            remarks.Add(
                directory is null || !Directory.Exists(directory)
                    ? $"There is no log in {directory ?? "any directory that was named"}: the events were compared with the tree heads "
                        + "in the database (ml_log_heads) alone."
                    : $"The key of the log in {directory} is not known (give --key): its files were not compared.");
        }
        else
        {
            // In this order: a head is in the database first, then in the file, then published.
            try
            {
                published = await LogHeads.LatestAsync(new DirectoryLogSource(directory), keys, cancellationToken);
            }
            catch (FormatException wrong)
            {
                report(new AuditFault("wrong_head", "", 0, 0, $"a tree head that {keys} signed", "another text")
                {
                    Table = $"{directory}/{LogFiles.Checkpoint}",
                    Key = keys.Origin,
                    Reason = wrong.Message,
                });
            }

            file = HeadsOfFile.Begin(directory, keys, report, cancellationToken);
        }

        var table = await HeadsOfTable.BeginAsync(database, keys, report, cancellationToken);
        var comparison = new LogComparison(options, table, file, published, report);
        comparison._remarks.AddRange(remarks);
        await table.NextAsync();
        await (file?.NextAsync() ?? ValueTask.CompletedTask);
        return comparison;
    }

    /// <summary>The next row's leaf; null if it gives none, from which on nothing can be compared.</summary>
    public async ValueTask TakeAsync(Digest? leaf, long position)
    {
        if (leaf is null && _unknown == 0)
        {
            _unknown = Math.Max(position, 1);
        }

        _frontier.Add(leaf ?? default);
        var size = _frontier.Size;
        while (_table.Size <= size || _file?.Size <= size)
        {
            await TakeHeadsAsync();
        }

        while (_earlier.Count > 0 && _earlier[0].Size <= size)
        {
            Compare(_earlier[0].From, null, _earlier[0].Size, _earlier[0].Root);
            _earlier.RemoveAt(0);
        }
    }

    /// <summary>After the last row: heads over more than there is.</summary>
    public async Task FinishAsync()
    {
        var end = _frontier.Size;
        (long Size, string Where, string Key)? beyond = null;
        var elsewhere = _earlier.Select(head => (head.Size, head.Root)).ToHashSet();
        while (_table.Current is not null || _file?.Current is not null)
        {
            // In the order of their sizes; of one that both have, the database's is told.
            if (_table.Current is { } head && head.Size <= (_file?.Current?.Size ?? long.MaxValue))
            {
                beyond = (head.Size, HeadsOfTable.Name, head.Key);
                Beyond(head.Size, head.Root);
                await _table.NextAsync();
            }
            else
            {
                var listed = _file!.Current!;
                beyond = listed.Size > (beyond?.Size ?? 0) ? (listed.Size, _file.Name, listed.Key) : beyond;
                Beyond(listed.Size, listed.Root);
                await _file.NextAsync();
            }
        }

        if (_published is { } published && published.Head.Size > end && published.Head.Size > (beyond?.Size ?? 0))
        {
            beyond = (published.Head.Size, $"{_options.LogDirectory}/{LogFiles.Checkpoint}", published.Head.Origin);
            Beyond(published.Head.Size, published.Head.Root);
        }

        Compared += elsewhere.Count;
        void Beyond(long size, Digest root)
        {
            Count(size, root);
            elsewhere.Remove((size, root));
        }

        if (beyond is { } last)
        {
            Cut(last.Where, last.Key, last.Size, end);
        }

        foreach (var head in _earlier)
        {
            Cut(head.From, null, head.Size, end);
        }

        if (_published is { } shown && shown.Head.Size <= end && !_publishedIsKept)
        {
            _report(new AuditFault(
                "wrong_head", "", 0, shown.Head.Size, "a published tree head that is among those that were kept",
                $"one of {shown.Head.Size} entries, root {shown.Head.Root}, that is not")
            {
                Table = $"{_options.LogDirectory}/{LogFiles.Checkpoint}",
                Key = shown.Head.Origin,
            });
        }

        if (_behind > 0 && _file is not null)
        {
            if (_published is not null && _published.Head.Size >= _behind)
            {
                _report(new AuditFault(
                    "wrong_head", "", 0, _behind, $"the tree head of size {_behind}, for a later one is published",
                    $"none from size {_behind} on")
                {
                    Table = _file.Name,
                    Key = HeadsOfTable.KeyOf(_options.LogKeys!.Origin, _behind),
                });
            }
            else
            {
                _remarks.Add(
                    $"{_file.Name} lacks the tree heads from size {_behind} on, which the database has: a node that was ended there, "
                    + "or is not up to date, leaves it so, and adds them at its next start.");
            }
        }

        if (_published is not null && _file?.Last > _published.Head.Size)
        {
            _remarks.Add(
                $"The published tree head has {_published.Head.Size} entries, the latest that was signed {_file.Last}: a node "
                + "publishes it at its next start, or once enough witnesses cosigned it.");
        }

        if (_unknown > 0)
        {
            _remarks.Add($"The row at position {_unknown} gives no log entry, so tree heads from there on could not be compared.");
        }

        foreach (var origin in _table.Unknown)
        {
            _remarks.Add($"The signatures of the tree heads of log {origin} were not checked: its key is not known (give --key).");
        }
    }

    public ValueTask DisposeAsync() => _table.DisposeAsync();

    /// <summary>The smallest head of both lists, in one or in both.</summary>
    private async Task TakeHeadsAsync()
    {
        var (inTable, inFile) = (_table.Current, _file?.Current);
        if (inTable is not null
            && (inFile is null || inTable.Size < inFile.Size || (inTable.Size == inFile.Size && inTable.Origin != inFile.Origin)))
        {
            // Other logs of this ledger have files elsewhere.
            if (_file is not null && inTable.Origin == _options.LogKeys!.Origin)
            {
                _behind = inFile is null && _behind == 0 ? inTable.Size : _behind;
                Lacks(inFile is not null, ref _lacksHead, _file.Name, inTable, "the tree head that the database has");
            }

            Compare(inTable);
            await _table.NextAsync();
            return;
        }

        if (inTable is null || inFile!.Size < inTable.Size)
        {
            Lacks(true, ref _lacksRow, HeadsOfTable.Name, inFile!, $"the tree head that stands in {_file!.Name}");
            Compare(inFile!);
            await _file.NextAsync();
            return;
        }

        if (inTable.Note != inFile.Note || inTable.At != inFile.At)
        {
            var (expected, found) = inTable.Note != inFile.Note
                ? ($"root {inTable.Root}, as in the database", $"another note, root {inFile.Root}")
                : ($"signed at {Timestamps.Write(inTable.At)}, as in the database", Timestamps.Write(inFile.At));
            _report(new AuditFault("wrong_head", "", 0, inTable.Size, expected, found) { Table = _file!.Name, Key = inTable.Key });
            Compare(inFile);
        }

        Compare(inTable);
        (_lacksHead, _lacksRow) = (false, false);
        await _table.NextAsync();
        await _file!.NextAsync();
    }

    /// <summary>A head that one list lacks; of several in a row the first is told.</summary>
    private void Lacks(bool isMissing, ref bool before, string where, KeptHead head, string expected)
    {
        if (isMissing && !before)
        {
            _report(new AuditFault("wrong_head", "", 0, head.Size, expected, "none of this size") { Table = where, Key = head.Key });
        }

        before = isMissing;
    }

    private void Compare(KeptHead head)
    {
        _publishedIsKept |= _published is not null && head.Size == _published.Head.Size && head.Origin == _published.Head.Origin
            && head.Root == _published.Head.Root;
        Compare(head.Where, head.Key, head.Size, head.Root);
    }

    private void Compare(string where, string? key, long size, Digest root)
    {
        if (size != _frontier.Size || _unknown > 0)
        {
            // Not at its place in the list, which was told.
            return;
        }

        Count(size, root);
        var isWrong = _frontier.Root != root;
        if (isWrong && !_differs.GetValueOrDefault(where))
        {
            _report(new AuditFault(
                "inconsistent_head", "", 0, size, $"root {root}, over which the head of {Number(size)} entries was signed",
                $"root {_frontier.Root}")
            {
                Table = where,
                Key = key,
                Reason = $"the events 1 to {Number(size)} are not those of the tree head of that size in {where}: history was "
                    + $"changed. Expected root {root}, found {_frontier.Root}",
            });
        }

        _differs[where] = isWrong;
    }

    /// <summary>Heads come by their size, so those of one size are all that has to be remembered.</summary>
    private void Count(long size, Digest root)
    {
        if (size != _countedSize)
        {
            _countedSize = size;
            _counted.Clear();
        }

        Compared += _counted.Add(root) ? 1 : 0;
    }

    private void Cut(string where, string? key, long size, long end) => _report(new AuditFault(
        "inconsistent_head", "", 0, end, $"at least {Number(size)} events, over which a tree head was signed", $"{Number(end)}")
    {
        Table = where,
        Key = key,
        Reason = $"the ledger ends at position {Number(end)}, and {where} has a tree head of {Number(size)} entries: events were "
            + "removed, or this is an older copy",
    });

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
