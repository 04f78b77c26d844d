using Microsoft.Extensions.Logging;

namespace MeshLedger.Ledger;

internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Warning,
        "The database does not take events: {Reason}. Trying again in {Milliseconds} ms; nothing is lost.")]
    public static partial void AppendPostponed(ILogger log, string reason, double milliseconds);

    [LoggerMessage(1001, LogLevel.Warning, "The database does not answer: {Reason}. Trying again in {Milliseconds} ms.")]
    public static partial void ReadPostponed(ILogger log, string reason, double milliseconds);

    [LoggerMessage(1002, LogLevel.Information, "Schema migration {Name} applied.")]
    public static partial void Migrated(ILogger log, string name);

    [LoggerMessage(1003, LogLevel.Information, "Private PostgreSQL {Action} in {Directory}.")]
    public static partial void PrivatePostgres(ILogger log, string action, string directory);

    [LoggerMessage(1004, LogLevel.Warning, "The private PostgreSQL in {Directory} is gone; starting it again.")]
    public static partial void PrivatePostgresGone(ILogger log, string directory);

    [LoggerMessage(1005, LogLevel.Error, "The private PostgreSQL does not start again: {Reason} Trying again in {Seconds} s.")]
    public static partial void PrivatePostgresFailed(ILogger log, string reason, double seconds);

    [LoggerMessage(1006, LogLevel.Warning,
        "An append has waited for {Seconds:f0} s: session {Pid} (user {User}, application '{Application}', {State} for "
        + "{StateSeconds} s) holds a lock that it needs. It goes on when that session ends its transaction; to end it now: "
        + "SELECT pg_terminate_backend({Pid}).")]
    public static partial void AppendBlocked(
        ILogger log, double seconds, int pid, string user, string application, string state, long stateSeconds);

    [LoggerMessage(1007, LogLevel.Warning,
        "An append has been under way for {Seconds:f0} s, and no session is in its way: the database is slow, or does not "
        + "answer. Waiting on.")]
    public static partial void AppendSlow(ILogger log, double seconds);

    [LoggerMessage(1008, LogLevel.Warning,
        "An append has been under way for {Seconds:f0} s, and the database does not tell why: {Reason}. Waiting on.")]
    public static partial void AppendSlowUnexplained(ILogger log, double seconds, string reason);

    [LoggerMessage(1009, LogLevel.Information, "The database takes events again, after {Seconds:f1} s.")]
    public static partial void AppendsGoOn(ILogger log, double seconds);

    [LoggerMessage(1020, LogLevel.Warning,
        "The log is not published: {Reason}. Trying again in {Milliseconds} ms; nothing is lost.")]
    public static partial void LogPostponed(ILogger log, string reason, double milliseconds);

    [LoggerMessage(1021, LogLevel.Warning,
        "Files of the log in {Directory} are missing or damaged; making those of its {Size} entries again from the database.")]
    public static partial void LogRebuilt(ILogger log, string directory, long size);

    [LoggerMessage(1022, LogLevel.Warning, "Witness {Url} did not cosign the tree head of {Size}: {Reason}")]
    public static partial void WitnessFailed(ILogger log, string url, long size, string reason);

    [LoggerMessage(1024, LogLevel.Warning, "The ledger has hand-overs of log {Origin} that are not followed: {Reason}")]
    public static partial void HandOverNotFollowed(ILogger log, string origin, string reason);

    [LoggerMessage(1023, LogLevel.Warning,
        "The tree head of {Size} has {Count} cosignatures of the {Quorum} that it needs; not published yet, trying again. Said once a "
        + "minute.")]
    public static partial void QuorumMissed(ILogger log, long size, int count, int quorum);

    [LoggerMessage(1025, LogLevel.Information,
        "The log is published again, up to {Size}, after {Seconds:f1} s without the cosignatures that it needs.")]
    public static partial void LogGoesOn(ILogger log, long size, double seconds);

    [LoggerMessage(1026, LogLevel.Warning,
        "The node stops, and the log is published up to {Published} of {Signed} that are signed: the rest is published at its next start, "
        + "once enough witnesses cosign it.")]
    public static partial void LogStaysBehind(ILogger log, long published, long signed);
}
