using MeshLedger.Domain.Events;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.JobStatus;

/// <summary>One row a job: where it is, who runs it, how it ended.</summary>
internal sealed class JobStatusProjection : IProjection
{
    private const int MaxRemembered = 100_000;

    private readonly Dictionary<string, JobStatusRow> _open = [];

    public string Name => "job_status";

    public void Forget() => _open.Clear();

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var byJob = new Dictionary<string, List<RecordedEvent>>();
        foreach (var recorded in events)
        {
            if (recorded.Statement.Stream.IsJob(out var job))
            {
                if (!byJob.TryGetValue(job.ToString(), out var list))
                {
                    byJob.Add(job.ToString(), list = []);
                }

                list.Add(recorded);
            }
        }

        if (byJob.Count == 0)
        {
            return;
        }

        await LoadAsync(
            [.. byJob.Where(pair => pair.Value[0].Version > 1 && !_open.ContainsKey(pair.Key)).Select(pair => pair.Key)],
            connection,
            cancellationToken);
        var rows = new List<JobStatusRow>(byJob.Count);
        foreach (var (job, list) in byJob)
        {
            if (!_open.TryGetValue(job, out var row))
            {
                row = new JobStatusRow { JobId = job };
            }

            list.ForEach(row.Apply);
            rows.Add(row);
            if (row.EndedAt is null)
            {
                _open[job] = row;
            }
            else
            {
                _open.Remove(job);
            }
        }

        await SaveAsync(rows, connection, cancellationToken);
        if (_open.Count > MaxRemembered)
        {
            _open.Clear();
        }
    }

    private async Task LoadAsync(string[] jobs, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (jobs.Length == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(
            $"SELECT {JobStatusRow.Columns} FROM job_status WHERE job_id = ANY ($1)", connection);
        command.AddColumn(jobs, job => job, NpgsqlDbType.Text);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var row = JobStatusRow.Read(reader);
            _open[row.JobId] = row;
        }
    }

    private static async Task SaveAsync(
        List<JobStatusRow> rows, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"""
            INSERT INTO job_status AS j ({JobStatusRow.Columns})
                SELECT * FROM unnest($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23)
                ON CONFLICT (job_id) DO UPDATE SET
                    status = excluded.status, attempt = excluded.attempt, bids = excluded.bids,
                    worker = excluded.worker, price = excluded.price, phase = excluded.phase,
                    progress_bp = excluded.progress_bp, message = excluded.message, error_code = excluded.error_code,
                    error_message = excluded.error_message, assigned_at = excluded.assigned_at,
                    started_at = excluded.started_at, ended_at = excluded.ended_at, version = excluded.version,
                    position = excluded.position
            """,
            connection);
        command.AddColumn(rows, row => row.JobId, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Status, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Operation, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Submitter, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Transport, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.MaxPrice, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.DocumentSha256, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Attempt, NpgsqlDbType.Integer);
        command.AddColumn(rows, row => row.Bids, NpgsqlDbType.Integer);
        command.AddColumn(rows, row => row.Worker, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Price, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Phase, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.ProgressBp, NpgsqlDbType.Integer);
        command.AddColumn(rows, row => row.Message, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.ErrorCode, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.ErrorMessage, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.SubmittedAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(rows, row => row.AssignedAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(rows, row => row.StartedAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(rows, row => row.EndedAt, NpgsqlDbType.TimestampTz);
        command.AddColumn(rows, row => row.Version, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.SubmittedPosition, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Position, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
