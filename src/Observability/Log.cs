using Microsoft.Extensions.Logging;

namespace MeshLedger.Observability;

internal static partial class Log
{
    [LoggerMessage(7000, LogLevel.Information,
        "Metrics and health: {Url}/metrics, {Url}/health/live, {Url}/health/ready")]
    public static partial void Listening(ILogger log, string url);

    [LoggerMessage(7001, LogLevel.Warning,
        "Metrics do not follow the ledger ({Reason}); trying again, nothing is lost.")]
    public static partial void FollowingPostponed(ILogger log, string reason);

    [LoggerMessage(7002, LogLevel.Information, "Traces of jobs that this node ends go to {Url}.")]
    public static partial void Exporting(ILogger log, string url);

    [LoggerMessage(7003, LogLevel.Warning,
        "Traces are not taken by their collector ({Reason}); jobs go on without them.")]
    public static partial void ExportFailed(ILogger log, string reason);

    [LoggerMessage(7004, LogLevel.Warning, "A job's trace was not made yet ({Reason}); trying again.")]
    public static partial void TracePostponed(ILogger log, string reason);

    [LoggerMessage(7005, LogLevel.Warning, "The last jobs' traces were not made, for the node stops ({Reason}).")]
    public static partial void TracesLost(ILogger log, string reason);
}
