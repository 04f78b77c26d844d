using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// <c>mt_events_sequence</c> stands at the log's head: a Marten that is pointed at the database counts on it. A sequence
/// is no part of a snapshot, and an append moves it before it commits; so the two are compared under the appends' lock.
/// An append that breaks off between the two leaves it too high by its events until the next one: that is no fault.
/// </summary>
internal static class SequencePlace
{
    /// <summary>More events than any append has.</summary>
    private const long LargestAppend = 100_000;

    /// <param name="audited">The head as the audit's snapshot has it.</param>
    public static async Task CompareAsync(
        NpgsqlTransaction transaction, long audited, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var (isStill, last, head) = await LookAsync(transaction, cancellationToken);
        if (isStill && last - head > LargestAppend)
        {
            report(Wrong(head, last) with
            {
                Reason = $"mt_events_sequence stands at {last}, the log ends at {head}: it was moved by hand; the next append sets "
                    + "it right",
            });
        }

        // Without the lock nodes may move it on meanwhile, but never back.
        else if (last < (isStill ? head : audited))
        {
            report(Wrong(audited, last) with
            {
                Reason = $"mt_events_sequence stands at {last}, the log ends at {audited}",
            });
        }
    }

    private static AuditFault Wrong(long head, long last) => new("wrong_sequence", "", 0, head, $"{head}", $"{last}")
    {
        Table = "mt_events_sequence",
    };

    /// <returns>Whether no append was under way while it looked; on a standby, or where somebody holds the lock for long,
    /// that cannot be said.</returns>
    private static async Task<(bool IsStill, long Last, long Head)> LookAsync(
        NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var connection = transaction.Connection!;
        var isStill = false;
        await transaction.SaveAsync("look", cancellationToken);
        try
        {
            await using var locking = new NpgsqlCommand(
                """
                SET LOCAL lock_timeout = '10s';
                SELECT NOT pg_is_in_recovery() FROM pg_advisory_xact_lock_shared(7310579631243879525);
                """,
                connection);
            isStill = (bool)(await locking.ExecuteScalarAsync(cancellationToken))!;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            await transaction.RollbackAsync("look", cancellationToken);
        }

        await using var command = new NpgsqlCommand(
            """
            SELECT CASE WHEN is_called THEN last_value ELSE 0 END, (SELECT coalesce(max(seq_id), 0) FROM mt_events)
            FROM mt_events_sequence
            """,
            connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (isStill, reader.GetInt64(0), reader.GetInt64(1));
    }
}
