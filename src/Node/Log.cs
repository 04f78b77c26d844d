using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Information, "This node founded the ledger as {Node}.")]
    public static partial void Founded(ILogger log, string node);

    [LoggerMessage(2013, LogLevel.Information, "This node continues the ledger as {Node}.")]
    public static partial void Continues(ILogger log, string node);

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

    [LoggerMessage(2009, LogLevel.Information, "Job {Job}: attempt {Attempt} came to nothing ({Code}); another follows at {RetryAt}.")]
    public static partial void AttemptEnded(ILogger log, string job, int attempt, string code, string retryAt);

    [LoggerMessage(2010, LogLevel.Warning, "Job {Job} of aid request {Request} was not submitted: {Reason}")]
    public static partial void AidRefused(ILogger log, string job, string request, string reason);

    [LoggerMessage(2011, LogLevel.Information, "Aid request {Request} is answered by template {Template}: job {Job}.")]
    public static partial void AidMatched(ILogger log, string request, string template, string job);

    [LoggerMessage(2012, LogLevel.Warning,
        "The ledger was out of reach; leases of {Count} open jobs begin anew, so that no worker loses its work by it.")]
    public static partial void HeardAgain(ILogger log, int count);
}
