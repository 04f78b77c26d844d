using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.Reputation;

/// <summary>One row a worker, first form: what it settled well, what badly, and what it earned by it.</summary>
internal sealed class ReputationProjection : IProjection
{
    public string Name => "worker_reputation";

    public void Forget()
    {
        // Rows are changed by sums, so nothing is remembered.
    }

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var changes = new Dictionary<Did, Change>();
        foreach (var recorded in events)
        {
            switch (recorded.Statement.Body)
            {
                case JobEvent.Completed completed:
                    Of(completed.Worker).Add(1, 0, completed.Paid, recorded.Position);
                    break;
                case JobEvent.Failed { Worker: { } worker }:
                    Of(worker).Add(0, 1, 0, recorded.Position);
                    break;
            }
        }

        if (changes.Count == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(
            """
            INSERT INTO worker_reputation AS w (worker, succeeded, failed, earned, position)
                SELECT * FROM unnest($1, $2, $3, $4, $5)
                ON CONFLICT (worker) DO UPDATE SET
                    succeeded = w.succeeded + excluded.succeeded, failed = w.failed + excluded.failed,
                    earned = w.earned + excluded.earned, position = excluded.position
            """,
            connection);
        command.AddColumn(changes, change => change.Key.ToString(), NpgsqlDbType.Text);
        command.AddColumn(changes, change => change.Value.Succeeded, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Failed, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Earned, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Position, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);

        Change Of(Did worker)
        {
            if (!changes.TryGetValue(worker, out var change))
            {
                changes.Add(worker, change = new Change());
            }

            return change;
        }
    }

    private sealed class Change
    {
        public long Succeeded { get; private set; }
        public long Failed { get; private set; }
        public long Earned { get; private set; }
        public long Position { get; private set; }

        public void Add(long succeeded, long failed, long earned, long position)
        {
            Succeeded += succeeded;
            Failed += failed;
            Earned += earned;
            Position = position;
        }
    }
}
