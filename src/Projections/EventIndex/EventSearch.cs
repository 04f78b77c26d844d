using System.Data;
using Npgsql;

namespace MeshLedger.Projections.EventIndex;

/// <summary>
/// Finds events by <c>event_index</c> alone. First the jobs that are asked for: their submissions are where all of the
/// job's terms stand. Then the log is walked in the order asked for, some blocks at a time and twice as many each time,
/// until the page is full: positions at which all of the events' terms stand, that are of such a job, and in the time.
/// Every read is of the index' key, and of 512 positions at least; so a page of a million events never costs more than
/// a few thousand rows, whatever is common, rare or absent.
/// </summary>
public sealed class EventSearch(NpgsqlDataSource database)
{
    public async Task<EventPage> FindAsync(EventFilter filter, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);

        // One view of the index, however it grows meanwhile.
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var indexed = await IndexedToAsync(connection, cancellationToken);
        var (first, last) = (Math.Clamp(filter.After, 0, indexed) + 1, Math.Min(Math.Max(filter.Before, 1) - 1, indexed));
        var found = first > last
            ? []
            : await new EventWalk(connection, filter, first, last, cancellationToken).FindAsync();
        var more = found.Count > filter.Limit;
        return new EventPage(more ? found[..filter.Limit] : found, more, indexed);
    }

    /// <summary>The keys of all who signed anything.</summary>
    public async Task<IReadOnlyList<string>> AuthorsAsync(CancellationToken cancellationToken)
    {
        // Each is looked up behind the one before, so that it costs what there are of them, and not of their blocks.
        await using var command = database.CreateCommand(
            """
            WITH RECURSIVE authors AS (
                (SELECT term FROM event_index WHERE term > $1 AND term < $2 ORDER BY term LIMIT 1)
                UNION ALL
                SELECT (SELECT term FROM event_index WHERE term > authors.term AND term < $2 ORDER BY term LIMIT 1)
                FROM authors WHERE authors.term IS NOT NULL)
            SELECT term FROM authors WHERE term IS NOT NULL
            """);
        var first = EventTerms.Author("");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = first });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = first + "\U0010FFFF" });
        var authors = new List<string>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            authors.Add(reader.GetString(0)[first.Length..]);
        }

        return authors;
    }

    private static async Task<long> IndexedToAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT coalesce((SELECT last_seq_id FROM mt_event_progression WHERE name = 'event_index:All'), 0)", connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
