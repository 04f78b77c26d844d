using System.Diagnostics;
using MeshLedger.Projections;
using MeshLedger.Projections.EventIndex;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Benchmarks;

/// <summary>Pages of 100 events out of a million: each kind of filter, common, rare and absent values, and several at
/// once. The events have their shapes, but nobody signed them: they are copied into the tables.</summary>
internal static class QueryBenchmark
{
    private const int Rounds = 15;

    public static async Task RunAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        await using var store = database.OpenStore();
        var history = new CopiedHistory();
        var clock = Stopwatch.StartNew();
        await history.CopyAsync(database.Source, 1_000_000);
        Console.WriteLine($"copied {history.Events} events of {history.Jobs} jobs in {clock.Elapsed.TotalSeconds:0} s");
        var projections = new ProjectionSet(
            store, database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);
        clock.Restart();
        await projections.RebuildAsync("event_index", null, CancellationToken.None);
        Figure.Print("query_index_build", history.Events / clock.Elapsed.TotalSeconds, "events/s");
        Figure.Print("query_index_size", await SizeAsync(database.Source) / (double)history.Events, "bytes/event");

        await using (var parts = database.Source.CreateCommand(
            """
            SELECT left(term, 1), count(*), sum(length(data)), pg_table_size('event_index'), pg_indexes_size('event_index')
            FROM event_index GROUP BY 1 ORDER BY 1
            """))
        await using (var reader = await parts.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                Console.WriteLine($"{reader[0]} {reader[1]} {reader[2]} {reader[3]} {reader[4]}");
            }
        }

        var search = new EventSearch(database.Source);
        var slowest = 0.0;
        foreach (var (name, filter) in history.Filters())
        {
            foreach (var newest in (bool[])[false, true])
            {
                var times = new List<double>();
                var found = 0;
                for (var i = 0; i < Rounds; i++)
                {
                    clock.Restart();
                    var page = await search.FindAsync(filter with { NewestFirst = newest }, CancellationToken.None);
                    found = (await StoredEvents.ReadAsync(database.Source, page.Positions, CancellationToken.None)).Count;
                    times.Add(clock.Elapsed.TotalMilliseconds);
                }

                // The first ones run code that was not compiled yet.
                var settled = times.Skip(3).Order().ToList();
                slowest = Math.Max(slowest, settled[^1]);
                var order = newest ? "newest" : "oldest";
                Console.WriteLine($"{name,-32} {order} {found,4} events: median {settled[settled.Count / 2]:0.0} ms, "
                    + $"slowest {settled[^1]:0.0} ms, first {times[0]:0.0} ms");
                Figure.Print($"query_{name.Replace(' ', '_')}_{order}", settled[settled.Count / 2], "ms");
            }
        }

        Figure.Print("query_slowest", slowest, "ms");
    }

    private static async Task<long> SizeAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand("SELECT pg_total_relation_size('event_index')");
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
