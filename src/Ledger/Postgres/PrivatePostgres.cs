using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Ledger.Postgres;

/// <summary>
/// A PostgreSQL of the node's own: its cluster lies in the node's data directory, it listens on a Unix socket there and
/// nowhere else, and it runs as an unprivileged user when the node is root. One that a killed node left running is
/// taken over; one that was killed with it is restarted.
/// </summary>
/// <remarks>Layout: <c>DATA/postgres/cluster</c> (initdb's), <c>DATA/postgres/log</c>, and the socket
/// <c>DATA/postgres/.s.PGSQL.5432</c>, all owned by the database's user, mode 0700.</remarks>
public sealed class PrivatePostgres : IAsyncDisposable
{
    private const string DatabaseUser = "meshledger";
    private const int SocketPathLimit = 107;
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);
    private const long FullBelow = 17 << 20;
    private static readonly TimeSpan LastDelay = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    private readonly PostgresPrograms _programs;
    private readonly string _directory;
    private readonly ILogger _log;
    private readonly FileStream? _lock;
    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;

    private PrivatePostgres(PostgresPrograms programs, string directory, ILogger log, FileStream? held)
    {
        _programs = programs;
        _directory = directory;
        _log = log;
        _lock = held;
    }

    /// <summary>How to connect.</summary>
    public string ConnectionString => ConnectionStringFor(_directory);

    /// <summary>Starts the private PostgreSQL of a data directory, or takes over the one that runs there, and holds it
    /// until disposed. It is stopped then.</summary>
    /// <param name="dataDirectory">The node's; is made if missing.</param>
    /// <param name="wait">How long to wait for another process that holds it.</param>
    /// <exception cref="InvalidOperationException">Another process holds it; or a program is missing, or does not
    /// start: says what to do.</exception>
    public static async Task<PrivatePostgres> StartAsync(
        string dataDirectory, TimeSpan wait, ILogger log, CancellationToken cancellationToken)
    {
        var directory = Path.Combine(Path.GetFullPath(dataDirectory), "postgres");
        var socket = Path.Combine(directory, ".s.PGSQL.5432");
        if (System.Text.Encoding.UTF8.GetByteCount(socket) > SocketPathLimit)
        {
            throw new InvalidOperationException(
                $"The path {socket} is too long for a Unix socket (at most {SocketPathLimit} bytes): "
                + "choose a data directory with a shorter path.");
        }

        var programs = PostgresPrograms.Find();
        Directory.CreateDirectory(dataDirectory);
        var held = await LockAsync(Path.Combine(dataDirectory, "postgres.lock"), wait, cancellationToken);
        var postgres = new PrivatePostgres(programs, directory, log, held);
        try
        {
            programs.CheckReachable(Path.GetDirectoryName(directory)!);
            if (!File.Exists(Path.Combine(postgres.Cluster, "PG_VERSION")))
            {
                await postgres.InitialiseAsync(cancellationToken);
            }

            await postgres.StartAsync(cancellationToken);
            postgres._watching = Task.Run(postgres.WatchAsync, CancellationToken.None);
            return postgres;
        }
        catch
        {
            await held.DisposeAsync();
            throw;
        }
    }

    /// <summary>How to connect to the one that runs in a data directory, or null if none answers there.</summary>
    public static async Task<string?> FindRunningAsync(string dataDirectory, CancellationToken cancellationToken)
    {
        var directory = Path.Combine(Path.GetFullPath(dataDirectory), "postgres");
        return await AnswersAsync(directory, cancellationToken) ? ConnectionStringFor(directory) : null;
    }

    /// <summary>Stops the database, letting what is committed be committed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching;
        _stopping.Dispose();
        await _programs.RunAsync("pg_ctl", ["-D", Cluster, "-m", "fast", "-w", "-t", "60", "stop"], CancellationToken.None);
        Log.PrivatePostgres(_log, "stopped", _directory);
        if (_lock is not null)
        {
            await _lock.DisposeAsync();
        }
    }

    private string Cluster => Path.Combine(_directory, "cluster");

    private static string ConnectionStringFor(string directory) => new NpgsqlConnectionStringBuilder
    {
        Host = directory,
        Username = DatabaseUser,
        Database = "postgres",
        IncludeErrorDetail = true,
    }.ConnectionString;

    private static async Task<FileStream> LockAsync(string path, TimeSpan wait, CancellationToken cancellationToken)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (waited.Elapsed < wait)
            {
                await Task.Delay(50, cancellationToken);
            }
            catch (IOException exception)
            {
                throw new InvalidOperationException(
                    $"Another process holds {path}: a node runs on this data directory already. "
                    + "Stop it, or choose another data directory.", exception);
            }
        }
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        if (await AnswersAsync(_directory, cancellationToken))
        {
            Log.PrivatePostgres(_log, "taken over", _directory);
            return;
        }

        var result = await _programs.RunAsync(
            "pg_ctl",
            ["-D", Cluster, "-l", Path.Combine(_directory, "log"), "-w",
                "-t", StartLimit.TotalSeconds.ToString(CultureInfo.InvariantCulture), "start"],
            cancellationToken);
        if (result.ExitCode != 0 || !await AnswersAsync(_directory, cancellationToken))
        {
            throw new InvalidOperationException(
                $"The private PostgreSQL in {_directory} does not start: {result.LastLine.TrimEnd('.')}. "
                + $"Its own words: {LastLines(Path.Combine(_directory, "log"))}.");
        }

        Log.PrivatePostgres(_log, "started", _directory);
    }

    /// <summary>Starts the server again when its process is gone: killed, or out of memory.</summary>
    private async Task WatchAsync()
    {
        try
        {
            for (var delay = WatchInterval; ;)
            {
                await Task.Delay(delay, _stopping.Token);
                if (IsRunning())
                {
                    delay = WatchInterval;
                    continue;
                }

                Log.PrivatePostgresGone(_log, _directory);
                delay = delay < LastDelay ? delay * 2 : delay;
                try
                {
                    await StartAgainAsync();
                }
                catch (Exception exception) when (exception
                    is InvalidOperationException or IOException or UnauthorizedAccessException or Win32Exception)
                {
                    Log.PrivatePostgresFailed(_log, exception.Message, delay.TotalSeconds);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The node stops, and the server with it.
        }
    }

    private async Task StartAgainAsync()
    {
        // A new, empty cluster in the place of one that vanished would be a ledger that has forgotten everything.
        if (!File.Exists(Path.Combine(Cluster, "PG_VERSION")))
        {
            throw new InvalidOperationException(
                $"{Cluster} is not there any more. Is its disk mounted? Bring it back; it is not made anew.");
        }

        try
        {
            await StartAsync(_stopping.Token);
        }
        catch (InvalidOperationException exception) when (FreeBytes() is { } free and < FullBelow)
        {
            throw new InvalidOperationException(
                $"The disk of {_directory} is full ({free} bytes are free): free space there. {exception.Message}", exception);
        }
    }

    private long? FreeBytes()
    {
        try
        {
            return new DriveInfo(_directory).AvailableFreeSpace;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>True if the process that the cluster's pid file names is there, and is not a mere entry that nobody has
    /// reaped yet.</summary>
    private bool IsRunning()
    {
        try
        {
            var first = File.ReadLines(Path.Combine(Cluster, "postmaster.pid")).FirstOrDefault();
            if (!int.TryParse(first, CultureInfo.InvariantCulture, out var pid))
            {
                return false;
            }

            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 1)..].TrimStart()[0] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private async Task InitialiseAsync(CancellationToken cancellationToken)
    {
        // The cluster is made beside its place and moved there whole: a crash in between leaves nothing half made.
        var fresh = Path.Combine(_directory, "cluster.new");
        _programs.MakeDirectory(_directory);
        if (Directory.Exists(fresh))
        {
            Directory.Delete(fresh, recursive: true);
        }

        var result = await _programs.RunAsync(
            "initdb",
            ["-D", fresh, "-A", "trust", "-U", DatabaseUser, "-E", "UTF8", "--locale=C", "--no-instructions"],
            cancellationToken);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException($"initdb failed in {_directory}: {result.LastLine}");
        }

        await File.AppendAllTextAsync(
            Path.Combine(fresh, "postgresql.conf"),
            $"""

            # MeshLedger: reachable through the socket alone; every commit is on disk before it is answered.
            listen_addresses = ''
            unix_socket_directories = '{_directory.Replace("'", "''", StringComparison.Ordinal)}'
            unix_socket_permissions = 0700
            fsync = on
            synchronous_commit = on
            shared_buffers = 256MB
            max_wal_size = 2GB
            max_connections = 120
            wal_level = replica
            jit = off
            idle_in_transaction_session_timeout = 60s

            """,
            cancellationToken);
        Directory.Move(fresh, Cluster);
    }

    private static async Task<bool> AnswersAsync(string directory, CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(directory, ".s.PGSQL.5432")))
        {
            return false;
        }

        var builder = new NpgsqlConnectionStringBuilder(ConnectionStringFor(directory)) { Pooling = false, Timeout = 5 };
        await using var connection = new NpgsqlConnection(builder.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static string LastLines(string file) =>
        File.Exists(file) ? string.Join(" | ", File.ReadLines(file).TakeLast(5)) : "(no log)";
}
