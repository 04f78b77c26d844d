using System.Data;
using System.Diagnostics;
using System.Threading.Channels;
using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Checks a whole ledger from its rows alone, and changes nothing. One reader streams the rows, all cores recompute
/// statements, digests and signatures, and one fold judges the events in log order. It reads one snapshot, so nodes may
/// go on writing.
/// </summary>
public static class LedgerAudit
{
    /// <summary>The most faults that a report lists.</summary>
    public const int MaxFaults = 10_000;

    private const int ChunkSize = 1000;

    /// <summary>Audits everything up to the log's head as it is when the audit begins.</summary>
    public static async Task<AuditReport> RunAsync(
        NpgsqlDataSource database, IProgress<AuditProgress>? progress, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var faults = new List<AuditFault>();
        var count = 0L;
        void Report(AuditFault fault)
        {
            count++;
            if (faults.Count < MaxFaults)
            {
                faults.Add(fault);
            }
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(
            IsolationLevel.RepeatableRead, cancellationToken);
        var total = await ScalarAsync(connection, "SELECT count(*) FROM mt_events", cancellationToken);
        var fold = new LedgerFold(Report);
        var verifier = new BatchVerifier();
        var events = 0L;
        var chunks = Channel.CreateBounded<Task<AuditedRow[]>>(Environment.ProcessorCount * 2);
        var reading = ReadAsync(connection, chunks.Writer, verifier, cancellationToken);
        await foreach (var chunk in chunks.Reader.ReadAllAsync(cancellationToken))
        {
            foreach (var audited in await chunk)
            {
                fold.Take(audited);
                events++;
            }

            progress?.Report(new AuditProgress(events, total));
        }

        await reading;
        fold.Finish();
        await CompareStreamsAsync(connection, fold, Report, cancellationToken);
        await CompareSideTablesAsync(connection, fold, Report, cancellationToken);
        return new AuditReport(
            events, fold.StreamCount, verifier.Verified, fold.Position, fold.Founder, fold.Granted,
            fold.Regenerated, fold.Balances, fold.Held, clock.Elapsed, faults, count);
    }

    private static async Task ReadAsync(
        NpgsqlConnection connection, ChannelWriter<Task<AuditedRow[]>> chunks, BatchVerifier verifier,
        CancellationToken cancellationToken)
    {
        try
        {
            await using var command = new NpgsqlCommand(
                $"SELECT {EventRow.Columns} FROM mt_events e ORDER BY e.seq_id", connection);
            command.CommandTimeout = 0;
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var rows = new List<EventRow>(ChunkSize);
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(EventRow.Read(reader));
                if (rows.Count == ChunkSize)
                {
                    await HandOverAsync();
                }
            }

            await HandOverAsync();
            chunks.Complete();

            async Task HandOverAsync()
            {
                var taken = rows;
                rows = new List<EventRow>(ChunkSize);
                await chunks.WriteAsync(
                    Task.Run(() => taken.ConvertAll(row => AuditedRow.Examine(row, verifier)).ToArray(), cancellationToken),
                    cancellationToken);
            }
        }
        catch (Exception exception)
        {
            chunks.Complete(exception);
            throw;
        }
    }

    /// <summary>Every stream's row says the version that its events say, and there is no row without events.</summary>
    private static async Task CompareStreamsAsync(
        NpgsqlConnection connection, LedgerFold fold, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var versions = fold.Streams.ToDictionary(stream => stream.Stream, stream => stream.Version);
        await using var command = new NpgsqlCommand("SELECT id, version, type, is_archived IS NOT FALSE OR tenant_id IS DISTINCT FROM '*DEFAULT*' FROM mt_streams",
            connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var (id, version) = (reader.GetString(0), reader.GetInt64(1));
            var kind = reader.IsDBNull(2) ? "" : reader.GetString(2);
            if (!versions.Remove(id, out var actual))
            {
                report(new AuditFault("wrong_stream", id, version, 0, "the stream has a row, but no events"));
            }
            else if (actual != version)
            {
                report(new AuditFault(
                    "wrong_stream", id, actual, 0, $"the stream's row says version {version}, its events end at {actual}"));
            }

            if (reader.GetBoolean(3))
            {
                report(new AuditFault(
                    "wrong_stream", id, version, 0, "the stream's row is archived, or of another tenant"));
            }

            if (!StreamId.TryParse(id, out var stream) || stream.Kind != kind)
            {
                report(new AuditFault("wrong_stream", id, version, 0, $"the stream's row says it is of kind '{kind}'"));
            }
        }

        foreach (var (id, version) in versions)
        {
            report(new AuditFault("wrong_stream", id, version, 0, "the stream has events, but no row"));
        }
    }

    /// <summary>What else stands in the tables agrees with the events.</summary>
    private static async Task CompareSideTablesAsync(
        NpgsqlConnection connection, LedgerFold fold, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var last = await ScalarAsync(
            connection, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM mt_events_sequence", cancellationToken);

        // The sequence is no part of the snapshot: nodes that go on writing move it on, but never back.
        if (last < fold.Position)
        {
            report(new AuditFault(
                "wrong_sequence", "", 0, fold.Position, $"mt_events_sequence stands at {last}, the log ends at {fold.Position}"));
        }

        await using (var ids = new NpgsqlCommand(
            """
            SELECT coalesce(e.stream_id, ''), coalesce(e.version, 0), coalesce(e.seq_id, i.position),
                   coalesce(i.id, e.id)::text, e.id IS NULL
            FROM mt_events e FULL JOIN ml_event_ids i ON i.id = e.id AND i.position = e.seq_id
            WHERE e.id IS NULL OR i.id IS NULL
            ORDER BY 3 LIMIT 1000
            """,
            connection))
        {
            await using var reader = await ids.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                report(new AuditFault(
                    "wrong_event_id",
                    reader.GetString(0),
                    reader.GetInt64(1),
                    reader.GetInt64(2),
                    reader.GetBoolean(4)
                        ? $"id {reader.GetString(3)} was appended here, but the event is gone or changed"
                        : $"id {reader.GetString(3)} was never appended here"));
            }
        }

        await using var odd = new NpgsqlCommand(
            """
            SELECT stream_id, version, seq_id, type, coalesce(mt_dotnet_type, '(null)')
            FROM mt_events
            WHERE is_archived IS DISTINCT FROM false OR tenant_id IS DISTINCT FROM '*DEFAULT*' OR bdata IS NOT NULL
                OR NOT EXISTS (SELECT 1 FROM unnest($1, $2) AS k (type, dotnet)
                               WHERE k.type = mt_events.type AND k.dotnet = mt_events.mt_dotnet_type)
            ORDER BY seq_id LIMIT 1000
            """,
            connection);
        odd.Parameters.Add(Sequencer.Array(
            EventCodec.Kinds.Select(kind => kind.Type).ToArray(), NpgsqlTypes.NpgsqlDbType.Text));
        odd.Parameters.Add(Sequencer.Array(
            EventCodec.Kinds.Select(kind => EventCodec.DotnetTypeOf(kind.Type)).ToArray(), NpgsqlTypes.NpgsqlDbType.Text));
        await using var rows = await odd.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            report(new AuditFault(
                "wrong_layout",
                rows.IsDBNull(0) ? "" : rows.GetString(0),
                rows.GetInt64(1),
                rows.GetInt64(2),
                $"mt_dotnet_type {rows.GetString(4)} of {rows.GetString(3)}, tenant_id, is_archived or bdata is not as appended"));
        }
    }

    private static async Task<long> ScalarAsync(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
