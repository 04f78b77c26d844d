using MeshLedger.Ledger;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Projections.Tests;

/// <summary>Stored projections beside those that the events lead to.</summary>
public sealed class ProjectionComparisonTests : IAsyncLifetime
{
    private PostgresDatabase _database = null!;
    private PostgresEventStore _store = null!;

    private ProjectionSet Set => new(_store, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        _store = new PostgresEventStore(_database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        await new LedgerStory().Tell().AppendAsync(_store);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task What_follows_from_the_events_is_equal_and_nothing_stays_of_the_comparison()
    {
        foreach (var name in ProjectionSet.Names)
        {
            Assert.Equal("it has read nothing yet", (await Set.CompareAsync(name, null, CancellationToken.None)).NotCompared);
        }

        await Set.CatchUpAsync(CancellationToken.None);
        var relations = await _database.ScalarAsync<long>("SELECT count(*) FROM pg_class WHERE relpersistence <> 't'");
        foreach (var name in ProjectionSet.Names)
        {
            var comparison = await Set.CompareAsync(name, null, CancellationToken.None);
            Assert.Null(comparison.NotCompared);
            Assert.Empty(comparison.Differences);
            Assert.Equal(await _database.ScalarAsync<long>($"SELECT count(*) FROM {name}"), comparison.Rows);
        }

        Assert.Equal(relations, await _database.ScalarAsync<long>("SELECT count(*) FROM pg_class WHERE relpersistence <> 't'"));
    }

    [Fact]
    public async Task A_projection_that_lags_is_compared_as_of_where_it_is()
    {
        await Set.CatchUpAsync(CancellationToken.None);
        var before = await _store.HeadAsync(CancellationToken.None);
        await LedgerHistory.Of(jobs: 3).AppendAsync(_store, batch: 7);

        var comparison = await Set.CompareAsync("job_status", null, CancellationToken.None);

        Assert.Equal((before, 0L), (comparison.Position, comparison.DifferenceCount));

        // Said to be further than its rows are.
        await _database.ExecuteAsync("UPDATE mt_event_progression SET last_seq_id = (SELECT max(seq_id) FROM mt_events)");
        Assert.Equal(3, (await Set.CompareAsync("job_status", null, CancellationToken.None)).DifferenceCount);
        await _database.ExecuteAsync("UPDATE mt_event_progression SET last_seq_id = 1000000");
        Assert.Contains(
            "ends at position", Assert.Single((await Set.CompareAsync("accounts", null, CancellationToken.None)).Differences).Found,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("NULL")]
    [InlineData("0")]
    [InlineData("-7")]
    public async Task Rows_of_a_projection_that_says_that_it_has_read_nothing_are_found_and_made_anew(string position)
    {
        await Set.CatchUpAsync(CancellationToken.None);
        await _database.ExecuteAsync($"UPDATE mt_event_progression SET last_seq_id = {position}; UPDATE job_status SET status = 'cancelled'");
        foreach (var name in ProjectionSet.Names)
        {
            var rows = await _database.ScalarAsync<long>($"SELECT count(*) FROM {name}");
            Assert.Equal(
                rows == 0 ? [] : [$"{rows} rows"],
                (await Set.CompareAsync(name, null, CancellationToken.None)).Differences.Select(difference => difference.Found));
        }

        await Set.CatchUpAsync(CancellationToken.None);
        foreach (var name in ProjectionSet.Names)
        {
            Assert.Empty((await Set.CompareAsync(name, null, CancellationToken.None)).Differences);
        }
    }

    [Fact]
    public async Task Every_column_of_every_row_counts()
    {
        await Set.CatchUpAsync(CancellationToken.None);
        await _database.ExecuteAsync(
            "INSERT INTO blob_references VALUES ('x', 'job-job-again', '', 1)");
        Assert.Equal(
            ("x job-job-again ", "job-job-again", "no row"),
            Only(await Set.CompareAsync("blob_references", null, CancellationToken.None), comparison => comparison.Expected));
        await _database.ExecuteAsync("DELETE FROM blob_references WHERE hash = 'x'");
        foreach (var name in ProjectionSet.Names.Where(name => name != "blob_references"))
        {
            var columns = await _database.RowsAsync(
                $"SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{name}'");
            await _database.ExecuteAsync($"CREATE TABLE kept AS SELECT * FROM {name}");
            foreach (var column in columns.Select(column => column.Split('|')))
            {
                var value = column[1] switch
                {
                    "text" => $"coalesce({column[0]}, '') || 'x'",
                    "ARRAY" => $"{column[0]} || 'x'::text",
                    "bytea" => $"{column[0]} || '\\x00'::bytea",
                    "timestamp with time zone" => $"coalesce({column[0]}, now()) + interval '1 microsecond'",
                    _ => $"coalesce({column[0]}, 0) + 1",
                };
                await _database.ExecuteAsync(
                    $"UPDATE {name} SET {column[0]} = {value} WHERE ctid = (SELECT min(ctid) FROM {name})");
                var comparison = await Set.CompareAsync(name, null, CancellationToken.None);
                Assert.True(comparison.DifferenceCount is 1 or 2, $"{name}.{column[0]}: {comparison.DifferenceCount}");
                Assert.All(comparison.Differences, difference => Assert.NotEqual(difference.Expected, difference.Found));
                await _database.ExecuteAsync($"DELETE FROM {name}; INSERT INTO {name} SELECT * FROM kept");
            }

            await _database.ExecuteAsync($"DELETE FROM {name} WHERE ctid = (SELECT min(ctid) FROM {name})");
            Assert.Equal("no row", Assert.Single((await Set.CompareAsync(name, null, CancellationToken.None)).Differences).Found);
            await _database.ExecuteAsync($"DROP TABLE kept; DROP TABLE {name} CASCADE");
            Assert.Equal("no table", Assert.Single((await Set.CompareAsync(name, null, CancellationToken.None)).Differences).Found);
        }
    }

    [Fact]
    public async Task Events_that_cannot_be_read_are_a_difference()
    {
        await Set.CatchUpAsync(CancellationToken.None);
        await _database.ExecuteAsync("UPDATE mt_events SET data = '{\"attempt\":7}' WHERE type = 'job_submitted'");

        // What a store appended itself it remembers.
        await using var other = new PostgresEventStore(
            _database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        var comparison = await new ProjectionSet(
            other, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance)
            .CompareAsync("job_status", null, CancellationToken.None);

        Assert.Equal("events that lead to rows", Assert.Single(comparison.Differences).Expected);
    }

    private static (string Key, string Stream, string Text) Only(
        ProjectionComparison comparison, Func<ProjectionDifference, string> text)
    {
        var difference = Assert.Single(comparison.Differences);
        return (difference.Key, difference.Stream, text(difference));
    }
}
