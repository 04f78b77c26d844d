using MeshLedger.Testing;
using Npgsql;

namespace MeshLedger.Ledger.Tests;

/// <summary>Another session stands in the way: it holds a lock that appends need and does nothing, or it ends the
/// store's own sessions again and again.</summary>
public sealed class LockFaultTests : IAsyncLifetime
{
    private readonly LogLines<PostgresEventStore> _log = new();
    private PostgresDatabase _database = null!;
    private NpgsqlDataSource _source = null!;
    private PostgresEventStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();

        // Shorter than the lock is held, so that waiting is broken off and begun again, as it is after 30 s otherwise.
        var builder = new NpgsqlConnectionStringBuilder(_database.ConnectionString) { CommandTimeout = 4 };
        _source = NpgsqlDataSource.Create(builder.ConnectionString);
        _store = new PostgresEventStore(_source, TimeProvider.System, _log);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _source.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData("SELECT pg_advisory_xact_lock(7310579631243879525)")]
    [InlineData("LOCK TABLE mt_streams IN SHARE ROW EXCLUSIVE MODE")]
    public async Task A_transaction_that_is_left_idle_is_named_and_waited_for(string takesTheLock)
    {
        var builder = new NpgsqlConnectionStringBuilder(_database.ConnectionString) { ApplicationName = "someone's editor" };
        await using var other = new NpgsqlConnection(builder.ConnectionString);
        await other.OpenAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await ExecuteAsync(other, takesTheLock);
        var load = new AppendLoad(jobs: 20);
        var running = load.RunAsync(_store);

        var line = await _log.UntilAsync(1006);
        Assert.Contains($"session {other.ProcessID} ", line, StringComparison.Ordinal);
        Assert.Contains("someone's editor', idle in transaction", line, StringComparison.Ordinal);
        Assert.Contains("no answer in time", await _log.UntilAsync(1000), StringComparison.Ordinal);
        Assert.Equal(0, load.Acknowledged);

        await transaction.CommitAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(60));
        await load.CheckAsync(_database.Source);
    }

    [Fact]
    public async Task A_transaction_that_is_left_idle_is_ended_by_the_server_where_it_is_told_to()
    {
        // As the private PostgreSQL is, after a minute.
        Assert.Equal("1min", await _database.ScalarAsync<string>("SHOW idle_in_transaction_session_timeout"));
        await using var other = await _database.Source.OpenConnectionAsync();
        await ExecuteAsync(other, "SET idle_in_transaction_session_timeout = 500");
        await using var transaction = await other.BeginTransactionAsync();
        await ExecuteAsync(other, "SELECT pg_advisory_xact_lock(7310579631243879525)");
        var load = new AppendLoad(jobs: 5);
        await load.RunAsync(_store).WaitAsync(TimeSpan.FromSeconds(60));
        await load.CheckAsync(_database.Source);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(other, "SELECT 1"));
    }

    [Fact]
    public async Task Backends_that_are_killed_again_and_again_lose_and_double_nothing()
    {
        var load = new AppendLoad(jobs: 120);
        var running = load.RunAsync(_store);
        await using var admin = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(_database.ConnectionString) { Database = "postgres", Pooling = false }
                .ConnectionString);
        await admin.OpenAsync();
        while (!running.IsCompleted)
        {
            await ExecuteAsync(
                admin, $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_database.Name}'");
            await Task.Delay(50);
        }

        await running;
        _database.Source.Clear();
        await load.CheckAsync(_database.Source);
        Assert.Contains("ended the connection", await _log.UntilAsync(1000, "57P01"), StringComparison.Ordinal);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
