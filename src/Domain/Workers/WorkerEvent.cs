using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Workers;

/// <summary>What happens to a worker. Stream: <c>worker-DID</c>, by the worker itself.</summary>
public abstract record WorkerEvent : LedgerEvent
{
    private WorkerEvent()
    {
    }

    /// <summary>The worker says what it is. A later one replaces an earlier one; bids name the one they stand on.
    /// </summary>
    /// <param name="WorkerId">Its name among people; the key is its identity.</param>
    /// <param name="Version">Semantic version of the worker's program.</param>
    /// <param name="Operations">What it can run, such as <c>system.echo</c>.</param>
    public sealed record Registered(
        string WorkerId,
        string Version,
        ValueList<string> Operations,
        ValueList<string> Capabilities,
        ValueList<string> Features,
        ValueList<string> Pools,
        ValueList<Label> Labels,
        WorkerResources Resources,
        bool Privileged,
        int MaxConcurrentJobs) : WorkerEvent;
}

/// <summary>What the machine has for jobs.</summary>
public sealed record WorkerResources(long CpuCores, long MemoryMb, long StorageMb, long MaxDiskSizeGb);
