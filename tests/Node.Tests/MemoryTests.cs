using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Testing;

namespace MeshLedger.Node.Tests;

/// <summary>What a node remembers of streams that other nodes write, too: events come twice, late, and while a stream is
/// being read.</summary>
public sealed class MemoryTests
{
    private static readonly LedgerStory Story = new LedgerStory().Tell();
    private static readonly ILookup<StreamId, RecordedEvent> Log = Record(Story.Events).ToLookup(one => one.Statement.Stream);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void An_account_is_the_same_in_whichever_order_its_events_come(int seed)
    {
        var owner = Story.Submitter.Did;
        var events = Log[StreamId.OfAccount(owner)].ToList();
        var book = new AccountBook(null!, Story.Registry);
        book.Put(owner, AccountState.None);
        var random = new Random(seed);
        foreach (var one in events.Concat(events).OrderBy(_ => random.Next()))
        {
            book.Take(one);
        }

        Assert.Equal(Fold(events), book.Find(owner));
    }

    [Fact]
    public void An_account_stands_still_at_an_event_that_has_not_come()
    {
        var owner = Story.Submitter.Did;
        var events = Log[StreamId.OfAccount(owner)].ToList();
        var book = new AccountBook(null!, Story.Registry);
        book.Put(owner, Fold(events.Take(2)));
        foreach (var one in events.Skip(3))
        {
            book.Take(one);
        }

        Assert.Equal(2, book.Find(owner)!.Version);
        book.Take(events[2]);
        Assert.Equal(Fold(events), book.Find(owner));
    }

    [Fact]
    public void An_account_that_nobody_asked_for_is_not_made_up_from_its_latest_events()
    {
        var owner = Story.Submitter.Did;
        var book = new AccountBook(null!, Story.Registry);
        book.Take(Log[StreamId.OfAccount(owner)].First());
        Assert.Null(book.Find(owner));
    }

    [Fact]
    public void A_job_that_was_read_while_more_of_it_came_is_read_again()
    {
        var events = Log[StreamId.OfJob(JobId.Parse("job-alone-1"))].ToList();
        Assert.True(events.Count >= 4);
        var entry = new JobEntry(JobId.Parse("job-alone-1"), TimeProvider.System);

        // The reader has begun; what it read lacks the last event, of which the log tells first.
        Assert.Equal(AdvanceResult.Gap, entry.Advance(events[^1], Story.Registry, out _, out _));
        entry.Reset(StateAfter(events.SkipLast(1)));
        Assert.Null(entry.State);

        entry.Reset(StateAfter(events));
        Assert.Equal(events.Count, entry.State!.Version);
        Assert.Equal(AdvanceResult.Old, entry.Advance(events[^1], Story.Registry, out _, out _));
    }

    [Fact]
    public void An_older_reading_does_not_undo_what_has_come_since()
    {
        var events = Log[StreamId.OfJob(JobId.Parse("job-alone-1"))].ToList();
        var entry = new JobEntry(JobId.Parse("job-alone-1"), TimeProvider.System);
        foreach (var one in events.Take(3))
        {
            Assert.Equal(AdvanceResult.Applied, entry.Advance(one, Story.Registry, out _, out _));
        }

        entry.Reset(StateAfter(events.Take(2)));
        Assert.Equal(3, entry.State!.Version);
    }

    private static IEnumerable<RecordedEvent> Record(IEnumerable<SignedEvent> events)
    {
        var versions = new Dictionary<StreamId, long>();
        var position = 0L;
        foreach (var one in events)
        {
            var version = versions[one.Statement.Stream] = versions.GetValueOrDefault(one.Statement.Stream) + 1;
            yield return new RecordedEvent(one, ++position, version, one.Statement.Time);
        }
    }

    private static AccountState Fold(IEnumerable<RecordedEvent> events) => events.Aggregate(
        AccountState.None, (state, one) => Account.Evolve(state, one.Statement.Body, one.Statement.Time));

    private static JobState StateAfter(IEnumerable<RecordedEvent> events) => events.Aggregate(
        (JobState?)null, (state, one) => Job.Evolve(state, EventFact.Of(one.Statement)))!;
}
