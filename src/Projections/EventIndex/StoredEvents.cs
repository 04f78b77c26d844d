using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.EventIndex;

/// <summary>An event as it is stored: not verified again, so whatever stands in its row.</summary>
/// <param name="Time">The author's.</param>
/// <param name="Data">JSON.</param>
public sealed record StoredEvent(
    long Position, string? Stream, long Version, string Type, string? Time, DateTimeOffset AppendedAt, string? By, Guid Id,
    string? Digest, string? Cause, string Data);

/// <summary>Reads the events that were found.</summary>
public static class StoredEvents
{
    internal const string Query =
        """
        SELECT seq_id, stream_id, version, type, headers ->> 'time', timestamp, headers ->> 'by', id,
            headers ->> 'digest', headers ->> 'cause', data::text
        FROM mt_events WHERE seq_id = ANY ($1)
        """;

    /// <summary>The events at these positions, in their order.</summary>
    public static async Task<IReadOnlyList<StoredEvent>> ReadAsync(
        NpgsqlDataSource database, IReadOnlyList<long> positions, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Query);
        command.AddColumn(positions, position => position, NpgsqlDbType.Bigint);
        var found = new Dictionary<long, StoredEvent>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            string? Text(int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
            found[reader.GetInt64(0)] = new StoredEvent(
                reader.GetInt64(0), Text(1), reader.GetInt64(2), reader.GetString(3), Text(4),
                reader.GetFieldValue<DateTimeOffset>(5), Text(6), reader.GetGuid(7), Text(8), Text(9), reader.GetString(10));
        }

        return [.. positions.Where(found.ContainsKey).Select(position => found[position])];
    }
}
