using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Tests;

public sealed class RecentEventsTests
{
    private static readonly SigningKey Key = SigningKey.Generate();

    [Fact]
    public void After_a_hole_only_what_is_latest_is_held()
    {
        var recent = new RecentEvents();
        recent.Add(Batch(1, 2));
        recent.Add(Batch(26, 2));
        recent.Add(Batch(28, 2));

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
            new AccountEvent.Opened(1, 0, 0), Key.Did, null, StreamId.Parse("a"), EventId.New(DateTimeOffset.UnixEpoch),
            DateTimeOffset.UnixEpoch);
        return new RecordedEvent(SignedEvent.Sign(Key, [statement])[0], first + i, first + i, DateTimeOffset.UnixEpoch);
    })];
}
