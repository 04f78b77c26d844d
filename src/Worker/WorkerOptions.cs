using System.ComponentModel.DataAnnotations;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Worker;

/// <summary>What a worker says it is, and what it asks for its work.</summary>
public sealed class WorkerOptions
{
    /// <summary>Its name among people.</summary>
    [Required]
    public string WorkerId { get; set; } = Environment.MachineName;

    /// <summary>Whose worker it is; null: its own.</summary>
    public Did? Owner { get; set; }

    /// <summary>Semantic version of the worker's program.</summary>
    public string Version { get; set; } = "0.1.0";

    /// <summary>Beside the operations that it runs, which count as capabilities, too.</summary>
    public IReadOnlyList<string> Capabilities { get; set; } = [];

    public IReadOnlyList<string> Features { get; set; } = [];

    public IReadOnlyList<string> Pools { get; set; } = ["default"];

    public IReadOnlyDictionary<string, string> Labels { get; set; } = new Dictionary<string, string>();

    /// <summary>Whether jobs that require a privileged worker may come here.</summary>
    public bool Privileged { get; set; }

    /// <summary>How many attempts run at once.</summary>
    public int MaxConcurrentJobs { get; set; } = Environment.ProcessorCount;

    /// <summary>What the machine has for jobs; null measures the machine.</summary>
    public WorkerResources? Resources { get; set; }

    /// <summary>The price of a job that asks for nothing, in mana.</summary>
    public long BasePrice { get; set; } = 5;

    /// <summary>The price of a job: the base, 2 for each CPU core and 1 for each started 128 MB that it asks for.</summary>
    public long PriceOf(JobRequirements requirements) =>
        BasePrice + (2 * (requirements.CpuCores ?? 0)) + (((requirements.MemoryMb ?? 0) + 127) / 128);
}
