using Microsoft.Extensions.Logging;

namespace MeshLedger.Worker;

internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Debug, "Job {Job}, attempt {Attempt}: started.")]
    public static partial void AttemptStarted(ILogger log, string job, int attempt);

    [LoggerMessage(3001, LogLevel.Warning,
        "The node does not take reports ({Reason}); trying again in {Milliseconds} ms, nothing is lost.")]
    public static partial void ReportPostponed(ILogger log, double milliseconds, string reason);

    [LoggerMessage(3002, LogLevel.Warning, "Job {Job}: the receipt was refused: {Reason}")]
    public static partial void ReceiptRefused(ILogger log, string job, string reason);

    [LoggerMessage(3003, LogLevel.Information, "Job {Job}, attempt {Attempt}: stopped, for it is over.")]
    public static partial void AttemptClosed(ILogger log, string job, int attempt);

    [LoggerMessage(3004, LogLevel.Error, "Job {Job}, attempt {Attempt}: ended without a receipt.")]
    public static partial void AttemptFailed(ILogger log, Exception exception, string job, int attempt);

    [LoggerMessage(3005, LogLevel.Information,
        "Job {Job}, attempt {Attempt}: goes on from checkpoint {Sequence} of attempt {Of}, by {Worker}.")]
    public static partial void Resumed(ILogger log, string job, int attempt, long sequence, int of, string worker);

    [LoggerMessage(3006, LogLevel.Warning,
        "Job {Job}, attempt {Attempt}: checkpoint {Sequence} of attempt {Of} is of no use, so the run begins before it: {Reason}")]
    public static partial void NotResumed(ILogger log, string job, int attempt, long sequence, int of, string reason);
}
