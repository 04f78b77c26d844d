using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node;

/// <summary>Reads who is who from the ledger.</summary>
public static class RegistryReader
{
    private static readonly string[] Kinds = ["ledger", "node", "worker", "federation", "aid", "log"];

    /// <summary>Takes in what the ledger holds; what was taken in before changes nothing.</summary>
    /// <returns>The position up to which the registry is complete now.</returns>
    /// <exception cref="Domain.Events.InvalidHistoryException">The ledger holds what no rule allows.</exception>
    public static async Task<long> ReadAsync(IEventStore store, Registry registry, CancellationToken cancellationToken)
    {
        var head = await store.HeadAsync(cancellationToken);
        foreach (var recorded in await store.LoadKindsAsync(Kinds, cancellationToken))
        {
            Take(registry, recorded);
        }

        return head;
    }

    internal static void Take(Registry registry, Domain.Events.RecordedEvent recorded)
    {
        if (registry.Take(recorded) is { } refusal)
        {
            throw JobEntry.NeverWritten(recorded, refusal);
        }
    }
}
