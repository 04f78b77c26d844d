using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>A tree head as a list keeps it.</summary>
internal sealed record KeptHead(string Where, string Key, string Origin, long Size, Digest Root, string Note, DateTimeOffset At);

/// <summary>The tree heads in <c>ml_log_heads</c>, smallest first; faults of a row are told on the way, and what is none is
/// left out.</summary>
internal sealed class HeadsOfTable : IAsyncDisposable
{
    public const string Name = "ml_log_heads";

    private const string DefaultOrigin = "meshledger/";

    private readonly NpgsqlConnection? _connection;
    private readonly NpgsqlDataReader? _reader;
    private readonly LogKeys? _own;
    private readonly Action<AuditFault> _report;
    private readonly CancellationToken _cancellationToken;
    private readonly Dictionary<string, LogKeys?> _keys = [];
    private readonly IReadOnlySet<string> _handedOver;
    private readonly Dictionary<string, DateTimeOffset> _latest = [];
    private readonly HashSet<string> _unknown = new(StringComparer.Ordinal);

    private HeadsOfTable(
        NpgsqlConnection? connection, NpgsqlDataReader? reader, LogKeys? keys, IReadOnlySet<string> handedOver,
        Action<AuditFault> report, CancellationToken cancellationToken)
    {
        _connection = connection;
        _reader = reader;
        _own = keys;
        _handedOver = handedOver;
        _report = report;
        _cancellationToken = cancellationToken;
    }

    public KeptHead? Current { get; private set; }

    public long Size => Current?.Size ?? long.MaxValue;

    /// <summary>Logs whose signatures could not be checked.</summary>
    public IEnumerable<string> Unknown => _unknown;

    public static string KeyOf(string origin, long size) => $"{origin} {size}";

    public static async Task<HeadsOfTable> BeginAsync(
        NpgsqlDataSource database, LogKeys? keys, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var connection = await database.OpenConnectionAsync(cancellationToken);
        try
        {
            var handedOver = new HashSet<string>(StringComparer.Ordinal);
            await using (var logs = new NpgsqlCommand("SELECT id FROM mt_streams WHERE type = 'log' LIMIT 10000", connection))
            await using (var found = await logs.ExecuteReaderAsync(cancellationToken))
            {
                while (await found.ReadAsync(cancellationToken))
                {
                    handedOver.Add(found.GetString(0));
                }
            }

            await using var command = new NpgsqlCommand(
                """
                SELECT left(origin, 300), size, CASE WHEN octet_length(note) <= 1048576 THEN note END, signed_at
                FROM ml_log_heads ORDER BY size, origin
                """,
                connection);
            command.CommandTimeout = 0;
            return new HeadsOfTable(
                connection, await command.ExecuteReaderAsync(cancellationToken), keys, handedOver, report,
                cancellationToken);
        }
        catch (PostgresException exception) when (exception.SqlState
            is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedFunction
            or PostgresErrorCodes.DatatypeMismatch)
        {
            // Told with the layout, if there is a ledger at all.
            await connection.DisposeAsync();
            return new HeadsOfTable(null, null, keys, new HashSet<string>(), report, cancellationToken);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public async ValueTask NextAsync()
    {
        Current = null;
        while (_reader is not null && Current is null && await _reader.ReadAsync(_cancellationToken))
        {
            Current = Read();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_reader is not null)
        {
            await _reader.DisposeAsync();
            await _connection!.DisposeAsync();
        }
    }

    private KeptHead? Read()
    {
        var (origin, size) = ("", 0L);
        try
        {
            (origin, size) = (_reader!.GetString(0), _reader.GetInt64(1));
            var (note, at) = (_reader.GetString(2), _reader.GetFieldValue<DateTimeOffset>(3));
            if (!SignedNote.TryParse(Encoding.UTF8.GetBytes(note), out var parsed) || parsed!.ToString() != note
                || !TreeHead.TryParse(parsed.Text, out var head) || head.Text != parsed.Text)
            {
                return Wrong(origin, size, "a signed tree head", "a note that is none");
            }

            if (head.Origin != origin || head.Size != size || size < 1)
            {
                return Wrong(
                    origin, size, $"a tree head of {size} entries of {origin}", $"one of {head.Size} entries of {head.Origin}");
            }

            if (IsSigned(parsed, origin, size) is false)
            {
                return Wrong(origin, size, $"the signature of {KeysOf(origin)!.For(size) ?? KeysOf(origin)!.Latest}", "another");
            }

            if (_latest.TryGetValue(origin, out var before) && at < before)
            {
                Wrong(origin, size, $"a time from {Timestamps.Write(before)} on, when the one before was signed", Timestamps.Write(at));
            }

            if (_latest.Count < 1000)
            {
                _latest[origin] = at;
            }

            return new KeptHead(Name, KeyOf(origin, size), origin, size, head.Root, note, at);
        }
        catch (Exception exception) when (EventRow.IsOfTheValue(exception))
        {
            return Wrong(origin, size, "a size, a note and a time", "values that cannot be read");
        }
    }

    private KeptHead? Wrong(string origin, long size, string expected, string found)
    {
        _report(new AuditFault("wrong_head", "", 0, size, expected, found) { Table = Name, Key = KeyOf(origin, size) });
        return null;
    }

    /// <summary>Null if the log's key is not known.</summary>
    private bool? IsSigned(SignedNote note, string origin, long size)
    {
        if (KeysOf(origin) is not { } keys)
        {
            if (_unknown.Count < 100)
            {
                _unknown.Add(origin);
            }

            return null;
        }

        return keys.For(size) is { } key && note.Signatures.Count == 1 && note.TryVerify([key], out _);
    }

    /// <summary>The keys that a log had: those that were given, or the one that a default name has in it, unless the log was
    /// handed over. Null: they are not known.</summary>
    private LogKeys? KeysOf(string origin)
    {
        if (origin == _own?.Origin)
        {
            return _own;
        }

        if (!_keys.TryGetValue(origin, out var keys))
        {
            keys = origin.StartsWith(DefaultOrigin, StringComparison.Ordinal) && !_handedOver.Contains($"{StreamId.OfLog(origin)}")
                && Did.TryParse($"did:key:{origin[DefaultOrigin.Length..]}", out var did)
                    ? new NoteKey(origin, NoteKeyType.Signature, did)
                    : (LogKeys?)null;
            if (_keys.Count < 1000)
            {
                _keys[origin] = keys;
            }
        }

        return keys;
    }
}

/// <summary>The tree heads of a log's file <c>heads</c>, smallest first; faults of a line are told on the way, and what is
/// none is left out.</summary>
internal sealed class HeadsOfFile
{
    private const int MostOfEnd = 1 << 16;

    private readonly IAsyncEnumerator<SignedHead?> _lines;
    private readonly LogKeys _keys;
    private readonly Action<AuditFault> _report;
    private SignedHead? _before;
    private long _line;

    private HeadsOfFile(string name, LogKeys keys, IAsyncEnumerator<SignedHead?> lines, long last, Action<AuditFault> report)
    {
        Name = name;
        _keys = keys;
        _lines = lines;
        Last = last;
        _report = report;
    }

    public string Name { get; }

    /// <summary>The size of the last head as the audit began.</summary>
    public long Last { get; }

    public KeptHead? Current { get; private set; }

    public long Size => Current?.Size ?? long.MaxValue;

    public static HeadsOfFile Begin(
        string directory, LogKeys keys, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var lines = LogHeads.ReadAsync(new DirectoryLogSource(directory), keys, cancellationToken);
        return new HeadsOfFile(
            $"{directory}/{LogFiles.Heads}", keys, lines.GetAsyncEnumerator(cancellationToken),
            LastSize(Path.Combine(directory, LogFiles.Heads), keys), report);
    }

    public async ValueTask NextAsync()
    {
        Current = null;
        while (Current is null && await _lines.MoveNextAsync())
        {
            _line++;
            if (_lines.Current is not { } head)
            {
                Wrong(0, $"a tree head that {_keys} signed", "a line that is none");
            }
            else if (_before is not null && head.Head.Size <= _before.Head.Size)
            {
                Wrong(head.Head.Size, $"a head of more than {_before.Head.Size} entries, as before it", $"{head.Head.Size}");
            }
            else if (head.Head.Size > Last)
            {
                await _lines.DisposeAsync();
                return;
            }
            else
            {
                if (_before is not null && head.At < _before.At)
                {
                    Wrong(
                        head.Head.Size, $"a time from {Timestamps.Write(_before.At)} on, as of the line before",
                        Timestamps.Write(head.At));
                }

                _before = head;
                Current = new KeptHead(
                    Name, HeadsOfTable.KeyOf(_keys.Origin, head.Head.Size), _keys.Origin, head.Head.Size, head.Head.Root,
                    head.Note.ToString(), head.At);
            }
        }
    }

    private void Wrong(long size, string expected, string found) =>
        _report(new AuditFault("wrong_head", "", 0, size, expected, found) { Table = Name, Key = $"line {_line}" });

    /// <summary>Heads that are added from now on may be over events that are not among the rows that are read.</summary>
    private static long LastSize(string file, LogKeys keys)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            stream.Position = Math.Max(0, stream.Length - MostOfEnd);
            using var reader = new StreamReader(stream);
            var text = reader.ReadToEnd();
            var lines = text[..(text.LastIndexOf('\n') + 1)].Split('\n');
            return lines.Length > 1 && SignedHead.ReadLine(lines[^2], keys) is { } head ? head.Head.Size : long.MaxValue;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }
}
