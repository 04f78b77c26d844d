using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Audit;

/// <summary>Something in the ledger that is not as it must be.</summary>
/// <param name="Kind">One of <see cref="AuditKinds"/>.</param>
/// <param name="Stream">The stream, as it stands in the row; empty where the fault is of no one stream.</param>
/// <param name="Version">Its version, 0 where there is none.</param>
/// <param name="Position">Its position, 0 where there is none.</param>
/// <param name="Expected">What should stand there, in words.</param>
/// <param name="Found">What stands there. May be text that somebody else wrote.</param>
public sealed record AuditFault(
    string Kind, string Stream, long Version, long Position, string Expected, string Found)
{
    /// <summary>The longest text of a fault: what stands in a row can be of any length.</summary>
    private const int MaxText = 1000;

    public string Stream { get; init; } = Cut(Stream);

    public string Expected { get; init; } = Cut(Expected);

    public string Found { get; init; } = Cut(Found);

    /// <summary>Both in a sentence.</summary>
    public string Reason { get; init => field = Cut(value); } = Cut($"expected {Expected}, found {Found}");

    /// <summary>The table or file, where it is not an event of <c>mt_events</c>.</summary>
    public string? Table { get; init; }

    /// <summary>What names the row in <see cref="Table"/>.</summary>
    public string? Key { get; init => field = value is null ? null : Cut(value); }

    private static string Cut(string text) => text.Length <= MaxText ? text : $"{text[..MaxText]}...";
}

/// <summary>The tree over the log entries that the rows give.</summary>
/// <param name="Root">Null if a row gives none.</param>
public sealed record AuditedTree(long Size, Digest? Root);

/// <summary>What an audit found.</summary>
/// <param name="Head">The last position that was audited.</param>
/// <param name="Founder">The key that founded the ledger: the root of trust, to be compared with what one knows.</param>
/// <param name="Regenerated">What grew by itself; with <paramref name="Granted"/> it is all the mana there is.</param>
/// <param name="Faults">In log order, then those of other tables; at most <see cref="LedgerAudit.MaxFaults"/>.</param>
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

    /// <summary>False if balances and escrow cannot be told, since a row from which they follow is broken.</summary>
    public bool IsManaKnown { get; init; } = true;

    /// <summary>Null where one stream alone was audited.</summary>
    public AuditedTree? Tree { get; init; }

    /// <summary>The assignments whose choice was made again from the bids.</summary>
    public long Selections { get; init; }

    /// <summary>Tree heads with which the rows were compared, wherever they are kept.</summary>
    public long HeadsCompared { get; init; }

    /// <summary>What was not checked, and what is odd without being a fault, a sentence each.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];
}

/// <summary>How far an audit is.</summary>
public sealed record AuditProgress(long Done, long Total);
