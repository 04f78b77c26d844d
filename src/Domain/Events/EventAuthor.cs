using MeshLedger.Crypto;

namespace MeshLedger.Domain.Events;

/// <summary>Makes and signs statements of one key, by one clock.</summary>
public sealed class EventAuthor(SigningKey key, TimeProvider clock)
{
    public Did Did => key.Did;

    /// <summary>A statement of now, with a new id.</summary>
    public Statement State(LedgerEvent body, Digest? cause, StreamId stream)
    {
        var now = clock.GetUtcNow();
        return EventCodec.State(body, key.Did, cause, stream, EventId.New(now), now);
    }

    /// <summary>Signs statements of this author as one batch.</summary>
    public SignedEvent[] Sign(IReadOnlyList<Statement> statements) => SignedEvent.Sign(key, statements);
}
