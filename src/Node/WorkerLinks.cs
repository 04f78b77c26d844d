using System.Collections.Concurrent;
using System.Threading.Channels;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
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
internal sealed class WorkerLinks
{
    private readonly ConcurrentDictionary<Did, WorkerLink> _local = new();
    private volatile IReadOnlyList<WorkerRegistration> _remote = [];

    public IEnumerable<WorkerLink> Local => _local.Values;

    /// <summary>The registrations of all live workers, here and elsewhere.</summary>
    public IEnumerable<WorkerRegistration> Live => _local.Values.Select(link => link.Registration).Concat(_remote);

    public IReadOnlyCollection<WorkerPresence> LocalPresence => [.. _local.Values.Select(link =>
        new WorkerPresence(link.Registration.Worker, link.Registration.Digest))];

    public void Add(WorkerLink link) => _local[link.Registration.Worker] = link;

    public void Remove(WorkerLink link) =>
        _local.TryRemove(new KeyValuePair<Did, WorkerLink>(link.Registration.Worker, link));

    public WorkerLink? Of(Did worker) => _local.GetValueOrDefault(worker);

    public void SetRemote(IEnumerable<WorkerRegistration> remote) =>
        _remote = [.. remote.Where(registration => !_local.ContainsKey(registration.Worker))];

    /// <summary>Every requirement of a job that a worker would not meet even with all of its resources free.</summary>
    public static IReadOnlyList<string> Unmet(JobEvent.Submitted submission, WorkerEvent.Registered worker)
    {
        var all = worker.Resources;
        return Market.Unmet(submission, worker, new FreeResources(all.CpuCores, all.MemoryMb, all.StorageMb));
    }
}
