using MeshLedger.Crypto;

namespace MeshLedger.Domain.Ports;

/// <summary>Which nodes and workers are alive, as far as is known. Hints for the market, not facts of the ledger.</summary>
public interface IPresence
{
    /// <summary>Says that a node is alive, and which workers listen to it, by registration; and tells who else is.
    /// </summary>
    /// <param name="blobs">Where the node serves its blobs, such as <c>http://10.0.0.7:7400</c>; null: nowhere.</param>
    /// <param name="limit">Who was silent for longer counts as gone, by the database's clock.</param>
    Task<PresentParties> AnnounceAsync(
        Did node, string? blobs, IReadOnlyCollection<WorkerPresence> workers, TimeSpan limit, CancellationToken cancellationToken);

    /// <summary>Who is alive.</summary>
    Task<PresentParties> ListAsync(TimeSpan limit, CancellationToken cancellationToken);

    /// <summary>Says that a node, and with it its workers, is gone.</summary>
    Task LeaveAsync(Did node, CancellationToken cancellationToken);
}

/// <summary>A live worker: its key, the registration that it stands on, and the node that it listens to.</summary>
public sealed record WorkerPresence(Did Worker, Digest Registration, Did Node);

/// <summary>Who is alive.</summary>
public sealed record PresentParties(IReadOnlySet<Did> Nodes, IReadOnlyList<WorkerPresence> Workers)
{
    /// <summary>Where nodes say that they serve their blobs. Only a hint, as all of this: bytes are verified.</summary>
    public IReadOnlyDictionary<Did, string> Blobs { get; init; } = new Dictionary<Did, string>();
}
