using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Nodes;

/// <summary>
/// Who may write for the ledger. The founder's key is the root of trust; every other node is admitted by one that was
/// admitted before. Streams: <c>ledger</c> for <see cref="Founded"/>, <c>node-DID</c> for the rest, and
/// <c>key-SHA256</c> for <see cref="IdempotencyKeyClaimed"/>.
/// </summary>
public abstract record NodeEvent : LedgerEvent
{
    private NodeEvent()
    {
    }

    /// <summary>The first event of a ledger, by the node that made it.</summary>
    public sealed record Founded(string Name) : NodeEvent;

    /// <summary>By a node that asks to be admitted: proves that it holds the key.</summary>
    public sealed record Joined(string Name) : NodeEvent;

    /// <summary>By an admitted node. Cause: the joining.</summary>
    public sealed record Admitted(Did Node) : NodeEvent;

    /// <summary>By a node: the submitter's idempotency key belongs to this job now. First and only of its stream.
    /// Cause: the submission.</summary>
    public sealed record IdempotencyKeyClaimed(JobId JobId) : NodeEvent;
}
