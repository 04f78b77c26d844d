using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class JobDecisionTests
{
    private static readonly Said[] Everything =
    [
        .. JobSpec.Retriable, JobSpec.Renew(), JobSpec.Output(1, "log", 0, "a"), JobSpec.Checkpoint(1),
        JobSpec.EndAttempt(), JobSpec.RequestCancel(), JobSpec.Cancel(),
    ];

    [Fact]
    public void A_submitted_job_opens_for_bids_as_long_as_its_terms_say()
    {
        var spec = JobSpec.Given(JobSpec.Submitted);
        spec.When(new JobCommand.OpenBidding(0), JobSpec.At)
            .Then(new JobEvent.BiddingOpened(1, JobSpec.At.AddMilliseconds(1_000), 100, 0))
            .Answering(spec.State!.SubmissionDigest);
    }

    [Fact]
    public void Bidding_stays_open_without_a_bid_that_can_win() =>
        JobSpec.Given([.. JobSpec.Open, JobSpec.Bid(Actors.Worker, 101)])
            .When(new JobCommand.CloseBidding("window", JobSpec.Choice), JobSpec.At)
            .Then();

    [Fact]
    public void The_best_bid_wins_and_every_bid_is_on_record()
    {
        var spec = JobSpec.Given([.. JobSpec.Open, JobSpec.Bid(Actors.Rival, 60), JobSpec.Bid(Actors.Worker, 40)]);
        var (rival, worker) = (spec.State!.Bids[Actors.Rival.Did].Digest, spec.State.Bids[Actors.Worker.Did].Digest);
        spec.When(new JobCommand.CloseBidding("all_answered", JobSpec.Choice), JobSpec.At)
            .Then(
                new JobEvent.BiddingClosed(1, 2, "all_answered"),
                new JobEvent.Assigned(
                    1,
                    [new Assignee(worker, Actors.Worker.Did, 40)],
                    new Selection("weighted", SelectionWeights.Default, 1_000, JobSpec.At, 30_000, 1, false, 0, null),
                    [
                        new ConsideredBid(
                            rival, Actors.Rival.Did, 60, 0, null, new BidTerms(0, 1_000_000, 1_000_000, 0, 600_000), []),
                        new ConsideredBid(
                            worker, Actors.Worker.Did, 40, 0, null,
                            new BidTerms(1_000_000, 1_000_000, 1_000_000, 0, 900_000), []),
                    ]))
            .Answering(spec.State.BiddingDigest, worker);
    }

    [Fact]
    public void A_node_that_stopped_between_closing_and_assigning_goes_on_with_the_assignment()
    {
        var decided = JobSpec.Given(JobSpec.Closed).When(new JobCommand.CloseBidding("window", JobSpec.Choice), JobSpec.At);
        Assert.IsType<JobEvent.Assigned>(Assert.Single(decided.Decision.Events).Body);
    }

    [Fact]
    public void A_receipt_of_success_pays_the_worker_its_price_and_the_submitter_the_rest()
    {
        var spec = JobSpec.Given(JobSpec.Succeeded);
        spec.When(Settle(), JobSpec.At)
            .Then(new JobEvent.Completed(
                1, "system.echo", [new AttemptOutcome(Actors.Worker.Did, RunResults.Succeeded, 40)], 60))
            .Answering(spec.State!.ReceiptDigest);
    }

    [Fact]
    public void A_receipt_of_failure_refunds_everything()
    {
        var spec = JobSpec.Given(JobSpec.Erred);
        spec.When(Settle(), JobSpec.At)
            .Then(new JobEvent.Failed(
                1, "system.echo", JobSpec.Trouble, [new AttemptOutcome(Actors.Worker.Did, RunResults.Failed, 0)], 100))
            .Answering(spec.State!.ReceiptDigest);
    }

    [Fact]
    public void Nothing_is_settled_without_a_receipt() =>
        JobSpec.Given(JobSpec.Executing).When(Settle(), JobSpec.At).Then();

    [Fact]
    public void A_job_that_nobody_took_fails_in_answer_to_its_bidding()
    {
        var spec = JobSpec.Given(JobSpec.Open);
        spec.When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At)
            .Then(new JobEvent.Failed(1, "system.echo", JobSpec.Late, [], 100))
            .Answering(spec.State!.BiddingDigest);
    }

    [Fact]
    public void A_job_is_abandoned_before_bidding_and_during_a_run_alike()
    {
        JobSpec.Given(JobSpec.Submitted).When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At)
            .Then(new JobEvent.Failed(0, "system.echo", JobSpec.Late, [], 0));
        JobSpec.Given(JobSpec.Executing).When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At)
            .Then(new JobEvent.Failed(
                1, "system.echo", JobSpec.Late, [new AttemptOutcome(Actors.Worker.Did, RunResults.Withdrawn, 0)], 100));
    }

    [Fact]
    public void A_job_that_has_its_receipt_is_not_abandoned() =>
        JobSpec.Given(JobSpec.Succeeded).When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At).Then();

    [Fact]
    public void Every_event_of_a_job_has_its_place_in_the_fold()
    {
        var folded = new HashSet<Type>();
        foreach (var history in new[] { JobSpec.Completed, JobSpec.Failed, Everything, FindingTests.Judged })
        {
            folded.UnionWith(JobSpec.Given(history).Facts.Select(fact => fact.Body.GetType()));
        }

        Assert.Empty(typeof(JobEvent).GetNestedTypes().Where(type => type.IsSubclassOf(typeof(JobEvent))).Except(folded));
    }

    [Fact]
    public void History_that_cannot_be_stops_the_fold()
    {
        var spec = JobSpec.Given(JobSpec.Completed);
        Assert.Throws<InvalidHistoryException>(() => Job.Evolve(null, spec.Fact(JobSpec.Start())));
        Assert.Throws<InvalidHistoryException>(() => Job.Evolve(spec.State, spec.Fact(JobSpec.Submit())));
        Assert.Throws<InvalidHistoryException>(() => Job.Evolve(spec.State, spec.Fact(JobSpec.Start())));
        Assert.Throws<InvalidHistoryException>(() => Job.Evolve(
            JobSpec.Given(JobSpec.Open).State, spec.Fact(Actors.Worker, Actors.Facts("worker-1"), null)));
    }

    private static JobCommand.Settle Settle(string? silent = null) => new(
        silent is null ? new Dictionary<Did, string>() : new Dictionary<Did, string> { [Actors.Worker.Did] = silent },
        RetryPolicy.Default);
}
