using MeshLedger.Crypto;
using MeshLedger.Domain.Workers;
using MeshLedger.Worker;

namespace MeshLedger.Tools.Hosting;

/// <summary>Divides what a machine has among the workers of a node.</summary>
internal static class WorkerShares
{
    /// <summary>The key of each worker: <c>worker</c>, <c>worker-2</c>, <c>worker-3</c>...</summary>
    public static string KeyName(int index) => Numbered("worker", index);

    /// <summary>The workers: NAME, NAME-2, NAME-3..., what does not divide evenly goes to the first ones.</summary>
    public static IReadOnlyList<WorkerOptions> Divide(
        WorkerConfig config, int count, string name, Did? owner, WorkerResources all) =>
        [.. Enumerable.Range(0, count).Select(i =>
        {
            var resources = new WorkerResources(
                Share(all.CpuCores, i), Share(all.MemoryMb, i), Share(all.StorageMb, i), Share(all.MaxDiskSizeGb, i));
            return new WorkerOptions
            {
                WorkerId = Numbered(name, i),
                Owner = owner,
                Pools = config.Pools,
                Labels = config.Labels,
                Capabilities = config.Capabilities,
                Features = config.Features,
                Privileged = config.Privileged,
                BasePrice = config.BasePrice,
                MaxConcurrentJobs = config.MaxConcurrentJobs ?? (int)Math.Max(1, resources.CpuCores),
                Resources = resources,
            };

            long Share(long whole, int index) => (whole / count) + (index < whole % count ? 1 : 0);
        })];

    private static string Numbered(string name, int index) => index == 0 ? name : $"{name}-{index + 1}";
}
