using System.Collections.Concurrent;
using System.Threading.Channels;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Node;

/// <summary>A worker that listens to this node.</summary>
internal sealed class WorkerLink(WorkerRegistration registration)
{
    public WorkerRegistration Registration { get; } = registration;

    public Channel<WorkerNotice> Notices { get; } =
        Channel.CreateUnbounded<WorkerNotice>(new UnboundedChannelOptions { SingleReader = true });
}

/// <summary>The workers that are alive: those that listen here, and those that other nodes say listen to them.</summary>
internal sealed class WorkerLinks(Registry registry, Standings standings, Did node)
{
    private readonly ConcurrentDictionary<Did, WorkerLink> _local = new();
    private volatile IReadOnlyDictionary<Did, (WorkerRegistration Registration, Did Node)> _remote =
        new Dictionary<Did, (WorkerRegistration, Did)>();

    public IEnumerable<WorkerLink> Local => _local.Values;

    /// <summary>The registrations of all live workers, here and elsewhere.</summary>
    public IEnumerable<WorkerRegistration> Live => _local.Values.Select(link => link.Registration)
        .Concat(_remote.Values.Select(remote => remote.Registration));

    public IReadOnlyCollection<WorkerPresence> LocalPresence => [.. _local.Values.Select(link =>
        new WorkerPresence(link.Registration.Worker, link.Registration.Digest, node))];

    /// <summary>Raised when a worker has begun to listen here.</summary>
    public event Action? Joined;

    public void Add(WorkerLink link)
    {
        _local[link.Registration.Worker] = link;
        Joined?.Invoke();
    }

    public void Remove(WorkerLink link) =>
        _local.TryRemove(new KeyValuePair<Did, WorkerLink>(link.Registration.Worker, link));

    public void SetRemote(IEnumerable<WorkerPresence> present)
    {
        var remote = new Dictionary<Did, (WorkerRegistration, Did)>();
        foreach (var worker in present)
        {
            if (!_local.ContainsKey(worker.Worker) && registry.Registration(worker.Registration) is { } registration)
            {
                remote[registration.Worker] = (registration, worker.Node);
            }
        }

        _remote = remote;
    }

    /// <summary>The node that a live worker listens to.</summary>
    public Did NodeOf(Did worker) => _remote.TryGetValue(worker, out var remote) ? remote.Node : node;

    /// <summary>True if a worker could run a job with all of its resources free.</summary>
    public bool CouldRun(WorkerRegistration registration, JobState state) =>
        registration.Worker != state.Submitter
        && Requirements.Unmet(state.Submission, BidderOf(registration, state.Submission.Operation)).Count == 0;

    /// <summary>The live workers as bidders with all of their resources free.</summary>
    public IEnumerable<Bidder> Bidders(string operation) => Live.Select(worker => BidderOf(worker, operation));

    private Bidder BidderOf(WorkerRegistration registration, string operation)
    {
        var (worker, all) = (registration.Worker, registration.Facts.Resources);
        return new Bidder(
            registration,
            new FreeResources(all.CpuCores, all.MemoryMb, all.StorageMb, registration.Facts.MaxConcurrentJobs),
            registry.Standing(worker, long.MaxValue),
            registry.Memberships(worker, long.MaxValue),
            standings.Points(worker, operation));
    }
}
