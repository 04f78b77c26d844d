using MeshLedger.Projections.EventIndex;
using MeshLedger.Testing;
using Npgsql;

namespace MeshLedger.Projections.Tests;

/// <summary>No query of a search reads a table from its beginning to its end.</summary>
public sealed class EventSearchPlanTests : IAsyncLifetime
{
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        await _database.ExecuteAsync(ProjectionRunner.Script("event_index"));

        // As many terms and blocks as a large ledger has, few bytes each: what counts is that reading all would be dear.
        await _database.ExecuteAsync(
            """
            INSERT INTO event_index (term, block, events, data, low, high)
                SELECT t, b, 1, '\x0000'::bytea, b, b FROM unnest(ARRAY['t a', 't b', 'a x', 'k job', 'job', 'time', 'span']) AS t,
                    generate_series(0, 1999) AS b
                UNION ALL SELECT 's job-' || i, i / 40, 1, '\x0000'::bytea, NULL, NULL FROM generate_series(1, 60000) AS i;
            INSERT INTO mt_streams (id, version) SELECT 'job-' || i, 1 FROM generate_series(1, 20000) AS i;
            INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, headers)
                SELECT i, gen_random_uuid(), 'job-' || i, 1, '{}', 'job_submitted', '{}' FROM generate_series(1, 20000) AS i;
            ANALYZE event_index; ANALYZE mt_events; ANALYZE mt_streams
            """);
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task Every_query_is_answered_by_a_key()
    {
        foreach (var (name, sql) in IndexReader.Queries.Append(new("rows", StoredEvents.Query)))
        {
            var plan = await PlanAsync(name, sql);
            Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
            Assert.Matches(
                "(Index|Bitmap Index|Index Only) Scan (using|on) (a_term_stands_in_a_block_once|pkey_mt_events_seq_id)", plan);
        }
    }

    private async Task<string> PlanAsync(string name, string sql)
    {
        object[] parameters = name switch
        {
            "terms" => [(string[])["t a", "s job-77"], 100, 400],
            "prefix" => ["s job-123", "s job-123\U0010FFFF", 0, 2000],
            "column" => ["time", Enumerable.Range(500, 64).ToArray()],
            "spans" => [0, 1999, 100L, 200L],
            _ => [(long[])[1, 5000, 19_999]],
        };
        await using var command = _database.Source.CreateCommand("EXPLAIN " + sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        var plan = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            plan.Add(reader.GetString(0));
        }

        return string.Join('\n', plan);
    }
}
