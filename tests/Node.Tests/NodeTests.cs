using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Testing;

namespace MeshLedger.Node.Tests;

public sealed class NodeTests : IAsyncLifetime
{
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));
    private PostgresDatabase _database = null!;
    private NodeFixture _node = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        _node = await NodeFixture.StartAsync(_database);
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        await _database.DisposeAsync();
        _limit.Dispose();
    }

    [Fact]
    public async Task The_same_content_is_the_same_job_and_other_content_under_its_id_is_refused()
    {
        var document = NodeFixture.Document("job-aaaa");

        Assert.IsType<Submission.Accepted>(await _node.SubmitAsync(document));
        Assert.Equal(new Submission.Duplicate(document.JobId), await _node.SubmitAsync(document));
        var refused = await _node.SubmitAsync(NodeFixture.Document("job-aaaa", data: "1"));
        Assert.Equal("JOB_ID_TAKEN", Assert.IsType<Submission.Refused>(refused).Code);
        Assert.Equal(1, await _database.ScalarAsync<long>("SELECT count(*) FROM mt_events WHERE type = 'mana_held'"));
    }

    [Fact]
    public async Task A_worker_that_joins_is_announced_at_once_and_not_at_the_next_turn()
    {
        await using var node = await NodeFixture.StartAsync(
            _database, new NodeOptions { PresenceInterval = TimeSpan.FromHours(1), PresenceLimit = TimeSpan.FromHours(2) });
        foreach (var name in (string[])["one", "two"])
        {
            var worker = await HandWorker.RegisterAsync(node.Node, name);
            _ = worker.Listen(_limit.Token);
            await node.Node.UntilSeenAsync([worker.Author.Did], _limit.Token);
            var present = await new PostgresPresence(_database.Source).ListAsync(TimeSpan.FromHours(2), _limit.Token);
            Assert.Contains(worker.Author.Did, present.Workers.Select(seen => seen.Worker));
        }
    }

    [Fact]
    public async Task What_others_write_into_the_table_of_presence_holds_up_nobody()
    {
        var stranger = SigningKey.Generate().Did;
        await _database.ExecuteAsync(
            $"""
            INSERT INTO ml_presence VALUES ('{stranger}', 'worker', 'nobody', 'infinity', '[]'), ('x', 'node', '', now(), '7'),
                ('{SigningKey.Generate().Did}', 'worker', '', now(), 'null'), ('', 'worker', 'x', '-infinity', '"text"')
            """);
        await using var node = await NodeFixture.StartAsync(_database);
        var worker = await HandWorker.RegisterAsync(node.Node);
        _ = worker.Listen(_limit.Token);
        await node.Node.UntilSeenAsync([worker.Author.Did], _limit.Token);
        var present = await new PostgresPresence(_database.Source).ListAsync(TimeSpan.FromMinutes(1), _limit.Token);
        Assert.Equal([worker.Author.Did], present.Workers.Select(seen => seen.Worker));
    }

    [Fact]
    public async Task Many_submissions_of_one_id_at_once_make_one_job()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(i =>
            _node.SubmitAsync(NodeFixture.Document("job-race", data: (i % 2).ToString()))));

        Assert.Single(outcomes.OfType<Submission.Accepted>());
        Assert.Equal(24, outcomes.OfType<Submission.Duplicate>().Count());
        Assert.Equal(25, outcomes.OfType<Submission.Refused>().Count());
        await _node.AssertCleanAsync();
    }

    [Fact]
    public async Task An_idempotency_key_that_was_seen_answers_with_its_job()
    {
        const string Key = "\"execution\":{\"idempotency_key\":\"k\"},";
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 10).Select(i =>
            _node.SubmitAsync(NodeFixture.Document($"job-key-{i}", Key))));

        var accepted = Assert.Single(outcomes.OfType<Submission.Accepted>());
        Assert.Equal(9, outcomes.OfType<Submission.Duplicate>().Count(d => d.AnsweredBy == accepted.JobId));
        await _node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_submitter_who_cannot_pay_is_refused_and_nothing_is_written()
    {
        var refused = await _node.SubmitAsync(
            NodeFixture.Document("job-dear", "\"market\":{\"max_price\":1000001},"));

        Assert.Equal("INSUFFICIENT_MANA", Assert.IsType<Submission.Refused>(refused).Code);
        Assert.Equal(0, await _database.ScalarAsync<long>("SELECT count(*) FROM mt_streams WHERE type = 'job'"));
    }

    [Fact]
    public async Task The_cheapest_bid_wins_and_ties_go_to_the_earliest()
    {
        var workers = new List<HandWorker>();
        var listening = new List<IAsyncEnumerator<WorkerNotice>>();
        for (var i = 0; i < 3; i++)
        {
            workers.Add(await HandWorker.RegisterAsync(_node.Node, $"worker-{i}"));
            listening.Add(workers[i].Listen(_limit.Token));
        }

        var first = listening.Select(worker => worker.MoveNextAsync().AsTask()).ToArray();
        await _node.SubmitAsync(NodeFixture.Document("job-bids", "\"market\":{\"bid_window_ms\":60000},"));
        await Task.WhenAll(first);
        var offers = listening.ConvertAll(worker => (WorkerNotice.Offered)worker.Current);

        // Dear first, then two of one price: bidding closes with the third.
        Assert.Equal(["ok"], await workers[0].ReportAsync(workers[0].Bid(offers[0], price: 9)));
        Assert.Equal(["ok"], await workers[2].ReportAsync(workers[2].Bid(offers[2], price: 4)));
        Assert.Equal(["ok"], await workers[1].ReportAsync(workers[1].Bid(offers[1], price: 4)));

        var assigned = await AssignmentAsync(listening[2]);
        Assert.Equal(["ok", "ok"], await workers[2].ReportAsync(workers[2].Start(assigned), workers[2].Receipt(assigned)));
        var result = await _node.Node.ResultAsync(assigned.JobId, _limit.Token);
        Assert.True(result.Succeeded);
        await _node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_worker_that_does_not_meet_the_requirements_is_not_offered_the_job_and_its_bid_never_wins()
    {
        var worker = await HandWorker.RegisterAsync(_node.Node, version: "1.2.0");
        var notices = worker.Listen(_limit.Token);
        var next = notices.MoveNextAsync();
        await _node.SubmitAsync(NodeFixture.Document("job-newer", "\"constraints\":{\"minimum_worker_version\":\"1.3.0\"},"));
        await _node.SubmitAsync(NodeFixture.Document("job-other"));
        await next;

        Assert.Equal("job-other", ((WorkerNotice.Offered)notices.Current).JobId.ToString());
        var newer = JobId.Parse("job-newer");
        var submission = (await _node.Store.LoadAsync(StreamId.OfJob(newer), _limit.Token))[0];
        var offer = new WorkerNotice.Offered(
            newer, 1, submission.Event.Digest, (JobEvent.Submitted)submission.Statement.Body,
            submission.Statement.Time);
        Assert.Equal(["ok"], await worker.ReportAsync(worker.Bid(offer)));
        await Task.Delay(600);
        var last = (await _node.Store.LoadAsync(StreamId.OfJob(newer), _limit.Token))[^1];
        Assert.Equal("bid_placed", last.Statement.Type);
    }

    [Fact]
    public async Task What_a_worker_may_not_say_is_refused_by_the_rule_s_name()
    {
        var worker = await HandWorker.RegisterAsync(_node.Node);
        var stranger = await HandWorker.RegisterAsync(_node.Node, "stranger", cores: 0);
        var notices = worker.Listen(_limit.Token);
        var next = notices.MoveNextAsync();
        await _node.SubmitAsync(NodeFixture.Document("job-rules", "\"market\":{\"resources\":{\"cpu_cores\":1}},"));
        await next;
        var offer = (WorkerNotice.Offered)notices.Current;
        Assert.Equal(["JOB_UNKNOWN"], await worker.ReportAsync(worker.Say(
            new JobEvent.ExecutionStarted(1), offer.SubmissionDigest, JobId.Parse("job-none"))));
        Assert.Equal(["NOT_REGISTERED"], await worker.ReportAsync(worker.Say(
            new JobEvent.BidPlaced(1, 1, stranger.Registration, new FreeResources(1, 1, 1, 1)), offer.SubmissionDigest, offer.JobId)));
        Assert.Equal(["WRONG_CAUSE"], await worker.ReportAsync(worker.Say(
            new JobEvent.BidPlaced(1, 1, worker.Registration, new FreeResources(1, 1, 1, 1)), null, offer.JobId)));
        Assert.Equal(["NOT_A_NODE"], await worker.ReportAsync(worker.Say(
            new JobEvent.Completed(1, "system.echo", [], 100), offer.SubmissionDigest, offer.JobId)));
        var bid = worker.Bid(offer);
        Assert.Equal(
            ["BAD_SIGNATURE"], await worker.ReportAsync(new SignedEvent(bid.Statement, new byte[64], null)));
        Assert.Equal(["ok"], await worker.ReportAsync(bid));
        Assert.Equal(["ok"], await worker.ReportAsync(bid));

        var assigned = await AssignmentAsync(notices);
        var start = stranger.Start(assigned);
        Assert.Equal(["NOT_YOUR_ASSIGNMENT"], await stranger.ReportAsync(start));
        Assert.Equal(["NOT_STARTED"], await worker.ReportAsync(worker.Receipt(assigned)));
        Assert.Equal(["ok"], await worker.ReportAsync(worker.Start(assigned)));
        Assert.Equal(["NOT_YOUR_ASSIGNMENT"], await stranger.ReportAsync(stranger.Receipt(assigned)));
        var receipt = worker.Receipt(assigned);
        Assert.Equal(["ok"], await worker.ReportAsync(receipt));
        Assert.Equal(["ok"], await worker.ReportAsync(receipt));
        Assert.Equal(["JOB_ENDED"], await worker.ReportAsync(worker.Receipt(assigned)));
        await _node.AssertCleanAsync();
        Assert.Equal(1, await _database.ScalarAsync<long>("SELECT count(*) FROM mt_events WHERE type = 'mana_paid'"));
    }

    [Fact]
    public async Task A_failed_receipt_refunds_everything()
    {
        var worker = await HandWorker.RegisterAsync(_node.Node);
        var notices = worker.Listen(_limit.Token);
        var next = notices.MoveNextAsync();
        await _node.SubmitAsync(NodeFixture.Document("job-fails"));
        await next;
        await worker.ReportAsync(worker.Bid((WorkerNotice.Offered)notices.Current));
        var assigned = await AssignmentAsync(notices);
        await worker.ReportAsync(
            worker.Start(assigned), worker.Receipt(assigned, new JobError("GUEST_FAILED", "no", "run", false)));

        var result = await _node.Node.ResultAsync(assigned.JobId, _limit.Token);

        Assert.False(result.Succeeded);
        Assert.Equal(
            ["100"], await _database.RowsAsync("SELECT data ->> 'amount' FROM mt_events WHERE type = 'mana_refunded'"));
        await _node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_job_past_its_deadline_fails_and_says_what_no_worker_met()
    {
        await _node.SubmitAsync(NodeFixture.Document(
            "job-late", "\"execution\":{\"deadline\":\"2026-01-01T00:00:00Z\"},"));

        var result = await _node.Node.ResultAsync(JobId.Parse("job-late"), _limit.Token);

        var text = System.Text.Encoding.UTF8.GetString(result.Json.Span);
        Assert.Contains("DEADLINE_EXCEEDED", text, StringComparison.Ordinal);
        Assert.Contains("No worker is alive", text, StringComparison.Ordinal);
        await _node.AssertCleanAsync();
    }

    [Fact]
    public async Task A_node_that_stopped_goes_on_where_it_was_and_so_does_its_worker()
    {
        var keys = NodeFixture.NewKeys();
        var workerKey = SigningKey.Generate();
        await using var database = await PostgresDatabase.CreateAsync();
        WorkerNotice.Assigned assigned;
        await using (var first = await NodeFixture.StartAsync(database, keys: keys))
        {
            var worker = await HandWorker.RegisterAsync(first.Node, key: workerKey);
            var notices = worker.Listen(_limit.Token);
            var next = notices.MoveNextAsync();
            await first.SubmitAsync(NodeFixture.Document("job-waits"));
            await next;
            await worker.ReportAsync(worker.Bid((WorkerNotice.Offered)notices.Current));
            assigned = await AssignmentAsync(notices);
            await worker.ReportAsync(worker.Start(assigned));
        }

        await using var second = await NodeFixture.StartAsync(database, keys: keys);
        var again = await HandWorker.RegisterAsync(second.Node, key: workerKey);
        var more = again.Listen(_limit.Token);
        var resumed = await AssignmentAsync(more);
        Assert.Equal(assigned.AssignmentDigest, resumed.AssignmentDigest);
        Assert.NotNull(resumed.Start);
        Assert.Equal(["ok"], await again.ReportAsync(again.Receipt(resumed)));
        Assert.True((await second.Node.ResultAsync(resumed.JobId, _limit.Token)).Succeeded);
        await second.AssertCleanAsync();
    }

    [Fact]
    public async Task Another_node_takes_over_the_jobs_of_one_that_is_gone()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var second = await TwoNodesAsync(database, out var firstTask);
        await using (var first = await firstTask)
        {
            await first.SubmitAsync(NodeFixture.Document("job-orphan"));
        }

        var worker = await HandWorker.RegisterAsync(second.Node);
        var notices = worker.Listen(_limit.Token);
        await notices.MoveNextAsync();
        Assert.Equal(["ok"], await worker.ReportAsync(worker.Bid((WorkerNotice.Offered)notices.Current)));
        var assigned = await AssignmentAsync(notices);
        await worker.ReportAsync(worker.Start(assigned), worker.Receipt(assigned));
        Assert.True((await second.Node.ResultAsync(assigned.JobId, _limit.Token)).Succeeded);
        await second.AssertCleanAsync();
    }

    [Fact]
    public async Task A_worker_at_one_node_runs_a_job_of_another()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var second = await TwoNodesAsync(database, out var firstTask);
        await using var first = await firstTask;
        var worker = await HandWorker.RegisterAsync(second.Node);
        var notices = worker.Listen(_limit.Token);
        var next = notices.MoveNextAsync();

        await first.SubmitAsync(NodeFixture.Document("job-far-away"));
        await next;
        Assert.Equal(["ok"], await worker.ReportAsync(worker.Bid((WorkerNotice.Offered)notices.Current)));
        var assigned = await AssignmentAsync(notices);
        await worker.ReportAsync(worker.Start(assigned), worker.Receipt(assigned));

        Assert.True((await first.Node.ResultAsync(assigned.JobId, _limit.Token)).Succeeded);
        await first.AssertCleanAsync();
    }

    [Fact]
    public async Task A_node_that_nobody_admits_does_not_start()
    {
        var options = NodeFixture.Options;
        options.AdmissionLimit = TimeSpan.FromMilliseconds(600);
        await using var database = await PostgresDatabase.CreateAsync();
        await using (await NodeFixture.StartAsync(database))
        {
        }

        var refused = await Assert.ThrowsAsync<TimeoutException>(() => NodeFixture.StartAsync(database, options));
        Assert.Contains("admitted", refused.Message, StringComparison.Ordinal);
    }

    private static Task<NodeFixture> TwoNodesAsync(PostgresDatabase database, out Task<NodeFixture> first)
    {
        var starting = NodeFixture.StartAsync(database);
        first = starting;
        return NodeFixture.StartAsync(database);
    }

    private static Task<WorkerNotice.Assigned> AssignmentAsync(IAsyncEnumerator<WorkerNotice> notices) =>
        HandWorker.NextAsync<WorkerNotice.Assigned>(notices);
}
