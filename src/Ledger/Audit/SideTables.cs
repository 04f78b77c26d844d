using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>What else stands in the tables agrees with the events.</summary>
internal static class SideTables
{
    /// <summary>Every stream's row says the version that its events say, and there is no row without events.</summary>
    public static async Task CompareStreamsAsync(
        NpgsqlConnection connection, LedgerFold fold, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        var versions = fold.Streams.ToDictionary(stream => stream.Stream, stream => stream.Version);
        await using var command = new NpgsqlCommand(
            """
            SELECT id, version, type, is_archived IS NOT FALSE OR tenant_id IS DISTINCT FROM '*DEFAULT*' FROM mt_streams
            """,
            connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var (id, version) = (reader.GetString(0), reader.GetInt64(1));
            var kind = reader.IsDBNull(2) ? "" : reader.GetString(2);
            if (!versions.Remove(id, out var actual))
            {
                report(new AuditFault("wrong_stream", id, version, 0, "the stream has a row, but no events"));
            }
            else if (actual != version)
            {
                report(new AuditFault(
                    "wrong_stream", id, actual, 0, $"the stream's row says version {version}, its events end at {actual}"));
            }

            if (reader.GetBoolean(3))
            {
                report(new AuditFault(
                    "wrong_stream", id, version, 0, "the stream's row is archived, or of another tenant"));
            }

            if (!StreamId.TryParse(id, out var stream) || stream.Kind != kind)
            {
                report(new AuditFault("wrong_stream", id, version, 0, $"the stream's row says it is of kind '{kind}'"));
            }
        }

        foreach (var (id, version) in versions)
        {
            report(new AuditFault("wrong_stream", id, version, 0, "the stream has events, but no row"));
        }
    }

    /// <summary>Every event's id was appended once, at its position, and nothing else was.</summary>
    public static async Task CompareIdsAsync(
        NpgsqlConnection connection, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        await using var ids = new NpgsqlCommand(
            """
            SELECT coalesce(e.stream_id, ''), coalesce(e.version, 0), coalesce(e.seq_id, i.position, 0),
                   coalesce(coalesce(i.id, e.id)::text, '(null)'), e.id IS NULL
            FROM mt_events e FULL JOIN ml_event_ids i ON i.id = e.id AND i.position = e.seq_id
            WHERE e.id IS NULL OR i.id IS NULL
            ORDER BY 3 LIMIT 1000
            """,
            connection);
        await using var reader = await ids.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            report(new AuditFault(
                "wrong_event_id",
                reader.GetString(0),
                reader.GetInt64(1),
                reader.GetInt64(2),
                reader.GetBoolean(4)
                    ? $"id {reader.GetString(3)} was appended here, but the event is gone or changed"
                    : $"id {reader.GetString(3)} was never appended here"));
        }
    }

    /// <summary>What nobody signed is as every append writes it.</summary>
    public static async Task CompareUnsignedAsync(
        NpgsqlConnection connection, Action<AuditFault> report, CancellationToken cancellationToken)
    {
        await using var odd = new NpgsqlCommand(
            """
            SELECT stream_id, coalesce(version, 0), coalesce(seq_id, 0), coalesce(type, '(null)'),
                   coalesce(mt_dotnet_type, '(null)')
            FROM mt_events
            WHERE is_archived IS DISTINCT FROM false OR tenant_id IS DISTINCT FROM '*DEFAULT*' OR bdata IS NOT NULL
                OR timestamp NOT BETWEEN '0002-01-01' AND '9999-01-01'
                OR NOT EXISTS (SELECT 1 FROM unnest($1, $2) AS k (type, dotnet)
                               WHERE k.type = mt_events.type AND k.dotnet = mt_events.mt_dotnet_type)
            ORDER BY seq_id LIMIT 1000
            """,
            connection);
        odd.Parameters.Add(Sequencer.Array(
            EventCodec.Kinds.Select(kind => kind.Type).ToArray(), NpgsqlTypes.NpgsqlDbType.Text));
        odd.Parameters.Add(Sequencer.Array(
            EventCodec.Kinds.Select(kind => EventCodec.DotnetTypeOf(kind.Type)).ToArray(), NpgsqlTypes.NpgsqlDbType.Text));
        await using var rows = await odd.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            report(new AuditFault(
                "wrong_layout",
                rows.IsDBNull(0) ? "" : rows.GetString(0),
                rows.GetInt64(1),
                rows.GetInt64(2),
                $"mt_dotnet_type {rows.GetString(4)} of {rows.GetString(3)}, timestamp, tenant_id, is_archived or bdata is "
                + "not as appended"));
        }
    }
}
