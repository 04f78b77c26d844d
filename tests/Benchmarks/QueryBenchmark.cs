using System.Diagnostics;
using MeshLedger.Ledger;
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
        await CostAsync();
    }

    /// <summary>What keeping the index up takes from appends: with nothing beside them, with the other read models, and
    /// with all, in turn.</summary>
    private static async Task CostAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        await using var store = database.OpenStore();
        await AppendBenchmark.MeasureAsync(store, callers: 8, batch: 10, seconds: 3);
        string[][] kept = [[], [.. ProjectionSet.Names.Except(["event_index"])], [.. ProjectionSet.Names]];
        var rates = new double[kept.Length];
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < kept.Length; i++)
            {
                using var stop = new CancellationTokenSource();
                var keeping = kept[i].Select(name => KeepUpAsync(database, store, name, stop.Token)).ToList();
                rates[i] += await AppendBenchmark.MeasureAsync(store, callers: 64, batch: 1, seconds: 5) / 3;
                await stop.CancelAsync();
                await Task.WhenAll(keeping);
            }
        }

        Figure.Print("append_beside_other_read_models", rates[1], "events/s", "append_alone", rates[0]);
        Figure.Print("append_beside_all_read_models", rates[2], "events/s", "append_beside_other_read_models", rates[1]);
    }

    private static async Task KeepUpAsync(BenchDatabase database, PostgresEventStore store, string name, CancellationToken stop)
    {
        var set = new ProjectionSet(store, database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);
        while (!stop.IsCancellationRequested)
        {
            await set.CatchUpAsync(name, CancellationToken.None);
            await Task.Delay(100, CancellationToken.None);
        }
    }

    private static async Task<long> SizeAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand("SELECT pg_total_relation_size('event_index')");
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
