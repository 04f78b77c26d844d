using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// What else stands in the tables agrees with the events. <c>mt_streams</c> and <c>ml_event_ids</c> are first compared by
/// sums, which needs one pass over them; only where a sum differs the database is asked row by row.
/// </summary>
internal static class SideTables
{
    /// <summary>True if the rows of <c>mt_streams</c> are those that the events lead to.</summary>
    public static async Task<bool> AgreeStreamsAsync(
        NpgsqlConnection connection, FoldedStreams streams, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"SELECT left(id, 1000), version, created, timestamp, {OddStream} FROM mt_streams s", connection);
        command.CommandTimeout = 0;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        try
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                if (reader.GetBoolean(4))
                {
                    return false;
                }

                streams.Rows.Remove(streams.RowOf(
                    reader.GetString(0), reader.GetInt64(1), reader.GetFieldValue<DateTimeOffset>(2),
                    reader.GetFieldValue<DateTimeOffset>(3)));
            }
        }
        catch (Exception exception) when (EventRow.IsOfTheValue(exception))
        {
            return false;
        }

        return streams.Rows.IsZero;
    }

    /// <summary>Names each stream whose row says something else than its events, and each that lacks one or the other.
    /// </summary>
    /// <param name="stream">One stream alone; null: all.</param>
    public static async Task CompareStreamsAsync(
        NpgsqlConnection connection, string? stream, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var only = stream is null ? "" : "WHERE stream_id = $1";
        await using var command = new NpgsqlCommand(
            $"""
            SELECT left(coalesce(s.id, e.stream_id, '(null)'), 1000), s.id IS NULL, e.count IS NULL, coalesce(s.version, 0),
                   coalesce(e.last, 0), e.first IS DISTINCT FROM 1 OR e.count <> e.last, coalesce({OddStream}, false),
                   format('type %s, is_archived %s, tenant_id %s', coalesce(left(s.type, 100), 'null'),
                          coalesce(s.is_archived::text, 'null'), coalesce(left(s.tenant_id, 100), 'null')),
                   s.created IS DISTINCT FROM e.created, coalesce(s.created::text, 'none'), coalesce(e.created::text, 'none'),
                   s.timestamp IS DISTINCT FROM e.appended, coalesce(s.timestamp::text, 'none'),
                   coalesce(e.appended::text, 'none'), coalesce(e.position, 0)
            FROM (SELECT * FROM mt_streams {only.Replace("stream_id", "id", StringComparison.Ordinal)}) s FULL JOIN (
                SELECT stream_id, count(*) AS count, min(version) AS first, max(version) AS last, max(seq_id) AS position,
                       (array_agg(timestamp ORDER BY version))[1] AS created,
                       (array_agg(timestamp ORDER BY version DESC))[1] AS appended
                FROM mt_events {only} GROUP BY stream_id) e ON e.stream_id = s.id
            WHERE s.id IS NULL OR e.count IS NULL OR s.version <> e.last OR e.first <> 1 OR e.count <> e.last
                OR s.created IS DISTINCT FROM e.created OR s.timestamp IS DISTINCT FROM e.appended OR {OddStream}
            ORDER BY 1 LIMIT 1000
            """,
            connection);
        command.CommandTimeout = 0;
        if (stream is not null)
        {
            command.Parameters.Add(Text(stream));
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var (id, version, last) = (reader.GetString(0), reader.GetInt64(3), reader.GetInt64(4));
            void Wrong(string expected, string found, string? reason = null)
            {
                var fault = new AuditFault("wrong_stream", id, last, reader.GetInt64(14), expected, found)
                {
                    Table = "mt_streams",
                    Key = id,
                };
                report(reason is null ? fault : fault with { Reason = reason });
            }

            if (reader.GetBoolean(1))
            {
                Wrong("a row", "none", "the stream has events, but no row");
                continue;
            }

            if (reader.GetBoolean(2))
            {
                Wrong("no row, for there are no events", $"version {version}", "the stream has a row, but no events");
            }
            else if (version != last)
            {
                Wrong(
                    $"version {last}", $"version {version}", $"the stream's row says version {version}, its events end at {last}");
            }
            else if (reader.GetBoolean(5))
            {
                Wrong($"versions 1 to {last}, each once", "others", $"the stream has not each version from 1 to {last} once");
            }
            else if (reader.GetBoolean(8))
            {
                Wrong($"created at {reader.GetString(10)}, when its first event was appended", reader.GetString(9));
            }
            else if (reader.GetBoolean(11))
            {
                Wrong($"timestamp {reader.GetString(13)}, when its last event was appended", reader.GetString(12));
            }

            if (reader.GetBoolean(6))
            {
                var kind = StreamId.TryParse(id, out var known) ? known.Kind : "none";
                Wrong(
                    $"type {kind}, is_archived false, tenant_id *DEFAULT*", reader.GetString(7),
                    $"the stream's row is archived, of another tenant, or of another kind than {kind}: {reader.GetString(7)}");
            }
        }
    }

    /// <summary>True if the rows of <c>ml_event_ids</c> are those that the events lead to.</summary>
    public static async Task<bool> AgreeIdsAsync(
        NpgsqlConnection connection, KeyedSum ids, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT id, position FROM ml_event_ids", connection);
        command.CommandTimeout = 0;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        try
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                ids.Remove(ids.Of(reader.GetGuid(0), reader.GetInt64(1)));
            }
        }
        catch (Exception exception) when (EventRow.IsOfTheValue(exception))
        {
            return false;
        }

        return ids.IsZero;
    }

    /// <summary>Names each event whose id was not appended at its position, and each id without its event.</summary>
    /// <param name="stream">One stream alone; null: all.</param>
    public static async Task CompareIdsAsync(
        NpgsqlConnection connection, string? stream, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"""
            SELECT left(coalesce(e.stream_id, ''), 1000), coalesce(e.version, 0), coalesce(e.seq_id, i.position, 0),
                   coalesce(coalesce(i.id, e.id)::text, '(null)'), e.id IS NULL
            FROM mt_events e {(stream is null ? "FULL" : "LEFT")} JOIN ml_event_ids i ON i.id = e.id AND i.position = e.seq_id
            WHERE (e.id IS NULL OR i.id IS NULL) {(stream is null ? "" : "AND e.stream_id = $1")}
            ORDER BY 3 LIMIT 1000
            """,
            connection);
        command.CommandTimeout = 0;
        if (stream is not null)
        {
            command.Parameters.Add(Text(stream));
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var (id, isGone) = (reader.GetString(3), reader.GetBoolean(4));
            report(new AuditFault(
                "wrong_event_id", reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2),
                isGone ? $"the event of id {id}" : $"a row for id {id}", isGone ? "none" : "none at this position")
            {
                Table = "ml_event_ids",
                Key = id,
                Reason = isGone
                    ? $"id {id} was appended here, but the event is gone or changed"
                    : $"id {id} was never appended here",
            });
        }
    }

    /// <summary>Names each event with a column that nobody signs and that is not as every append writes it.</summary>
    /// <param name="stream">One stream alone; null: all.</param>
    public static async Task CompareUnsignedAsync(
        NpgsqlConnection connection, string? stream, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"""
            SELECT left(coalesce(e.stream_id, ''), 1000), coalesce(e.version, 0), coalesce(e.seq_id, 0),
                   left(coalesce(e.type, '(null)'), 500),
                   format('mt_dotnet_type %s, tenant_id %s, is_archived %s, bdata %s, timestamp %s',
                          coalesce(left(e.mt_dotnet_type, 300), 'null'), coalesce(left(e.tenant_id, 100), 'null'),
                          coalesce(e.is_archived::text, 'null'), CASE WHEN e.bdata IS NULL THEN 'null' ELSE 'set' END,
                          e.timestamp::text)
            FROM mt_events e WHERE {AuditRow.Odd} {(stream is null ? "" : "AND e.stream_id = $2")}
            ORDER BY e.seq_id LIMIT 1000
            """,
            connection);
        command.CommandTimeout = 0;
        command.Parameters.Add(AuditRow.Kinds());
        if (stream is not null)
        {
            command.Parameters.Add(Text(stream));
        }

        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            var (type, found) = (rows.GetString(3), rows.GetString(4));
            var name = EventCodec.Kinds.Any(kind => kind.Type == type) ? EventCodec.DotnetTypeOf(type) : "that of a known type";
            report(new AuditFault(
                "wrong_layout", rows.GetString(0), rows.GetInt64(1), rows.GetInt64(2),
                $"mt_dotnet_type {name}, tenant_id *DEFAULT*, is_archived false, bdata null, a timestamp that can be", found)
            {
                Reason = $"what nobody signs of {type} is not as it was appended: {found}",
            });
        }
    }

    /// <summary>What a projection, or a Marten, says it has read is there to be read.</summary>
    public static async Task CompareProgressionAsync(
        NpgsqlConnection connection, long head, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT left(name, 200), last_seq_id FROM mt_event_progression
            WHERE last_seq_id > $1 OR last_seq_id < 0 OR last_seq_id IS NULL
            ORDER BY 1 LIMIT 1000
            """,
            connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = head });
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            report(new AuditFault(
                "wrong_progression", "", 0, head, $"last_seq_id from 0 to {head}, where the log ends",
                rows.IsDBNull(1) ? "none" : $"{rows.GetInt64(1)}")
            {
                Table = "mt_event_progression",
                Key = rows.GetString(0),
            });
        }
    }

    /// <summary>True if what a row <c>s</c> of <c>mt_streams</c> says of its kind is not as every append writes it.</summary>
    private const string OddStream =
        "(s.type IS DISTINCT FROM split_part(s.id, '-', 1) OR s.is_archived IS NOT FALSE OR s.tenant_id IS DISTINCT FROM '*DEFAULT*')";

    private static NpgsqlParameter<string> Text(string value) => new()
    {
        TypedValue = value,
        NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Varchar,
    };
}
