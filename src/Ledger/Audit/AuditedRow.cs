using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Audit;

/// <summary>A row with what can be said of it alone: the event that it is, the leaf that it is in the log, and the faults
/// that it has.</summary>
internal sealed class AuditedRow
{
    private AuditedRow(AuditRow source)
    {
        Row = source.Row;
        Correlation = source.Correlation;
        IsOdd = source.IsOdd;
    }

    public EventRow Row { get; }

    public string? Correlation { get; }

    /// <summary>True if a column that nobody signs is not as every append writes it.</summary>
    public bool IsOdd { get; }

    /// <summary>Null when the row cannot be an event.</summary>
    public Statement? Statement { get; private set; }

    /// <summary>The hash of the log entry that the row gives; null when it gives none.</summary>
    public Digest? Leaf { get; private set; }

    /// <summary>What the row's id adds to the sum over <c>ml_event_ids</c>.</summary>
    public ulong IdTerm { get; private set; }

    /// <summary>The signature that the event shares with its batch, and where in the batch it says it stands; null for a
    /// batch of one.</summary>
    public (Digest Signature, BatchProof Proof)? Batch { get; private set; }

    /// <summary>Null when the body is of no known kind or shape.</summary>
    public LedgerEvent? Body { get; private set; }

    /// <summary>True if the row is what its author signed, and can be read. What another says is nobody's word.</summary>
    public bool IsBelieved { get; private set; }

    public IReadOnlyList<AuditFault> Faults => _faults ?? [];

    private List<AuditFault>? _faults;

    /// <summary>Recomputes statement, digest, batch root, signature and log entry of a row, and compares what stands twice.
    /// </summary>
    /// <param name="verifiedUpTo">Up to this position signatures are taken as verified.</param>
    public static AuditedRow Examine(AuditRow source, BatchVerifier verifier, KeyedSum ids, long verifiedUpTo)
    {
        var audited = new AuditedRow(source);
        var row = source.Row;
        audited.IdTerm = ids.Of(row.Id, row.Position);
        RecordedEvent recorded;
        EventHeaders headers;
        try
        {
            recorded = row.ToEvent(out headers);
        }
        catch (FormatException exception)
        {
            audited.Fault("not_an_event", "a signed event", exception.Message, exception.Message);
            audited.Leaf = LeafOf(row);
            return audited;
        }

        var statement = recorded.Statement;
        audited.Statement = statement;
        audited.Leaf = LeafOf(row, headers, statement.Stream);
        if (headers.Proof is { } proof)
        {
            audited.Batch = (Digest.OfBytes(headers.Signature), proof);
        }

        var isSigned = false;
        if (headers.Digest != statement.Digest)
        {
            audited.Fault(
                "wrong_digest", $"{headers.Digest}", $"{statement.Digest}",
                "what stands in the row is not what its author signed");
        }
        else if (row.Position > verifiedUpTo && !recorded.Event.Verify(verifier))
        {
            audited.Fault(
                "bad_signature", $"a signature of {statement.By}", "one that does not verify",
                $"the statement is not signed by {statement.By}");
        }
        else
        {
            isSigned = true;
        }

        if (row.Causation != statement.Cause?.ToString())
        {
            audited.Fault("wrong_causation", statement.Cause?.ToString() ?? "none", row.Causation ?? "none");
        }

        try
        {
            audited.Body = statement.Body;
        }
        catch (FormatException exception)
        {
            audited.Fault("unknown_event", "a type and shape of the contract", exception.Message, exception.Message);
            return audited;
        }

        audited.IsBelieved = isSigned;
        if (audited.Body is JobEvent.Submitted submitted
            && JobSubmission.Check(submitted, statement.By, statement.Stream) is { } refusal)
        {
            audited.Fault(
                "wrong_document", "what the document says", refusal.Message, refusal.Message);
        }

        if (audited.Body is JobEvent.ReceiptIssued { Attestation: { } attestation })
        {
            // Whether it holds is for the rules to say, in order; it remembers what is found here, on all cores.
            attestation.IsSignedBy(statement.By);
        }

        return audited;
    }

    /// <summary>The leaf of a row whose body is no event's: entries have no bodies.</summary>
    private static Digest? LeafOf(EventRow row)
    {
        try
        {
            return row.Headers is { } headers && StreamId.TryParse(row.Stream, out var stream)
                ? LeafOf(row, EventHeaders.Read(headers), stream)
                : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static Digest LeafOf(EventRow row, EventHeaders headers, StreamId stream) => MerkleTree.LeafHash(LogEntry.Write(
        headers.By, headers.Digest, row.Position, headers.Proof, headers.Signature, stream, row.Type, row.Version));

    private void Fault(string kind, string expected, string found, string? reason = null)
    {
        var fault = new AuditFault(kind, Row.Stream, Row.Version, Row.Position, expected, found);
        (_faults ??= []).Add(reason is null ? fault : fault with { Reason = reason });
    }
}
