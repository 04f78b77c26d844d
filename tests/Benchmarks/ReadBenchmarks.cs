using System.Diagnostics;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Ledger.Audit;
using MeshLedger.Projections;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Benchmarks;

/// <summary>Loading streams, catching up projections, auditing.</summary>
internal static class ReadBenchmarks
{
    public static async Task StreamsAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        var history = LedgerHistory.Of(jobs: 4000);
        var streams = new List<StreamId>();
        await using (var writer = database.OpenStore())
        {
            // The first six events of a job, signed as one batch by one key, so that each load verifies one signature.
            var key = Crypto.SigningKey.Generate();
            foreach (var job in history.Statements.Where(statement => statement.Stream.IsJob(out _))
                .GroupBy(statement => statement.Stream))
            {
                var six = job.Take(6).Select(statement =>
                    EventCodec.State(statement.Body, key.Did, statement.Cause, job.Key, statement.Id, statement.Time));
                await writer.AppendAsync(
                    new AppendRequest(SignedEvent.Sign(key, [.. six]), new Dictionary<StreamId, long>()),
                    CancellationToken.None);
                streams.Add(job.Key);
            }
        }

        // Remembering no verified batch, every load verifies its signature.
        await using var cold = database.OpenStore(rememberedBatches: 1);
        await LoadAsync(cold, streams, 3);
        Figure.Print("streams_load", await LoadAsync(cold, streams, 12), "streams/s");
        await using var warm = database.OpenStore();
        await LoadAsync(warm, streams, 3);
        Figure.Print("streams_load_remembered", await LoadAsync(warm, streams, 8), "streams/s");
    }

    public static async Task ProjectionsAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        var history = LedgerHistory.Of(jobs: 15_500);
        await using var store = database.OpenStore();
        await history.AppendAsync(store, batch: 100);
        var projections = new ProjectionSet(
            store, database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);
        await projections.RebuildAsync("accounts", null, CancellationToken.None);
        foreach (var (name, figure) in ((string, string)[])
            [("job_status", "projections_catchup"), ("event_index", "projections_catchup_index"), ("job_runs", "projections_catchup_runs")])
        {
            var rates = new List<double>();
            for (var i = 0; i < 4; i++)
            {
                var clock = Stopwatch.StartNew();
                await projections.RebuildAsync(name, null, CancellationToken.None);
                rates.Add(history.Statements.Count / clock.Elapsed.TotalSeconds);
            }

            rates.Sort();
            Figure.Print(figure, rates[rates.Count / 2], "events/s");
        }
    }

    public static async Task AuditAsync()
    {
        await AuditAsync("audit_single", jobs: 6000, batch: 1);
        await AuditAsync("audit_batch100", jobs: 15_000, batch: 100);
    }

    /// <summary>The most memory that a process which audits takes, for ledgers of which one is ten times the other.</summary>
    public static async Task AuditMemoryAsync()
    {
        foreach (var (name, jobs) in new[] { ("audit_memory_100k", 7_700), ("audit_memory_1m", 77_000) })
        {
            await using var database = await BenchDatabase.StartAsync();
            await using (var store = database.OpenStore())
            {
                await LedgerHistory.Of(jobs).AppendAsync(store, batch: 100);
            }

            GC.Collect();
            var clock = Stopwatch.StartNew();
            using var audit = NodeProcess.Start(
                "audit", "--postgres", database.ConnectionString, "--data", Path.Combine(database.Directory, "none"));
            var peak = 0L;
            using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            while (!audit.HasExited)
            {
                peak = Math.Max(peak, PeakOf(audit.Id));
                await pace.WaitForNextTickAsync();
            }

            if (audit.ExitCode != 0)
            {
                throw new InvalidOperationException($"The audit ended with {audit.ExitCode}.");
            }

            Figure.Print(name, peak / 1024.0, "MiB");
            Console.WriteLine($"whole process: {clock.Elapsed.TotalSeconds:0.0} s");
        }
    }

    /// <summary>The most that was resident so far, in KiB; 0 once the process has ended.</summary>
    private static long PeakOf(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(
                line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(
                line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static async Task AuditAsync(string name, int jobs, int batch)
    {
        await using var database = await BenchDatabase.StartAsync();
        await using (var store = database.OpenStore())
        {
            await LedgerHistory.Of(jobs).AppendAsync(store, batch);
        }

        var (rates, costs) = (new List<double>(), new List<double>());
        for (var i = 0; i < 3; i++)
        {
            var before = Process.GetCurrentProcess().TotalProcessorTime;
            var report = await LedgerAudit.RunAsync(database.Source, null, CancellationToken.None);
            if (!report.IsClean)
            {
                throw new InvalidOperationException($"The audit found {report.Faults[0]}");
            }

            rates.Add(report.Events / report.Duration.TotalSeconds);
            costs.Add((Process.GetCurrentProcess().TotalProcessorTime - before).TotalMicroseconds / report.Events);
        }

        rates.Sort();
        costs.Sort();
        Figure.Print(name, rates[1], "events/s");

        // What the database takes is not in it; on a machine that does other things, too, it is the steadier figure.
        Figure.Print($"{name}_cpu", costs[1], "us/event");
    }

    private static async Task<double> LoadAsync(PostgresEventStore store, List<StreamId> streams, int seconds)
    {
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, 8).Select(reader => Task.Run(async () =>
        {
            var count = 0L;
            for (var i = reader; clock.Elapsed.TotalSeconds < seconds; i += 8)
            {
                JobState? state = null;
                foreach (var recorded in await store.LoadAsync(streams[i % streams.Count], CancellationToken.None))
                {
                    state = Job.Evolve(state, EventFact.Of(recorded.Statement));
                }

                if (state?.Status != JobStatus.Executing)
                {
                    throw new InvalidOperationException("A stream did not fold to where it must.");
                }

                count++;
            }

            return count;
        })));
        return counts.Sum() / clock.Elapsed.TotalSeconds;
    }
}
