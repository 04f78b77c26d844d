using Microsoft.Extensions.Logging;

namespace MeshLedger.Ledger;

internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Warning,
        "The database does not take events ({Reason}); trying again in {Milliseconds} ms, nothing is lost.")]
    public static partial void AppendPostponed(ILogger log, double milliseconds, string reason);

    [LoggerMessage(1001, LogLevel.Warning,
        "The database does not answer ({Reason}); trying again in {Milliseconds} ms.")]
    public static partial void FollowPostponed(ILogger log, double milliseconds, string reason);

    [LoggerMessage(1002, LogLevel.Information, "Schema migration {Name} applied.")]
    public static partial void Migrated(ILogger log, string name);

    [LoggerMessage(1003, LogLevel.Information, "Private PostgreSQL {Action} in {Directory}.")]
    public static partial void PrivatePostgres(ILogger log, string action, string directory);

    [LoggerMessage(1004, LogLevel.Warning, "The private PostgreSQL in {Directory} is gone; starting it again.")]
    public static partial void PrivatePostgresGone(ILogger log, string directory);

    [LoggerMessage(1005, LogLevel.Error, "The private PostgreSQL does not start again; trying on. {Reason}")]
    public static partial void PrivatePostgresFailed(ILogger log, string reason);
}
