using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.JobRuns;

/// <summary>One row a worker's run of an attempt: what it cost, how long it took, what came of it.</summary>
internal sealed class JobRunsProjection : IProjection
{
    public string Name => "job_runs";

    public void Forget()
    {
        // Rows are changed by what a batch adds to them, so nothing is remembered.
    }

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var changes = new Dictionary<(string Job, int Attempt, string Worker), Change>();
        foreach (var recorded in events)
        {
            if (recorded.Statement.Stream.IsJob(out var job))
            {
                Add(recorded, (attempt, worker) =>
                {
                    if (!changes.TryGetValue((job.ToString(), attempt, worker), out var change))
                    {
                        changes.Add((job.ToString(), attempt, worker), change = new Change());
                    }

                    change.Position = recorded.Position;
                    return change;
                });
            }
        }

        if (changes.Count > 0)
        {
            await SaveAsync(changes, connection, cancellationToken);
        }
    }

    private static void Add(RecordedEvent recorded, Func<int, string, Change> run)
    {
        var (time, by) = (recorded.Statement.Time, recorded.Statement.By.ToString());
        switch (recorded.Statement.Body)
        {
            case JobEvent.Assigned assigned:
                foreach (var assignee in assigned.Assignees)
                {
                    var change = run(assigned.Attempt, assignee.Worker.ToString());
                    (change.Price, change.AssignedAt) = (assignee.Price, time);
                }

                break;
            case JobEvent.ExecutionStarted started:
                run(started.Attempt, by).StartedAt = time;
                break;
            case JobEvent.ReceiptIssued issued:
                var receipt = run(issued.Attempt, by);
                (receipt.EndedAt, receipt.DurationUs) = (time, issued.Receipt.DurationUs);
                (receipt.ErrorCode, receipt.ErrorMessage) = (issued.Receipt.Error?.Code, issued.Receipt.Error?.Message);
                break;
            case JobEvent.AttemptEnded ended:
                Settle(ended.Attempt, ended.Outcomes);
                break;
            case JobEvent.Completed completed:
                Settle(completed.Attempt, completed.Outcomes);
                break;
            case JobEvent.Failed failed:
                Settle(failed.Attempt, failed.Outcomes);
                break;
            case JobEvent.Cancelled cancelled:
                Settle(cancelled.Attempt, cancelled.Outcomes);
                break;
        }

        void Settle(int attempt, ValueList<AttemptOutcome> outcomes)
        {
            foreach (var outcome in outcomes)
            {
                var change = run(attempt, outcome.Worker.ToString());
                (change.Result, change.Paid, change.SettledAt) = (outcome.Result, outcome.Paid, time);
            }
        }
    }

    private static async Task SaveAsync(
        Dictionary<(string Job, int Attempt, string Worker), Change> changes, NpgsqlConnection connection,
        CancellationToken cancellationToken)
    {
        // A settlement is later than the receipt, whose time it must not replace: it says when a run without one ended.
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO job_runs AS r (job_id, attempt, worker, price, assigned_at, started_at, ended_at, duration_us, error_code,
                    error_message, result, paid, position)
                SELECT c.job_id, c.attempt, c.worker, c.price, c.assigned_at, c.started_at, coalesce(c.ended_at, c.settled_at),
                    c.duration_us, c.error_code, c.error_message, c.result, c.paid, c.position
                FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS c (job_id, attempt, worker, price,
                    assigned_at, started_at, ended_at, settled_at, duration_us, error_code, error_message, result, paid, position)
                ON CONFLICT (job_id, attempt, worker) DO UPDATE SET
                    price = coalesce(r.price, excluded.price), assigned_at = coalesce(r.assigned_at, excluded.assigned_at),
                    started_at = coalesce(r.started_at, excluded.started_at),
                    ended_at = CASE WHEN excluded.duration_us IS NOT NULL THEN excluded.ended_at
                        ELSE coalesce(r.ended_at, excluded.ended_at) END,
                    duration_us = coalesce(excluded.duration_us, r.duration_us),
                    error_code = coalesce(excluded.error_code, r.error_code),
                    error_message = coalesce(excluded.error_message, r.error_message),
                    result = coalesce(excluded.result, r.result), paid = coalesce(excluded.paid, r.paid),
                    position = excluded.position
            """,
            connection);
        command.AddColumn(changes, change => change.Key.Job, NpgsqlDbType.Text);
        command.AddColumn(changes, change => change.Key.Attempt, NpgsqlDbType.Integer);
        command.AddColumn(changes, change => change.Key.Worker, NpgsqlDbType.Text);
        command.AddColumn(changes, change => change.Value.Price, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.AssignedAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(changes, change => change.Value.StartedAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(changes, change => change.Value.EndedAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(changes, change => change.Value.SettledAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(changes, change => change.Value.DurationUs, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.ErrorCode, NpgsqlDbType.Text);
        command.AddColumn(changes, change => change.Value.ErrorMessage, NpgsqlDbType.Text);
        command.AddColumn(changes, change => change.Value.Result, NpgsqlDbType.Text);
        command.AddColumn(changes, change => change.Value.Paid, NpgsqlDbType.Bigint);
        command.AddColumn(changes, change => change.Value.Position, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>What a batch adds to a run.</summary>
    private sealed class Change
    {
        public long? Price { get; set; }
        public DateTimeOffset? AssignedAt { get; set; }
        public DateTimeOffset? StartedAt { get; set; }

        /// <summary>Of the receipt.</summary>
        public DateTimeOffset? EndedAt { get; set; }
        public DateTimeOffset? SettledAt { get; set; }
        public long? DurationUs { get; set; }
        public string? ErrorCode { get; set; }
        public string? ErrorMessage { get; set; }
        public string? Result { get; set; }
        public long? Paid { get; set; }
        public long Position { get; set; }
    }
}
