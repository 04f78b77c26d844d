using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Bundles;

/// <summary>One event of a bundle: the statement, the log's entry of it, and the path from there to the tree head. Each
/// binds the next: the entry names the statement's digest, the leaf is the entry's hash.</summary>
internal sealed record BundleEvent(LogEntry Entry, Statement Statement, LedgerEvent Body)
{
    public long Position => Entry.Position;

    public string Place => BundleNames.Of(BundleEntryKind.Event, Position);

    public EventFact Fact => EventFact.Of(Statement);

    /// <summary>Reads and checks what can be said of an event alone; null where it is not what it should be.</summary>
    public static BundleEvent? Examine(
        long position, byte[] statement, byte[] proof, byte[] head, BatchVerifier verifier, Action<BundleFault> report)
    {
        var place = BundleNames.Of(BundleEntryKind.Proof, position);
        void Wrong(string kind, string expected, string found) => report(new BundleFault(kind, place, expected, found));
        if (!LogProof.TryParse(proof, out var path, out var fault))
        {
            Wrong("wrong_proof", "a proof (C2SP tlog-proof)", fault);
            return null;
        }

        if (!path!.ToBytes().AsSpan().SequenceEqual(proof) || !path.Head.ToBytes().AsSpan().SequenceEqual(head))
        {
            Wrong("wrong_proof", "a proof with the tree head of the bundle", "another head, or another spelling");
            return null;
        }

        if (path.Extra is not { } extra || !LogEntry.TryRead(extra, out var entry))
        {
            Wrong("wrong_entry", "the log's entry as extra, canonical JSON", "none");
            return null;
        }

        if (entry!.Position != position || path.Index != position - 1)
        {
            Wrong("wrong_entry", $"position {position} at index {position - 1}", $"position {entry.Position} at index {path.Index}");
            return null;
        }

        if (!path.Includes(extra))
        {
            Wrong("wrong_proof", "a path from the entry to the root of the tree head", "a path that leads elsewhere");
            return null;
        }

        place = BundleNames.Of(BundleEntryKind.Event, position);
        var digest = MerkleTree.LeafHash(statement);
        if (digest != entry.Digest)
        {
            Wrong("wrong_digest", $"the statement of digest {entry.Digest}, which the log holds", $"digest {digest}");
            return null;
        }

        if (!Statement.TryParse(statement, out var read))
        {
            Wrong("not_an_event", "a statement in canonical JSON", "something else, though the log holds it");
            return null;
        }

        if (read!.By != entry.By || read.Stream != entry.Stream || read.Type != entry.Type)
        {
            Wrong(
                "wrong_entry", $"an event {entry.Type} of {entry.Stream} by {entry.By}, as the log's entry says",
                $"{read.Type} of {read.Stream} by {read.By}");
            return null;
        }

        if (!new SignedEvent(read, entry.Signature, entry.Proof).Verify(verifier))
        {
            Wrong("bad_signature", $"a signature by {read.By}", "one that does not hold");
            return null;
        }

        try
        {
            return new BundleEvent(entry, read, read.Body);
        }
        catch (FormatException exception)
        {
            Wrong("unknown_event", "an event that this version knows", exception.Message);
            return null;
        }
    }

    /// <summary>The entries of the bundle that repeat a part of this event, for those who read no statements.</summary>
    public IEnumerable<(BundleEntryKind Kind, byte[] Bytes)> Copies => Body switch
    {
        JobEvent.Submitted submitted => [(BundleEntryKind.Document, Encoding.UTF8.GetBytes(submitted.Document))],
        JobEvent.ReceiptIssued { Attestation: { } attestation } => [(BundleEntryKind.Attestation, attestation.ToLine())],
        _ => [],
    };
}
