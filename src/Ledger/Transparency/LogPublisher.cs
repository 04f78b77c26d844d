using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Ledger.Transparency;

/// <summary>
/// Keeps a log up with the ledger: follows the events, writes their entries and tiles, and signs tree heads. The order is
/// what makes a crash harmless: tiles, the head in the database, the head in the file of heads, the published head, each
/// durable before the next. Whoever starts again goes on from there. One process at a time does this in one directory; if
/// another did in between, what it left is read anew.
/// </summary>
public sealed class LogPublisher
{
    private const int MostCompleted = 512;
    private const int FarBehind = 10_000;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(4);

    private readonly IEventStore _store;
    private readonly NpgsqlDataSource _database;
    private readonly EntryReader _entries;
    private readonly LogOptions _options;
    private readonly LogFiles _files;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly LogCosigners? _cosigners;
    private readonly PublishWatch _watch;
    private volatile SignedHead? _last; // Written by the loop alone.
    private bool _isShown; // Whether the last head is published; written by the loop alone.
    private OpenLog _open = null!; // Made anew whenever the loop begins.

    /// <summary>The database must be migrated, and be the one that <paramref name="store"/> is on.</summary>
    public LogPublisher(
        IEventStore store, NpgsqlDataSource database, LogOptions options, TimeProvider clock, ILogger<LogPublisher> log)
    {
        _store = store;
        _options = options;
        _database = database;
        _entries = new EntryReader(database);
        _files = new LogFiles(options.Directory);
        if (options.Witnesses.Count > 0)
        {
            _cosigners = new LogCosigners(LogCosigners.NewClient(), options.Witnesses, _files.Source, clock, log);
        }

        _clock = clock;
        _log = log;
        _watch = new PublishWatch(clock, log);
    }

    /// <summary>Told of each head once it is published, by the loop, which waits for it.</summary>
    public event Action<SignedHead>? Published;

    /// <summary>The latest head that was published; null before the first.</summary>
    public SignedHead? Last => _last;

    /// <summary>Publishes until cancelled. While disk or database refuse, it tries again; nothing is lost.</summary>
    /// <exception cref="InvalidHistoryException">The database is not the one over which the log signed.</exception>
    /// <exception cref="InvalidOperationException">The directory is another log's.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var delay = FirstDelay;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var before = _last;
                await Task.Run(() => FollowAsync(cancellationToken), CancellationToken.None);
                delay = before == _last ? delay : FirstDelay;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception exception) when (DatabaseFault.IsPassing(exception) || exception is UnauthorizedAccessException)
            {
                Log.LogPostponed(_log, DatabaseFault.Explain(exception), delay.TotalMilliseconds);
                await Task.Delay(delay, _clock, cancellationToken)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
            }
        }

        if (_last is { } last && !_isShown)
        {
            Log.LogStaysBehind(_log, await LogHeads.PublishedSizeAsync(_files.Source, _open.Ring.Keys), last.Head.Size);
        }
    }

    /// <summary>Makes every file of the log that is missing or damaged again from the database, whose events are proven to
    /// be those that were signed over before anything is changed. Safe while a node publishes.</summary>
    /// <returns>How many files were written.</returns>
    /// <exception cref="InvalidHistoryException">They are not.</exception>
    public async Task<int> RepairAsync(IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var held = await _files.LockAsync(cancellationToken);
        _open = await OpenLog.OpenAsync(_files, _database, _store, _entries, _options, _log, cancellationToken);
        if (await _open.Heads.AgreeAsync(isRepair: true, cancellationToken) is not { } last)
        {
            return 0;
        }

        var (_, written) = await LogRebuild.RunAsync(
            _entries, _files, last, _open.Table.AfterAsync(0, cancellationToken), progress, cancellationToken);
        var lines = await _open.Heads.LinesAsync(0, cancellationToken);
        written += _files.WriteIfOther(LogFiles.Heads, Encoding.UTF8.GetBytes(lines)) ? 1 : 0;
        if (_options.Quorum == 0 && !await LogHeads.IsPublishedAsync(_files.Source, _open.Ring.Keys, last, cancellationToken))
        {
            _files.Write(LogFiles.Checkpoint, last.Note.ToBytes());
            written++;
        }

        _files.Sync();
        return written;
    }

    /// <summary>Follows the ledger from where the log stands, until cancelled or another process has moved the log.
    /// </summary>
    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        TileTree tree;
        using (await _files.LockAsync(cancellationToken))
        {
            tree = await ResumeAsync(cancellationToken);
        }

        if (!await CatchUpAsync(tree, cancellationToken))
        {
            return;
        }

        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var batches = _store.FollowAsync(tree.Size, leaving.Token).GetAsyncEnumerator(leaving.Token);
        var next = batches.MoveNextAsync().AsTask();
        try
        {
            for (var published = 0L; ;)
            {
                if ((tree.Size > (_last?.Head.Size ?? 0) || !_isShown) && !next.IsCompleted
                    && Left(published) is var left && left > TimeSpan.Zero)
                {
                    await Task.WhenAny(next, Task.Delay(left, _clock, cancellationToken));
                }
                else if ((tree.Size == (_last?.Head.Size ?? 0) && _isShown) || next.IsCompleted)
                {
                    await next;
                }

                if (next.IsCompleted)
                {
                    if (!await next)
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        return;
                    }

                    foreach (var recorded in batches.Current)
                    {
                        if (recorded.Statement.Stream == _open.Ring.Stream && !await HandOverAsync(tree, recorded, cancellationToken))
                        {
                            return;
                        }

                        Add(tree, recorded);
                    }

                    next = batches.MoveNextAsync().AsTask();
                }

                cancellationToken.ThrowIfCancellationRequested();
                if (tree.Size > (_last?.Head.Size ?? 0)
                    && (Left(published) <= TimeSpan.Zero || tree.Completed.Count > MostCompleted))
                {
                    if (!await PublishAsync(tree, cancellationToken))
                    {
                        return;
                    }

                    published = _clock.GetTimestamp();
                }
                else if (!_isShown && Left(published) <= TimeSpan.Zero)
                {
                    using (await _files.LockAsync(cancellationToken))
                    {
                        await ShowAsync(_last!, cancellationToken);
                    }

                    published = _clock.GetTimestamp();
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // What came before the end is published before the end.
            if (tree.Size > (_last?.Head.Size ?? 0))
            {
                await PublishAsync(tree, CancellationToken.None);
            }

            throw;
        }
        finally
        {
            await leaving.CancelAsync();
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    /// <summary>Takes in what has long been there, many events at once.</summary>
    /// <returns>False if another process moved the log.</returns>
    private async Task<bool> CatchUpAsync(TileTree tree, CancellationToken cancellationToken)
    {
        var head = await _store.HeadAsync(cancellationToken);
        if (head - tree.Size < FarBehind)
        {
            return true;
        }

        var published = _clock.GetTimestamp();
        await foreach (var batch in _entries.ReadAsync(tree.Size, head, cancellationToken))
        {
            foreach (var leaf in batch)
            {
                if (leaf.Stream == _open.Ring.Stream && tree.Size + 1 > _open.Ring.ReadUpTo)
                {
                    // The log was handed over since the keys were read.
                    return false;
                }

                tree.Add(leaf);
            }

            if (Left(published) <= TimeSpan.Zero || tree.Completed.Count > MostCompleted)
            {
                if (!await PublishAsync(tree, cancellationToken))
                {
                    return false;
                }

                published = _clock.GetTimestamp();
            }
        }

        return true;
    }

    /// <summary>What comes before a hand-over is signed by the key before it.</summary>
    /// <returns>False if another process moved the log.</returns>
    private async Task<bool> HandOverAsync(TileTree tree, RecordedEvent recorded, CancellationToken cancellationToken)
    {
        if (tree.Size > (_last?.Head.Size ?? 0) && !await PublishAsync(tree, cancellationToken))
        {
            return false;
        }

        using var held = await _files.LockAsync(cancellationToken);
        await _open.HandOverAsync(_store, recorded.Position, cancellationToken);
        return true;
    }

    /// <summary>How long until the next head is due.</summary>
    private TimeSpan Left(long published) =>
        published == 0 ? TimeSpan.Zero : _options.Interval - _clock.GetElapsedTime(published);

    private static void Add(TileTree tree, RecordedEvent recorded)
    {
        if (recorded.Position != tree.Size + 1)
        {
            throw new InvalidHistoryException(
                $"The database has no event at position {tree.Size + 1}: found {recorded.Position}. Run: meshledger audit");
        }

        tree.Add(LogEntry.Write(recorded));
    }

    /// <returns>False if another process moved the log; nothing was signed.</returns>
    private async Task<bool> PublishAsync(TileTree tree, CancellationToken cancellationToken)
    {
        using var held = await _files.LockAsync(cancellationToken);
        if (_files.LastHeadLine() + "\n" != (_last?.Line ?? "\n"))
        {
            return false;
        }

        _files.Write([.. tree.Completed.Concat(tree.Partials(tree.Size)).Select(one => (one.Tile.Path, one.Bytes))]);
        _files.Sync();
        var key = _open.Ring.Keys.For(tree.Size)!;
        if (_open.Ring.SignerOf(key) is not { } signer)
        {
            if (key != _open.Ring.Keys.Latest)
            {
                // The next key signs for these, too.
                tree.Completed.Clear();
                return true;
            }

            throw new IOException(
                $"The log {key.Name} was handed over to {key}, and the private half of that key is not here: copy log.key from "
                + "where it was handed over.");
        }

        // The clock may have been set back; the list of heads stays in order.
        var now = _clock.GetUtcNow().ToMicroseconds();
        var head = new TreeHead(key.Name, tree.Size, tree.Root);
        var signed = new SignedHead(
            head, SignedNote.Sign(head.Text, key, signer), now > (_last?.At ?? default) ? now : _last!.At);
        if (!await _open.Table.AddAsync(signed, cancellationToken))
        {
            return false;
        }

        // With those that another node signed in a directory of its own.
        await _open.Heads.AppendAsync(_last?.Head.Size ?? 0, cancellationToken);
        await ShowAsync(signed, cancellationToken);
        foreach (var (tile, _) in tree.Completed)
        {
            _files.RemovePartials(tile);
        }

        tree.Completed.Clear();
        _last = signed;
        Published?.Invoke(signed);
        return true;
    }

    /// <summary>Publishes a head that was signed, once enough witnesses cosigned it. Under the lock.</summary>
    private async Task ShowAsync(SignedHead head, CancellationToken cancellationToken)
    {
        var cosignatures = _cosigners is null ? [] : await _cosigners.AskAsync(head, cancellationToken);
        _isShown = cosignatures.Count >= _options.Quorum;
        if (!_isShown)
        {
            _watch.Missed(head.Head.Size, cosignatures.Count, _options.Quorum);
            return;
        }

        _files.Write(LogFiles.Checkpoint, head.Note.With(cosignatures).ToBytes());
        _files.Sync();
        _watch.Shown(head.Head.Size);
    }

    /// <summary>The tree as of the latest head that was signed, and the directory as that says. Under the lock.</summary>
    private async Task<TileTree> ResumeAsync(CancellationToken cancellationToken)
    {
        _open = await OpenLog.OpenAsync(_files, _database, _store, _entries, _options, _log, cancellationToken);
        var last = await _open.Heads.AgreeAsync(isRepair: false, cancellationToken);
        if (last is null)
        {
            _last = null;
            _isShown = true;
            return new TileTree();
        }

        var tree = await TileTree.LoadAsync(_files.Source, last.Head.Size, last.Head.Root, cancellationToken);
        if (tree is null || !await HoldsLastEntryAsync(tree, cancellationToken))
        {
            Log.LogRebuilt(_log, _options.Directory, last.Head.Size);
            (tree, _) = await LogRebuild.RunAsync(
                _entries, _files, last, _open.Table.AfterAsync(0, cancellationToken), progress: null, cancellationToken);
        }

        _isShown = await LogHeads.IsPublishedAsync(_files.Source, _open.Ring.Keys, last, cancellationToken);
        if (!_isShown && _cosigners is null)
        {
            await ShowAsync(last, cancellationToken);
        }

        _open.RemoveLeftovers(last.Head.Size, MostCompleted);
        _last = last;
        return tree;
    }

    /// <summary>Whether the ledger reaches as far as the log, and has there what the log has.</summary>
    private async Task<bool> HoldsLastEntryAsync(TileTree tree, CancellationToken cancellationToken)
    {
        if (await _store.HeadAsync(cancellationToken) < tree.Size)
        {
            throw new InvalidHistoryException(
                $"The log in {_options.Directory} signed a tree head of {tree.Size} events, and the database ends before: "
                + "events were removed, or the database was put back from an older copy.");
        }

        var last = Array.Empty<byte>();
        await foreach (var batch in _entries.ReadAsync(tree.Size - 1, tree.Size, cancellationToken))
        {
            last = batch[0].Entry;
        }

        var tile = LogTile.At(LogTile.Entries, (tree.Size - 1) / LogTile.FullWidth, tree.Size);
        return await _files.Source.ReadEntriesAsync(tile, cancellationToken) is { } entries
            && entries[^1].AsSpan().SequenceEqual(last);
    }
}
