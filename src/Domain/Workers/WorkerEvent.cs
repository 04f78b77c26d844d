using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Workers;

/// <summary>What happens to a worker. Stream: <c>worker-DID</c>, by the worker itself, but for <see cref="Vouched"/>.
/// </summary>
public abstract record WorkerEvent : LedgerEvent
{
    private WorkerEvent()
    {
    }

    /// <summary>The worker says what it is, and that it takes jobs. A later one replaces an earlier one, and ends
    /// draining; bids name the one they stand on.</summary>
    /// <param name="WorkerId">Its name among people; the key is its identity.</param>
    /// <param name="Owner">Whose worker it is; null: its own. It earns no reputation by its owner's jobs, and of the
    /// workers that are to agree on a result, no two have one owner.</param>
    /// <param name="Version">Semantic version of the worker's program.</param>
    /// <param name="Operations">What it can run, such as <c>system.echo</c>.</param>
    public sealed record Registered(
        string WorkerId,
        Did? Owner,
        string Version,
        ValueList<string> Operations,
        ValueList<string> Capabilities,
        ValueList<string> Features,
        ValueList<string> Pools,
        ValueList<Label> Labels,
        WorkerResources Resources,
        bool Privileged,
        int MaxConcurrentJobs) : WorkerEvent;

    /// <summary>By the owner that the registration names: it is so. The owner's own jobs become cheaper by the worker's
    /// reputation. Cause: the registration.</summary>
    public sealed record Vouched(Did Worker) : WorkerEvent;

    /// <summary>The worker finishes what it has, and takes no more. Cause: the latest registration.</summary>
    public sealed record Draining(string Reason) : WorkerEvent;

    /// <summary>The worker is gone for good; its key cannot register again. Cause: the latest registration.</summary>
    public sealed record Retired(string Reason) : WorkerEvent;
}

/// <summary>What the machine has for jobs.</summary>
public sealed record WorkerResources(long CpuCores, long MemoryMb, long StorageMb, long MaxDiskSizeGb);

/// <summary>Whether a worker takes jobs.</summary>
public enum WorkerStanding
{
    Active,
    Draining,
    Retired,
}

/// <summary>The standings as JSON and the command line have them.</summary>
public static class WorkerStandingNames
{
    public static string Name(this WorkerStanding standing) => standing switch
    {
        WorkerStanding.Active => "active",
        WorkerStanding.Draining => "draining",
        _ => "retired",
    };
}
