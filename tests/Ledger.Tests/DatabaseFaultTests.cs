using System.Diagnostics;
using System.Globalization;
using MeshLedger.Ledger.Postgres;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Ledger.Tests;

/// <summary>
/// The database fails under appends as a whole: restarted, killed, without connections, without room. Each time the store
/// says what is wrong, waits, goes on by itself, and has lost and doubled nothing that it acknowledged.
/// </summary>
public sealed class DatabaseFaultTests : IDisposable
{
    private readonly LogLines<PostgresEventStore> _log = new();
    private readonly LogLines<PrivatePostgres> _serverLog = new();
    private readonly string _data = Directory.CreateTempSubdirectory("ml-fault-").FullName;

    public DatabaseFaultTests()
    {
        File.SetUnixFileMode(_data, File.GetUnixFileMode(_data) | UnixFileMode.OtherExecute);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_database_that_is_restarted_and_one_that_is_killed_lose_nothing()
    {
        var load = new AppendLoad(jobs: 400);
        var server = await StartAsync(_data);
        await using var source = await MigratedAsync(server);
        await using (var store = new PostgresEventStore(source, TimeProvider.System, _log))
        {
            var running = load.RunAsync(store);
            await AtLeastAsync(load, 200, running);
            await server.DisposeAsync();
            server = await StartAsync(_data);
            await AtLeastAsync(load, 1000, running);
            using (var process = Process.GetProcessById(Pid(_data)))
            {
                process.Kill();
            }

            await _serverLog.UntilAsync(1004);
            await running.WaitAsync(TimeSpan.FromSeconds(60));
        }

        await load.CheckAsync(source);
        Assert.NotEmpty(_log.Of(1000));
        Assert.NotEmpty(_log.Of(1009));
        await server.DisposeAsync();
    }

    [Fact]
    public async Task Without_a_free_connection_it_waits_and_says_so()
    {
        await using var server = await StartAsync(_data);
        await using var source = await MigratedAsync(server);
        var load = new AppendLoad(jobs: 5);
        await using var others = LedgerDatabase.Open(
            new NpgsqlConnectionStringBuilder(server.ConnectionString) { MaxPoolSize = 500 }.ConnectionString);
        var taken = new List<NpgsqlConnection>();

        // What this source holds is given back before, or it would leave a connection free.
        source.Clear();
        try
        {
            while (true)
            {
                taken.Add(await others.OpenConnectionAsync());
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.TooManyConnections)
        {
            // All are taken, the superuser's too.
        }

        await using (var store = new PostgresEventStore(source, TimeProvider.System, _log))
        {
            var running = load.RunAsync(store);
            Assert.Contains("max_connections", await _log.UntilAsync(1000, "53300"), StringComparison.Ordinal);
            Assert.False(running.IsCompleted);
            foreach (var connection in taken)
            {
                await connection.CloseAsync();
            }

            others.Clear();
            await running.WaitAsync(TimeSpan.FromSeconds(60));
        }

        await load.CheckAsync(source);
    }

    [Fact]
    public async Task On_a_full_disk_it_waits_and_says_so_and_goes_on_when_there_is_room()
    {
        using var disk = SmallDisk.Mount(megabytes: 120);
        var data = Path.Combine(disk.Root, "d");
        Directory.CreateDirectory(data);
        await using var server = await StartAsync(data);
        await using var source = await MigratedAsync(server);
        var load = new AppendLoad(jobs: 1200);
        await using (var store = new PostgresEventStore(source, TimeProvider.System, _log))
        {
            var running = load.RunAsync(store);
            await AtLeastAsync(load, 500, running);
            disk.Fill();
            await _log.UntilAsync(1000);
            var acknowledged = -1;
            while (acknowledged < load.Acknowledged)
            {
                // Files that have room left take some more.
                acknowledged = load.Acknowledged;
                await Task.Delay(1000);
            }

            Assert.False(running.IsCompleted, "The disk was not full.");
            Assert.Contains("its disk is full", await _log.UntilAsync(1000, "53100"), StringComparison.Ordinal);

            // Worse: no room for the next file of its log. The server crashes, and cannot start.
            await UntilItBreaksAsync(server, "SELECT pg_logical_emit_message(true, 'x', 'x'), pg_switch_wal()");
            Assert.Contains("Free space there", await _serverLog.UntilAsync(1005, disk.Root), StringComparison.OrdinalIgnoreCase);
            disk.Free();
            await running.WaitAsync(TimeSpan.FromSeconds(60));
        }

        await load.CheckAsync(source);
    }

    [Fact]
    public async Task A_cluster_that_vanished_is_not_made_anew()
    {
        var away = _data + "-away";
        await using (var server = await StartAsync(_data))
        {
            Directory.Move(Path.Combine(_data, "postgres", "cluster"), away);
            using (var process = Process.GetProcessById(int.Parse(
                File.ReadLines(Path.Combine(away, "postmaster.pid")).First(), CultureInfo.InvariantCulture)))
            {
                process.Kill();
            }

            Assert.Contains("not made anew", await _serverLog.UntilAsync(1005), StringComparison.Ordinal);
            Assert.False(Directory.Exists(Path.Combine(_data, "postgres", "cluster")));
            Directory.Move(away, Path.Combine(_data, "postgres", "cluster"));
            await _serverLog.UntilAsync(1003, "started", times: 2);
        }
    }

    private Task<PrivatePostgres> StartAsync(string data) =>
        PrivatePostgres.StartAsync(data, TimeSpan.Zero, _serverLog, CancellationToken.None);

    private static async Task<NpgsqlDataSource> MigratedAsync(PrivatePostgres server)
    {
        var source = LedgerDatabase.Open(server.ConnectionString);
        await Migrations.ApplyAsync(source, NullLogger.Instance, CancellationToken.None);
        return source;
    }

    private static async Task UntilItBreaksAsync(PrivatePostgres server, string sql)
    {
        await using var source = LedgerDatabase.Open(server.ConnectionString);
        try
        {
            while (true)
            {
                await using var command = source.CreateCommand(sql);
                await command.ExecuteNonQueryAsync();
            }
        }
        catch (NpgsqlException)
        {
            // It has.
        }
    }

    private static async Task AtLeastAsync(AppendLoad load, int events, Task running)
    {
        while (load.Acknowledged < events && !running.IsCompleted)
        {
            await Task.Delay(5);
        }

        Assert.False(running.IsCompleted, "The load ended before anything went wrong.");
    }

    private static int Pid(string data) => int.Parse(
        File.ReadLines(Path.Combine(data, "postgres", "cluster", "postmaster.pid")).First(), CultureInfo.InvariantCulture);
}
