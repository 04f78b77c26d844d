using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Ledger.Tests;

public sealed class MigrationsTests : IAsyncLifetime
{
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync() => _database = await PostgresDatabase.CreateEmptyAsync();

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task Every_script_is_applied_once()
    {
        await ApplyAsync();
        var applied = await AppliedAsync();
        await ApplyAsync();

        Assert.Equal(applied, await AppliedAsync());
        Assert.Contains(applied, row => row.StartsWith("0001_marten_layout.sql|", StringComparison.Ordinal));
        Assert.Equal(applied.Order(StringComparer.Ordinal), applied);
    }

    [Fact]
    public async Task Nodes_that_start_together_wait_for_each_other()
    {
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => ApplyAsync()));

        var applied = await AppliedAsync();
        Assert.Equal(applied.Distinct(), applied);
    }

    [Fact]
    public async Task A_script_that_was_changed_after_it_was_applied_is_refused()
    {
        await ApplyAsync();
        await _database.ExecuteAsync("UPDATE ml_migrations SET sha256 = 'other' WHERE name = '0002_append.sql'");

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(ApplyAsync);

        Assert.Contains("0002_append.sql", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_of_a_later_version_is_refused()
    {
        await ApplyAsync();
        await _database.ExecuteAsync("INSERT INTO ml_migrations (name, sha256) VALUES ('9999_later.sql', 'x')");

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(ApplyAsync);

        Assert.Contains("9999_later.sql", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_migration_that_fails_leaves_nothing_behind()
    {
        await _database.ExecuteAsync("CREATE TABLE ml_event_ids (foreign_table int)");

        await Assert.ThrowsAsync<Npgsql.PostgresException>(ApplyAsync);

        Assert.Equal(
            ["ml_event_ids"],
            await _database.RowsAsync("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"));
    }

    private Task ApplyAsync() => Migrations.ApplyAsync(_database.Source, NullLogger.Instance, CancellationToken.None);

    private Task<IReadOnlyList<string>> AppliedAsync() =>
        _database.RowsAsync("SELECT name, sha256, applied FROM ml_migrations ORDER BY name COLLATE \"C\"");
}
