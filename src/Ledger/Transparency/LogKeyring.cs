using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Ledger.Transparency;

/// <summary>The keys of a log as the ledger's hand-overs have them, and those of their private halves that are here.</summary>
public sealed class LogKeyring
{
    private readonly LogOptions _options;

    private readonly NoteKey _first; // As it is known without the ledger.

    private LogKeyring(LogOptions options, NoteKey first)
    {
        _options = options;
        _first = first;
        Keys = first;
        Stream = StreamId.OfLog(first.Name);
    }

    public LogKeys Keys { get; private set; }

    /// <summary>Where the ledger has the log's hand-overs.</summary>
    public StreamId Stream { get; }

    /// <summary>The latest hand-over; null if there was none.</summary>
    public Digest? LastHandOver { get; private set; }

    /// <summary>How far the ledger was read for hand-overs: the position of the last event in <see cref="Stream"/>, whatever it
    /// is; 0: there is none.</summary>
    public long ReadUpTo { get; private set; }

    /// <summary>Why hand-overs that the ledger has of the log are not followed; null: there is none that is not.</summary>
    public string? NotFollowed { get; private set; }

    /// <summary>Reads what the ledger has of the log.</summary>
    public static async Task<LogKeyring> LoadAsync(IEventStore store, LogOptions options, CancellationToken cancellationToken)
    {
        var (origin, first) = await OriginAsync(store, options, cancellationToken);
        var ring = new LogKeyring(options, first ?? new NoteKey(origin, NoteKeyType.Signature, options.Key.Did));
        await ring.ReadAsync(store, cancellationToken);
        return ring;
    }

    /// <summary>Reads the hand-overs. What no rule allows is none, and of hand-overs that do not come from
    /// the key that is known here, or lead to it, none is followed: somebody else invented them.</summary>
    public async Task ReadAsync(IEventStore store, CancellationToken cancellationToken)
    {
        var registry = new Registry();
        LogKeys? keys = null;
        Digest? last = null;
        var readUpTo = 0L;
        string? refused = null;
        foreach (var recorded in await store.LoadKindsAsync(["ledger", "node", "log"], cancellationToken))
        {
            var (statement, body) = (recorded.Statement, recorded.Statement.Body);
            var refusal = registry.Check(statement, body, recorded.Version);
            if (refusal is null)
            {
                registry.Apply(recorded);
            }

            if (statement.Stream != Stream)
            {
                continue;
            }

            readUpTo = recorded.Position;
            refused ??= refusal is null ? null : $"the event at position {recorded.Position} is not legal: {refusal}";
            if (refusal is null && body is LogEvent.KeyChanged changed)
            {
                keys = (keys ?? NoteKey.Parse(changed.From)).After(changed, recorded.Position);
                last = statement.Digest;
            }
        }

        var isOurs = keys is null || keys.Terms.Any(term => term.Key == _first);
        (Keys, LastHandOver, ReadUpTo) = (isOurs ? keys ?? _first : _first, isOurs ? last : null, readUpTo);
        NotFollowed = isOurs ? refused : $"they neither come from nor lead to {_first}, but begin with {keys!.Terms[0].Key}";
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
