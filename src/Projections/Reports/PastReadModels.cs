using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Projections.Accounts;
using MeshLedger.Projections.AsOf;
using MeshLedger.Projections.JobRuns;
using MeshLedger.Projections.JobStatus;
using MeshLedger.Projections.Reputation;
using Npgsql;

namespace MeshLedger.Projections.Reports;

/// <summary>The read models of reports as they were: made by the same projections from the log up to a position, in
/// tables that this connection alone sees instead of those of now, and that are gone with its transaction.</summary>
public static class PastReadModels
{
    /// <summary>Within a transaction of the caller's. Reads the log from its beginning, and verifies each
    /// event.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    public static async Task BuildAsync(
        IEventStore store, NpgsqlConnection connection, long position, CancellationToken cancellationToken)
    {
        IProjection[] projections =
            [new JobStatusProjection(), new JobRunsProjection(), new AccountsProjection(), new ReputationProjection()];

        // What is made goes to the first, and what is named is looked for there first.
        await ExecuteAsync(
            connection, "SELECT set_config('search_path', 'pg_temp, ' || current_setting('search_path'), true)", cancellationToken);
        foreach (var projection in projections)
        {
            await ExecuteAsync(connection, ProjectionRunner.Script(projection.Name), cancellationToken);
        }

        await foreach (var events in VerifiedLog.UpToAsync(store, position, cancellationToken))
        {
            foreach (var projection in projections)
            {
                await projection.ApplyAsync(events, connection, cancellationToken);
            }
        }
    }

    /// <summary>The last position that the ledger had taken in by a time, by its own clock; 0 if there is none.</summary>
    public static async Task<long> PositionAtAsync(
        NpgsqlConnection connection, DateTimeOffset time, long head, CancellationToken cancellationToken)
    {
        // Positions are in the order of their times, but for clocks that were set back meanwhile.
        await using var command = new NpgsqlCommand("SELECT timestamp FROM mt_events WHERE seq_id = $1", connection);
        var parameter = new NpgsqlParameter<long>();
        command.Parameters.Add(parameter);
        var (low, high) = (0L, head);
        while (low < high)
        {
            parameter.TypedValue = low + ((high - low + 1) / 2);
            var taken = await command.ExecuteScalarAsync(cancellationToken) as DateTime? ?? DateTime.MinValue;
            (low, high) = taken <= time.UtcDateTime ? (parameter.TypedValue, high) : (low, parameter.TypedValue - 1);
        }

        return low;
    }

    /// <summary>When a position was taken in.</summary>
    public static async Task<DateTimeOffset> TimeOfAsync(
        NpgsqlConnection connection, long position, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT timestamp FROM mt_events WHERE seq_id = $1", connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = position });
        return new DateTimeOffset(await command.ExecuteScalarAsync(cancellationToken) as DateTime? ?? DateTime.UnixEpoch);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
