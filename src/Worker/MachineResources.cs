using System.Globalization;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Worker;

/// <summary>What this machine has.</summary>
public static class MachineResources
{
    /// <summary>Cores, memory, and the room on the disk of <paramref name="directory"/>.</summary>
    public static WorkerResources Measure(string directory)
    {
        var free = new DriveInfo(directory).AvailableFreeSpace;
        return new WorkerResources(
            Environment.ProcessorCount, MemoryMb(), free >> 20, free >> 30);
    }

    private static long MemoryMb()
    {
        var line = File.ReadLines("/proc/meminfo").First(line => line.StartsWith("MemTotal:", StringComparison.Ordinal));
        var kilobytes = line["MemTotal:".Length..].Trim().Split(' ')[0];
        return long.Parse(kilobytes, CultureInfo.InvariantCulture) / 1024;
    }
}
