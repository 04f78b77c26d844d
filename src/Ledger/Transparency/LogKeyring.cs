using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Ledger.Transparency;

/// <summary>The keys of a log as the ledger's hand-overs have them, and those of their private halves that are here.</summary>
public sealed class LogKeyring
{
    private readonly LogOptions _options;

    private LogKeyring(LogOptions options, LogKeys keys)
    {
        _options = options;
        Keys = keys;
        Stream = StreamId.OfLog(keys.Origin);
    }

    public LogKeys Keys { get; private set; }

    /// <summary>Where the ledger has the log's hand-overs.</summary>
    public StreamId Stream { get; }

    /// <summary>The latest hand-over; null if there was none.</summary>
    public Digest? LastHandOver { get; private set; }

    /// <summary>Reads what the ledger has of the log.</summary>
    public static async Task<LogKeyring> LoadAsync(IEventStore store, LogOptions options, CancellationToken cancellationToken)
    {
        var (origin, first) = await OriginAsync(store, options, cancellationToken);
        var ring = new LogKeyring(options, first ?? new NoteKey(origin, NoteKeyType.Signature, options.Key.Did));
        foreach (var recorded in await store.LoadAsync(ring.Stream, cancellationToken))
        {
            ring.Take(recorded);
        }

        return ring;
    }

    /// <summary>Takes in a hand-over of this log.</summary>
    public void Take(RecordedEvent recorded)
    {
        if (recorded.Statement.Body is not LogEvent.KeyChanged changed || recorded.Position <= Keys.Terms[^1].From)
        {
            return;
        }

        Keys = Keys.After(changed, recorded.Position);
        LastHandOver = recorded.Statement.Digest;
    }

    /// <summary>The private half of a key; null if it is not here.</summary>
    public SigningKey? SignerOf(NoteKey key) =>
        _options.Key.Did == key.Key ? _options.Key : _options.FindKey?.Invoke(key.Key);

    /// <summary>The log's name: as it was chosen, else as the directory has it, else as the ledger has it of a log that has
    /// this key now, else made from the key. And the first key, where the directory tells it.</summary>
    private static async Task<(string Origin, NoteKey? First)> OriginAsync(
        IEventStore store, LogOptions options, CancellationToken cancellationToken)
    {
        var file = Path.Combine(options.Directory, LogFiles.Key);
        if (File.Exists(file) && NoteKey.TryParse((await File.ReadAllTextAsync(file, cancellationToken)).TrimEnd('\n'), out var key)
            && key!.Name == (options.Origin ?? key.Name))
        {
            return (key.Name, key);
        }

        if (options.Origin is not null)
        {
            return (options.Origin, null);
        }

        foreach (var recorded in await store.LoadKindsAsync(["log"], cancellationToken))
        {
            if (recorded.Statement.Body is LogEvent.KeyChanged changed && NoteKey.Parse(changed.To) is var to
                && to.Key == options.Key.Did)
            {
                return (to.Name, null);
            }
        }

        return (options.NoteKey.Name, null);
    }
}
