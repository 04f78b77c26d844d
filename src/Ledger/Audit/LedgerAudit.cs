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
        await using var first = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var transaction = first;
        var layout = await LedgerLayout.ReadAsync(connection, cancellationToken);
        var isRight = true;
        foreach (var difference in layout.Count == 0 ? [] : LedgerLayout.Compare(layout))
        {
            isRight = false;
            Report(new AuditFault("wrong_layout", "", 0, 0, difference));
        }

        var fold = new LedgerFold(Report);
        var verifier = new BatchVerifier();
        var events = 0L;
        if (await PartAsync("mt_events", FoldAsync))
        {
            fold.Finish();
            await PartAsync(
                "mt_streams", () => SideTables.CompareStreamsAsync(connection, fold, Report, cancellationToken));
        }

        await PartAsync("ml_event_ids", () => SideTables.CompareIdsAsync(connection, Report, cancellationToken));
        await PartAsync(
            "columns that are not signed", () => SideTables.CompareUnsignedAsync(connection, Report, cancellationToken));
        await transaction.RollbackAsync(cancellationToken);
        await using var second = transaction = await connection.BeginTransactionAsync(cancellationToken);
        await PartAsync(
            "mt_events_sequence",
            () => SequencePlace.CompareAsync(transaction, fold.Position, Report, cancellationToken));
        return new AuditReport(
            events, fold.StreamCount, verifier.Verified, fold.Position, fold.Founder, fold.Granted,
            fold.Regenerated, fold.Balances, fold.Held, clock.Elapsed, faults, count);

        async Task FoldAsync()
        {
            var total = await ScalarAsync(connection, "SELECT count(*) FROM mt_events", cancellationToken);
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
        }

        // What was changed under it cannot be read as it should be: that is a fault, and the other parts are still
        // looked at.
        async Task<bool> PartAsync(string what, Func<Task> look)
        {
            await transaction.SaveAsync("part", cancellationToken);
            try
            {
                await look();
                return true;
            }
            catch (PostgresException exception) when (!isRight && exception.SqlState is
                PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedTable
                or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.DatatypeMismatch
                or PostgresErrorCodes.WrongObjectType)
            {
                await transaction.RollbackAsync("part", cancellationToken);
                Report(new AuditFault("wrong_layout", "", 0, 0, $"{what} cannot be read: {exception.MessageText}"));
            }
            catch (Exception exception) when (!isRight && EventRow.IsOfTheValue(exception))
            {
                Report(new AuditFault("wrong_layout", "", 0, 0, $"{what} cannot be read: {exception.Message}"));
            }

            return false;
        }
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

    private static async Task<long> ScalarAsync(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
