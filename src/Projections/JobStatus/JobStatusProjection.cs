using System.Globalization;
using MeshLedger.Domain.Events;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.JobStatus;

/// <summary>One row a job: where it is, who runs it, how it ended.</summary>
internal sealed class JobStatusProjection : IProjection
{
    private const int MaxRemembered = 100_000;

    private static readonly Column[] Columns =
    [
        Of("job_id", row => row.JobId, NpgsqlDbType.Text),
        Of("status", row => row.Status, NpgsqlDbType.Text),
        Of("operation", row => row.Operation, NpgsqlDbType.Text),
        Of("submitter", row => row.Submitter, NpgsqlDbType.Text),
        Of("transport", row => row.Transport, NpgsqlDbType.Text),
        Of("namespace", row => row.Namespace, NpgsqlDbType.Text),
        Of("priority", row => row.Priority, NpgsqlDbType.Integer),
        Of("max_price", row => row.MaxPrice, NpgsqlDbType.Bigint),
        Of("document_sha256", row => row.DocumentSha256, NpgsqlDbType.Text),
        Of("redriven_of", row => row.RedrivenOf, NpgsqlDbType.Text),
        Of("attempt", row => row.Attempt, NpgsqlDbType.Integer),
        Of("failures", row => row.Failures, NpgsqlDbType.Integer),
        Of("losses", row => row.Losses, NpgsqlDbType.Integer),
        Of("bids", row => row.Bids, NpgsqlDbType.Integer),
        Of("workers", row => string.Join(' ', row.Workers), NpgsqlDbType.Text, "string_to_array({0}, ' ')"),
        Of("worker", row => row.Worker, NpgsqlDbType.Text),
        Of("price", row => row.Price, NpgsqlDbType.Bigint),
        Of("escrow", row => row.Escrow, NpgsqlDbType.Bigint),
        Of("paid", row => row.Paid, NpgsqlDbType.Bigint),
        Of("refunded", row => row.Refunded, NpgsqlDbType.Bigint),
        Of("phase", row => row.Phase, NpgsqlDbType.Text),
        Of("progress_bp", row => row.ProgressBp, NpgsqlDbType.Integer),
        Of("eta_ms", row => row.EtaMs, NpgsqlDbType.Bigint),
        Of("message", row => row.Message, NpgsqlDbType.Text),
        Of("error_code", row => row.ErrorCode, NpgsqlDbType.Text),
        Of("error_message", row => row.ErrorMessage, NpgsqlDbType.Text),
        Of("cancel_reason", row => row.CancelReason, NpgsqlDbType.Text),
        Of("submitted_at", row => row.SubmittedAt, NpgsqlDbType.TimestampTz),
        Of("assigned_at", row => row.AssignedAt, NpgsqlDbType.TimestampTz),
        Of("started_at", row => row.StartedAt, NpgsqlDbType.TimestampTz),
        Of("retry_at", row => row.RetryAt, NpgsqlDbType.TimestampTz),
        Of("ended_at", row => row.EndedAt, NpgsqlDbType.TimestampTz),
        Of("version", row => row.Version, NpgsqlDbType.Bigint),
        Of("submitted_position", row => row.SubmittedPosition, NpgsqlDbType.Bigint),
        Of("position", row => row.Position, NpgsqlDbType.Bigint),
    ];

    private static readonly string Upsert =
        $"INSERT INTO job_status ({Join(column => column.Name)}) "
        + $"SELECT {Join(column => string.Format(CultureInfo.InvariantCulture, column.Value, "c." + column.Name))} "
        + $"FROM unnest({string.Join(", ", Columns.Select((_, i) => $"${i + 1}"))}) AS c ({Join(column => column.Name)}) "
        + $"ON CONFLICT (job_id) DO UPDATE SET {Join(column => $"{column.Name} = excluded.{column.Name}")}";

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
            "SELECT * FROM job_status WHERE job_id = ANY ($1)", connection);
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
        await using var command = new NpgsqlCommand { Connection = connection };
        foreach (var column in Columns)
        {
            column.Fill(command, rows);
        }

        command.CommandText = Upsert;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static string Join(Func<Column, string> part) => string.Join(", ", Columns.Select(part));

    private static Column Of<T>(string name, Func<JobStatusRow, T> value, NpgsqlDbType type, string read = "{0}") =>
        new(name, (command, rows) => command.AddColumn(rows, value, type), read);

    /// <summary>A column: how its parameter is filled, and how it is read from what was unnested.</summary>
    private sealed record Column(string Name, Action<NpgsqlCommand, List<JobStatusRow>> Fill, string Value);
}
