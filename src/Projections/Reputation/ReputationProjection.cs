using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Reputation;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.Reputation;

/// <summary>One row a worker and operation, and one with operation <c>''</c> for all together: what
/// <see cref="ReputationBook"/> makes of the settlements.</summary>
internal sealed class ReputationProjection : IProjection
{
    public string Name => "worker_reputation";

    public void Forget()
    {
        // The rows that a batch changes are read with it, so nothing is remembered.
    }

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var settlements = events.Where(recorded => OutcomesOf(recorded).Count > 0).ToList();
        if (settlements.Count == 0)
        {
            return;
        }

        var workers = settlements.SelectMany(recorded => OutcomesOf(recorded)).Select(outcome => outcome.Worker).Distinct();
        var book = await LoadAsync([.. workers], connection, cancellationToken);
        var changed = new Dictionary<(Did Worker, string Operation), long>();
        foreach (var recorded in settlements)
        {
            foreach (var key in book.Apply(recorded.Statement.Body, recorded.Statement.Time))
            {
                changed[key] = recorded.Position;
            }
        }

        await SaveAsync(
            [.. changed.Select(pair =>
                new Row(pair.Key.Worker, pair.Key.Operation, book.Score(pair.Key.Worker, pair.Key.Operation), pair.Value))],
            connection,
            cancellationToken);
    }

    private static ValueList<AttemptOutcome> OutcomesOf(RecordedEvent recorded) => recorded.Statement.Body switch
    {
        JobEvent.Completed completed => completed.Outcomes,
        JobEvent.Failed failed => failed.Outcomes,
        JobEvent.AttemptEnded ended => ended.Outcomes,
        _ => [],
    };

    private static async Task<ReputationBook> LoadAsync(
        Did[] workers, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var book = new ReputationBook();
        await using var command = new NpgsqlCommand(
            """
            SELECT worker, operation, milli_points, step, succeeded, failed, timed_out, lost, disagreed, streak, earned
            FROM worker_reputation WHERE worker = ANY ($1)
            """,
            connection);
        command.AddColumn(workers, worker => worker.ToString(), NpgsqlDbType.Text);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            book.Restore(
                Did.Parse(reader.GetString(0)),
                reader.GetString(1),
                new ReputationScore(
                    reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4), reader.GetInt64(5), reader.GetInt64(6),
                    reader.GetInt64(7), reader.GetInt64(8), reader.GetInt64(9), reader.GetInt64(10)));
        }

        return book;
    }

    private static async Task SaveAsync(Row[] rows, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO worker_reputation
                (worker, operation, milli_points, step, succeeded, failed, timed_out, lost, disagreed, streak, earned, position)
                SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                ON CONFLICT (worker, operation) DO UPDATE SET
                    milli_points = excluded.milli_points, step = excluded.step, succeeded = excluded.succeeded,
                    failed = excluded.failed, timed_out = excluded.timed_out, lost = excluded.lost,
                    disagreed = excluded.disagreed, streak = excluded.streak, earned = excluded.earned,
                    position = excluded.position
            """,
            connection);
        command.AddColumn(rows, row => row.Worker.ToString(), NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Operation, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Score.MilliPoints, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.Step, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.Succeeded, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.Failed, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.TimedOut, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.Lost, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.Disagreed, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.Streak, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Score.Earned, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Position, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private sealed record Row(Did Worker, string Operation, ReputationScore Score, long Position);
}
