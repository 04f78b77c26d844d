using MeshLedger.Crypto;
using MeshLedger.Domain.Reputation;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.Reports;

/// <summary>Reports from the read models that a connection sees: those of now, or those that
/// <see cref="PastReadModels"/> made.</summary>
public static class ReportReader
{
    /// <summary>What failed in a run: its receipt's error, else what the settlement says.</summary>
    private const string RunError =
        """
        CASE r.result WHEN 'lost' THEN 'LEASE_LOST' WHEN 'timed_out' THEN 'TIMEOUT' WHEN 'disagreed' THEN 'DISAGREED'
            WHEN 'failed' THEN coalesce(r.error_code, 'UNKNOWN') END
        """;

    /// <param name="position">Only events up to this one are counted.</param>
    /// <param name="at">The time as of which reputation is.</param>
    public static async Task<ReportTable> ReadAsync(
        NpgsqlConnection connection, ReportQuestion question, long position, DateTimeOffset at,
        CancellationToken cancellationToken) => question.Name switch
        {
            ReportNames.Jobs => await JobsAsync(connection, question, cancellationToken),
            ReportNames.Workers => await WorkersAsync(connection, question, at, cancellationToken),
            ReportNames.Accounts => await AccountsAsync(connection, cancellationToken),
            ReportNames.Throughput => await ThroughputReport.ReadAsync(connection, question, position, cancellationToken),
            ReportNames.Failures => await FailuresAsync(connection, question, cancellationToken),
            var other => throw new ArgumentException($"There is no report '{other}'.", nameof(question)),
        };

    private static Task<ReportTable> JobsAsync(
        NpgsqlConnection connection, ReportQuestion question, CancellationToken cancellationToken)
    {
        var group = GroupOf(question.By, "j.submitted_at", "j.worker");
        const string wait = "extract(epoch FROM r.first_started_at - j.submitted_at) * 1000000";
        return QueryAsync(
            connection,
            $"""
            SELECT {group}, count(*),
                count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
                count(*) FILTER (WHERE status = 'cancelled'), count(*) FILTER (WHERE ended_at IS NULL),
                10000 * count(*) FILTER (WHERE status = 'completed')
                    / nullif(count(*) FILTER (WHERE status IN ('completed', 'failed')), 0),
                {Milliseconds($"percentile_cont(0.5) WITHIN GROUP (ORDER BY {wait})")},
                {Milliseconds($"percentile_cont(0.95) WITHIN GROUP (ORDER BY {wait})")},
                {Milliseconds("percentile_cont(0.5) WITHIN GROUP (ORDER BY r.ran_us)")},
                {Milliseconds("percentile_cont(0.95) WITHIN GROUP (ORDER BY r.ran_us)")},
                coalesce(sum(paid), 0)::bigint, coalesce(sum(refunded), 0)::bigint
            FROM job_status j LEFT JOIN (
                SELECT job_id, min(started_at) AS first_started_at, sum(duration_us) AS ran_us FROM job_runs GROUP BY job_id) r
                ON r.job_id = j.job_id
            WHERE ($1::timestamptz IS NULL OR j.submitted_at >= $1) AND ($2::timestamptz IS NULL OR j.submitted_at < $2)
            GROUP BY 1 ORDER BY {(question.By == ReportNames.ByDay ? "1" : "2 DESC, 1")}
            """,
            question,
            [
                .. Group(question.By), new("jobs", ReportUnit.Count), new("completed", ReportUnit.Count),
                new("failed", ReportUnit.Count), new("cancelled", ReportUnit.Count), new("open", ReportUnit.Count),
                new("success_bp", ReportUnit.BasisPoints), new("wait_median_ms", ReportUnit.Milliseconds),
                new("wait_p95_ms", ReportUnit.Milliseconds), new("run_median_ms", ReportUnit.Milliseconds),
                new("run_p95_ms", ReportUnit.Milliseconds), new("paid", ReportUnit.Mana), new("refunded", ReportUnit.Mana),
            ],
            cancellationToken);
    }

    private static async Task<ReportTable> WorkersAsync(
        NpgsqlConnection connection, ReportQuestion question, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var by = question.By == ReportNames.ByWorker ? null : question.By;
        var table = await QueryAsync(
            connection,
            $"""
            SELECT {GroupOf(by, "r.assigned_at", "r.worker")}, r.worker, count(*),
                count(*) FILTER (WHERE result IN ('succeeded', 'agreed', 'own')), count(*) FILTER (WHERE result = 'failed'),
                count(*) FILTER (WHERE result = 'timed_out'), count(*) FILTER (WHERE result = 'lost'),
                count(*) FILTER (WHERE result = 'disagreed'), count(*) FILTER (WHERE result = 'withdrawn'),
                count(*) FILTER (WHERE result IS NULL),
                coalesce(sum(r.paid), 0)::bigint, coalesce({Milliseconds("sum(r.duration_us)")}, 0), max(r.ended_at)
            FROM job_runs r LEFT JOIN job_status j ON j.job_id = r.job_id
            WHERE ($1::timestamptz IS NULL OR r.assigned_at >= $1) AND ($2::timestamptz IS NULL OR r.assigned_at < $2)
            GROUP BY 1, 2 ORDER BY {(by is null ? "3 DESC, 2" : "1, 3 DESC, 2")}
            """,
            question,
            [
                .. Group(by), new("worker", ReportUnit.Text), new("runs", ReportUnit.Count),
                new("succeeded", ReportUnit.Count), new("failed", ReportUnit.Count), new("timed_out", ReportUnit.Count),
                new("lost", ReportUnit.Count), new("disagreed", ReportUnit.Count), new("withdrawn", ReportUnit.Count),
                new("under_way", ReportUnit.Count), new("earned", ReportUnit.Mana), new("busy_ms", ReportUnit.Milliseconds), new("last_run", ReportUnit.Time),
            ],
            cancellationToken);
        var points = await PointsAsync(connection, at, cancellationToken);
        var worker = table.IndexOf("worker");
        return new ReportTable(
            [.. table.Columns, new ReportColumn("reputation", ReportUnit.Points)],
            [.. table.Rows.Select(row => (object?[])[.. row, points.GetValueOrDefault((string)row[worker]!)])]);
    }

    private static Task<ReportTable> AccountsAsync(NpgsqlConnection connection, CancellationToken cancellationToken) => QueryAsync(
        connection,
        """
        SELECT '', a.owner, a.granted, a.regenerated, a.received, a.paid,
            coalesce((SELECT sum(j.refunded) FROM job_status j WHERE j.submitter = a.owner), 0)::bigint, a.escrow, a.balance
        FROM accounts a ORDER BY a.granted DESC, a.owner COLLATE "C"
        """,
        null,
        [
            new("owner", ReportUnit.Text), new("granted", ReportUnit.Mana), new("regenerated", ReportUnit.Mana),
            new("received", ReportUnit.Mana), new("paid", ReportUnit.Mana), new("refunded", ReportUnit.Mana),
            new("escrow", ReportUnit.Mana), new("balance", ReportUnit.Mana),
        ],
        cancellationToken);

    /// <summary>Jobs that failed for good, and runs that came to nothing: also of jobs that another attempt completed.
    /// </summary>
    private static Task<ReportTable> FailuresAsync(
        NpgsqlConnection connection, ReportQuestion question, CancellationToken cancellationToken) => QueryAsync(
        connection,
        $"""
        SELECT grp, code, sum(jobs)::bigint, sum(runs)::bigint, max(at), (array_agg(job_id ORDER BY at DESC NULLS LAST, job_id))[1],
            (array_agg(message ORDER BY at DESC NULLS LAST, job_id))[1]
        FROM (
            SELECT {GroupOf(question.By, "j.ended_at", "j.worker")} AS grp, j.error_code AS code, 1 AS jobs, 0 AS runs,
                j.ended_at AS at, j.job_id, j.error_message AS message
            FROM job_status j WHERE j.status = 'failed' AND j.error_code IS NOT NULL
            UNION ALL
            SELECT {GroupOf(question.By, "r.ended_at", "r.worker")}, {RunError}, 0, 1, r.ended_at, r.job_id, r.error_message
            FROM job_runs r LEFT JOIN job_status j ON j.job_id = r.job_id
            WHERE r.result IN ('failed', 'lost', 'timed_out', 'disagreed')) f
        WHERE ($1::timestamptz IS NULL OR at >= $1) AND ($2::timestamptz IS NULL OR at < $2)
        GROUP BY 1, 2 ORDER BY {(question.By == ReportNames.ByDay ? "1, 3 DESC, 4 DESC, 2" : "3 DESC, 4 DESC, 2, 1")}
        """,
        question,
        [
            .. Group(question.By), new("error_code", ReportUnit.Text), new("jobs_failed", ReportUnit.Count),
            new("runs_failed", ReportUnit.Count), new("last_at", ReportUnit.Time), new("last_job", ReportUnit.Text),
            new("last_message", ReportUnit.Text),
        ],
        cancellationToken);

    /// <summary>Microseconds rounded alike wherever they are reported, so that the same run is equally long everywhere.</summary>
    private static string Milliseconds(string microseconds) => $"round((({microseconds}) / 1000.0)::numeric)::bigint";

    /// <summary>What rows are grouped by: an expression over <c>job_status</c> as j.</summary>
    private static string GroupOf(string? by, string time, string worker) => by switch
    {
        ReportNames.ByOperation => "j.operation",
        ReportNames.ByWorker => worker,
        ReportNames.ByNamespace => "j.namespace",
        ReportNames.ByDay => $"to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        _ => "''",
    };

    /// <summary>The first column of a query says the group; without one it is left out.</summary>
    private static IEnumerable<ReportColumn> Group(string? by) => by is null ? [] : [new ReportColumn(by, ReportUnit.Text)];

    private static async Task<ReportTable> QueryAsync(
        NpgsqlConnection connection, string sql, ReportQuestion? question, ReportColumn[] columns,
        CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        if (question is not null)
        {
            command.Parameters.Add(Time(question.From));
            command.Parameters.Add(Time(question.To));
        }

        var rows = new List<object?[]>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var skip = reader.FieldCount - columns.Length;
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add([.. columns.Select((_, i) => reader.IsDBNull(i + skip) ? null : reader.GetValue(i + skip) switch
            {
                DateTime time => new DateTimeOffset(time),
                int number => (long)number,
                var value => value,
            })]);
        }

        return new ReportTable(columns, rows);
    }

    private static async Task<Dictionary<string, long>> PointsAsync(
        NpgsqlConnection connection, DateTimeOffset at, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT worker, milli_points, step FROM worker_reputation WHERE operation = ''", connection);
        var book = new ReputationBook();
        var points = new Dictionary<string, long>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var worker = Did.Parse(reader.GetString(0));
            book.Restore(
                worker, ReputationBook.Overall,
                new ReputationScore(reader.GetInt64(1), reader.GetInt64(2), 0, 0, 0, 0, 0, 0, 0));
            points[worker.ToString()] = book.Points(worker, ReputationBook.Overall, at);
        }

        return points;
    }

    private static NpgsqlParameter Time(DateTimeOffset? time) =>
        new() { Value = time is { } value ? value.UtcDateTime : DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz };
}
