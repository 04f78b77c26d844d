using MeshLedger.Domain.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Jobs;

/// <summary>What the market makes of the bids: every bid with why it could not win, and the one that wins.</summary>
public sealed record MarketChoice(ValueList<ConsideredBid> Considered, BidFact? Winner);

/// <summary>
/// Who runs a job, in its first form: requirements filter, then the cheapest bid wins, ties to the earliest in the log.
/// Every figure is an integer, so everybody who recomputes a choice gets the same.
/// </summary>
public static class Market
{
    /// <summary>The policy's name, as <c>job_assigned</c> records it.</summary>
    public const string Cheapest = "cheapest";

    /// <summary>The choice among the bids of the attempt that is open.</summary>
    public static MarketChoice Choose(JobState state, IAuthority authority)
    {
        var considered = new List<ConsideredBid>(state.Bids.Count);
        BidFact? winner = null;
        foreach (var bid in state.Bids)
        {
            if (bid.Body.Attempt != state.Attempt)
            {
                continue;
            }

            var unmet = Unmet(state, bid, authority);
            considered.Add(new ConsideredBid(bid.Digest, bid.Worker, bid.Body.Price, unmet));
            if (unmet.Count == 0 && (winner is null || bid.Body.Price < winner.Body.Price))
            {
                winner = bid;
            }
        }

        return new MarketChoice(ValueList.From(considered), winner);
    }

    /// <summary>Every requirement that a worker does not meet, a sentence each; empty if it may run the job.</summary>
    public static ValueList<string> Unmet(
        JobEvent.Submitted submission, WorkerEvent.Registered worker, FreeResources free)
    {
        var unmet = new List<string>();
        var needs = submission.Requirements;
        void Need(bool met, string sentence)
        {
            if (!met)
            {
                unmet.Add(sentence);
            }
        }

        Need(worker.Operations.Contains(submission.Operation), $"operation {submission.Operation}");
        foreach (var capability in needs.Capabilities)
        {
            Need(
                worker.Capabilities.Contains(capability) || worker.Operations.Contains(capability),
                $"capability {capability}");
        }

        foreach (var feature in needs.Features)
        {
            Need(worker.Features.Contains(feature), $"feature {feature}");
        }

        Need(
            needs.Pools.Count == 0 || needs.Pools.Any(worker.Pools.Contains),
            $"worker pool {string.Join(" or ", needs.Pools)}");
        Need(needs.WorkerId is null || needs.WorkerId == worker.WorkerId, $"worker {needs.WorkerId}");
        Need(!needs.Privileged || worker.Privileged, "privileged worker");
        Need(
            needs.MinimumWorkerVersion is null || MeetsVersion(worker.Version, needs.MinimumWorkerVersion),
            $"worker version {needs.MinimumWorkerVersion} or later, not {worker.Version}");
        Need(
            needs.MaximumDiskSizeGb is null || worker.Resources.MaxDiskSizeGb >= needs.MaximumDiskSizeGb,
            $"disks of {needs.MaximumDiskSizeGb} GB, not {worker.Resources.MaxDiskSizeGb}");
        Need(
            needs.CpuCores is null || free.CpuCores >= needs.CpuCores,
            $"{needs.CpuCores} CPU cores, not {free.CpuCores}");
        Need(
            needs.MemoryMb is null || free.MemoryMb >= needs.MemoryMb, $"{needs.MemoryMb} MB of memory, not {free.MemoryMb}");
        Need(
            needs.StorageMb is null || free.StorageMb >= needs.StorageMb,
            $"{needs.StorageMb} MB of storage, not {free.StorageMb}");
        foreach (var label in needs.Affinity)
        {
            Need(worker.Labels.Contains(label), $"label {label.Key}={label.Value}");
        }

        foreach (var label in needs.AntiAffinity)
        {
            Need(!worker.Labels.Contains(label), $"no label {label.Key}={label.Value}");
        }

        // Nobody grants memberships yet, so no worker has one.
        Need(needs.TrustScope is null, $"trust scope {needs.TrustScope}");
        Need(needs.Federations.Count == 0, $"federation {string.Join(" or ", needs.Federations)}");
        Need(needs.MinReputation is null or 0, $"reputation {needs.MinReputation}");
        return ValueList.From(unmet);
    }

    private static ValueList<string> Unmet(JobState state, BidFact bid, IAuthority authority)
    {
        if (authority.Registration(bid.Body.Registration) is not { } registration || registration.Worker != bid.Worker)
        {
            return ["registration of the bidder"];
        }

        var unmet = Unmet(state.Submission, registration.Facts, bid.Body.Free);
        var most = state.Submission.Terms.MaxPrice;
        return bid.Body.Price <= most ? unmet : [.. unmet, $"price of at most {most}, not {bid.Body.Price}"];
    }

    private static bool MeetsVersion(string worker, string minimum) =>
        SemanticVersion.TryParse(worker, out var has) && SemanticVersion.TryParse(minimum, out var least)
        && has.CompareTo(least) >= 0;
}
