using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Information, "This node founded the ledger as {Node}.")]
    public static partial void Founded(ILogger log, string node);

    [LoggerMessage(2001, LogLevel.Information, "Node {Node} waits to be admitted by a running node of this ledger.")]
    public static partial void WaitsForAdmission(ILogger log, string node);

    [LoggerMessage(2002, LogLevel.Information, "Node {Node} was admitted.")]
    public static partial void Admitted(ILogger log, string node);

    [LoggerMessage(2003, LogLevel.Error, "A round of submissions and settlements failed: {Reason}")]
    public static partial void RoundFailed(ILogger log, string reason);

    [LoggerMessage(2004, LogLevel.Information, "{Count} jobs that have not ended are taken up again.")]
    public static partial void Resumed(ILogger log, int count);

    [LoggerMessage(2005, LogLevel.Error, "Deciding about job {Job} failed; it is looked at again: {Reason}")]
    public static partial void DecisionFailed(ILogger log, string job, string reason);

    [LoggerMessage(2006, LogLevel.Warning, "Presence was not announced: {Reason}")]
    public static partial void PresenceFailed(ILogger log, string reason);

    [LoggerMessage(2007, LogLevel.Critical, "The ledger's history is broken; the node stops: {Reason}")]
    public static partial void BrokenHistory(ILogger log, string reason);

    [LoggerMessage(2008, LogLevel.Warning, "Worker {Worker} reported what cannot be: {Reason}")]
    public static partial void ReportRefused(ILogger log, string worker, string reason);
}
