using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Projections.Tests;

public sealed class ProjectionTests : IAsyncLifetime
{
    private readonly LedgerHistory _history = LedgerHistory.Of(jobs: 60);
    private PostgresDatabase _database = null!;
    private PostgresEventStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        _store = new PostgresEventStore(_database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task What_was_kept_up_live_equals_what_is_rebuilt()
    {
        using var stop = new CancellationTokenSource();
        var live = Open().RunAsync(stop.Token);
        foreach (var chunk in _history.Sign(5).Chunk(7))
        {
            await _store.AppendAsync(new AppendRequest(chunk, new Dictionary<StreamId, long>()), CancellationToken.None);
        }

        await UntilAsync(async () => (await Open().ListAsync(CancellationToken.None)).All(p => p.Position == p.Head));
        await stop.CancelAsync();
        await live;
        var kept = await TablesAsync();

        foreach (var name in ProjectionSet.Names)
        {
            await _database.ExecuteAsync($"DROP TABLE {name} CASCADE");
            await Open().RebuildAsync(name, null, CancellationToken.None);
        }

        Assert.Equal(kept, await TablesAsync());
        Assert.Equal(60, await _database.ScalarAsync<long>("SELECT count(*) FROM job_status WHERE ended_at IS NOT NULL"));
    }

    [Fact]
    public async Task Two_nodes_and_a_rebuild_at_once_apply_each_event_once()
    {
        await using var other = new PostgresEventStore(
            _database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        using var stop = new CancellationTokenSource();
        var here = Open().RunAsync(stop.Token);
        var there = new ProjectionSet(
            other, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance).RunAsync(stop.Token);
        var chunks = _history.Sign(5).Chunk(11).ToArray();
        for (var i = 0; i < chunks.Length; i++)
        {
            await (i % 2 == 0 ? _store : other).AppendAsync(
                new AppendRequest(chunks[i], new Dictionary<StreamId, long>()), CancellationToken.None);
            if (i % 20 == 10)
            {
                await Open().RebuildAsync("accounts", null, CancellationToken.None);
            }
        }

        await UntilAsync(async () => (await Open().ListAsync(CancellationToken.None)).All(p => p.Position == p.Head));
        await stop.CancelAsync();
        await Task.WhenAll(here, there);
        var kept = await TablesAsync();
        foreach (var name in ProjectionSet.Names)
        {
            await Open().RebuildAsync(name, null, CancellationToken.None);
        }

        Assert.Equal(kept, await TablesAsync());
    }

    [Fact]
    public async Task Accounts_are_what_their_events_add_up_to()
    {
        await _history.AppendAsync(_store, batch: 50);
        await Open().CatchUpAsync(CancellationToken.None);

        var state = (await _store.LoadAsync(StreamId.OfAccount(_history.Submitter.Did), CancellationToken.None))
            .Aggregate(AccountState.None, (state, recorded) => Account.Evolve(state, recorded.Statement.Body, recorded.Statement.Time));

        var row = await _database.RowsAsync(
            $"SELECT granted, balance, escrow FROM accounts WHERE owner = '{_history.Submitter.Did}'");
        Assert.Equal([$"{state.Granted}|{state.Balance}|{state.Held}"], row);
        Assert.Equal(
            _history.Statements.Count,
            await _database.ScalarAsync<long>("SELECT last_seq_id FROM mt_event_progression WHERE name = 'accounts:All'"));
    }

    [Fact]
    public async Task Reputation_counts_settled_jobs_alone()
    {
        await _history.AppendAsync(_store, batch: 50);
        await Open().CatchUpAsync(CancellationToken.None);

        Assert.Equal(
            ["|52|8|260", "system.echo|52|8|260"],
            await _database.RowsAsync("SELECT operation, succeeded, failed, earned FROM worker_reputation ORDER BY 1"));
    }

    [Fact]
    public async Task An_unknown_projection_is_refused_by_name() =>
        Assert.Contains(
            "job_status",
            (await Assert.ThrowsAsync<ArgumentException>(() => Open().RebuildAsync("jobs", null, CancellationToken.None)))
                .Message,
            StringComparison.Ordinal);

    private ProjectionSet Open() =>
        new(_store, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);

    private async Task<List<string>> TablesAsync()
    {
        var rows = new List<string>();
        foreach (var name in ProjectionSet.Names)
        {
            rows.AddRange(await _database.RowsAsync($"SELECT t::text FROM {name} t ORDER BY 1"));
        }

        return rows;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!await condition())
        {
            await Task.Delay(50, limit.Token);
        }
    }
}
