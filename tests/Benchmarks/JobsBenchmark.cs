using System.Diagnostics;
using System.Globalization;

namespace MeshLedger.Benchmarks;

/// <summary>A real node process and its watched folder: from the rename into the inbox to the result file.</summary>
internal static class JobsBenchmark
{
    private const int Latencies = 300;
    private const int Files = 5000;

    public static async Task RunAsync()
    {
        var data = Directory.CreateTempSubdirectory("ml-bench-").FullName;
        File.SetUnixFileMode(data, File.GetUnixFileMode(data) | UnixFileMode.OtherExecute);
        using var node = Start(data);
        try
        {
            var jobs = Path.Combine(data, "jobs");
            await WaitAsync(() => File.Exists(Path.Combine(data, "node.json")), 60, "the node to start");
            Directory.CreateDirectory(Path.Combine(data, "staging"));
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
            Figure.Print("jobs_throughput", await ManyAsync(data, jobs), "jobs/s");
        }
        finally
        {
            // A node that is asked to end stops its PostgreSQL, too.
            using var kill = Process.Start("kill", ["-TERM", node.Id.ToString(CultureInfo.InvariantCulture)]);
            await node.WaitForExitAsync();
            Directory.Delete(data, recursive: true);
        }
    }

    private static Process Start(string data)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (var argument in (string[])[Path.Combine(AppContext.BaseDirectory, "meshledger.dll"), "up", "--data", data])
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.OutputDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        return process;
    }

    private static async Task<double> OneAsync(string data, string jobs, string id)
    {
        var staged = Stage(data, id);
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

    private static async Task<double> ManyAsync(string data, string jobs)
    {
        var staged = Enumerable.Range(0, Files).Select(i => Stage(data, $"many-{i:D6}")).ToArray();
        var done = Path.Combine(jobs, "done");
        var before = Directory.GetFiles(done).Length;
        var clock = Stopwatch.StartNew();
        foreach (var file in staged)
        {
            File.Move(file, Path.Combine(jobs, "inbox", Path.GetFileName(file)));
        }

        await WaitAsync(() => Directory.GetFiles(done).Length >= before + Files, 120, "all jobs to be settled");
        return Files / clock.Elapsed.TotalSeconds;
    }

    private static string Stage(string data, string id)
    {
        var path = Path.Combine(data, "staging", id + ".json");
        File.WriteAllText(
            path,
            $$$"""
            {
              "version": "1.0",
              "job_id": "{{{id}}}",
              "created_at": "2026-11-21T00:00:00Z",
              "kind": "VMOperation",
              "operation": "system.echo",
              "execution": { "timeout_seconds": 60 },
              "payload": { "type": "system.echo.v1", "data": { "message": "Hello", "id": "{{{id}}}" } }
            }
            """);
        return path;
    }

    private static async Task WaitAsync(Func<bool> condition, int seconds, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed.TotalSeconds > seconds)
            {
                throw new TimeoutException($"Waited {seconds} s for {what}.");
            }

            await Task.Delay(20);
        }
    }
}
