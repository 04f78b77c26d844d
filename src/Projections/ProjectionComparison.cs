using System.Data;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using Npgsql;

namespace MeshLedger.Projections;

/// <summary>A row that is not what the events lead to.</summary>
/// <param name="Key">The values of the table's primary key in the order of its columns, with spaces between; empty: it is the
/// table.</param>
/// <param name="Stream">The stream that the row is about.</param>
/// <param name="Position">The latest event that the row should say it is of; 0 where it says none.</param>
/// <param name="Expected">The columns that differ, as the events lead to them.</param>
/// <param name="Found">The same columns as they are stored.</param>
public sealed record ProjectionDifference(string Key, string Stream, long Position, string Expected, string Found);

/// <summary>What a stored projection differs in from one that was built from the first event.</summary>
/// <param name="Position">Up to where it has read, as it says itself; it is compared as of there.</param>
/// <param name="Rows">How many rows it must have.</param>
/// <param name="Differences">At most 1,000.</param>
/// <param name="NotCompared">Why there was nothing to compare; null: it was compared.</param>
public sealed record ProjectionComparison(
    string Name, long Position, long Rows, IReadOnlyList<ProjectionDifference> Differences, long DifferenceCount,
    string? NotCompared)
{
    private const int Batch = 5000;

    /// <summary>The stream that a row is about; those of an index are about none.</summary>
    private static readonly Dictionary<string, string> Streams = new(StringComparer.Ordinal)
    {
        ["job_status"] = "'job-' || job_id",
        ["worker_reputation"] = "'worker-' || worker",
        ["accounts"] = "'account-' || owner",
        ["blob_references"] = "stream_id",
        ["event_index"] = "''",
        ["job_runs"] = "'job-' || job_id",
    };

    internal static async Task<ProjectionComparison> RunAsync(
        IProjection projection, IEventStore store, NpgsqlDataSource database, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);

        // Rows and position of one moment. The second table is this session's alone, and goes with the transaction.
        await using var transaction = await connection.BeginTransactionAsync(
            IsolationLevel.RepeatableRead, cancellationToken);
        var name = projection.Name;
        var script = ProjectionRunner.Script(name);
        var (position, table, madeBy) = await FindAsync(connection, name, cancellationToken);
        if (position is not > 0)
        {
            var rows = table is null ? 0 : await CountAsync(connection, table, cancellationToken);
            return rows == 0
                ? new ProjectionComparison(name, 0, 0, [], 0, "it has read nothing yet")
                : new ProjectionComparison(
                    name, 0, 0, [new ProjectionDifference("", "", 0, "no rows, for it says that it has read nothing", $"{rows} rows")], 1, null);
        }

        if (table is null)
        {
            return new ProjectionComparison(
                name, position.Value, 0, [new ProjectionDifference("", "", 0, $"rows as of position {position}", "no table")], 1, null);
        }

        if (madeBy != ProjectionRunner.MadeByOf(script))
        {
            return new ProjectionComparison(
                name, position.Value, 0, [], 0, "its table is of another version, and is made anew by the next start of a node");
        }

        await ExecuteAsync(
            connection, "SELECT set_config('search_path', 'pg_temp, ' || current_setting('search_path'), true)", cancellationToken);
        await ExecuteAsync(connection, script, cancellationToken);
        try
        {
            await BuildAsync(projection, store, connection, position.Value, progress, cancellationToken);
        }
        catch (Exception exception) when (exception is InvalidHistoryException or FormatException
            || exception is PostgresException { SqlState: PostgresErrorCodes.CheckViolation })
        {
            var difference = new ProjectionDifference("", "", 0, "events that lead to rows", exception.Message);
            return new ProjectionComparison(name, position.Value, 0, [difference], 1, null);
        }

        return await CompareAsync(connection, name, position.Value, table, cancellationToken);
    }

    private static async Task<long> CountAsync(NpgsqlConnection connection, string table, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT count(*) FROM {table}", connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task BuildAsync(
        IProjection projection, IEventStore store, NpgsqlConnection connection, long position, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        var reading = store.ReadAfterAsync(0, Batch, cancellationToken);
        for (var at = 0L; at < position;)
        {
            var events = await reading;
            if (events.Count == 0)
            {
                throw new InvalidHistoryException($"The log ends at position {at}, before the projection does.");
            }

            reading = store.ReadAfterAsync(events[^1].Position, Batch, cancellationToken);
            events = events[^1].Position > position ? [.. events.Where(recorded => recorded.Position <= position)] : events;
            at = events.Count == 0 ? position : events[^1].Position;
            if (events.Count > 0)
            {
                await projection.ApplyAsync(events, connection, cancellationToken);
            }

            progress?.Report(at);
        }

        await reading;
    }

    private static async Task<(long? Position, string? Table, string? MadeBy)> FindAsync(
        NpgsqlConnection connection, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT (SELECT last_seq_id FROM mt_event_progression WHERE name = $1),
                   (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.oid = to_regclass($2)),
                   obj_description(to_regclass($2), 'pg_class')
            """,
            connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = ProjectionRunner.ShardOf(name) });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = name });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        string? Text(int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
        return (reader.IsDBNull(0) ? null : reader.GetInt64(0), Text(1), Text(2));
    }

    private static async Task<ProjectionComparison> CompareAsync(
        NpgsqlConnection connection, string name, long position, string stored, CancellationToken cancellationToken)
    {
        await using var keys = new NpgsqlCommand(
            """
            SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
            WHERE i.indrelid = to_regclass($1) AND i.indisprimary
            """,
            connection);
        keys.Parameters.Add(new NpgsqlParameter<string> { TypedValue = $"pg_temp.{name}" });
        var key = (string[])(await keys.ExecuteScalarAsync(cancellationToken))!;
        await using var command = new NpgsqlCommand(
            $"""
            SELECT left(coalesce(concat_ws(' ', {string.Join(", ", key)}), ''), 500), left(coalesce({Streams[name]}, ''), 500),
                   coalesce((built ->> 'position')::bigint, (built ->> 'first_position')::bigint, 0),
                   CASE WHEN built IS NULL THEN 'no row' ELSE d.expected END, CASE WHEN stored IS NULL THEN 'no row' ELSE d.found END,
                   count(*) OVER ()
            FROM (
                SELECT *, to_jsonb(t) AS built FROM pg_temp.{name} t) b
            FULL JOIN (SELECT {string.Join(", ", key)}, to_jsonb(t) AS stored FROM {stored} t) s USING ({string.Join(", ", key)})
            LEFT JOIN LATERAL (
                SELECT string_agg(format('%s %s', key, coalesce(left(x.value::text, 200), 'absent')), ', ' ORDER BY key) AS expected,
                       string_agg(format('%s %s', key, coalesce(left(y.value::text, 200), 'absent')), ', ' ORDER BY key) AS found
                FROM jsonb_each(built) x FULL JOIN jsonb_each(stored) y USING (key)
                WHERE x.value IS DISTINCT FROM y.value) d ON true
            WHERE built IS DISTINCT FROM stored ORDER BY 1 LIMIT 1000
            """,
            connection);
        command.CommandTimeout = 0;
        var (differences, count) = (new List<ProjectionDifference>(), 0L);
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                count = reader.GetInt64(5);
                differences.Add(new ProjectionDifference(
                    reader.GetString(0), reader.GetString(1), reader.GetInt64(2), reader.GetString(3), reader.GetString(4)));
            }
        }

        await using var counting = new NpgsqlCommand(
            $"SELECT (SELECT count(*) FROM pg_temp.{name}), (SELECT count(*) FROM {stored})", connection);
        await using var counts = await counting.ExecuteReaderAsync(cancellationToken);
        await counts.ReadAsync(cancellationToken);
        var (rows, found) = (counts.GetInt64(0), counts.GetInt64(1));
        if (count == 0 && rows != found)
        {
            // A table that lost its primary key may hold a row twice.
            differences.Add(new ProjectionDifference("", "", 0, $"{rows} rows", $"{found} rows"));
            count = 1;
        }

        return new ProjectionComparison(name, position, rows, differences, count, null);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
