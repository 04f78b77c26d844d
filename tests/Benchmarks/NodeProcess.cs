using System.Diagnostics;
using System.Globalization;

namespace MeshLedger.Benchmarks;

/// <summary>Real node processes, and files in their folders.</summary>
internal static class NodeProcess
{
    /// <summary>A new directory that the database's user can enter.</summary>
    public static string NewHome()
    {
        var home = Directory.CreateTempSubdirectory("ml-bench-").FullName;
        File.SetUnixFileMode(home, File.GetUnixFileMode(home) | UnixFileMode.OtherExecute);
        return home;
    }

    public static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (var argument in (string[])[Path.Combine(AppContext.BaseDirectory, "meshledger.dll"), .. arguments])
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

    /// <summary>A node that is asked to end stops its PostgreSQL, too.</summary>
    public static async Task StopAsync(Process node)
    {
        using var kill = Process.Start("kill", ["-TERM", node.Id.ToString(CultureInfo.InvariantCulture)]);
        await node.WaitForExitAsync();
    }

    public static async Task WaitAsync(Func<bool> condition, int seconds, string what, int everyMs = 5)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed.TotalSeconds > seconds)
            {
                throw new TimeoutException($"Waited {seconds} s in vain for {what}.");
            }

            await Task.Delay(everyMs);
        }
    }

    /// <summary>Drops echo jobs at once, and returns how many were settled in a second.</summary>
    public static async Task<double> SettleManyAsync(string home, string jobs, string prefix, int count)
    {
        var staged = Enumerable.Range(0, count).Select(i => Stage(home, $"{prefix}-{i:D6}")).ToArray();
        var done = Path.Combine(jobs, "done");
        var before = Directory.Exists(done) ? Directory.GetFiles(done).Length : 0;
        var clock = Stopwatch.StartNew();
        foreach (var file in staged)
        {
            File.Move(file, Path.Combine(jobs, "inbox", Path.GetFileName(file)));
        }

        // Listing thousands of files takes from the node what is measured, so it is done seldom.
        await WaitAsync(
            () => Directory.Exists(done) && Directory.GetFiles(done).Length >= before + count, 180, "all jobs to be settled", 200);
        return count / clock.Elapsed.TotalSeconds;
    }

    /// <summary>An echo job in a file beside the folder, on the same file system.</summary>
    public static string Stage(string home, string id)
    {
        var staging = Directory.CreateDirectory(Path.Combine(home, "staging")).FullName;
        var path = Path.Combine(staging, id + ".json");
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
}
