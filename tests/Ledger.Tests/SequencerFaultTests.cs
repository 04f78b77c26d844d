using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Testing;
using Npgsql;

namespace MeshLedger.Ledger.Tests;

/// <summary>
/// The fault table of an append (README.md of the ledger): each step fails before and after the database has it. The
/// faults are real: the connection is cut on its way to a real server, or the server's own rules end the statement.
/// </summary>
public sealed class SequencerFaultTests : IAsyncLifetime
{
    private const string Stream = "stream-that-is-struck";
    private const string Lock = "SELECT pg_advisory_xact_lock(7310579631243879525)";
    private static readonly DateTimeOffset Time = new(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);

    private readonly SigningKey _key = SigningKey.Generate();
    private readonly LogLines<PostgresEventStore> _log = new();
    private PostgresDatabase _database = null!;
    private FaultyConnection _way = null!;
    private NpgsqlDataSource _source = null!;
    private PostgresEventStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        _way = new FaultyConnection(_database.ConnectionString);
        Open("");
        await AppendedAsync(Grants("a", 2), before: false);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _source.DisposeAsync();
        await _way.DisposeAsync();
        await _database.DisposeAsync();
    }

    /// <summary>The faults in the order in which they strike, and whether the events were in the log when the last one
    /// did. With an expected version, and without one.
    /// </summary>
    public static TheoryData<string, bool, bool> LostConnections => new()
    {
        { "append: RequestLost", false, false },
        { "append: AnswerWithheld", false, true },
        { "append: RequestLost", true, false },
        { "append: RequestLost, append: RequestLost", true, false },
        { "append: AnswerLost", true, true },
        { "append: AnswerWithheld", true, true },
        { "append: AnswerLost, append: RequestLost", true, true },
        { "append: AnswerLost, append: AnswerLost", true, true },
        { "append: AnswerLost, read back: RequestLost", true, true },
        { "append: AnswerLost, read back: AnswerLost", true, true },
        { "append: AnswerLost, read back: AnswerWithheld", false, true },
    };

    [Theory]
    [MemberData(nameof(LostConnections))]
    public async Task A_lost_connection_neither_loses_nor_doubles_an_append(string faults, bool expected, bool persisted)
    {
        var events = Grants(Stream, 3);
        foreach (var fault in faults.Split(", "))
        {
            // Each request is known by what is in it and in no other.
            var step = fault.Split(": ");
            _way.Strike(
                step[0] == "append" ? "\"grant\"" : "seq_id = ANY",
                Enum.Parse<ConnectionFault>(step[1]));
        }

        var request = new AppendRequest(events, expected ? At((Stream, 0)) : At());
        var appended = Assert.IsType<AppendOutcome.Appended>(await _store.AppendAsync(request, CancellationToken.None));

        Assert.Equal(0, _way.Waiting);
        Assert.Equal(persisted, appended.Before);
        Assert.Equal([3L, 4, 5], appended.Events.Select(recorded => recorded.Position));
        Assert.NotEmpty(_log.Of(1000));
        await _log.UntilAsync(1009);
        await GoesOnAsync(Stream, events);
    }

    /// <summary>What the server itself may say, how it is made to say it, and the words with which the node says so.
    /// </summary>
    public static TheoryData<string, string, string> ServerErrors => new()
    {
        { "55P03", "-c lock_timeout=100", "holds a lock" },
        { "57014", "-c statement_timeout=300", "statement_timeout" },
        { "40001", "-c default_transaction_isolation=repeatable\\ read", "other transactions" },
        { "40P01", "-c deadlock_timeout=50", "other transactions" },
        { "57P01", "", "ended the connection" },
    };

    [Theory]
    [MemberData(nameof(ServerErrors))]
    public async Task An_error_of_the_server_that_passes_is_waited_for(string state, string options, string words)
    {
        await _store.DisposeAsync();
        await _source.DisposeAsync();
        Open(options);
        var events = Grants("a", 2);
        await using var other = await _database.Source.OpenConnectionAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await ExecuteAsync(other, state == "40P01" ? "SELECT FROM mt_streams WHERE id = 'a' FOR UPDATE" : Lock);
        var appending = AppendedAsync(events, before: false, ("a", 2));
        switch (state)
        {
            case "40001":
                await UntilItWaitsAsync();
                await ExecuteAsync(other, "UPDATE mt_streams SET timestamp = now() WHERE id = 'a'");
                break;
            case "40P01":
                // It holds the lock and waits for the row; who holds the row asks for the lock.
                await UntilItWaitsAsync();
                await ExecuteAsync(other, Lock);
                break;
            case "57P01":
                await UntilItWaitsAsync();
                await ExecuteAsync(
                    other,
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' "
                    + "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
                break;
        }

        if (state != "40001")
        {
            await _log.UntilAsync(1000, state);
        }

        await transaction.CommitAsync();
        var line = await _log.UntilAsync(1000, state);
        Assert.Contains(words, line, StringComparison.Ordinal);
        Assert.Contains("nothing is lost", line, StringComparison.Ordinal);
        await appending;
        await GoesOnAsync("a", events, from: 2);
    }

    [Fact]
    public async Task A_database_that_is_read_only_is_waited_for_and_old_sessions_are_not_kept()
    {
        await SetReadOnlyAsync(true);
        _source.Clear();
        var events = Grants("a", 1);
        var appending = AppendedAsync(events, before: false, ("a", 2));
        Assert.Contains("read-only", await _log.UntilAsync(1000, "25006"), StringComparison.Ordinal);
        await SetReadOnlyAsync(false);
        await appending;
        await GoesOnAsync("a", events, from: 2);
    }

    [Fact]
    public async Task Sessions_that_see_old_snapshots_by_default_lose_races_and_no_event()
    {
        await _store.DisposeAsync();
        await _source.DisposeAsync();
        Open("-c default_transaction_isolation=serializable");
        await using var other = new PostgresEventStore(_source, TimeProvider.System, _log);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 8; i++)
            {
                Assert.IsType<AppendOutcome.Appended>(await (writer % 2 == 0 ? _store : other).AppendAsync(
                    new AppendRequest([.. Grants("a", 1), .. Grants($"own-{writer}", 1)], At()), CancellationToken.None));
            }
        })));
        Assert.Equal(50, (await _store.LoadAsync(StreamId.Parse("a"), CancellationToken.None)).Count);
        Assert.Equal(98, await _store.HeadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task An_event_that_is_refused_is_told_so_and_harms_none_beside_it()
    {
        // The signature is looked at here; what else the database minds, only there.
        await _database.ExecuteAsync("ALTER TABLE mt_streams ADD CONSTRAINT minded CHECK (id <> 'minded')");
        var good = Grants(Stream, 1);
        var forged = new SignedEvent(Grants(Stream, 1)[0].Statement, new byte[64], null);
        await using var other = await _database.Source.OpenConnectionAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await ExecuteAsync(other, Lock);
        var first = AppendedAsync(Grants("c", 1), before: false);
        await UntilItWaitsAsync();

        // These two wait for the first, and so go together.
        var refused = _store.AppendAsync(new AppendRequest(Grants("minded", 1), At()), CancellationToken.None);
        var beside = AppendedAsync(good, before: false, (Stream, 0));
        var rejected = await _store.AppendAsync(new AppendRequest([forged], At()), CancellationToken.None);
        Assert.Equal("BAD_SIGNATURE", Assert.IsType<AppendOutcome.Rejected>(rejected).Reason.Code);
        await transaction.CommitAsync();

        await first;
        Assert.Equal("23514", (await Assert.ThrowsAsync<PostgresException>(() => refused)).SqlState);
        await beside;
        await GoesOnAsync(Stream, good);
    }

    [Fact]
    public async Task Two_events_with_one_id_are_refused_before_anything_is_sent()
    {
        var signed = Grants(Stream, 1)[0];
        var outcome = await _store.AppendAsync(new AppendRequest([signed, signed], At()), CancellationToken.None);
        Assert.Equal("EVENT_ID_TAKEN", Assert.IsType<AppendOutcome.Rejected>(outcome).Reason.Code);
        await GoesOnAsync(Stream, []);
    }

    [Fact]
    public async Task Who_did_not_wait_for_the_answer_asks_again_and_is_told()
    {
        var events = Grants(Stream, 2);
        using var impatient = new CancellationTokenSource();
        await using var other = await _database.Source.OpenConnectionAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await ExecuteAsync(other, Lock);
        var given = _store.AppendAsync(new AppendRequest(events, At((Stream, 0))), impatient.Token);
        await UntilItWaitsAsync();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);

        // Two that ask again at once, beside somebody else.
        var again = _store.AppendAsync(new AppendRequest(events, At((Stream, 0))), CancellationToken.None);
        var too = _store.AppendAsync(new AppendRequest(events, At()), CancellationToken.None);
        var beside = AppendedAsync(Grants("c", 1), before: false);
        await transaction.CommitAsync();
        Assert.True(Assert.IsType<AppendOutcome.Appended>(await again).Before);
        Assert.True(Assert.IsType<AppendOutcome.Appended>(await too).Before);
        await beside;
        await GoesOnAsync(Stream, events);
    }

    /// <summary>The process ends while the database works: it either did not take the append or did, and the next
    /// process finds out by asking again.</summary>
    [Theory]
    [InlineData(ConnectionFault.RequestLost)]
    [InlineData(ConnectionFault.AnswerWithheld)]
    public async Task A_stop_in_the_middle_of_an_append_is_cured_by_asking_again(ConnectionFault fault)
    {
        var events = Grants(Stream, 3);
        _way.Strike(Stream, fault);
        _way.Strike(Stream, ConnectionFault.RequestLost);
        _way.Strike(Stream, ConnectionFault.RequestLost);
        _way.Strike(Stream, ConnectionFault.RequestLost);
        var appending = _store.AppendAsync(new AppendRequest(events, At((Stream, 0))), CancellationToken.None);
        await _log.UntilAsync(1000);
        await _store.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => appending);

        await _source.DisposeAsync();
        await _way.DisposeAsync();
        _way = new FaultyConnection(_database.ConnectionString);
        Open("");
        await AppendedAsync(events, before: fault == ConnectionFault.AnswerWithheld, (Stream, 0));
        await GoesOnAsync(Stream, events);
    }

    [Fact]
    public async Task However_long_the_database_was_away_a_conflict_is_told_as_one()
    {
        await _store.DisposeAsync();
        _store = new PostgresEventStore(_source, new HurriedTime(), _log);
        await AppendedAsync(Grants("c", 1), before: false);
        _way.Down = true;
        var appending = _store.AppendAsync(new AppendRequest(Grants(Stream, 1), At((Stream, 0))), CancellationToken.None);
        while (_log.Of(1000).Count < 60)
        {
            await Task.Delay(5);
        }

        await using (var other = new PostgresEventStore(_database.Source, TimeProvider.System, _log))
        {
            await other.AppendAsync(new AppendRequest(Grants(Stream, 2), At((Stream, 0))), CancellationToken.None);
        }

        _way.Down = false;
        Assert.Equal(new AppendOutcome.Conflict(StreamId.Parse(Stream), 0, 2), await appending);
    }

    /// <summary>Progress: the same store appends more. State: another store loads just what was appended.</summary>
    private async Task GoesOnAsync(string stream, SignedEvent[] events, int from = 0)
    {
        var next = Grants(stream, 1);
        await AppendedAsync(next, before: false, (stream, from + events.Length));
        await using var other = new PostgresEventStore(_database.Source, TimeProvider.System, _log);
        var loaded = await other.LoadAsync(StreamId.Parse(stream), CancellationToken.None);
        Assert.Equal(
            events.Concat(next).Select(signed => signed.Digest), loaded.Skip(from).Select(recorded => recorded.Event.Digest));
        var head = await other.HeadAsync(CancellationToken.None);
        Assert.Equal(
            [$"{head}|{head}|{head}|{head}"],
            await _database.RowsAsync(
                "SELECT count(*), max(seq_id), (SELECT last_value FROM mt_events_sequence), "
                + "(SELECT count(*) FROM ml_event_ids) FROM mt_events"));
    }

    private void Open(string options)
    {
        var builder = new NpgsqlConnectionStringBuilder(_way.ConnectionString) { Options = options };
        _source = NpgsqlDataSource.Create(builder.ConnectionString);
        _store = new PostgresEventStore(_source, TimeProvider.System, _log);
    }

    private async Task AppendedAsync(SignedEvent[] events, bool before, params (string Stream, long Version)[] expected) =>
        Assert.Equal(before, Assert.IsType<AppendOutcome.Appended>(
            await _store.AppendAsync(new AppendRequest(events, At(expected)), CancellationToken.None)).Before);

    private async Task UntilItWaitsAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (await _database.ScalarAsync<long>(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0)
        {
            await Task.Delay(10, limit.Token);
        }
    }

    private Task SetReadOnlyAsync(bool on) => _database.ExecuteAsync(
        $"SET default_transaction_read_only = off; ALTER DATABASE {_database.Name} "
        + (on ? "SET default_transaction_read_only = on" : "RESET default_transaction_read_only"));

    private static Dictionary<StreamId, long> At(params (string Stream, long Version)[] expected) =>
        expected.ToDictionary(e => StreamId.Parse(e.Stream), e => e.Version);

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private SignedEvent[] Grants(string stream, int count) => SignedEvent.Sign(_key, [.. Enumerable.Range(0, count).Select(i =>
        EventCodec.State(
            new AccountEvent.Opened(i, 0, 0), _key.Did, null, StreamId.Parse(stream), EventId.New(Time), Time.AddTicks(i * 10)))]);

    /// <summary>Time in which nobody waits for longer than a millisecond.</summary>
    private sealed class HurriedTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, Shorter(dueTime), Shorter(period));

        private static TimeSpan Shorter(TimeSpan time) =>
            time > TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : time;
    }
}
