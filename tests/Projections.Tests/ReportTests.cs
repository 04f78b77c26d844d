using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Projections.Reports;
using MeshLedger.Projections.Reputation;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Projections.Tests;

/// <summary>Reports of a ledger in which everything happens once.</summary>
public sealed class ReportTests : IAsyncLifetime
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
    public async Task Every_report_of_the_past_is_the_one_that_was_made_then()
    {
        var then = new Dictionary<long, List<string>>();
        foreach (var chunk in _story.Events.Chunk(29))
        {
            await AppendAsync(chunk);
            var position = then.Keys.LastOrDefault() + chunk.Length;
            then.Add(position, await AllAsync(position, past: false));
        }

        foreach (var (position, reports) in then)
        {
            Assert.Equal(reports, await AllAsync(position, past: true));
        }

        // What was made for it is gone, and what is there is of now.
        Assert.Equal(then.Values.Last(), await AllAsync(then.Keys.Last(), past: false));
    }

    [Fact]
    public async Task Nothing_is_added_up_that_nobody_signed()
    {
        await AppendAsync([.. _story.Events]);
        var position = await _database.ScalarAsync<long>("SELECT min(seq_id) FROM mt_events WHERE type = 'job_completed'");
        await _database.ExecuteAsync($"""
            ALTER TABLE mt_events DISABLE TRIGGER ALL;
            UPDATE mt_events SET data = jsonb_set(data, '{"{refunded}"}', '1') WHERE seq_id = {position}
            """);
        await using var later = new PostgresEventStore(
            _database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);

        foreach (var past in (Func<long, Task>[])[BuildAsync, position => ReputationHistory.AsOfAsync(later, position, CancellationToken.None)])
        {
            await past(position - 1);
            var refused = await Assert.ThrowsAsync<InvalidHistoryException>(() => past(position));
            Assert.Contains($"position {position}", refused.Message, StringComparison.Ordinal);
            Assert.Contains("is not what its author signed", refused.Message, StringComparison.Ordinal);
        }

        async Task BuildAsync(long upTo)
        {
            await using var connection = await _database.Source.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await PastReadModels.BuildAsync(later, connection, upTo, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Figures_are_what_the_events_add_up_to()
    {
        await AppendAsync([.. _story.Events]);
        var bodies = _story.Events.Select(signed => signed.Statement.Body).ToList();
        var outcomes = bodies.SelectMany(body => body switch
        {
            JobEvent.Completed completed => completed.Outcomes,
            JobEvent.Failed failed => failed.Outcomes,
            JobEvent.Cancelled cancelled => cancelled.Outcomes,
            JobEvent.AttemptEnded ended => ended.Outcomes,
            _ => [],
        }).ToList();

        var jobs = await ReadAsync(new ReportQuestion(ReportNames.Jobs, null, null, null));
        Assert.Equal(bodies.OfType<JobEvent.Submitted>().Count(), Sum(jobs, "jobs"));
        Assert.Equal(bodies.OfType<JobEvent.Completed>().Count(), Sum(jobs, "completed"));
        Assert.Equal(bodies.OfType<JobEvent.Failed>().Count(), Sum(jobs, "failed"));
        Assert.Equal(outcomes.Sum(outcome => outcome.Paid), Sum(jobs, "paid"));

        var workers = await ReadAsync(new ReportQuestion(ReportNames.Workers, null, null, null));
        Assert.Equal(bodies.OfType<JobEvent.Assigned>().Sum(assigned => assigned.Assignees.Count), Sum(workers, "runs"));
        var busy = bodies.OfType<JobEvent.ReceiptIssued>().Sum(issued => issued.Receipt.DurationUs) / 1000;
        Assert.InRange(Sum(workers, "busy_ms"), busy - workers.Rows.Count, busy + workers.Rows.Count);
        Assert.Equal(outcomes.Sum(outcome => outcome.Paid), Sum(workers, "earned"));

        var throughput = await ReadAsync(new ReportQuestion(ReportNames.Throughput, ReportNames.ByHour, null, null));
        Assert.Equal(_story.Events.Count, Sum(throughput, "events"));
        Assert.Equal(bodies.OfType<JobEvent.Completed>().Count(), Sum(throughput, "jobs_completed"));

        var failures = await ReadAsync(new ReportQuestion(ReportNames.Failures, null, null, null));
        Assert.Equal(bodies.OfType<JobEvent.Failed>().Count(), Sum(failures, "jobs_failed"));
        var codes = failures.Rows.Select(row => row[failures.IndexOf("error_code")]).ToList();
        Assert.Contains("EXECUTION_ERROR", codes);
        Assert.Contains("DISAGREED", codes);

        var accounts = await ReadAsync(new ReportQuestion(ReportNames.Accounts, null, null, null));
        Assert.Equal(
            Sum(accounts, "granted") + Sum(accounts, "regenerated") + Sum(accounts, "received"),
            Sum(accounts, "balance") + Sum(accounts, "escrow") + Sum(accounts, "paid"));
        Assert.Equal(bodies.OfType<Domain.Accounts.AccountEvent.Refunded>().Sum(refund => refund.Amount), Sum(accounts, "refunded"));
    }

    [Fact]
    public async Task Waiting_ends_with_the_first_run_and_running_is_what_all_receipts_say()
    {
        await AppendAsync([.. _story.Events]);
        var jobs = _story.Events.Select(signed => signed.Statement).Where(statement => statement.Stream.IsJob(out _))
            .GroupBy(statement => statement.Stream)
            .Where(job => job.Any(statement => statement.Body is JobEvent.Submitted)).ToList();
        var waits = jobs.Where(job => job.Any(statement => statement.Body is JobEvent.ExecutionStarted)).Select(job =>
            (job.Where(statement => statement.Body is JobEvent.ExecutionStarted).Min(statement => statement.Time)
                - job.First(statement => statement.Body is JobEvent.Submitted).Time).TotalMilliseconds).ToList();
        var runs = jobs.Select(job => job.Select(statement => statement.Body).OfType<JobEvent.ReceiptIssued>().ToList())
            .Where(receipts => receipts.Count > 0).Select(receipts => receipts.Sum(issued => issued.Receipt.DurationUs) / 1000.0).ToList();

        // Some job was run twice, and another was cancelled before anything was said of its run.
        Assert.Contains(jobs, job => job.Count(statement => statement.Body is JobEvent.ReceiptIssued) > 1);
        Assert.True(runs.Count < waits.Count);
        var table = await ReadAsync(new ReportQuestion(ReportNames.Jobs, null, null, null));
        Assert.Equal(
            [Percentile(waits, 0.5), Percentile(waits, 0.95), Percentile(runs, 0.5), Percentile(runs, 0.95)],
            new[] { "wait_median_ms", "wait_p95_ms", "run_median_ms", "run_p95_ms" }.Select(column => Sum(table, column)));
    }

    /// <summary>A microsecond more than half a millisecond is the next one: everywhere.</summary>
    [Fact]
    public async Task The_same_run_is_equally_long_in_every_report()
    {
        await AppendAsync([.. _story.Events]);
        await _database.ExecuteAsync("DELETE FROM job_runs WHERE job_id <> 'job-alone-1'");
        foreach (var (us, ms) in ((long, long)[])[(12_499, 12), (12_500, 13), (12_999, 13), (13_500, 14)])
        {
            await _database.ExecuteAsync($"UPDATE job_runs SET duration_us = {us}");
            var jobs = await ReadAsync(new ReportQuestion(ReportNames.Jobs, null, null, null));
            var workers = await ReadAsync(new ReportQuestion(ReportNames.Workers, null, null, null));
            Assert.Equal((ms, ms, ms), (Sum(jobs, "run_median_ms"), Sum(jobs, "run_p95_ms"), Sum(workers, "busy_ms")));
        }
    }

    [Fact]
    public async Task What_is_in_no_namespace_is_in_null()
    {
        await AppendAsync([.. _story.Events]);
        await _database.ExecuteAsync("UPDATE job_status SET namespace = NULL");
        foreach (var report in (string[])[ReportNames.Jobs, ReportNames.Workers, ReportNames.Failures])
        {
            var table = await ReadAsync(new ReportQuestion(report, ReportNames.ByNamespace, null, null));
            Assert.NotEmpty(table.Rows);
            Assert.All(table.Rows, row => Assert.Null(row[table.IndexOf("namespace")]));
        }
    }

    [Fact]
    public async Task Every_run_is_in_one_of_the_columns()
    {
        await AppendAsync([.. _story.Events]);
        await _database.ExecuteAsync("UPDATE job_runs SET result = NULL WHERE job_id = 'job-alone-2'");
        var workers = await ReadAsync(new ReportQuestion(ReportNames.Workers, null, null, null));
        Assert.True(Sum(workers, "withdrawn") > 0);
        Assert.Equal(1, Sum(workers, "under_way"));
        foreach (var row in workers.Rows)
        {
            long Of(string column) => (long)row[workers.IndexOf(column)]!;
            Assert.Equal(
                Of("runs"),
                Of("succeeded") + Of("failed") + Of("timed_out") + Of("lost") + Of("disagreed") + Of("withdrawn") + Of("under_way"));
        }
    }

    [Fact]
    public async Task A_run_that_was_thought_lost_is_one_run_with_its_last_result()
    {
        await AppendAsync([.. _story.Events]);
        Assert.Equal(
            ["job-was-lost|1|succeeded"],
            await _database.RowsAsync(
                "SELECT job_id, count(*), max(result) FROM job_runs WHERE job_id = 'job-was-lost' GROUP BY 1"));
    }

    [Fact]
    public async Task Where_nothing_is_there_is_nothing_to_report()
    {
        await Open().CatchUpAsync(CancellationToken.None);
        foreach (var question in Questions())
        {
            Assert.Empty((await ReadAsync(question)).Rows);
        }

        await AppendAsync([.. _story.Events]);
        var (before, after) = (DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1));
        foreach (var question in Questions().Where(question => question.Name != ReportNames.Accounts))
        {
            Assert.Empty((await ReadAsync(question with { From = before, To = after })).Rows);
        }
    }

    [Fact]
    public async Task A_time_is_the_last_position_that_was_taken_in_by_then()
    {
        await AppendAsync([.. _story.Events.Take(40)]);
        await _database.ExecuteAsync(
            "UPDATE mt_events SET timestamp = '2026-01-01T00:00:00Z'::timestamptz + seq_id / 2 * interval '1 second'");
        await using var connection = await _database.Source.OpenConnectionAsync();
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        async Task<long> At(double seconds) => await PastReadModels.PositionAtAsync(
            connection, start.AddSeconds(seconds), 40, CancellationToken.None);
        Assert.Equal((0, 1, 1, 3, 3, 40), (await At(-1), await At(0), await At(0.5), await At(1), await At(1.9), await At(9999)));
    }

    private static IEnumerable<ReportQuestion> Questions() =>
        from name in ReportNames.All
        from grouped in ReportNames.GroupsOf(name).Append(null)
        select new ReportQuestion(name, grouped, null, null);

    /// <summary>As <c>percentile_cont</c> has it, in whole milliseconds.</summary>
    private static long Percentile(List<double> values, double share)
    {
        values.Sort();
        var at = share * (values.Count - 1);
        var (low, high) = (values[(int)Math.Floor(at)], values[(int)Math.Ceiling(at)]);
        return (long)Math.Round(low + ((high - low) * (at - Math.Floor(at))), MidpointRounding.AwayFromZero);
    }

    private static long Sum(ReportTable table, string column) =>
        table.Rows.Sum(row => (long)row[table.IndexOf(column)]!);

    private async Task<List<string>> AllAsync(long position, bool past)
    {
        await using var connection = await _database.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (past)
        {
            await PastReadModels.BuildAsync(_store, connection, position, CancellationToken.None);
        }

        var texts = new List<string>();
        foreach (var question in Questions())
        {
            var table = await ReportReader.ReadAsync(connection, question, position, _story.Now, CancellationToken.None);
            texts.Add(question.ToString());
            texts.AddRange(table.Rows.Select(row => string.Join('|', row)));
        }

        return texts;
    }

    private async Task<ReportTable> ReadAsync(ReportQuestion question)
    {
        await using var connection = await _database.Source.OpenConnectionAsync();
        return await ReportReader.ReadAsync(connection, question, long.MaxValue, _story.Now, CancellationToken.None);
    }

    private async Task AppendAsync(SignedEvent[] events)
    {
        Assert.IsType<AppendOutcome.Appended>(await _store.AppendAsync(
            new AppendRequest(events, new Dictionary<StreamId, long>()), CancellationToken.None));
        await Open().CatchUpAsync(CancellationToken.None);
    }

    private ProjectionSet Open() =>
        new(_store, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);
}
