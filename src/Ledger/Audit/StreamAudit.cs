using System.Data;
using System.Diagnostics;
using System.Threading.Channels;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Checks one stream, and reads no more than that takes: its rows, who is who (nodes, workers, federations), of a job the
/// movements of mana that it led to, of any other stream the jobs that its events speak of. Each of its events is proven to be
/// in the published log. Figures of reputation follow from the whole ledger, and are not checked.
/// </summary>
public static class StreamAudit
{
    /// <summary>Within so many positions around a job's events its movements of mana are looked for: they stand in the same
    /// appends, and appends are smaller.</summary>
    private const long Reach = 20_000;

    // What the stream's own rows say is believed no further than to choose which rows are read.
    private const string Rows =
        """
        WHERE e.seq_id IN (
            SELECT seq_id FROM mt_events WHERE stream_id = $2
            UNION
            SELECT f.seq_id FROM mt_streams s JOIN mt_events f ON f.stream_id = s.id WHERE s.type = ANY ($3)
            UNION
            SELECT f.seq_id FROM mt_events f
            WHERE f.stream_id IN (
                SELECT 'job-' || (data ->> 'job_id') FROM mt_events WHERE stream_id = $2 AND left($2, 4) <> 'job-'
                UNION ALL
                SELECT 'key-' || (data #>> '{terms,idempotency_key}') FROM mt_events WHERE stream_id = $2 AND version = 1)
            UNION
            SELECT f.seq_id FROM mt_events f
            WHERE f.seq_id BETWEEN $4 - $6 AND $5 + $6 AND f.data ->> 'job_id' = substr($2, 5) AND left($2, 4) = 'job-'
                AND f.stream_id IN (SELECT 'account-' || (headers ->> 'by') FROM mt_events WHERE stream_id = $2))
        """;

    /// <summary>Audits a stream as it is when the audit begins.</summary>
    /// <returns>Null if there is no such stream.</returns>
    /// <exception cref="IOException">A file of the log cannot be read.</exception>
    public static async Task<AuditReport?> RunAsync(
        NpgsqlDataSource database, AuditOptions options, StreamId stream, IProgress<AuditProgress>? progress,
        CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var (faults, name, elsewhere) = (new FaultList(), stream.ToString(), 0L);
        var isJob = stream.IsJob(out _);
        void Report(AuditFault fault)
        {
            // A job's mana is part of its story; what it rests on is not.
            if (fault.Stream == name || (isJob && fault.Stream.StartsWith("account-", StringComparison.Ordinal)))
            {
                faults.Report(fault);
            }
            else
            {
                elsewhere++;
            }
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await faults.CompareLayoutAsync(connection, cancellationToken);
        var log = await PublishedEntries.BeginAsync(options, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(
            IsolationLevel.RepeatableRead, cancellationToken);
        var (first, last, isThere) = await FindAsync(connection, name, cancellationToken);
        if (!isThere)
        {
            return null;
        }

        var fold = new LedgerFold(Report, null, name);
        var verifier = new BatchVerifier();
        var ids = new KeyedSum();
        var events = 0L;
        if (await PartAsync("mt_events", FoldAsync))
        {
            fold.Finish();
        }

        await PartAsync(
            "mt_streams", () => SideTables.CompareStreamsAsync(connection, name, faults.Report, cancellationToken));
        await PartAsync("ml_event_ids", () => SideTables.CompareIdsAsync(connection, name, faults.Report, cancellationToken));
        await PartAsync(
            "columns that are not signed",
            () => SideTables.CompareUnsignedAsync(connection, name, faults.Report, cancellationToken));
        await transaction.RollbackAsync(cancellationToken);
        List<string> remarks =
        [
            "Of one stream: figures of reputation, the mana of the whole ledger, positions and tables as a whole were not checked.",
            .. fold.Remarks,
            .. log.Remarks,
        ];
        if (elsewhere > 0)
        {
            remarks.Add($"What the stream rests on has {elsewhere} faults. Run: meshledger audit");
        }

        return new AuditReport(
            events, 1, verifier.Verified, last, fold.Founder, fold.Granted, fold.Regenerated, fold.Balances, fold.Held,
            clock.Elapsed, faults.Faults, faults.Count)
        {
            Selections = fold.Selections,
            HeadsCompared = log.Compared > 0 ? 1 : 0,
            Remarks = remarks,
        };

        async Task FoldAsync()
        {
            await using var command = new NpgsqlCommand(AuditRow.Query(Rows), connection);
            command.Parameters.Add(AuditRow.Kinds());
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = name, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text });
            command.Parameters.Add(Sequencer.Array<string>(
                stream.IsAid(out _) ? ["ledger", "node", "worker", "federation", "aid"] : ["ledger", "node", "worker", "federation"],
                NpgsqlTypes.NpgsqlDbType.Text));
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = first });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = last });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = Reach });
            var chunks = Channel.CreateBounded<Task<AuditedRow[]>>(Environment.ProcessorCount * 2);
            var reading = AuditRow.ReadAsync(
                command, chunks.Writer, row => AuditedRow.Examine(row, verifier, ids, options.VerifiedUpTo), cancellationToken);
            var read = 0L;
            await foreach (var chunk in chunks.Reader.ReadAllAsync(cancellationToken))
            {
                foreach (var audited in await chunk)
                {
                    fold.Take(audited);
                    read++;
                    if (audited.Row.Stream == name)
                    {
                        events++;
                        await log.CompareAsync(audited, Report, cancellationToken);
                    }
                }

                progress?.Report(new AuditProgress(read, read));
            }

            await reading;
        }

        Task<bool> PartAsync(string what, Func<Task> look) => faults.PartAsync(transaction, what, look, cancellationToken);
    }

    /// <summary>Between which positions a stream stands, and whether any table has it.</summary>
    private static async Task<(long First, long Last, bool IsThere)> FindAsync(
        NpgsqlConnection connection, string stream, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT coalesce(min(seq_id), 0), coalesce(max(seq_id), 0),
                   count(*) > 0 OR EXISTS (SELECT FROM mt_streams WHERE id = $1)
            FROM mt_events WHERE stream_id = $1 AND seq_id BETWEEN 0 AND 9000000000000000000
            """,
            connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = stream });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (reader.GetInt64(0), reader.GetInt64(1), reader.GetBoolean(2));
    }
}

/// <summary>Whether events are those that the published log holds at their positions, each proven with the tiles that it
/// takes.</summary>
internal sealed class PublishedEntries
{
    private readonly List<string> _remarks = [];
    private LogReader? _reader;
    private TreeHead? _head;
    private bool _isBehind;

    public IReadOnlyList<string> Remarks => _remarks;

    public long Compared { get; private set; }

    public static async Task<PublishedEntries> BeginAsync(AuditOptions options, CancellationToken cancellationToken)
    {
        var entries = new PublishedEntries();
        if (options.LogDirectory is { } directory && options.LogKeys is { } keys && Directory.Exists(directory))
        {
            try
            {
                var source = new DirectoryLogSource(directory);
                entries._head = (await LogHeads.LatestAsync(source, keys, cancellationToken))?.Head;
                entries._reader = entries._head is null ? null : new LogReader(source, entries._head.Size);
            }
            catch (FormatException wrong)
            {
                entries._remarks.Add(wrong.Message);
            }
        }

        if (entries._reader is null)
        {
            entries._remarks.Add("There is no published log with a known key: the events were compared with no tree head.");
        }

        return entries;
    }

    public async Task CompareAsync(AuditedRow audited, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var row = audited.Row;
        if (_reader is null || _head is null || audited.Leaf is not { } leaf || row.Position < 1)
        {
            return;
        }

        if (row.Position > _head.Size)
        {
            if (!_isBehind)
            {
                _remarks.Add($"The published log ends at position {_head.Size}: later events were compared with no tree head.");
            }

            _isBehind = true;
            return;
        }

        try
        {
            var path = await _reader.InclusionAsync(row.Position - 1, _head.Size, cancellationToken);
            Compared++;
            if (MerkleTree.RootFromPath(leaf, row.Position - 1, _head.Size, path) != _head.Root)
            {
                report(new AuditFault(
                    "wrong_entry", row.Stream, row.Version, row.Position,
                    $"the event that the log holds at position {row.Position}", "another, or other tiles than were signed")
                {
                    Reason = $"the log's tree head of {_head.Size} entries was not signed over this event at position {row.Position}",
                });
            }
        }
        catch (IOException damaged)
        {
            _remarks.Add(damaged.Message);
            _reader = null;
        }
    }
}
