using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

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

    /// <summary>This author's receipt of an attempt, with what is attested beside it.</summary>
    /// <inheritdoc cref="ReceiptAttestation.Issue"/>
    public JobEvent.ReceiptIssued IssueReceipt(JobEvent.Submitted submission, Digest assignment, int attempt, Receipt receipt) =>
        ReceiptAttestation.Issue(key, submission, assignment, attempt, receipt);

    /// <summary>Signs statements of this author as one batch.</summary>
    public SignedEvent[] Sign(IReadOnlyList<Statement> statements) => SignedEvent.Sign(key, statements);
}
