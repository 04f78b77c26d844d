using System.Diagnostics;
using MeshLedger.Ledger.Postgres;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Ledger.Tests;

public sealed class PrivatePostgresTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("ml-pg-").FullName;

    public PrivatePostgresTests()
    {
        File.SetUnixFileMode(_data, File.GetUnixFileMode(_data) | UnixFileMode.OtherExecute);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_server_that_was_killed_is_started_again_and_what_was_committed_is_there()
    {
        await using var postgres = await StartAsync();
        await ExecuteAsync(postgres.ConnectionString, "CREATE TABLE kept AS SELECT 1 AS one");

        using (var server = Process.GetProcessById(Pid()))
        {
            server.Kill();
        }

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                await ExecuteAsync(postgres.ConnectionString, "SELECT one FROM kept");
                return;
            }
            catch (NpgsqlException)
            {
                await Task.Delay(100, limit.Token);
            }
        }
    }

    [Fact]
    public async Task One_at_a_time_holds_a_data_directory_and_stops_its_server_at_the_end()
    {
        var first = await StartAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(StartAsync);

        Assert.NotNull(await PrivatePostgres.FindRunningAsync(_data, CancellationToken.None));
        await first.DisposeAsync();
        Assert.Null(await PrivatePostgres.FindRunningAsync(_data, CancellationToken.None));
    }

    private Task<PrivatePostgres> StartAsync() =>
        PrivatePostgres.StartAsync(_data, TimeSpan.Zero, NullLogger.Instance, CancellationToken.None);

    private int Pid() => int.Parse(
        File.ReadLines(Path.Combine(_data, "postgres", "cluster", "postmaster.pid")).First(),
        System.Globalization.CultureInfo.InvariantCulture);

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        await using var connection = new NpgsqlConnection(builder.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
