using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Audit;

/// <summary>Something in the ledger that is not as it must be.</summary>
/// <param name="Kind">A stable word in snake_case, such as <c>bad_signature</c>.</param>
/// <param name="Stream">The stream, as it stands in the row; empty where the fault is of no one stream.</param>
/// <param name="Version">Its version, 0 where there is none.</param>
/// <param name="Position">Its position, 0 where there is none.</param>
/// <param name="Reason">What was expected and what was found.</param>
public sealed record AuditFault(string Kind, string Stream, long Version, long Position, string Reason);

/// <summary>What an audit found.</summary>
/// <param name="Head">The last position that was audited.</param>
/// <param name="Founder">The key that founded the ledger: the root of trust, to be compared with what one knows.</param>
/// <param name="Regenerated">What grew by itself; with <paramref name="Granted"/> it is all the mana there is.</param>
/// <param name="Faults">In log order; at most <see cref="LedgerAudit.MaxFaults"/>.</param>
/// <param name="FaultCount">All of them.</param>
public sealed record AuditReport(
    long Events,
    long Streams,
    long Signatures,
    long Head,
    Did? Founder,
    long Granted,
    long Regenerated,
    long Balances,
    long Escrow,
    TimeSpan Duration,
    IReadOnlyList<AuditFault> Faults,
    long FaultCount)
{
    public bool IsClean => FaultCount == 0;
}

/// <summary>How far an audit is.</summary>
public sealed record AuditProgress(long Done, long Total);
