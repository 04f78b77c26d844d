using System.Net.Sockets;
using Npgsql;

namespace MeshLedger.Ledger;

/// <summary>What a failure of the database means: whether it passes by itself, and in words what is wrong and what helps.
/// Decided by SqlState and constraint name, never by message.</summary>
internal static class DatabaseFault
{
    private const string IdleInTransactionTimeout = "25P03";
    private const string IdleSessionTimeout = "57P05";
    private const string IdsOnce = "an_event_id_is_appended_once";

    /// <summary>True if trying again later can help. An append is safe to repeat, since an event id is appended once.
    /// </summary>
    public static bool IsPassing(Exception exception) => exception switch
    {
        PostgresException postgres => postgres.IsTransient || postgres.SqlState is
            PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow
            or PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.DiskFull
            or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.ReadOnlySqlTransaction
            or IdleInTransactionTimeout or IdleSessionTimeout

            // Nobody cancels an append: a cancellation that was meant for another command of the connection came late.
            or PostgresErrorCodes.QueryCanceled,
        NpgsqlException or IOException or TimeoutException => true,
        _ => false,
    };

    /// <summary>True if a row that the append inserts is there already, though it was not when the append looked:
    /// somebody wrote without the append's lock, or the session's isolation level shows it an old snapshot.</summary>
    /// <param name="alone">The append is of one request. Two requests of one group may bring the same event, which
    /// trying them together again does not change.</param>
    public static bool IsLostRace(PostgresException exception, bool alone) =>
        exception.SqlState == PostgresErrorCodes.UniqueViolation
        && (exception.ConstraintName is "pkey_mt_events_seq_id" or "pkey_mt_streams_id" or "pk_mt_events_stream_and_version"
            || (alone && exception.ConstraintName == IdsOnce));

    /// <summary>One line for whoever runs the node: what is wrong, what helps, and the database's own words.</summary>
    public static string Explain(Exception exception) => exception switch
    {
        PostgresException postgres => Explain(postgres.SqlState) is { } known
            ? $"{known} ({postgres.SqlState}: {postgres.MessageText})"
            : $"{postgres.SqlState}: {postgres.MessageText}",
        NpgsqlException { InnerException: TimeoutException } => "it gave no answer in time",
        NpgsqlException { InnerException: SocketException socket } =>
            $"no connection to it ({Plain(socket)}); see that it runs",
        NpgsqlException { InnerException: { } inner } => $"the connection to it was lost ({Plain(inner)})",
        _ => Plain(exception),
    };

    // A Unix socket that is not there is told as an address that cannot be assigned.
    private static string Plain(Exception exception) => exception is SocketException { SocketErrorCode: SocketError.AddressNotAvailable }
        ? "nothing listens there"
        : exception.Message.TrimEnd('.');

    private static string? Explain(string sqlState) => sqlState switch
    {
        PostgresErrorCodes.DiskFull => "its disk is full: free space there, nothing else is to be done",
        PostgresErrorCodes.OutOfMemory => "it has no memory left",
        PostgresErrorCodes.TooManyConnections =>
            "all of its connections are taken: end other clients, or raise max_connections",
        PostgresErrorCodes.AdminShutdown => "it ended the connection, or is being stopped",
        PostgresErrorCodes.CrashShutdown => "one of its processes died; it recovers by itself",
        PostgresErrorCodes.CannotConnectNow => "it is starting, stopping or recovering",
        PostgresErrorCodes.LockNotAvailable =>
            "another session holds a lock that this needs, for longer than lock_timeout: see pg_stat_activity",
        PostgresErrorCodes.QueryCanceled => "it cancelled the statement: is statement_timeout too short?",
        PostgresErrorCodes.ReadOnlySqlTransaction => "it is read-only: a standby, or set so by its administrator",
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected =>
            "other transactions were in the way",
        IdleInTransactionTimeout or IdleSessionTimeout => "it ended a connection that was idle",
        _ => null,
    };
}
