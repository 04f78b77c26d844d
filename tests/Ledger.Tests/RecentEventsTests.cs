using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Tests;

public sealed class RecentEventsTests
{
    private static readonly SigningKey Key = SigningKey.Generate();

    [Fact]
    public void A_hole_is_where_others_wrote_until_it_is_filled()
    {
        var recent = new RecentEvents();
        recent.Append(Batch(1, 2));
        recent.Append(Batch(6, 2));

        Assert.Equal([1L, 2], Positions(recent, 0));
        Assert.Null(recent.After(2, 100));
        Assert.Equal(6, recent.EndOfHole(2, 100));
        Assert.Equal(5, recent.EndOfHole(2, 2));
        recent.Keep(Batch(3, 3));
        Assert.Equal([2L, 3, 4, 5, 6, 7], Positions(recent, 1));
        Assert.Equal(3, recent.EndOfHole(2, 100));
        Assert.Equal(7, recent.Head);
    }

    [Fact]
    public void Only_so_many_are_held_and_no_old_ones_come_back()
    {
        var recent = new RecentEvents(capacity: 10);
        for (var position = 1; position < 100; position += 3)
        {
            recent.Append(Batch(position, 3));
        }

        Assert.Null(recent.After(50, 100));
        recent.Keep(Batch(51, 10));
        Assert.Null(recent.After(50, 100));
        Assert.Equal([90L, 91, 92], Positions(recent, 89, 3));
        Assert.Equal(99, recent.After(89, 100)![^1].Position);
        Assert.Null(recent.Find(89));
    }

    [Fact]
    public void Only_so_many_bytes_are_held()
    {
        var each = Batch(1, 1)[0].Statement.Canonical.Length;
        var recent = new RecentEvents(maxBytes: (each * 3) + 10);
        recent.Append(Batch(1, 5));

        Assert.Null(recent.Find(2));
        Assert.Equal([3L, 4, 5], Positions(recent, 2));
    }

    [Fact]
    public void Who_waits_wakes_for_news_alone()
    {
        var recent = new RecentEvents();
        recent.Append(Batch(1, 2));
        var changed = recent.Changed;
        recent.Wake(2);
        recent.Keep(Batch(1, 1));
        Assert.False(changed.IsCompleted);
        recent.Wake(3);
        Assert.True(changed.IsCompleted);
    }

    private static long[] Positions(RecentEvents recent, long position, int most = 100) =>
        [.. recent.After(position, most)!.Select(recorded => recorded.Position)];

    private static RecordedEvent[] Batch(long first, int count) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var statement = EventCodec.State(
            new AccountEvent.Opened(1, 0, 0), Key.Did, null, StreamId.Parse("a"), EventId.New(DateTimeOffset.UnixEpoch),
            DateTimeOffset.UnixEpoch);
        return new RecordedEvent(SignedEvent.Sign(Key, [statement])[0], first + i, first + i, DateTimeOffset.UnixEpoch);
    })];
}
