using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;
using MeshLedger.Ledger;
using MeshLedger.Projections.Reputation;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Projections.Tests;

/// <summary>The read models of a ledger in which everything happens once.</summary>
public sealed class StoryProjectionTests : IAsyncLifetime
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
    public async Task What_was_followed_event_by_event_equals_what_is_rebuilt()
    {
        foreach (var chunk in _story.Events.Chunk(3))
        {
            await _store.AppendAsync(new AppendRequest(chunk, new Dictionary<StreamId, long>()), CancellationToken.None);

            // A new set each time: nothing is remembered, all is read back.
            await Open().CatchUpAsync(CancellationToken.None);
        }

        var kept = await TablesAsync();
        foreach (var name in ProjectionSet.Names)
        {
            await Open().RebuildAsync(name, null, CancellationToken.None);
        }

        Assert.Equal(kept, await TablesAsync());
    }

    [Fact]
    public async Task A_job_s_row_says_how_it_went()
    {
        await AppendAndCatchUpAsync();

        Assert.Equal(
            [
                "job-again|completed|2|1|0|1|21|10000||",
                "job-cancelled|cancelled|1|0|0|1|0|5000||",
                "job-redrive|completed|1|0|0|1|20|10000||job-redriven",
                "job-redriven|failed|1|0|0|1|10|5000|EXECUTION_ERROR|",
                "job-three-1|completed|1|0|0|3|42|10000||",
                "job-was-lost|completed|1|0|1|1|20|10000||",
            ],
            await _database.RowsAsync(
                """
                SELECT job_id, status, attempt, failures, losses, cardinality(workers), paid, progress_bp,
                       coalesce(error_code, ''), coalesce(redriven_of, '')
                FROM job_status
                WHERE job_id IN
                    ('job-again', 'job-cancelled', 'job-redriven', 'job-redrive', 'job-three-1', 'job-was-lost')
                ORDER BY job_id COLLATE "C"
                """));
        Assert.Equal(
            ["7|not needed"],
            await _database.RowsAsync(
                """
                SELECT (SELECT priority FROM job_status WHERE job_id = 'job-again'),
                       (SELECT cancel_reason FROM job_status WHERE job_id = 'job-cancelled')
                """));
    }

    [Fact]
    public async Task An_ended_job_holds_nothing_and_is_in_no_phase()
    {
        await AppendAndCatchUpAsync();

        Assert.Equal(
            ["0|0"],
            await _database.RowsAsync(
                """
                SELECT count(*) FILTER (WHERE escrow <> 0 OR refunded IS NULL OR paid IS NULL),
                       count(*) FILTER (WHERE phase IS NOT NULL OR message IS NOT NULL OR eta_ms IS NOT NULL)
                FROM job_status WHERE ended_at IS NOT NULL
                """));
        Assert.Equal(
            ["True"],
            await _database.RowsAsync(
                "SELECT sum(j.escrow) = (SELECT sum(escrow) FROM accounts) FROM job_status j"));
    }

    [Fact]
    public async Task A_job_that_waits_for_its_next_attempt_is_retrying()
    {
        var end = _story.Events.ToList().FindIndex(signed => signed.Statement.Type == "attempt_ended") + 1;
        await _store.AppendAsync(
            new AppendRequest([.. _story.Events.Take(end)], new Dictionary<StreamId, long>()), CancellationToken.None);
        await Open().CatchUpAsync(CancellationToken.None);

        Assert.Equal(
            ["retrying|1|1|EXECUTION_ERROR|True|True"],
            await _database.RowsAsync(
                """
                SELECT status, attempt, failures, error_code, retry_at IS NOT NULL, ended_at IS NULL
                FROM job_status WHERE job_id = 'job-again'
                """));
    }

    [Fact]
    public async Task Dead_letters_are_the_failed_jobs_that_nobody_ran_again()
    {
        await AppendAndCatchUpAsync();

        Assert.Equal(["job-that-failed"], await _database.RowsAsync("SELECT job_id FROM dead_letters"));
        await Open().RebuildAsync("job_status", null, CancellationToken.None);
        Assert.Equal(["job-that-failed"], await _database.RowsAsync("SELECT job_id FROM dead_letters"));
    }

    [Fact]
    public async Task Reputation_is_what_the_book_says_and_can_be_had_as_of_any_position()
    {
        await AppendAndCatchUpAsync();
        var book = new ReputationBook();
        for (var position = 1; position <= _story.Events.Count; position++)
        {
            var statement = _story.Events[position - 1].Statement;
            if (book.Apply(statement.Body, statement.Time).Count == 0)
            {
                continue;
            }

            var replayed = await ReputationHistory.AsOfAsync(_store, position, CancellationToken.None);
            Assert.Equal(Texts(book), Texts(replayed));
        }

        Assert.Equal(
            Texts(book),
            await _database.RowsAsync(
                """
                SELECT worker, operation, milli_points, step, succeeded, failed, timed_out, lost, disagreed, streak, earned
                FROM worker_reputation ORDER BY worker COLLATE "C", operation COLLATE "C"
                """));
    }

    [Fact]
    public async Task No_account_s_row_loses_or_makes_mana()
    {
        await AppendAndCatchUpAsync();

        Assert.Equal(
            ["0|250"],
            await _database.RowsAsync(
                """
                SELECT count(*) FILTER (WHERE granted + regenerated + received <> balance + escrow + paid), sum(regenerated)
                FROM accounts
                """));
        Assert.Equal(["True"], await _database.RowsAsync("SELECT sum(paid) = sum(received) FROM accounts"));
    }

    [Fact]
    public async Task A_table_of_another_version_is_made_anew()
    {
        await AppendAndCatchUpAsync();
        var kept = await TablesAsync();
        await _database.ExecuteAsync(
            "DROP TABLE accounts; CREATE TABLE accounts (owner text); COMMENT ON TABLE accounts IS 'meshledger of old'");

        await Open().CatchUpAsync(CancellationToken.None);

        Assert.Equal(kept, await TablesAsync());
    }

    private static string[] Texts(ReputationBook book) =>
        [.. book.All.OrderBy(one => one.Worker.ToString(), StringComparer.Ordinal)
            .ThenBy(one => one.Operation, StringComparer.Ordinal)
            .Select(one => $"{one.Worker}|{one.Operation}|{one.Score.MilliPoints}|{one.Score.Step}|{one.Score.Succeeded}|"
                + $"{one.Score.Failed}|{one.Score.TimedOut}|{one.Score.Lost}|{one.Score.Disagreed}|{one.Score.Streak}|"
                + $"{one.Score.Earned}")];

    private async Task AppendAndCatchUpAsync()
    {
        await _story.AppendAsync(_store);
        await Open().CatchUpAsync(CancellationToken.None);
    }

    private ProjectionSet Open() =>
        new(_store, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);

    private async Task<List<string>> TablesAsync()
    {
        var rows = new List<string>();
        foreach (var name in ProjectionSet.Names)
        {
            rows.AddRange(await _database.RowsAsync($"SELECT t::text FROM {name} t ORDER BY 1"));
        }

        return rows;
    }
}
