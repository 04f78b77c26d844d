using System.Diagnostics;

namespace MeshLedger.Benchmarks;

/// <summary>A real node process and its watched folder: from the rename into the inbox to the result file.</summary>
internal static class JobsBenchmark
{
    private const int Latencies = 300;
    private const int Files = 5000;

    public static async Task RunAsync()
    {
        var data = NodeProcess.NewHome();
        using var node = NodeProcess.Start("up", "--data", data);
        try
        {
            var jobs = Path.Combine(data, "jobs");
            await NodeProcess.WaitAsync(() => File.Exists(Path.Combine(data, "node.json")), 60, "the node to start");
            for (var i = 0; i < 100; i++)
            {
                await OneAsync(data, jobs, $"warm-up-{i:D5}");
            }

            var times = new List<double>();
            for (var i = 0; i < Latencies; i++)
            {
                times.Add(await OneAsync(data, jobs, $"latency-{i:D5}"));
            }

            times.Sort();
            Figure.Print("jobs_latency_p50", times[times.Count / 2], "ms");
            Figure.Print("jobs_latency_p99", times[times.Count * 99 / 100], "ms");
            Figure.Print("jobs_throughput", await NodeProcess.SettleManyAsync(data, jobs, "many", Files), "jobs/s");
        }
        finally
        {
            await NodeProcess.StopAsync(node);
            Directory.Delete(data, recursive: true);
        }
    }

    private static async Task<double> OneAsync(string data, string jobs, string id)
    {
        var staged = NodeProcess.Stage(data, id);
        var result = Path.Combine(jobs, "results", id + ".result.json");
        var clock = Stopwatch.StartNew();
        File.Move(staged, Path.Combine(jobs, "inbox", id + ".json"));
        while (!File.Exists(result))
        {
            await Task.Delay(1);
            if (clock.Elapsed.TotalSeconds > 30)
            {
                throw new TimeoutException($"Job {id} has no result after 30 s.");
            }
        }

        var elapsed = clock.Elapsed.TotalMilliseconds;

        // The node is idle before the next one.
        await Task.Delay(5);
        return elapsed;
    }
}
