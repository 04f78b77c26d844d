using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Jobs;

/// <summary>What is known of a bidder, or of one that might bid.</summary>
/// <param name="Free">What it has free; of one that did not bid, all that it has.</param>
/// <param name="Reputation">For the job's operation, in points.</param>
public sealed record Bidder(
    WorkerRegistration Registration,
    FreeResources Free,
    WorkerStanding Standing,
    IReadOnlyList<Membership> Memberships,
    long Reputation);

/// <summary>The requirements filter: what a job asks for, and which of it a bidder does not meet.</summary>
public static class Requirements
{
    private static readonly ValueList<string> Nothing = [];

    /// <summary>Every requirement that a bidder does not meet, a phrase each; empty if it may run the job.</summary>
    public static ValueList<string> Unmet(JobEvent.Submitted submission, Bidder bidder) =>
        Unmet(submission, bidder, LeastVersion(submission));

    /// <summary>The least version that a job asks for, if it does; parsed once for many bidders.</summary>
    internal static SemanticVersion? LeastVersion(JobEvent.Submitted submission) =>
        SemanticVersion.TryParse(submission.Requirements.MinimumWorkerVersion, out var least) ? least : null;

    internal static ValueList<string> Unmet(JobEvent.Submitted submission, Bidder bidder, SemanticVersion? leastVersion)
    {
        var unmet = new Unmeetable();
        var needs = submission.Requirements;
        var worker = bidder.Registration.Facts;
        if (bidder.Standing != WorkerStanding.Active)
        {
            unmet.Add($"a worker that takes jobs, not one that is {bidder.Standing.Name()}");
        }

        unmet.Need(worker.Operations.Contains(submission.Operation), "operation ", submission.Operation);
        foreach (var capability in needs.Capabilities)
        {
            unmet.Need(
                worker.Capabilities.Contains(capability) || worker.Operations.Contains(capability), "capability ", capability);
        }

        foreach (var feature in needs.Features)
        {
            unmet.Need(worker.Features.Contains(feature), "feature ", feature);
        }

        if (needs.Pools.Count > 0 && !Shares(needs.Pools, worker.Pools))
        {
            unmet.Add($"worker pool {string.Join(" or ", needs.Pools)}");
        }

        unmet.Need(needs.WorkerId is null || needs.WorkerId == worker.WorkerId, "worker ", needs.WorkerId);
        unmet.Need(!needs.Privileged || worker.Privileged, "privileged worker", "");
        if (needs.MinimumWorkerVersion is { } minimum && !MeetsVersion(bidder.Registration, leastVersion))
        {
            unmet.Add($"worker version {minimum} or later, not {worker.Version}");
        }

        if (worker.Resources.MaxDiskSizeGb < needs.MaximumDiskSizeGb)
        {
            unmet.Add($"disks of {needs.MaximumDiskSizeGb} GB, not {worker.Resources.MaxDiskSizeGb}");
        }

        Resources(needs, bidder.Free, ref unmet);
        Placement(needs, worker, ref unmet);
        Trust(needs, bidder, ref unmet);
        return unmet.ToList();
    }

    private static void Resources(JobRequirements needs, FreeResources free, ref Unmeetable unmet)
    {
        if (free.CpuCores < needs.CpuCores)
        {
            unmet.Add($"{needs.CpuCores} CPU cores, not {free.CpuCores}");
        }

        if (free.MemoryMb < needs.MemoryMb)
        {
            unmet.Add($"{needs.MemoryMb} MB of memory, not {free.MemoryMb}");
        }

        if (free.StorageMb < needs.StorageMb)
        {
            unmet.Add($"{needs.StorageMb} MB of storage, not {free.StorageMb}");
        }

        if (free.Slots < 1)
        {
            unmet.Add("a free slot");
        }
    }

    private static void Placement(JobRequirements needs, WorkerEvent.Registered worker, ref Unmeetable unmet)
    {
        foreach (var label in needs.Affinity)
        {
            if (!worker.Labels.Contains(label))
            {
                unmet.Add($"label {label.Key}={label.Value}");
            }
        }

        foreach (var label in needs.AntiAffinity)
        {
            if (worker.Labels.Contains(label))
            {
                unmet.Add($"no label {label.Key}={label.Value}");
            }
        }
    }

    private static void Trust(JobRequirements needs, Bidder bidder, ref Unmeetable unmet)
    {
        if (needs.Federations.Count > 0
            && !bidder.Memberships.Any(membership => needs.Federations.Contains(membership.Federation)))
        {
            unmet.Add($"federation {string.Join(" or ", needs.Federations)}");
        }

        if (needs.TrustScope is { } scope && !HasScope(needs, scope, bidder.Memberships))
        {
            unmet.Add(needs.Federations.Count == 0 && !scope.Contains('/', StringComparison.Ordinal)
                ? $"trust scope {scope} (it names no federation that grants it: write FEDERATION/{scope})"
                : $"trust scope {scope}");
        }

        if (bidder.Reputation < needs.MinReputation)
        {
            unmet.Add($"reputation {needs.MinReputation}, not {bidder.Reputation}");
        }
    }

    /// <summary>A scope counts when a federation that the job names grants it: by itself anybody could found one.</summary>
    private static bool HasScope(JobRequirements needs, string scope, IReadOnlyList<Membership> memberships)
    {
        foreach (var membership in memberships)
        {
            foreach (var granted in membership.TrustScopes)
            {
                if (scope == $"{membership.Federation}/{granted}"
                    || (scope == granted && needs.Federations.Contains(membership.Federation)))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool MeetsVersion(WorkerRegistration worker, SemanticVersion? least) =>
        worker.Version is { } has && least is { } minimum && has.CompareTo(minimum) >= 0;

    private static bool Shares(ValueList<string> some, ValueList<string> others)
    {
        foreach (var one in some)
        {
            if (others.Contains(one))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What is unmet; makes no text and no list while all is met, for most bids meet all.</summary>
    private struct Unmeetable
    {
        private List<string>? _phrases;

        public void Need(bool met, string what, string? which)
        {
            if (!met)
            {
                Add(what + which);
            }
        }

        public void Add(string phrase) => (_phrases ??= []).Add(phrase);

        public readonly ValueList<string> ToList() => _phrases is null ? Nothing : ValueList.From(_phrases);
    }
}
