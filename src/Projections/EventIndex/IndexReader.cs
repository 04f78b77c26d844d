using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.EventIndex;

/// <summary>Reads <c>event_index</c>, each time by its key.</summary>
internal sealed class IndexReader(NpgsqlConnection connection, CancellationToken cancellationToken)
{
    private const string ReadTerms = "SELECT block, data FROM event_index WHERE term = ANY ($1) AND block BETWEEN $2 AND $3";

    private const string ReadPrefix =
        "SELECT block, string_agg(data, '') FROM event_index WHERE term >= $1 AND term < $2 AND block BETWEEN $3 AND $4 "
        + "GROUP BY block";

    private const string ReadColumn = "SELECT block, data FROM event_index WHERE term = $1 AND block = ANY ($2)";

    private const string ReadSpans =
        "SELECT block, low, high FROM event_index WHERE term = 'span' AND block BETWEEN $1 AND $2 AND high >= $3 AND low < $4";

    private const string ReadStreams = "SELECT stream_id FROM mt_events WHERE seq_id = ANY ($1)";

    /// <summary>The queries, by what they read: tests look at how they are planned.</summary>
    internal static IReadOnlyDictionary<string, string> Queries { get; } = new Dictionary<string, string>
    {
        ["terms"] = ReadTerms, ["prefix"] = ReadPrefix, ["column"] = ReadColumn,
        ["spans"] = ReadSpans, ["streams"] = ReadStreams,
    };

    /// <summary>The blocks with a time in a range; true where all times are.</summary>
    public async Task<Dictionary<int, bool>> SpansAsync(int from, int to, long low, long high)
    {
        await using var command = new NpgsqlCommand(ReadSpans, connection);
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = from });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = to });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = low });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = high });
        var spans = new Dictionary<int, bool>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            spans[reader.GetInt32(0)] = reader.GetInt64(1) >= low && reader.GetInt64(2) < high;
        }

        return spans;
    }

    /// <summary>The values of a column, block by block.</summary>
    public async IAsyncEnumerable<(int Block, byte[] Values)> ColumnAsync(string column, int[] blocks)
    {
        await using var command = new NpgsqlCommand(ReadColumn, connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = column });
        command.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = blocks });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            yield return (reader.GetInt32(0), reader.GetFieldValue<byte[]>(1));
        }
    }

    /// <summary>Where one of these terms stands.</summary>
    public async Task<PositionSet> TermsAsync(string[] terms, int from, int to)
    {
        await using var command = new NpgsqlCommand(ReadTerms, connection);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = terms });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = from });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = to });
        return await ReadAsync(command, from, to);
    }

    /// <summary>Where a term stands that begins so.</summary>
    public async Task<PositionSet> PrefixAsync(string prefix, int from, int to)
    {
        await using var command = new NpgsqlCommand(ReadPrefix, connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = prefix });

        // The last character there is: what begins so sorts before it.
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = prefix + "\U0010FFFF" });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = from });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = to });
        return await ReadAsync(command, from, to);
    }

    private async Task<PositionSet> ReadAsync(NpgsqlCommand command, int from, int to)
    {
        var set = new PositionSet(from, Math.Max(to - from + 1, 0));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            set.Add(reader.GetInt32(0), reader.GetFieldValue<byte[]>(1));
        }

        return set;
    }

    /// <summary>The terms of the streams to which these positions belong.</summary>
    public async Task<string[]> StreamsAsync(long[] submissions)
    {
        await using var command = new NpgsqlCommand(ReadStreams, connection);
        command.Parameters.Add(new NpgsqlParameter
        {
            Value = submissions, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint,
        });
        var streams = new List<string>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            streams.Add(EventTerms.Stream(reader.GetString(0)));
        }

        return [.. streams];
    }
}
