using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;
using MeshLedger.Ledger;
using MeshLedger.Projections.AsOf;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Projections.Tests;

/// <summary>The whole ledger as of any of its events.</summary>
public sealed class LedgerAsOfTests : IAsyncLifetime
{
    private readonly LedgerStory _story = new LedgerStory().Tell();
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
    public async Task At_any_position_it_is_what_the_read_models_were_when_the_log_ended_there()
    {
        // In pieces, so that there is something to compare each moment with.
        var compared = 0;
        foreach (var chunk in _story.Events.Chunk(17))
        {
            var appended = Assert.IsType<AppendOutcome.Appended>(await _store.AppendAsync(
                new AppendRequest(chunk, new Dictionary<StreamId, long>()), CancellationToken.None));
            await new ProjectionSet(_store, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance)
                .CatchUpAsync(CancellationToken.None);
            var position = appended.Events[^1].Position;
            var ledger = await FoldAsync(position);
            Assert.Equal(position, ledger.Position);
            Assert.Equal(
                await _database.RowsAsync("SELECT owner, balance, escrow, granted FROM accounts ORDER BY owner COLLATE \"C\""),
                ledger.Accounts.OrderBy(pair => pair.Key.ToString(), StringComparer.Ordinal)
                    .Select(pair => $"{pair.Key}|{pair.Value.Balance}|{pair.Value.Held}|{pair.Value.Granted}"));
            Assert.Equal(
                await _database.RowsAsync("SELECT status, count(*) FROM job_status GROUP BY status ORDER BY status COLLATE \"C\""),
                ledger.Jobs.Where(pair => pair.Jobs > 0).OrderBy(pair => pair.Status, StringComparer.Ordinal)
                    .Select(pair => $"{pair.Status}|{pair.Jobs}"));
            Assert.Equal(
                await _database.RowsAsync(
                    "SELECT worker, operation, milli_points, streak FROM worker_reputation ORDER BY worker COLLATE \"C\", operation COLLATE \"C\""),
                ledger.Reputation.All.OrderBy(one => one.Worker.ToString(), StringComparer.Ordinal)
                    .ThenBy(one => one.Operation, StringComparer.Ordinal)
                    .Select(one => $"{one.Worker}|{one.Operation}|{one.Score.MilliPoints}|{one.Score.Streak}"));
            compared++;
        }

        Assert.True(compared > 10);

        // What it was then it is for ever.
        var first = await FoldAsync(17);
        Assert.Equal(17, first.Position);
        Assert.Equal(0, first.Jobs.Single(pair => pair.Status == "completed").Jobs);
        var last = await FoldAsync(long.MaxValue);
        Assert.Equal(_story.Events.Count, last.Position);
        Assert.Equal((2, 2), (last.Verified, last.Disputed));
        Assert.Equal(_story.Registry.Workers.Count(), last.Registry.Workers.Count());
        Assert.NotEqual(0, last.Reputation.Score(_story.Workers[0].Did, ReputationBook.Overall).MilliPoints);
    }

    [Fact]
    public async Task A_time_means_before_the_first_event_that_was_appended_later()
    {
        await _story.AppendAsync(_store);
        var events = await _store.ReadAfterAsync(0, int.MaxValue, CancellationToken.None);
        var time = events[20].AppendedAt;
        var ledger = await LedgerAsOf.FoldAsync(_store, long.MaxValue, time, null, CancellationToken.None);
        Assert.Equal(events.TakeWhile(recorded => recorded.AppendedAt <= time).Last().Position, ledger.Position);
        Assert.Equal(
            0, (await LedgerAsOf.FoldAsync(_store, long.MaxValue, DateTimeOffset.UnixEpoch, null, CancellationToken.None)).Position);
    }

    private Task<LedgerAsOf> FoldAsync(long position) =>
        LedgerAsOf.FoldAsync(_store, position, null, null, CancellationToken.None);
}
