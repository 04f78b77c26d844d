using Npgsql;

namespace MeshLedger.Ledger.Audit;

/// <summary>Checks a whole ledger from its rows alone, and changes nothing.</summary>
public static class LedgerAudit
{
    /// <summary>The most faults that a report lists.</summary>
    public const int MaxFaults = 10_000;

    public static Task<AuditReport> RunAsync(
        NpgsqlDataSource database, IProgress<AuditProgress>? progress, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
