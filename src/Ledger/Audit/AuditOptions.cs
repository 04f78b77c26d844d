using MeshLedger.Crypto;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Audit;

/// <summary>What an audit compares the ledger with, beside the ledger itself.</summary>
public sealed record AuditOptions
{
    /// <summary>The directory of the log; null: the database's list of tree heads is all there is.</summary>
    public string? LogDirectory { get; init; }

    /// <summary>The keys that the log had; null: the one that a log's default name tells.</summary>
    public LogKeys? LogKeys { get; init; }

    /// <summary>Tree heads that somebody kept. The ledger must be an extension of each.</summary>
    public IReadOnlyList<EarlierHead> Earlier { get; init; } = [];

    /// <summary>Signatures of events up to this position are not verified again: a tree head of that size vouches for them,
    /// and is among <see cref="Earlier"/>.</summary>
    public long VerifiedUpTo { get; init; }
}

/// <summary>A tree head that somebody kept.</summary>
/// <param name="From">Where it was kept, for people: the name of a file.</param>
public sealed record EarlierHead(string From, long Size, Digest Root);
