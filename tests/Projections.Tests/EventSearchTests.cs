using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Projections.EventIndex;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Projections.Tests;

/// <summary>The index of events finds what looking at each event finds.</summary>
public sealed class EventSearchTests : IAsyncLifetime
{
    private PostgresDatabase _database = null!;
    private PostgresEventStore _store = null!;

    private EventSearch Search => new(_database.Source);

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

    [Theory]
    [InlineData(long.MaxValue, long.MaxValue)]
    [InlineData(10, long.MaxValue)]
    [InlineData(0, long.MinValue)]
    [InlineData(long.MinValue, 0)]
    public async Task Behind_the_last_position_and_before_the_first_is_nothing(long after, long before)
    {
        await AppendAsync(new RandomLedger(3, 10).Events);
        await Open().CatchUpAsync("event_index", CancellationToken.None);
        var page = await Search.FindAsync(new EventFilter { After = after, Before = before }, CancellationToken.None);
        Assert.Empty(page.Positions);
        Assert.Equal((false, 10), (page.More, page.IndexedTo));
    }

    /// <summary>More than two blocks of the index, kept up in batches of all sizes, by processes that remember nothing.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Whatever_is_asked_for_is_found_in_order_and_page_by_page(int seed)
    {
        var ledger = new RandomLedger(seed, 1300);
        for (var at = 0; at < ledger.Events.Length;)
        {
            var size = Math.Min(ledger.Events.Length - at, 1 + (at * 7 % 180));
            await AppendAsync(ledger.Events[at..(at + size)]);
            await Open().CatchUpAsync("event_index", CancellationToken.None);
            at += size;
        }

        for (var i = 0; i < 400; i++)
        {
            var filter = ledger.NextFilter();
            var expected = ledger.Matching(filter);
            if (filter.NewestFirst)
            {
                expected.Reverse();
            }

            var page = await Search.FindAsync(filter, CancellationToken.None);
            Assert.True(expected.Take(filter.Limit).SequenceEqual(page.Positions), $"{filter}: {string.Join(' ', page.Positions)}");
            Assert.Equal(expected.Count > filter.Limit, page.More);
            Assert.Equal(ledger.Events.Length, page.IndexedTo);
            if (i % 10 == 0)
            {
                Assert.Equal(expected, await AllPagesAsync(filter));
            }
        }

        // Nothing depends on how it was kept up.
        var kept = await RowsAsync();
        await Open().RebuildAsync("event_index", null, CancellationToken.None);
        Assert.Equal(kept, await RowsAsync());
    }

    [Fact]
    public async Task What_is_found_is_read_as_it_is_stored_in_the_order_asked_for()
    {
        var story = new LedgerStory().Tell();
        await story.AppendAsync(_store);
        await Open().CatchUpAsync("event_index", CancellationToken.None);

        var page = await Search.FindAsync(
            new EventFilter { Types = ["job_submitted"], NewestFirst = true, Limit = 3 }, CancellationToken.None);
        var events = await StoredEvents.ReadAsync(_database.Source, page.Positions, CancellationToken.None);
        Assert.Equal(page.Positions, events.Select(stored => stored.Position));
        Assert.All(events, stored =>
        {
            var said = story.Events[(int)stored.Position - 1].Statement;
            Assert.Equal(
                (said.Digest.ToString(), said.By.ToString(), Timestamps.Write(said.Time), said.Id.Value),
                (stored.Digest, stored.By, stored.Time, stored.Id));
            Assert.Contains("system.echo", stored.Data, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task An_empty_ledger_has_nothing_to_find()
    {
        await Open().CatchUpAsync("event_index", CancellationToken.None);
        var page = await Search.FindAsync(new EventFilter { Text = "anything" }, CancellationToken.None);
        Assert.Equal((0, false, 0L), (page.Positions.Count, page.More, page.IndexedTo));
    }

    /// <summary>What no node lets in may still stand in a database; and what one lets in may be large.</summary>
    [Fact]
    public async Task No_document_keeps_the_index_from_going_on()
    {
        var names = string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"\"k{i}\":\"{i}\""));
        var long1 = new string('a', 500_000);
        string[] documents =
        [
            "", "no json", "[1", "null", """{"metadata":[]}""", """{"metadata":{"labels":{"a":1}}}""",
            new string('[', 60) + new string(']', 60), new string('[', 5000), """{"a":"\ud800"}""",
            $$$"""{"metadata":{"labels":{"long":"{{{long1}}}","short":"x"}},"{{{long1}}}":"{{{long1}}} word"}""",
            $$$"""{"metadata":{"labels":{ {{{names}}} } } }""",
        ];
        var key = SigningKey.Generate();
        for (var i = 0; i < documents.Length; i++)
        {
            var template = (JobEvent.Submitted)new RandomLedger(1, 1).Events[0].Statement.Body;
            var body = template with { Document = documents[i], Operation = i == 0 ? new string('o', 3000) : "x" };
            await AppendAsync(SignedEvent.Sign(key, [EventCodec.State(
                body, key.Did, null, StreamId.Parse($"job-hostile-{i}"), EventId.New(TimeProvider.System.GetUtcNow()),
                TimeProvider.System.GetUtcNow())]));
        }

        await Open().CatchUpAsync("event_index", CancellationToken.None);

        async Task<IReadOnlyList<long>> Found(EventFilter filter) =>
            (await Search.FindAsync(filter, CancellationToken.None)).Positions;
        Assert.Equal(documents.Length, (await Found(new EventFilter { Stream = "job-hostile-*" })).Count);
        Assert.Equal([1], await Found(new EventFilter { Operation = new string('o', 3000) }));
        Assert.Empty(await Found(new EventFilter { Operation = new string('o', 2999) }));
        Assert.Equal([10], await Found(new EventFilter { Labels = [$"long={long1}"] }));
        Assert.Equal([10], await Found(new EventFilter { Text = "word" }));
        Assert.Empty(await Found(new EventFilter { Text = "aaaa*" }));
        Assert.Equal([11], await Found(new EventFilter { Labels = ["k4000=4000"] }));
        Assert.True(await _database.ScalarAsync<long>("SELECT count(*) FROM event_index WHERE term LIKE 'l k%'") <= EventTerms.MostOfADocument);
    }

    [Theory]
    [InlineData("Hello, World", "hello world")]
    [InlineData("foo-bar_baz.1", "foo bar baz 1")]
    [InlineData("ÄRGER 😀 日本語", "ärger 日本語")]
    [InlineData("", "")]
    [InlineData("--- ***", "")]
    public void Words_are_runs_of_letters_and_digits_in_lower_case(string text, string words) =>
        Assert.Equal(words, string.Join(' ', EventTerms.WordsOf(text)));

    [Fact]
    public void A_run_of_more_than_64_is_no_word() => Assert.Equal(
        ["b", new string('c', 64)], EventTerms.WordsOf($"{new string('a', 65)} b {new string('c', 64)}"));

    private async Task<List<long>> AllPagesAsync(EventFilter filter)
    {
        var all = new List<long>();
        while (true)
        {
            var page = await Search.FindAsync(filter, CancellationToken.None);
            all.AddRange(page.Positions);
            if (!page.More)
            {
                return all;
            }

            filter = filter.NewestFirst ? filter with { Before = all[^1] } : filter with { After = all[^1] };
        }
    }

    private Task<IReadOnlyList<string>> RowsAsync() =>
        _database.RowsAsync("SELECT t::text FROM event_index t ORDER BY term, block");

    private async Task AppendAsync(SignedEvent[] events) => Assert.IsType<AppendOutcome.Appended>(
        await _store.AppendAsync(new AppendRequest(events, new Dictionary<StreamId, long>()), CancellationToken.None));

    private ProjectionSet Open() =>
        new(_store, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);
}
