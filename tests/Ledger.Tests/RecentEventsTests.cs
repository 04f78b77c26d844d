using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Tests;

public sealed class RecentEventsTests
{
    private static readonly SigningKey Key = SigningKey.Generate();

    [Fact]
    public void What_is_told_out_of_order_is_held_in_order()
    {
        var recent = new RecentEvents();
        recent.Add(Batch(1, 2));
        recent.Add(Batch(5, 2));
        Assert.Null(recent.After(2));
        recent.Add(Batch(3, 2));

        Assert.Equal([3L, 4], Positions(recent, 2));
        Assert.Equal([5L, 6], Positions(recent, 4));
        Assert.Equal([6L], Positions(recent, 5));
        Assert.Null(recent.After(6));
    }

    [Fact]
    public void After_a_hole_that_nobody_fills_only_what_is_latest_is_held()
    {
        var recent = new RecentEvents();
        recent.Add(Batch(1, 2));
        for (var position = 10; position < 30; position += 2)
        {
            recent.Add(Batch(position, 2));
        }

        Assert.Null(recent.After(0));
        Assert.Null(recent.After(2));
        Assert.Equal([28L, 29], Positions(recent, 27));
    }

    [Fact]
    public void Only_so_much_is_held()
    {
        var recent = new RecentEvents(capacity: 10);
        for (var position = 1; position < 100; position += 3)
        {
            recent.Add(Batch(position, 3));
        }

        Assert.Null(recent.After(50));
        Assert.Equal([97L, 98, 99], Positions(recent, 96));
    }

    private static long[] Positions(RecentEvents recent, long position) =>
        [.. recent.After(position)!.Select(recorded => recorded.Position)];

    private static RecordedEvent[] Batch(long first, int count) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var statement = EventCodec.State(
            new AccountEvent.Opened(1), Key.Did, null, StreamId.Parse("a"), EventId.New(DateTimeOffset.UnixEpoch),
            DateTimeOffset.UnixEpoch);
        return new RecordedEvent(SignedEvent.Sign(Key, [statement])[0], first + i, first + i, DateTimeOffset.UnixEpoch);
    })];
}
