using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger;

/// <summary>
/// Says why an append takes long while it does: an append that waits for a lock gives no sign by itself. Looks on from
/// a connection of its own, and changes nothing; whether to end the session that is in the way is the operator's choice.
/// </summary>
/// <remarks><c>_backend</c> and <c>_began</c> are written by the sequencer's loop alone.</remarks>
internal sealed class AppendWatch : IAsyncDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly NpgsqlDataSource _database;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private int _backend;
    private long _began;

    public AppendWatch(NpgsqlDataSource database, TimeProvider clock, ILogger log)
    {
        _database = database;
        _clock = clock;
        _log = log;
        _loop = Task.Run(RunAsync);
    }

    /// <param name="backend">The process of the server that works on the append.</param>
    public void Begin(int backend)
    {
        Volatile.Write(ref _began, _clock.GetTimestamp());
        Volatile.Write(ref _backend, backend);
    }

    public void End() => Volatile.Write(ref _backend, 0);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var pace = new PeriodicTimer(Pace, _clock);
        var (told, next) = (0L, Patience);
        try
        {
            while (await pace.WaitForNextTickAsync(_stopping.Token))
            {
                var backend = Volatile.Read(ref _backend);
                var began = Volatile.Read(ref _began);
                if (told != began)
                {
                    next = Patience;
                }

                var waited = _clock.GetElapsedTime(began);
                if (backend == 0 || waited < next)
                {
                    continue;
                }

                // Said again after twice the time, each time.
                (told, next) = (began, waited * 2);
                await TellAsync(backend, waited);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The sequencer stops.
        }
    }

    private async Task TellAsync(int backend, TimeSpan waited)
    {
        try
        {
            await using var command = _database.CreateCommand(
                """
                SELECT a.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''), coalesce(a.state, '?'),
                       coalesce(extract(epoch FROM clock_timestamp() - a.state_change), 0)::bigint
                FROM unnest(pg_blocking_pids($1)) AS b (pid) JOIN pg_stat_activity a ON a.pid = b.pid
                ORDER BY a.xact_start LIMIT 1
                """);
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = backend, NpgsqlDbType = NpgsqlDbType.Integer });
            await using var reader = await command.ExecuteReaderAsync(_stopping.Token);
            if (await reader.ReadAsync(_stopping.Token))
            {
                var pid = reader.GetInt32(0);
                Log.AppendBlocked(
                    _log, waited.TotalSeconds, pid, reader.GetString(1), reader.GetString(2), reader.GetString(3),
                    reader.GetInt64(4));
            }
            else
            {
                Log.AppendSlow(_log, waited.TotalSeconds);
            }
        }
        catch (Exception exception) when (exception is NpgsqlException or IOException or TimeoutException)
        {
            Log.AppendSlowUnexplained(_log, waited.TotalSeconds, DatabaseFault.Explain(exception));
        }
    }
}
