using System.Data;
using System.Diagnostics;
using System.Threading.Channels;
using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Checks a ledger from its rows, and changes nothing. One reader streams the rows, all cores recompute statements,
/// digests, signatures and log entries, and one fold judges the events in log order. It reads one snapshot, so nodes may go
/// on writing.
/// </summary>
public static class LedgerAudit
{
    /// <summary>The most faults that a report lists.</summary>
    public const int MaxFaults = 10_000;

    /// <summary>Audits everything up to the log's head as it is when the audit begins.</summary>
    public static Task<AuditReport> RunAsync(
        NpgsqlDataSource database, IProgress<AuditProgress>? progress, CancellationToken cancellationToken) =>
        RunAsync(database, new AuditOptions(), progress, cancellationToken);

    /// <inheritdoc cref="RunAsync(NpgsqlDataSource, IProgress{AuditProgress}?, CancellationToken)"/>
    /// <exception cref="IOException">A file of the log cannot be read.</exception>
    public static async Task<AuditReport> RunAsync(
        NpgsqlDataSource database, AuditOptions options, IProgress<AuditProgress>? progress,
        CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var faults = new FaultList();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await faults.CompareLayoutAsync(connection, cancellationToken);

        // What the heads speak of was there before them, so they are looked at first.
        await using var log = await LogComparison.BeginAsync(database, options, faults.Report, cancellationToken);
        await using var first = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var followed = new HashSet<string>(StringComparer.Ordinal);
        var fold = new LedgerFold(faults.Report, followed);
        var verifier = new BatchVerifier();
        var ids = new KeyedSum();
        var (events, isOdd) = (0L, false);
        var isRead = await PartAsync(first, "mt_events", FoldAsync);
        if (isRead)
        {
            fold.Finish();
            await log.FinishAsync();
        }

        await PartAsync(first, "mt_streams", async () =>
        {
            if (!isRead || !await SideTables.AgreeStreamsAsync(connection, fold.Streams, cancellationToken))
            {
                await SideTables.CompareStreamsAsync(connection, null, faults.Report, cancellationToken);
            }
        });
        await PartAsync(first, "ml_event_ids", async () =>
        {
            if (!isRead || !await SideTables.AgreeIdsAsync(connection, ids, cancellationToken))
            {
                await SideTables.CompareIdsAsync(connection, null, faults.Report, cancellationToken);
            }
        });
        await PartAsync(first, "columns that are not signed", async () =>
        {
            if (!isRead || isOdd)
            {
                await SideTables.CompareUnsignedAsync(connection, null, faults.Report, cancellationToken);
            }
        });
        await PartAsync(
            first, "mt_event_progression",
            () => SideTables.CompareProgressionAsync(connection, Math.Max(0, fold.Position), faults.Report, cancellationToken));
        await first.RollbackAsync(cancellationToken);
        await using var second = await connection.BeginTransactionAsync(cancellationToken);
        await PartAsync(
            second, "mt_events_sequence",
            () => SequencePlace.CompareAsync(second, fold.Position, faults.Report, cancellationToken));
        return new AuditReport(
            events, fold.Streams.Count, verifier.Verified, fold.Position, fold.Founder, fold.Granted,
            fold.Regenerated, fold.Balances, fold.Held, clock.Elapsed, faults.Faults, faults.Count)
        {
            Tree = log.Tree,
            Selections = fold.Selections,
            HeadsCompared = log.Compared,
            IsManaKnown = fold.IsManaKnown,
            Remarks = [.. fold.Remarks, .. log.Remarks],
        };

        async Task FoldAsync()
        {
            var total = await HeadAsync(connection, cancellationToken);
            await FollowedAsync(connection, followed, cancellationToken);
            await using var command = new NpgsqlCommand(AuditRow.Query(""), connection);
            command.Parameters.Add(AuditRow.Kinds());
            var chunks = Channel.CreateBounded<Task<AuditedRow[]>>(Environment.ProcessorCount * 2);
            var reading = AuditRow.ReadAsync(
                command, chunks.Writer, row => AuditedRow.Examine(row, verifier, ids, options.VerifiedUpTo), cancellationToken);
            await foreach (var chunk in chunks.Reader.ReadAllAsync(cancellationToken))
            {
                foreach (var audited in await chunk)
                {
                    fold.Take(audited);
                    ids.Add(audited.IdTerm);
                    isOdd |= audited.IsOdd;
                    await log.TakeAsync(audited.Leaf, audited.Row.Position);
                    events++;
                }

                progress?.Report(new AuditProgress(events, Math.Max(total, events)));
            }

            await reading;
        }

        Task<bool> PartAsync(NpgsqlTransaction transaction, string what, Func<Task> look) =>
            faults.PartAsync(transaction, what, look, cancellationToken);
    }

    /// <summary>The streams in which something stands that may follow a job's end.</summary>
    private static async Task FollowedAsync(
        NpgsqlConnection connection, HashSet<string> followed, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT DISTINCT left(stream_id, 1000) FROM mt_events WHERE type IN ('receipt_verified', 'receipt_disputed')",
            connection);
        command.CommandTimeout = 0;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            followed.Add(reader.GetString(0));
        }
    }

    private static async Task<long> HeadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT coalesce(max(seq_id), 0) FROM mt_events", connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
