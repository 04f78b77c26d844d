using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Audit;

/// <summary>A row with what can be said of it alone: the event that it is, and the faults that it has.</summary>
internal sealed class AuditedRow
{
    private AuditedRow(EventRow row)
    {
        Row = row;
    }

    public EventRow Row { get; }

    /// <summary>Null when the row cannot be an event.</summary>
    public Statement? Statement { get; private set; }

    /// <summary>The signature that the event shares with its batch, and where in the batch it says it stands; null for a
    /// batch of one.</summary>
    public (Digest Signature, BatchProof Proof)? Batch { get; private set; }

    /// <summary>Null when the body is of no known kind or shape.</summary>
    public LedgerEvent? Body { get; private set; }

    public IReadOnlyList<(string Kind, string Reason)> Faults => _faults ?? [];

    private List<(string Kind, string Reason)>? _faults;

    /// <summary>Recomputes statement, digest, batch root and signature of a row, and compares what stands twice.
    /// </summary>
    public static AuditedRow Examine(EventRow row, BatchVerifier verifier)
    {
        var audited = new AuditedRow(row);
        RecordedEvent recorded;
        EventHeaders headers;
        try
        {
            recorded = row.ToEvent(out headers);
        }
        catch (FormatException exception)
        {
            audited.Fault("not_an_event", exception.Message);
            return audited;
        }

        var statement = recorded.Statement;
        audited.Statement = statement;
        if (headers.Proof is { } proof)
        {
            audited.Batch = (Digest.OfBytes(headers.Signature), proof);
        }

        if (headers.Digest != statement.Digest)
        {
            audited.Fault("wrong_digest", $"expected {headers.Digest}, the row gives {statement.Digest}");
        }
        else if (!recorded.Event.Verify(verifier))
        {
            audited.Fault("bad_signature", $"the statement is not signed by {statement.By}");
        }

        if (row.Causation != statement.Cause?.ToString())
        {
            audited.Fault(
                "wrong_causation", $"expected {statement.Cause?.ToString() ?? "none"}, found {row.Causation ?? "none"}");
        }

        try
        {
            audited.Body = statement.Body;
        }
        catch (FormatException exception)
        {
            audited.Fault("unknown_event", exception.Message);
            return audited;
        }

        if (audited.Body is JobEvent.Submitted submitted
            && JobSubmission.Check(submitted, statement.By, statement.Stream) is { } refusal)
        {
            audited.Fault("wrong_document", refusal.Message);
        }

        if (audited.Body is JobEvent.ReceiptIssued { Attestation: { } attestation })
        {
            // Whether it holds is for the rules to say, in order; it remembers what is found here, on all cores.
            attestation.IsSignedBy(statement.By);
        }

        return audited;
    }

    private void Fault(string kind, string reason) => (_faults ??= []).Add((kind, reason));
}
