using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Jobs;

/// <summary>Why a job waits: for each live worker, what the job asks for and the worker lacks.</summary>
public static class WaitReasons
{
    /// <summary>A sentence a worker; one sentence if there is none; empty if some worker could run the job.</summary>
    public static IReadOnlyList<string> Of(JobState state, IEnumerable<WorkerRegistration> live)
    {
        var reasons = new List<string>();
        foreach (var registration in live)
        {
            var all = registration.Facts.Resources;
            var unmet = Market.Unmet(
                state.Submission, registration.Facts, new FreeResources(all.CpuCores, all.MemoryMb, all.StorageMb));
            if (unmet.Count == 0)
            {
                return [];
            }

            reasons.Add($"Worker {registration.Facts.WorkerId} does not meet: {string.Join(", ", unmet)}");
        }

        return reasons.Count > 0 ? reasons : ["No worker is alive."];
    }
}
