using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Machines.Tests;

/// <summary>A node that NodeDeathTests kill: runs a guest that never ends, with its run directory as argument, and
/// prints a line when it has booted.</summary>
internal static class Program
{
    private static async Task Main(string[] arguments)
    {
        await using var host = MicroVmHost.Find(
            new MicroVmHostOptions { RunDirectory = arguments[0], Accelerator = "tcg" },
            TimeProvider.System, NullLogger.Instance);
        await MicroVm.RunAsync(host, Machines.Request("spin") with { Booted = () => Console.WriteLine("booted") },
            CancellationToken.None);
    }
}
