using System.Text;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Testing;

namespace MeshLedger.Node.Tests;

/// <summary>What happens to a job when something goes wrong, or somebody changes his mind.</summary>
public sealed class LifeTests : IAsyncLifetime
{
    private static readonly JobError Trouble = new("MACHINE_FAILED", "no", "execution", true);

    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));
    private readonly NodeOptions _options = NodeFixture.Options;
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _options.Lease = TimeSpan.FromMilliseconds(700);
        _options.Retry = RetryPolicy.Default with { FirstDelay = TimeSpan.FromMilliseconds(50) };
        _database = await PostgresDatabase.CreateAsync();
    }

    public async Task DisposeAsync()
    {
        await _database.DisposeAsync();
        _limit.Dispose();
    }

    [Fact]
    public async Task A_silent_worker_loses_the_attempt_and_another_gets_the_job()
    {
        await using var node = await NodeFixture.StartAsync(_database, _options);
        var (first, firstNotices) = await WorkerAsync(node, "first");
        await node.SubmitAsync(NodeFixture.Document("job-lease"));
        var lost = await first.WinAsync(firstNotices);
        Assert.Equal(["ok"], await first.ReportAsync(first.Start(lost)));

        var (second, secondNotices) = await WorkerAsync(node, "second");
        var taken = await second.WinAsync(secondNotices);
        Assert.Equal(2, taken.Attempt);
        Assert.Equal(["ok"], await second.ReportAsync(second.Start(taken)));
        Assert.Equal(["LEASE_LOST"], await first.ReportAsync(first.Receipt(lost)));
        Assert.Equal(["ok"], await second.ReportAsync(second.Receipt(taken)));

        Assert.True((await node.Node.ResultAsync(lost.JobId, _limit.Token)).Succeeded);
        Assert.Equal(
            ["lost"], await OutcomesAsync("attempt_ended"));
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_worker_that_renews_keeps_its_lease_and_one_that_comes_back_may_hand_in_what_nobody_took()
    {
        await using var node = await NodeFixture.StartAsync(_database, _options);
        var (worker, notices) = await WorkerAsync(node, "slow");
        await node.SubmitAsync(NodeFixture.Document("job-slow"));
        var assigned = await worker.WinAsync(notices);
        Assert.Equal(["ok"], await worker.ReportAsync(worker.Start(assigned)));
        for (var i = 0; i < 5; i++)
        {
            await Task.Delay(300);
            Assert.Equal(["ok"], await worker.ReportAsync(Renewal(worker, assigned)));
        }

        // Now it is silent, its attempt is lost, the job is offered again, and nobody bids.
        var offer = await HandWorker.NextAsync<WorkerNotice.Offered>(notices);
        Assert.Equal(2, offer.Attempt);
        Assert.Equal(["LEASE_LOST"], await worker.ReportAsync(Renewal(worker, assigned)));
        Assert.Equal(["LEASE_LOST"], await worker.ReportAsync(worker.Receipt(assigned, Trouble)));
        Assert.Equal(["ok"], await worker.ReportAsync(worker.Receipt(assigned)));
        Assert.True((await node.Node.ResultAsync(assigned.JobId, _limit.Token)).Succeeded);
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task What_fails_is_tried_again_elsewhere_and_at_last_has_failed()
    {
        await using var node = await NodeFixture.StartAsync(_database, _options);
        var workers = new[] { await WorkerAsync(node, "one"), await WorkerAsync(node, "two") };

        // Bidding ends when both have bid; a window that a slow machine misses would end it before.
        await node.SubmitAsync(NodeFixture.Document(
            "job-again", "\"execution\":{\"max_attempts\":3},\"market\":{\"bid_window_ms\":60000},"));
        var tried = new List<string>();
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            foreach (var (worker, notices) in workers)
            {
                var offer = await HandWorker.NextAsync<WorkerNotice.Offered>(notices);
                Assert.Equal(["ok"], await worker.ReportAsync(worker.Bid(offer)));
            }

            var state = await StateAsync(node, "job-again");
            var (chosen, chosenNotices) = workers.Single(one => one.Worker.Author.Did == state.Runs[0].Worker);
            var assigned = await HandWorker.NextAsync<WorkerNotice.Assigned>(chosenNotices);
            Assert.Equal(attempt, assigned.Attempt);
            tried.Add(state.Runs[0].Worker.ToString());
            Assert.Equal(
                ["ok", "ok"], await chosen.ReportAsync(chosen.Start(assigned), chosen.Receipt(assigned, Trouble)));
        }

        var result = await node.Node.ResultAsync(JobId.Parse("job-again"), _limit.Token);
        Assert.False(result.Succeeded);
        Assert.NotEqual(tried[0], tried[1]);
        Assert.NotEqual(tried[1], tried[2]);
        Assert.Equal(3, (await StateAsync(node, "job-again")).Attempt);
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_cancelled_job_stops_its_worker_refunds_all_and_takes_no_receipt()
    {
        await using var node = await NodeFixture.StartAsync(_database, _options);
        var (worker, notices) = await WorkerAsync(node, "busy");
        await node.SubmitAsync(NodeFixture.Document("job-cancelled"));
        var assigned = await worker.WinAsync(notices);
        Assert.Equal(["ok"], await worker.ReportAsync(worker.Start(assigned)));

        Assert.Null(await node.Node.CancelAsync(assigned.JobId, "no need", _limit.Token));
        Assert.Equal(new WorkerNotice.Closed(assigned.JobId, 1), await HandWorker.NextAsync<WorkerNotice.Closed>(notices));
        var result = await node.Node.ResultAsync(assigned.JobId, _limit.Token);
        Assert.Contains("\"status\": \"cancelled\"", Encoding.UTF8.GetString(result.Json.Span), StringComparison.Ordinal);
        Assert.Contains((await worker.ReportAsync(worker.Receipt(assigned)))[0], new[] { "JOB_ENDED", "CANCELLED" });
        Assert.Equal("JOB_ENDED", (await node.Node.CancelAsync(assigned.JobId, "again", _limit.Token))?.Code);
        await node.SubmitAsync(NodeFixture.Document("job-fixed", "\"execution\":{\"cancellable\":false},"));
        Assert.Equal("NOT_CANCELLABLE", (await node.Node.CancelAsync(JobId.Parse("job-fixed"), "", _limit.Token))?.Code);
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_cancel_and_a_receipt_that_race_have_one_winner()
    {
        await using var node = await NodeFixture.StartAsync(_database, _options);
        var (worker, notices) = await WorkerAsync(node, "racer");
        var ends = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            await node.SubmitAsync(NodeFixture.Document($"job-race-{i}"));
            var assigned = await worker.WinAsync(notices);
            Assert.Equal(["ok"], await worker.ReportAsync(worker.Start(assigned)));
            var receipt = worker.ReportAsync(worker.Receipt(assigned));
            var cancel = node.Node.CancelAsync(assigned.JobId, "race", _limit.Token);
            var (code, refusal) = ((await receipt)[0], await cancel);
            var succeeded = (await node.Node.ResultAsync(assigned.JobId, _limit.Token)).Succeeded;
            Assert.Equal(succeeded, code == "ok");
            Assert.Equal(succeeded, refusal is not null);
            ends.Add(succeeded ? "completed" : "cancelled");
        }

        await node.AssertCleanAsync();
        Assert.Equal(20, ends.Count);
    }

    [Fact]
    public async Task Three_workers_agree_by_majority_and_who_differs_is_not_paid()
    {
        await using var node = await NodeFixture.StartAsync(_database, _options);
        var workers = new List<(HandWorker Worker, IAsyncEnumerator<WorkerNotice> Notices)>();
        for (var i = 0; i < 3; i++)
        {
            workers.Add(await WorkerAsync(node, $"replica-{i}"));
        }

        await node.SubmitAsync(NodeFixture.Document("job-quorum", "\"market\":{\"replicas\":3,\"bid_window_ms\":60000},"));
        foreach (var (worker, notices) in workers)
        {
            Assert.Equal(
                ["ok"], await worker.ReportAsync(worker.Bid(await HandWorker.NextAsync<WorkerNotice.Offered>(notices))));
        }

        for (var i = 0; i < 3; i++)
        {
            var (worker, notices) = workers[i];
            var assigned = await HandWorker.NextAsync<WorkerNotice.Assigned>(notices);
            Assert.Equal(
                ["ok", "ok"],
                await worker.ReportAsync(
                    worker.Start(assigned), worker.Receipt(assigned, output: i == 1 ? "other" : "same")));
        }

        Assert.True((await node.Node.ResultAsync(JobId.Parse("job-quorum"), _limit.Token)).Succeeded);
        Assert.Equal(["agreed", "disagreed", "agreed"], await OutcomesAsync("job_completed"));
        Assert.Equal(2, await _database.ScalarAsync<long>("SELECT count(*) FROM mt_events WHERE type = 'mana_paid'"));
        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_clock_that_jumps_an_hour_loses_nobody_s_attempt_and_makes_no_mana()
    {
        var clock = new JumpingClock();
        _options.Economy.RegenerationPerMinute = 0;
        await using var node = await NodeFixture.StartAsync(_database, _options, clock: clock);
        var (worker, notices) = await WorkerAsync(
            node, "steady", new JumpingClock());
        foreach (var jump in new[] { 1, -1, -1, 1 })
        {
            var id = $"job-jump-{Guid.NewGuid():N}";
            await node.SubmitAsync(NodeFixture.Document(id));
            clock.Jump(TimeSpan.FromHours(jump));
            var assigned = await worker.WinAsync(notices);
            Assert.Equal(["ok"], await worker.ReportAsync(worker.Start(assigned)));
            clock.Jump(TimeSpan.FromHours(jump));
            await Task.Delay(200);
            Assert.Equal(["ok"], await worker.ReportAsync(worker.Receipt(assigned)));
            Assert.True((await node.Node.ResultAsync(assigned.JobId, _limit.Token)).Succeeded);
            clock.Jump(TimeSpan.FromHours(-jump));
        }

        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_worker_whose_clock_is_wrong_by_a_day_works_like_any_other()
    {
        await using var node = await NodeFixture.StartAsync(_database, _options);
        foreach (var days in new[] { -1, 1 })
        {
            var clock = new JumpingClock();
            clock.Jump(TimeSpan.FromDays(days));
            var (worker, notices) = await WorkerAsync(node, $"off-{days}", clock);
            await node.SubmitAsync(NodeFixture.Document($"job-off-{days}", $$"""
                "routing":{"worker_id":"off-{{days}}"},
                """));
            var assigned = await worker.WinAsync(notices);
            Assert.Equal(["ok"], await worker.ReportAsync(worker.Start(assigned)));
            await Task.Delay(300);
            Assert.Equal(["ok"], await worker.ReportAsync(Renewal(worker, assigned)));
            await Task.Delay(500);
            Assert.Equal(["ok"], await worker.ReportAsync(worker.Receipt(assigned)));
            Assert.True((await node.Node.ResultAsync(assigned.JobId, _limit.Token)).Succeeded);
        }

        await node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_job_that_nobody_could_run_fails_in_time_with_what_nobody_met()
    {
        _options.WaitLimit = TimeSpan.FromSeconds(3);
        await using var node = await NodeFixture.StartAsync(_database, _options);
        _ = await WorkerAsync(node, "small");
        await node.SubmitAsync(NodeFixture.Document("job-large", "\"market\":{\"resources\":{\"cpu_cores\":64}},"));

        var text = Encoding.UTF8.GetString((await node.Node.ResultAsync(JobId.Parse("job-large"), _limit.Token)).Json.Span);
        Assert.Contains("NO_ELIGIBLE_WORKER", text, StringComparison.Ordinal);
        Assert.Contains("64 CPU cores, not 2", text, StringComparison.Ordinal);
        await node.AssertCleanAsync();
    }

    private static SignedEvent Renewal(HandWorker worker, WorkerNotice.Assigned assigned) =>
        worker.Say(new JobEvent.LeaseRenewed(assigned.Attempt), assigned.AssignmentDigest, assigned.JobId);

    private static async Task<JobState> StateAsync(NodeFixture node, string job)
    {
        JobState? state = null;
        foreach (var recorded in await node.Store.LoadAsync(StreamId.OfJob(JobId.Parse(job)), CancellationToken.None))
        {
            state = Job.Evolve(state, EventFact.Of(recorded.Statement));
        }

        return state!;
    }

    private async Task<(HandWorker Worker, IAsyncEnumerator<WorkerNotice> Notices)> WorkerAsync(
        NodeFixture node, string name, TimeProvider? clock = null)
    {
        var worker = await HandWorker.RegisterAsync(node.Node, name, clock: clock);
        return (worker, worker.Listen(_limit.Token));
    }

    private async Task<IEnumerable<string>> OutcomesAsync(string type) => await _database.RowsAsync(
        $"SELECT o ->> 'result' FROM mt_events, jsonb_array_elements(data -> 'outcomes') AS o WHERE type = '{type}'");
}
