using System.Diagnostics;
using System.Globalization;
using MeshLedger.Domain.Jobs;
using MeshLedger.Transports.Folder;
using MeshLedger.Transports.Tests.Compliance;
using MeshLedger.Transports.Tests.Folder;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace MeshLedger.Transports.Tests;

/// <summary>
/// What needs a process of its own: <c>node ROOT JOURNAL</c> runs the folder transport until it is killed;
/// <c>load FILES</c> measures the latency of one file and the throughput of many.
/// </summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case ["node", var root, var journal]:
                await using (var intake = new ScriptedIntake(journal))
                {
                    var transport = new FolderTransport(
                        Options.Create(new FolderTransportOptions { Directory = root, NodeId = "node-a" }),
                        TimeProvider.System,
                        NullLogger<FolderTransport>.Instance);
                    await transport.RunAsync(intake, CancellationToken.None);
                    return 0;
                }

            case ["load", var files]:
                await LatencyAsync();
                await ThroughputAsync(int.Parse(files, CultureInfo.InvariantCulture));
                return 0;
            default:
                await Console.Error.WriteLineAsync("usage: node ROOT JOURNAL | load FILES");
                return 2;
        }
    }

    private static async Task LatencyAsync()
    {
        await using var place = new FolderPlace();
        await using var intake = new ScriptedIntake();
        long called = 0;
        intake.OnSubmit = _ =>
        {
            Volatile.Write(ref called, Stopwatch.GetTimestamp());
            return null;
        };
        await place.StartAsync(intake);
        var times = new List<double>();
        for (var i = 0; i < 600; i++)
        {
            var id = JobId.Parse($"job-of-latency-{i}");
            await File.WriteAllBytesAsync(place.In("next"), intake.Succeeding(id));
            var dropped = Stopwatch.GetTimestamp();
            File.Move(place.In("next"), place.In("inbox", $"{i}.json"));
            await intake.SubmittedAsync(id);
            if (i >= 100)
            {
                times.Add(Stopwatch.GetElapsedTime(dropped, Volatile.Read(ref called)).TotalMilliseconds);
            }

            await Task.Delay(2);
        }

        times.Sort();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"rename to submit: median {times[250]:f3} ms, 99 % {times[495]:f3} ms, worst {times[^1]:f3} ms"));
    }

    private static async Task ThroughputAsync(int files)
    {
        await using var place = new FolderPlace().Prepared();
        await using var intake = new ScriptedIntake();
        await place.StartAsync(intake, options => options.PollInterval = TimeSpan.FromSeconds(1));
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < files; i++)
        {
            place.Drop($"{i}.json", intake.Succeeding(JobId.Parse($"job-of-load-{i}")));
        }

        var dropped = watch.Elapsed.TotalSeconds;
        await Eventually.True(() => place.Names("done").Count >= files, "all are done");
        var all = watch.Elapsed.TotalSeconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{files} files: dropped in {dropped:f2} s, all answered after {all:f2} s, {files / all:f0} files/s"));
    }
}
