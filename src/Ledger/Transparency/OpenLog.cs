using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Ledger.Transparency;

/// <summary>A log's directory once it was found to be this log's, with the keys that the log has and the heads that it signed.
/// Used under the directory's lock.</summary>
internal sealed class OpenLog
{
    private readonly LogFiles _files;
    private readonly LogOptions _options;
    private readonly ILogger _log;

    private OpenLog(
        LogFiles files, NpgsqlDataSource database, EntryReader entries, LogOptions options, LogKeyring ring, ILogger log)
    {
        _files = files;
        _options = options;
        _log = log;
        Ring = ring;
        Table = new HeadsTable(database, ring);
        Heads = new HeadsBook(files, Table, entries, ring);
    }

    public LogKeyring Ring { get; }

    public HeadsTable Table { get; }

    public HeadsBook Heads { get; }

    /// <exception cref="InvalidOperationException">The directory is another log's.</exception>
    public static async Task<OpenLog> OpenAsync(
        LogFiles files, NpgsqlDataSource database, IEventStore store, EntryReader entries, LogOptions options, ILogger log,
        CancellationToken cancellationToken)
    {
        files.Clean();
        var ring = await LogKeyring.LoadAsync(store, options, cancellationToken);
        var open = new OpenLog(files, database, entries, options, ring, log);
        open.CheckKey();
        open.WriteKeys();
        return open;
    }

    /// <summary>Takes in the hand-over at a position, unless it is known, and tells outsiders of it.</summary>
    public async Task HandOverAsync(IEventStore store, long position, CancellationToken cancellationToken)
    {
        if (position > Ring.ReadUpTo)
        {
            await Ring.ReadAsync(store, cancellationToken);
            WriteKeys();
        }
    }

    /// <summary>Removes partial tiles that a crash left beside the full one, of the last <paramref name="most"/> full ones.
    /// </summary>
    public void RemoveLeftovers(long size, int most)
    {
        for (var level = 0; level <= LogTile.MaxLevel; level++)
        {
            var full = (size >> (8 * level)) / LogTile.FullWidth;
            for (var index = Math.Max(0, full - most); index < full; index++)
            {
                _files.RemovePartials(new LogTile(level, index, LogTile.FullWidth));
                if (level == 0)
                {
                    _files.RemovePartials(new LogTile(LogTile.Entries, index, LogTile.FullWidth));
                }
            }
        }
    }

    /// <summary>A directory is one log's for ever.</summary>
    private void CheckKey()
    {
        var file = Path.Combine(_options.Directory, LogFiles.Key);
        if (!File.Exists(file))
        {
            return;
        }

        // Without a hand-over the key can only be this node's own.
        var terms = Ring.Keys.Terms;
        var own = new NoteKey(Ring.Keys.Origin, NoteKeyType.Signature, _options.Key.Did);
        var found = File.ReadAllText(file);
        if (!(terms.Count == 1 ? [own] : terms.Select(term => term.Key)).Any(key => found == $"{key}\n"))
        {
            throw new InvalidOperationException(
                $"{_options.Directory} is the log of {found.TrimEnd('\n')}, and this node would sign as {own}. Put that log's key and "
                + "origin back, or choose another directory. If the key is lost: meshledger log rotate --lost");
        }
    }

    /// <summary>Tells outsiders the log's keys.</summary>
    private void WriteKeys()
    {
        if (Ring.NotFollowed is { } reason)
        {
            Log.HandOverNotFollowed(_log, Ring.Keys.Origin, reason);
        }

        if (Ring.Keys.Terms.Count > 1)
        {
            _files.WriteIfOther(LogFiles.Keys, Ring.Keys.ToBytes());
            _files.Sync();
        }

        _files.WriteIfOther(LogFiles.Key, Encoding.UTF8.GetBytes($"{Ring.Keys.Latest}\n"));
        _files.Sync();
    }
}
