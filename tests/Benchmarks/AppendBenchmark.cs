using System.Diagnostics;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;

namespace MeshLedger.Benchmarks;

/// <summary>Events a second that are stated, signed, verified and made durable, beside pgbench's one-row inserts.
/// </summary>
internal static class AppendBenchmark
{
    private const int Seconds = 8;

    public static async Task RunAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        await using var store = database.OpenStore();
        await MeasureAsync(store, callers: 8, batch: 10, seconds: 3);
        var before = await database.PgbenchInsertsAsync(8, Seconds);
        var one8 = await MeasureAsync(store, callers: 8, batch: 1, Seconds);
        var one64 = await MeasureAsync(store, callers: 64, batch: 1, Seconds);
        var batch100 = await MeasureAsync(store, callers: 8, batch: 100, Seconds);
        var after = await database.PgbenchInsertsAsync(8, Seconds);
        var pgbench = (before + after) / 2;
        Figure.Print("append_8x1", one8, "events/s", "pgbench_8_clients", pgbench);
        Figure.Print("append_64x1", one64, "events/s", "pgbench_8_clients", pgbench);
        Figure.Print("append_batch100", batch100, "events/s", "pgbench_8_clients", pgbench);
    }

    public static async Task<double> MeasureAsync(PostgresEventStore store, int callers, int batch, int seconds)
    {
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            var key = SigningKey.Generate();
            var author = new EventAuthor(key, TimeProvider.System);
            var count = 0L;
            for (var stream = 0; clock.Elapsed.TotalSeconds < seconds; stream++)
            {
                // A stream of 100 events, as one subject has them, then the next one.
                var id = StreamId.Parse($"bench-{key.Did}-{stream}");
                for (var version = 0; version < 100 && clock.Elapsed.TotalSeconds < seconds; version += batch)
                {
                    var statements = new Statement[batch];
                    for (var i = 0; i < batch; i++)
                    {
                        statements[i] = author.State(new AccountEvent.Opened(version + i, 0, 0), null, id);
                    }

                    var request = new AppendRequest(
                        author.Sign(statements), new Dictionary<StreamId, long> { [id] = version });
                    if (await store.AppendAsync(request, CancellationToken.None) is not AppendOutcome.Appended)
                    {
                        throw new InvalidOperationException("An append was refused.");
                    }

                    count += batch;
                }
            }

            return count;
        })));
        return counts.Sum() / clock.Elapsed.TotalSeconds;
    }
}
