using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Testing;

namespace MeshLedger.Node.Tests;

/// <summary>The fault table of settlement and leases: each durable step fails once, before or after it was made durable,
/// and the job ends as if it had not.</summary>
public sealed class LifeFaultTests
{
    private readonly NodeOptions _options = NodeFixture.Options;

    [Theory]
    [InlineData("job_submitted", false, "completed")]
    [InlineData("job_submitted", true, "completed")]
    [InlineData("bid_placed", false, "completed")]
    [InlineData("bid_placed", true, "completed")]
    [InlineData("execution_started", false, "completed")]
    [InlineData("execution_started", true, "completed")]
    [InlineData("lease_renewed", false, "completed")]
    [InlineData("lease_renewed", true, "completed")]
    [InlineData("receipt_issued", false, "completed")]
    [InlineData("receipt_issued", true, "completed")]
    [InlineData("attempt_ended", false, "retried")]
    [InlineData("attempt_ended", true, "retried")]
    [InlineData("attempt_ended", false, "lost")]
    [InlineData("attempt_ended", true, "lost")]
    [InlineData("bidding_opened", false, "retried")]
    [InlineData("bidding_opened", true, "retried")]
    [InlineData("job_failed", false, "failed")]
    [InlineData("job_failed", true, "failed")]
    [InlineData("cancel_requested", false, "cancelled")]
    [InlineData("cancel_requested", true, "cancelled")]
    [InlineData("job_cancelled", false, "cancelled")]
    [InlineData("job_cancelled", true, "cancelled")]
    public async Task A_step_that_fails_once_changes_nothing_about_the_end(string type, bool isPersisted, string way)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        _options.Lease = TimeSpan.FromSeconds(way == "lost" ? 1 : 20);
        _options.Retry = RetryPolicy.Default with { FirstDelay = TimeSpan.FromMilliseconds(300) };
        await using var database = await PostgresDatabase.CreateAsync();
        await using var node = await NodeFixture.StartAsync(database, _options, faulty: true);
        try
        {
            await RunAsync(database, node, type, isPersisted, way, limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"The job did not end; {await node.StoryAsync()}");
        }
    }

    private static async Task RunAsync(
        PostgresDatabase database, NodeFixture node, string type, bool isPersisted, string way, CancellationToken limit)
    {
        var worker = await HandWorker.RegisterAsync(node.Node);
        var notices = worker.Listen(limit);
        if (type != "bidding_opened")
        {
            node.Faults!.FailNext(type, isPersisted);
        }

        var document = NodeFixture.Document("job-faulty", "\"execution\":{\"max_attempts\":2},");
        var submission = await AgainAsync(() => node.SubmitAsync(document));
        Assert.True(submission is Submission.Accepted or Submission.Duplicate, submission.ToString());
        var assigned = await WinAsync(worker, notices);
        await SayAsync(worker, worker.Start(assigned));
        switch (way)
        {
            case "lost":
                assigned = await WinAsync(worker, notices);
                await SayAsync(worker, worker.Start(assigned));
                break;
            case "retried":
                if (type == "bidding_opened")
                {
                    node.Faults!.FailNext(type, isPersisted);
                }

                await SayAsync(worker, worker.Receipt(assigned, new JobError("MACHINE_FAILED", "no", "run", true)));
                assigned = await WinAsync(worker, notices);
                Assert.Equal(2, assigned.Attempt);
                await SayAsync(worker, worker.Start(assigned));
                break;
            case "failed":
                await SayAsync(worker, worker.Receipt(assigned, new JobError("GUEST_FAILED", "no", "run", false)));
                break;
            case "cancelled":
                var refusal = await AgainAsync(() => node.Node.CancelAsync(assigned.JobId, "test", limit));
                Assert.True(refusal is null or { Code: "CANCELLED" or "JOB_ENDED" }, refusal?.ToString());
                break;
        }

        if (way is "completed" or "lost" or "retried")
        {
            await SayAsync(worker, worker.Say(
                new JobEvent.LeaseRenewed(assigned.Attempt), assigned.AssignmentDigest, assigned.JobId));
            await SayAsync(worker, worker.Receipt(assigned));
        }

        var result = await node.Node.ResultAsync(assigned.JobId, limit);
        Assert.Equal(way is "completed" or "lost" or "retried", result.Succeeded);
        Assert.Equal(1, node.Faults!.Failures);
        Assert.Equal(1, await database.ScalarAsync<long>(
            "SELECT count(*) FROM mt_events WHERE type IN ('job_completed', 'job_failed', 'job_cancelled')"));
        await node.AssertCleanAsync();
    }

    /// <summary>As a worker says it: the same signed event, until it was heard.</summary>
    private static async Task SayAsync(HandWorker worker, Domain.Events.SignedEvent said) =>
        Assert.Equal(["ok"], await AgainAsync(() => worker.ReportAsync(said)));

    private static async Task<WorkerNotice.Assigned> WinAsync(HandWorker worker, IAsyncEnumerator<WorkerNotice> notices)
    {
        await SayAsync(worker, worker.Bid(await HandWorker.NextAsync<WorkerNotice.Offered>(notices)));
        return await HandWorker.NextAsync<WorkerNotice.Assigned>(notices);
    }

    private static async Task<T> AgainAsync<T>(Func<Task<T>> say)
    {
        while (true)
        {
            try
            {
                return await say();
            }
            catch (IOException)
            {
                await Task.Delay(100);
            }
        }
    }
}
