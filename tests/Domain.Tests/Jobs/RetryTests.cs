using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>Which attempts are followed by another, and when.</summary>
public sealed class RetryTests
{
    private static readonly JobError Final = JobSpec.Trouble with { Recoverable = false };

    [Fact]
    public void The_wait_doubles_up_to_a_limit_and_up_to_a_quarter_is_taken_off() =>
        Prop.ForAll(Gen.Choose(1, int.MaxValue).ToArbitrary(), Gen.Choose(0, 1023).ToArbitrary(), (failures, draw) =>
        {
            var policy = RetryPolicy.Default;
            failures = failures % 2 == 0 ? failures : failures % 12 + 1;
            var delay = policy.Delay(failures, draw);
            var whole = failures > 20
                ? policy.MaxDelay
                : TimeSpan.FromTicks(Math.Min(policy.FirstDelay.Ticks << (failures - 1), policy.MaxDelay.Ticks));
            Assert.InRange(delay, whole * 0.75, whole);
            Assert.Equal(whole, policy.Delay(failures, 0));
            Assert.True(draw == 0 || delay < policy.Delay(failures, draw - 1));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_draw_is_the_job_s_and_the_same_each_time()
    {
        var spec = JobSpec.Given([.. JobSpec.Retriable, JobSpec.Receipt(JobSpec.Trouble)]);
        var ended = Ended(spec);
        Assert.Equal(ended, Ended(spec));
        Assert.InRange(ended.RetryAt, JobSpec.At.AddMilliseconds(750), JobSpec.At.AddSeconds(1));
        Assert.Equal((1, "system.echo", JobSpec.Trouble), (ended.Attempt, ended.Operation, ended.Error));
        Assert.Equal([new AttemptOutcome(Actors.Worker.Did, RunResults.Failed, 0)], ended.Outcomes);
    }

    [Fact]
    public void A_job_fails_as_often_as_it_may_and_then_for_good()
    {
        var spec = JobSpec.Given(JobSpec.Retriable);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            var worker = Actors.Key(spec.State!.Runs[0].Worker == Actors.Worker.Did ? (byte)3 : (byte)4);
            spec.Take(spec.Fact(JobSpec.Receipt(JobSpec.Trouble, worker)));
            spec.Take(spec.When(Settle(), JobSpec.At).Decision);
            Assert.Equal(attempt < 3 ? JobStatus.Retrying : JobStatus.Failed, spec.State.Status);
            Assert.Equal(Math.Min(attempt, 2), spec.State.Failures);
            if (attempt < 3)
            {
                Assert.Equal([worker.Did], spec.State.FailedLast);
                Again(spec);
                Assert.NotEqual(worker.Did, spec.State.Runs[0].Worker);
            }
        }

        Assert.Equal(3, spec.State!.Attempt);
    }

    [Theory]
    [InlineData("", true, true)]
    [InlineData("", false, false)]
    [InlineData(",\"retry_on\":[\"EXIT_STATUS\"]", false, true)]
    [InlineData(",\"retry_on\":[\"EXIT_STATUS\"]", true, true)]
    [InlineData(",\"retry_on\":[\"TIMEOUT\"]", true, false)]
    [InlineData(",\"retry_on\":[]", true, true)]
    public void Which_errors_are_tried_again_the_document_says(string retryOn, bool isRecoverable, bool again)
    {
        var error = isRecoverable ? JobSpec.Trouble : Final;
        var spec = JobSpec.Given([
            JobSpec.Submit($"\"execution\":{{\"max_attempts\":2{retryOn}}},"), .. JobSpec.Closed[1..], JobSpec.Assign(), JobSpec.Start(),
            JobSpec.Receipt(error)]);
        Assert.Equal(again ? null : "NO_RETRY", spec.WhenSaid(JobSpec.EndAttempt()).Refusal?.Code);
        spec.Take(spec.When(Settle(), JobSpec.At).Decision);
        Assert.Equal(again ? JobStatus.Retrying : JobStatus.Failed, spec.State!.Status);
    }

    [Fact]
    public void A_lost_attempt_is_offered_again_at_once_and_counts_by_itself()
    {
        var spec = JobSpec.Given(JobSpec.Executing);
        for (var loss = 1; loss <= RetryPolicy.Default.MaxLosses; loss++)
        {
            spec.Take(spec.When(Settle(RunResults.Lost, spec), JobSpec.At).Decision);
            if (spec.State!.Status == JobStatus.Retrying)
            {
                Assert.Equal((JobSpec.At, loss, 0), (spec.State.RetryAt!.Value, spec.State.Losses, spec.State.Failures));
                Again(spec);
            }
        }

        Assert.Equal((JobStatus.Failed, "LEASE_LOST"), (spec.State!.Status, spec.State.Error!.Code));
        Assert.Equal(RetryPolicy.Default.MaxLosses, spec.State.Attempt);
    }

    [Fact]
    public void Silence_past_the_time_limit_is_a_failure_like_others()
    {
        var spec = JobSpec.Given(JobSpec.Retriable);
        spec.Take(spec.When(Settle(RunResults.TimedOut, spec), JobSpec.At).Decision);
        Assert.Equal((JobStatus.Retrying, "TIMEOUT", 1), (spec.State!.Status, spec.State.Error!.Code, spec.State.Failures));
        Assert.Equal(JobSpec.At, spec.State.RetryAt!.Value, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Money_and_reputation_of_the_submitter_stay_as_they_were_at_first()
    {
        var spec = JobSpec.Given(JobSpec.Retrying);
        spec.When(new JobCommand.OpenBidding(500), JobSpec.At)
            .Then(new JobEvent.BiddingOpened(2, JobSpec.At.AddSeconds(1), 100, 0))
            .Answering(spec.State!.RetryDigest);
        spec.WhenSaid(JobSpec.OpenBidding(100)).Refused("WRONG_ESCROW");
    }

    [Fact]
    public void A_lost_worker_s_result_is_taken_until_somebody_else_is_assigned()
    {
        JobSpec.Given(JobSpec.Lost).WhenSaid(JobSpec.Receipt(null)).Accepted();
        JobSpec.Given(JobSpec.Lost).WhenSaid(JobSpec.Receipt(JobSpec.Trouble)).Refused("LEASE_LOST");
        JobSpec.Given(JobSpec.Lost).WhenSaid(JobSpec.Renew()).Refused("LEASE_LOST");
        JobSpec.Given(JobSpec.Lost).WhenSaid(JobSpec.Receipt(null, Actors.Rival)).Refused("LEASE_LOST");
        Said[] open = [.. JobSpec.Lost, JobSpec.OpenBidding(), JobSpec.Bid(Actors.Rival, 60)];
        foreach (var history in new Said[][] { JobSpec.Lost, open, [.. open, JobSpec.CloseBidding()] })
        {
            var spec = JobSpec.Given([.. history, JobSpec.Receipt(null)]);
            Assert.Equal((JobStatus.Executing, 1), (spec.State!.Status, spec.State.Attempt));
            spec.Take(spec.When(Settle(), JobSpec.At).Decision);
            Assert.Equal((JobStatus.Completed, 40), (spec.State.Status, spec.State.Paid));
        }

        var late = JobSpec.Given([.. open, JobSpec.CloseBidding(), JobSpec.Assign()]);
        Assert.Null(late.State!.Lost);
        late.WhenSaid(JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(body => body with { Attempt = 1 })).Refused("LEASE_LOST");
        late.WhenSaid(JobSpec.Progress(1, 1).Changed<JobEvent.ProgressReported>(body => body with { Attempt = 1 })).Refused("LEASE_LOST");
    }

    private static JobEvent.AttemptEnded Ended(JobSpec spec) =>
        Assert.IsType<JobEvent.AttemptEnded>(Assert.Single(spec.When(Settle(), JobSpec.At).Decision.Events).Body);

    private static void Again(JobSpec spec)
    {
        foreach (var said in new[]
        {
            JobSpec.OpenBidding(), JobSpec.Bid(Actors.Worker, 40), JobSpec.Bid(Actors.Rival, 50), JobSpec.CloseBidding(), JobSpec.Assign(),
        })
        {
            var fact = spec.Fact(said);
            Assert.Null(JobRules.Check(spec.State, fact, spec.Registry));
            spec.Take(fact);
        }

        spec.Take(spec.Fact(JobSpec.Start(spec.State!.Runs[0].Worker == Actors.Worker.Did ? Actors.Worker : Actors.Rival)));
    }

    private static JobCommand.Settle Settle() => new(new Dictionary<Did, string>(), RetryPolicy.Default);

    private static JobCommand.Settle Settle(string silent, JobSpec spec) =>
        new(spec.State!.Runs.ToDictionary(run => run.Worker, _ => silent), RetryPolicy.Default);
}
