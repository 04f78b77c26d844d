using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Node;

/// <summary>What a node signs with: its own key, and that of the submitter whose documents it takes in.</summary>
public sealed record NodeKeys(SigningKey Node, SigningKey Submitter);

/// <summary>Makes statements by one author.</summary>
internal sealed class Author(SigningKey key, TimeProvider clock)
{
    public Did Did => key.Did;

    public Statement State(LedgerEvent body, Digest? cause, StreamId stream)
    {
        var now = clock.GetUtcNow();
        return EventCodec.State(body, key.Did, cause, stream, EventId.New(now), now);
    }

    public SignedEvent[] Sign(IReadOnlyList<Statement> statements) => SignedEvent.Sign(key, statements);
}
