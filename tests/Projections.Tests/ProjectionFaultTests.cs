using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Projections.Tests;

/// <summary>
/// The fault table of the projections (README.md of the room). A batch is: take the position, write rows, move the
/// position, commit. Whatever fails, the table afterwards equals one that is built without any fault.
/// </summary>
public sealed class ProjectionFaultTests : IAsyncLifetime
{
    private static readonly SignedEvent[] Events = LedgerHistory.Of(jobs: 30).Sign(50);
    private static readonly Dictionary<(string Name, long Position), IReadOnlyList<string>> Calm = [];
    private readonly LogLines<ProjectionSet> _log = new();
    private PostgresDatabase _database = null!;
    private FaultyConnection _way = null!;
    private NpgsqlDataSource _source = null!;
    private PostgresEventStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        _store = new PostgresEventStore(_database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        _way = new FaultyConnection(_database.ConnectionString);

        // Not prepared, every request has its text in it.
        _source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(_way.ConnectionString) { MaxAutoPrepare = 0 }.ConnectionString);
    }

    public async Task DisposeAsync()
    {
        await _source.DisposeAsync();
        await _way.DisposeAsync();
        await _store.DisposeAsync();
        await _database.DisposeAsync();
    }

    /// <summary>Each step by a text that only its request has. The last column: the batch was in when its answer was
    /// lost.</summary>
    public static TheoryData<string, string, ConnectionFault, bool> Steps => new()
    {
        { "accounts", "FOR UPDATE", ConnectionFault.RequestLost, false },
        { "accounts", "FOR UPDATE", ConnectionFault.AnswerLost, false },
        { "accounts", "INSERT INTO accounts", ConnectionFault.AnswerLost, false },
        { "accounts", "UPDATE accounts", ConnectionFault.RequestLost, false },
        { "accounts", "UPDATE accounts", ConnectionFault.AnswerLost, false },
        { "worker_reputation", "INSERT INTO worker_reputation", ConnectionFault.AnswerLost, false },
        { "job_status", "INSERT INTO job_status", ConnectionFault.RequestLost, false },
        { "job_status", "INSERT INTO job_status", ConnectionFault.AnswerLost, false },
        { "job_status", "UPDATE mt_event_progression", ConnectionFault.RequestLost, false },
        { "accounts", "UPDATE mt_event_progression", ConnectionFault.AnswerLost, false },
        { "accounts", "COMMIT", ConnectionFault.RequestLost, false },
        { "accounts", "COMMIT", ConnectionFault.AnswerLost, true },
        { "worker_reputation", "COMMIT", ConnectionFault.AnswerLost, true },
        { "job_status", "COMMIT", ConnectionFault.AnswerLost, true },
        { "job_status", "COMMIT", ConnectionFault.AnswerWithheld, true },
        { "event_index", "INSERT INTO event_index", ConnectionFault.RequestLost, false },
        { "event_index", "INSERT INTO event_index", ConnectionFault.AnswerLost, false },
        { "event_index", "COMMIT", ConnectionFault.AnswerLost, true },
        { "job_runs", "INSERT INTO job_runs", ConnectionFault.AnswerLost, false },
        { "job_runs", "COMMIT", ConnectionFault.AnswerLost, true },
    };

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_batch_is_applied_once_wherever_it_fails(string name, string step, ConnectionFault fault, bool persisted)
    {
        // Half of the history is in before; the jobs at the border go on in the batch that fails.
        var half = Events.Length / 2;
        await AppendAsync(Events[..half]);
        var set = Open(_source);
        await set.RebuildAsync(name, null, CancellationToken.None);
        await AppendAsync(Events[half..]);

        _way.Strike(step, fault, after: step == "COMMIT" ? "UPDATE mt_event_progression" : null);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => CatchUpAsync(set, name));

        Assert.Equal(0, _way.Waiting);
        var after = await PositionAsync(name);
        Assert.Equal(persisted ? Events.Length : half, after);
        Assert.Equal(await ExpectedAsync(name, after), await RowsAsync(name));

        // The same process goes on; and so would another one, which knows the tables alone.
        await CatchUpAsync(set, name);
        var gone = await RowsAsync(name);
        await CatchUpAsync(Open(_database.Source), name);
        Assert.Equal(gone, await RowsAsync(name));
        Assert.Equal(await ExpectedAsync(name, Events.Length), gone);
    }

    [Fact]
    public async Task Backends_that_are_killed_while_projections_follow_change_no_row()
    {
        using var stop = new CancellationTokenSource();
        var following = Open(_source).RunAsync(stop.Token);
        foreach (var chunk in Events.Chunk(40))
        {
            await AppendAsync(chunk);
            await KillAsync();
            await Task.Delay(50);
        }

        // Until one of them was in the middle of something.
        for (var more = 0; more < 200 && !_log.Of(6000).Any(); more++)
        {
            await KillAsync();
            await Task.Delay(20);
        }

        await UpToDateAsync();
        await stop.CancelAsync();
        await following.WaitAsync(TimeSpan.FromSeconds(10));
        foreach (var name in ProjectionSet.Names)
        {
            Assert.Equal(await ExpectedAsync(name, Events.Length), await RowsAsync(name));
        }

        Assert.NotEmpty(_log.Of(6000));

        Task KillAsync() => _database.ExecuteAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            + "AND pid <> pg_backend_pid() AND state <> 'active'");
    }

    /// <summary>Somebody takes away what belongs together: neither rows without a position nor a position without rows
    /// are built upon.</summary>
    [Theory]
    [InlineData("DELETE FROM mt_event_progression WHERE name = 'accounts:All'")]
    [InlineData("DROP TABLE accounts")]
    public async Task What_was_taken_away_is_built_anew(string sql)
    {
        await AppendAsync(Events[..200]);
        using var stop = new CancellationTokenSource();
        var following = Open(_source).RunAsync(stop.Token);
        await UpToDateAsync();

        await _database.ExecuteAsync(sql);
        await AppendAsync(Events[200..]);
        await UpToDateAsync();

        await stop.CancelAsync();
        await following;
        Assert.Equal(await ExpectedAsync("accounts", Events.Length), await RowsAsync("accounts"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Of_two_nodes_either_may_go_and_the_other_keeps_projections_up(int gone)
    {
        await using var other = new PostgresEventStore(
            _database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        CancellationTokenSource[] stops = [new(), new()];
        Task[] following =
        [
            Open(_database.Source).RunAsync(stops[0].Token),
            new ProjectionSet(other, _database.Source, TimeProvider.System, _log).RunAsync(stops[1].Token),
        ];
        var half = Events.Length / 2;
        for (var i = 0; i < half; i += 10)
        {
            await AppendAsync(Events[i..Math.Min(i + 10, half)]);
            await Task.Delay(30);
        }

        await UpToDateAsync();
        await stops[gone].CancelAsync();
        await following[gone];
        await AppendAsync(Events[half..]);
        await UpToDateAsync();
        await stops[1 - gone].CancelAsync();
        await following[1 - gone];
        Assert.Equal(await ExpectedAsync("job_status", Events.Length), await RowsAsync("job_status"));
        Array.ForEach(stops, stop => stop.Dispose());
    }

    private ProjectionSet Open(NpgsqlDataSource source) => new(_store, source, TimeProvider.System, _log);

    /// <summary>One projection alone, so that the fault strikes it and no other.</summary>
    private static Task CatchUpAsync(ProjectionSet set, string name) => set.CatchUpAsync(name, CancellationToken.None);

    private async Task AppendAsync(SignedEvent[] events) => Assert.IsType<AppendOutcome.Appended>(
        await _store.AppendAsync(new AppendRequest(events, new Dictionary<StreamId, long>()), CancellationToken.None));

    private Task<long> PositionAsync(string name) => _database.ScalarAsync<long>(
        $"SELECT last_seq_id FROM mt_event_progression WHERE name = '{name}:All'");

    private Task<IReadOnlyList<string>> RowsAsync(string name) =>
        _database.RowsAsync($"SELECT t::text FROM {name} t ORDER BY 1");

    /// <summary>The rows as a database has them where nothing ever failed.</summary>
    private static async Task<IReadOnlyList<string>> ExpectedAsync(string name, long position)
    {
        if (Calm.TryGetValue((name, position), out var rows))
        {
            return rows;
        }

        await using var database = await PostgresDatabase.CreateAsync();
        await using var store = new PostgresEventStore(
            database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        await store.AppendAsync(
            new AppendRequest(Events[..(int)position], new Dictionary<StreamId, long>()), CancellationToken.None);
        await new ProjectionSet(store, database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance)
            .RebuildAsync(name, null, CancellationToken.None);
        rows = await database.RowsAsync($"SELECT t::text FROM {name} t ORDER BY 1");
        Calm.Add((name, position), rows);
        return rows;
    }

    private async Task UpToDateAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!(await Open(_database.Source).ListAsync(limit.Token)).All(p => p.Position == p.Head))
        {
            await Task.Delay(50, limit.Token);
        }
    }
}
