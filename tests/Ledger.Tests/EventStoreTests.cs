using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Ledger.Tests;

public sealed class EventStoreTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Time = new(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);
    private readonly SigningKey _key = SigningKey.Generate();
    private PostgresDatabase _database = null!;
    private PostgresEventStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        _store = Open();
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task What_is_appended_is_loaded_verified_and_in_order()
    {
        var events = Grants("a", 5);
        var appended = Assert.IsType<AppendOutcome.Appended>(await AppendAsync(_store, events, ("a", 0)));
        Assert.Equal([1L, 2, 3, 4, 5], appended.Events.Select(recorded => recorded.Position));

        var loaded = await _store.LoadAsync(StreamId.Parse("a"), CancellationToken.None);

        Assert.Equal(events.Select(signed => signed.Digest), loaded.Select(recorded => recorded.Event.Digest));
        Assert.Equal([1L, 2, 3, 4, 5], loaded.Select(recorded => recorded.Version));
        Assert.Equal(5, await _database.ScalarAsync<long>("SELECT last_value FROM mt_events_sequence"));
    }

    [Fact]
    public async Task A_stream_that_is_not_at_the_expected_version_takes_nothing()
    {
        await AppendAsync(_store, Grants("a", 2), ("a", 0));

        var outcome = await AppendAsync(_store, [.. Grants("b", 1), .. Grants("a", 1)], ("b", 0), ("a", 1));

        Assert.Equal(new AppendOutcome.Conflict(StreamId.Parse("a"), 1, 2), outcome);
        Assert.Equal(2, await _store.HeadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task An_append_that_is_repeated_appends_nothing_and_says_where_its_events_are()
    {
        var events = Grants("a", 3);
        await AppendAsync(_store, events, ("a", 0));
        await AppendAsync(_store, Grants("a", 1), ("a", 3));

        await using var other = Open();
        foreach (var store in (PostgresEventStore[])[_store, other])
        {
            var again = Assert.IsType<AppendOutcome.Appended>(await AppendAsync(store, events, ("a", 0)));
            Assert.True(again.Before);
            Assert.Equal([1L, 2, 3], again.Events.Select(recorded => recorded.Position));
            var anywhere = Assert.IsType<AppendOutcome.Appended>(await AppendAsync(store, events));
            Assert.True(anywhere.Before);
        }

        Assert.Equal(4, await _store.HeadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task An_event_that_its_author_did_not_sign_is_rejected()
    {
        var signed = Grants("a", 1)[0];
        var forged = new SignedEvent(signed.Statement, new byte[64], null);

        var outcome = Assert.IsType<AppendOutcome.Rejected>(await AppendAsync(_store, [forged]));

        Assert.Equal("BAD_SIGNATURE", outcome.Reason.Code);
        Assert.Equal(0, await _store.HeadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Two_nodes_that_write_at_once_leave_no_hole_and_lose_nothing()
    {
        await using var other = Open();
        var writers = Enumerable.Range(0, 8).Select(writer => Task.Run(async () =>
        {
            var store = writer % 2 == 0 ? _store : other;
            for (var i = 0; i < 50; i++)
            {
                Assert.IsType<AppendOutcome.Appended>(await AppendAsync(store, Grants("shared", 1)));
                Assert.IsType<AppendOutcome.Appended>(await AppendAsync(store, Grants($"own-{writer}", 1), ($"own-{writer}", i)));
            }
        }));
        await Task.WhenAll(writers);

        Assert.Equal(800, await _store.HeadAsync(CancellationToken.None));
        Assert.Equal(800, await _database.ScalarAsync<long>("SELECT count(*) FROM mt_events"));
        Assert.Equal(400, (await _store.LoadAsync(StreamId.Parse("shared"), CancellationToken.None)).Count);
    }

    [Fact]
    public async Task Exactly_one_of_many_racers_for_a_version_wins()
    {
        await using var other = Open();
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 20).Select(racer =>
            AppendAsync(racer % 2 == 0 ? _store : other, Grants("a", 1), ("a", 0))));

        Assert.Single(outcomes.OfType<AppendOutcome.Appended>());
        Assert.Equal(19, outcomes.OfType<AppendOutcome.Conflict>().Count());
    }

    [Fact]
    public async Task Whoever_follows_sees_every_event_once_in_order_whichever_node_wrote_it()
    {
        await using var other = Open();
        var writing = Task.WhenAll(Enumerable.Range(0, 6).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 40; i++)
            {
                await AppendAsync(writer % 2 == 0 ? _store : other, Grants($"w{writer}", 1 + (i % 3)));
            }
        })));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var total = 6 * Enumerable.Range(0, 40).Sum(i => 1 + (i % 3));
        var seen = new List<long>();
        await foreach (var batch in _store.FollowAsync(0, limit.Token))
        {
            seen.AddRange(batch.Select(recorded => recorded.Position));
            if (seen.Count >= total)
            {
                break;
            }
        }

        await writing;
        Assert.Equal(Enumerable.Range(1, total).Select(i => (long)i), seen);
    }

    [Fact]
    public async Task Events_of_some_types_are_loaded_in_log_order_from_a_time_on()
    {
        await LedgerHistory.Of(jobs: 10).AppendAsync(_store, batch: 20);
        string[] ends = ["job_completed", "job_failed"];
        Assert.Equal(
            await _database.RowsAsync("SELECT seq_id FROM mt_events WHERE type IN ('job_completed', 'job_failed') ORDER BY 1"),
            (await _store.LoadTypesAsync(ends, null, CancellationToken.None)).Select(recorded => $"{recorded.Position}"));
        await _database.ExecuteAsync("UPDATE mt_events SET timestamp = '2030-01-01Z' WHERE seq_id > 100");

        var since = new DateTimeOffset(2030, 1, 1, 2, 0, 0, TimeSpan.FromHours(2));
        var later = await _store.LoadTypesAsync(ends, since, CancellationToken.None);

        Assert.NotEmpty(later);
        Assert.All(later, recorded => Assert.True(recorded.Position > 100));
        Assert.Empty(await _store.LoadTypesAsync(ends, since.AddTicks(10), CancellationToken.None));
        Assert.Empty(await _store.LoadTypesAsync([], null, CancellationToken.None));
    }

    [Fact]
    public async Task An_event_that_was_changed_is_not_loaded_by_its_type()
    {
        await AppendAsync(_store, Grants("a", 1), ("a", 0));
        await _database.ExecuteAsync("UPDATE mt_events SET data = jsonb_set(data, '{grant}', '7')");

        await using var other = Open();
        await Assert.ThrowsAsync<InvalidHistoryException>(
            () => other.LoadTypesAsync(["account_opened"], null, CancellationToken.None));
    }

    [Fact]
    public async Task A_changed_body_is_not_loaded()
    {
        await AppendAsync(_store, Grants("a", 1), ("a", 0));
        await _database.ExecuteAsync("UPDATE mt_events SET data = jsonb_set(data, '{grant}', '7')");

        await using var other = Open();
        await Assert.ThrowsAsync<InvalidHistoryException>(() => other.LoadAsync(StreamId.Parse("a"), CancellationToken.None));
    }

    [Fact]
    public async Task What_came_after_a_version_is_loaded_alone()
    {
        await AppendAsync(_store, Grants("a", 5), ("a", 0));
        await using var other = Open();
        var tail = await other.LoadTailAsync(StreamId.Parse("a"), 3, CancellationToken.None);
        Assert.Equal([4L, 5], tail.Select(recorded => recorded.Version));
    }

    [Fact]
    public async Task A_stream_that_is_only_asked_where_it_stands_is_not_made()
    {
        Assert.IsType<AppendOutcome.Appended>(await AppendAsync(_store, Grants("a", 1), ("a", 0), ("b", 0)));
        Assert.IsType<AppendOutcome.Conflict>(await AppendAsync(_store, Grants("a", 1), ("a", 1), ("b", 1)));
        Assert.Equal(1, await _database.ScalarAsync<long>("SELECT count(*) FROM mt_streams"));
    }

    /// <summary>A hold goes by a balance, which payments and refunds of others do not lessen, and other holds do.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_tolerates_payments_tolerates_nothing_else(bool isTolerant)
    {
        var account = StreamId.OfAccount(_key.Did);
        await using var other = Open();
        await SayAsync(_store, 0, new AccountEvent.Opened(100, 0, 0), new AccountEvent.Held(Job("job-0001"), 10));
        await SayAsync(other, null, new AccountEvent.Paid(Job("job-0001"), 4, _key.Did), new AccountEvent.Refunded(Job("job-0001"), 6));

        var outcome = await SayAsync(_store, 2, new AccountEvent.Held(Job("job-0002"), 10));
        if (!isTolerant)
        {
            Assert.Equal(new AppendOutcome.Conflict(account, 2, 4), outcome);
            return;
        }

        Assert.Equal(5, Assert.Single(Assert.IsType<AppendOutcome.Appended>(outcome).Events).Version);
        Assert.Equal(
            new AppendOutcome.Conflict(account, 4, 5),
            await SayAsync(other, 4, new AccountEvent.Held(Job("job-0003"), 10)));
        Assert.Equal(
            new AppendOutcome.Conflict(account, 9, 5),
            await SayAsync(other, 9, new AccountEvent.Held(Job("job-0003"), 10)));

        Task<AppendOutcome> SayAsync(PostgresEventStore store, long? version, params AccountEvent[] bodies) => store.AppendAsync(
            new AppendRequest(
                SignedEvent.Sign(_key, [.. bodies.Select(body => EventCodec.State(
                    body, _key.Did, null, account, EventId.New(Time), Time))]),
                version is { } expected
                    ? new Dictionary<StreamId, long> { [account] = expected }
                    : new Dictionary<StreamId, long>())
            {
                Tolerant = isTolerant ? new HashSet<StreamId> { account } : new HashSet<StreamId>(),
            },
            CancellationToken.None);

        static JobId Job(string id) => JobId.Parse(id);
    }

    [Fact]
    public async Task Backends_that_are_killed_lose_no_append()
    {
        using var stop = new CancellationTokenSource();
        await using var admin = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(_database.ConnectionString) { Database = "postgres" }.ConnectionString);
        var killing = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await using var kill = admin.CreateCommand(
                    $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_database.Name}'");
                await kill.ExecuteNonQueryAsync();
                await Task.Delay(20);
            }
        });
        for (var i = 0; i < 60; i++)
        {
            Assert.IsType<AppendOutcome.Appended>(await AppendAsync(_store, Grants("a", 2), ("a", i * 2)));
        }

        await stop.CancelAsync();
        await killing;

        // A read is not tried again, and the pool may still hold a connection that was killed.
        _database.Source.Clear();
        Assert.Equal(120, await _store.HeadAsync(CancellationToken.None));
    }

    private static Task<AppendOutcome> AppendAsync(
        PostgresEventStore store, IReadOnlyList<SignedEvent> events, params (string Stream, long Version)[] expected) =>
        store.AppendAsync(
            new AppendRequest(events, expected.ToDictionary(e => StreamId.Parse(e.Stream), e => e.Version)),
            CancellationToken.None);

    private PostgresEventStore Open() =>
        new(_database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);

    private SignedEvent[] Grants(string stream, int count) => SignedEvent.Sign(_key, [.. Enumerable.Range(0, count).Select(i =>
        EventCodec.State(
            new AccountEvent.Opened(i, 0, 0), _key.Did, null, StreamId.Parse(stream), EventId.New(Time), Time.AddTicks(i * 10)))]);
}
