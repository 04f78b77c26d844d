using System.Threading.Channels;
using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>A row of <c>mt_events</c> with what the audit reads besides.</summary>
/// <param name="IsOdd">True if a column that nobody signs is not as every append writes it.</param>
internal sealed record AuditRow(EventRow Row, string? Correlation, bool IsOdd)
{
    private const int FirstRows = 32;
    private const int MostRows = 1000;
    private const int MostBytes = 2 << 20;

    /// <summary>True if what nobody signed of a row is not as every append writes it. $1 has the types, each with a space
    /// and its CLR name.</summary>
    public const string Odd =
        """
        (e.is_archived IS DISTINCT FROM false OR e.tenant_id IS DISTINCT FROM '*DEFAULT*' OR e.bdata IS NOT NULL
            OR e.timestamp NOT BETWEEN '0002-01-01' AND '9999-01-01'
            OR (e.type || ' ' || e.mt_dotnet_type = ANY ($1)) IS NOT TRUE)
        """;

    // Values of any length can stand in a row: what is longer than an event's can be is not fetched. What is stored in a few
    // bytes is short enough in any case; the text of the rest is measured.
    private const string Columns =
        """
        e.seq_id, e.id, left(e.stream_id, 1000) AS stream_id, e.version,
        CASE WHEN pg_column_size(e.data) < 4096 THEN e.data WHEN octet_length(e.data::text) < 16000000 THEN e.data END AS data,
        left(e.type, 500) AS type, e.timestamp, CASE WHEN pg_column_size(e.headers) < 8192 THEN e.headers END AS headers,
        left(e.causation_id, 1000) AS causation_id, left(e.correlation_id, 2000000) AS correlation_id
        """;

    /// <summary>Rows by position.</summary>
    /// <param name="where">What follows on <c>FROM mt_events e</c>; its parameters begin at $2.</param>
    public static string Query(string where) => $"SELECT {Columns}, {Odd} FROM mt_events e {where} ORDER BY e.seq_id";

    /// <summary>The parameter of <see cref="Odd"/>.</summary>
    public static NpgsqlParameter Kinds() => Sequencer.Array(
        EventCodec.Kinds.Select(kind => $"{kind.Type} {EventCodec.DotnetTypeOf(kind.Type)}").ToArray(),
        NpgsqlTypes.NpgsqlDbType.Text);

    /// <summary>Streams rows to those who examine them, on all cores, in their order: at most some hundred thousand bytes
    /// and a thousand rows at once for each core.</summary>
    public static async Task ReadAsync(
        NpgsqlCommand command, ChannelWriter<Task<AuditedRow[]>> chunks, Func<AuditRow, AuditedRow> examine,
        CancellationToken cancellationToken)
    {
        try
        {
            command.CommandTimeout = 0;
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            // Small pieces first, so that a small ledger keeps all cores busy, too.
            var (most, bytes) = (FirstRows, 0);
            var rows = new List<AuditRow>(most);
            while (await reader.ReadAsync(cancellationToken))
            {
                var row = Read(reader);
                rows.Add(row);
                bytes += row.Row.Data.Length + (row.Row.Headers?.Length ?? 0) + (2 * row.Correlation?.Length ?? 0);
                if (rows.Count == most || bytes >= MostBytes)
                {
                    await HandOverAsync();
                }
            }

            await HandOverAsync();
            chunks.Complete();

            async Task HandOverAsync()
            {
                var taken = rows;
                (most, bytes) = (Math.Min(most * 3 / 2, MostRows), 0);
                rows = new List<AuditRow>(most);
                await chunks.WriteAsync(
                    Task.Run(() => taken.ConvertAll(row => examine(row)).ToArray(), cancellationToken), cancellationToken);
            }
        }
        catch (Exception exception)
        {
            chunks.Complete(exception);
            throw;
        }
    }

    private static AuditRow Read(NpgsqlDataReader reader)
    {
        var row = EventRow.Read(reader);
        try
        {
            return new AuditRow(row, reader.IsDBNull(9) ? null : reader.GetString(9), reader.GetBoolean(10));
        }
        catch (Exception exception) when (EventRow.IsOfTheValue(exception))
        {
            // A column that was given another type.
            return new AuditRow(row, null, true);
        }
    }
}
