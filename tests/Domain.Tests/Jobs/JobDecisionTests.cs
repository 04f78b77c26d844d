using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class JobDecisionTests
{
    [Fact]
    public void A_submitted_job_opens_for_bids_as_long_as_its_terms_say()
    {
        var spec = JobSpec.Given(JobSpec.Submitted);
        spec.When(new JobCommand.OpenBidding(), JobSpec.At)
            .Then(new JobEvent.BiddingOpened(1, JobSpec.At.AddMilliseconds(1_000)))
            .Answering(spec.State!.SubmissionDigest);
    }

    [Fact]
    public void Bidding_stays_open_without_a_bid_that_can_win() =>
        JobSpec.Given([.. JobSpec.Open, JobSpec.Bid(Actors.Worker, 101)])
            .When(new JobCommand.CloseBidding("window"), JobSpec.At)
            .Then();

    [Fact]
    public void The_cheapest_bid_wins_and_every_bid_is_on_record()
    {
        var spec = JobSpec.Given([.. JobSpec.Open, JobSpec.Bid(Actors.Rival, 60), JobSpec.Bid(Actors.Worker, 40)]);
        var bids = spec.State!.Bids;
        spec.When(new JobCommand.CloseBidding("all_answered"), JobSpec.At)
            .Then(
                new JobEvent.BiddingClosed(1, 2, "all_answered"),
                new JobEvent.Assigned(1, Actors.Worker.Did, 40, "cheapest", [
                    new ConsideredBid(bids[0].Digest, Actors.Rival.Did, 60, []),
                    new ConsideredBid(bids[1].Digest, Actors.Worker.Did, 40, [])]))
            .Answering(spec.State.BiddingDigest, bids[1].Digest);
    }

    [Fact]
    public void A_node_that_stopped_between_closing_and_assigning_goes_on_with_the_assignment()
    {
        var decided = JobSpec.Given(JobSpec.Closed).When(new JobCommand.CloseBidding("window"), JobSpec.At);
        Assert.IsType<JobEvent.Assigned>(Assert.Single(decided.Decision.Events).Body);
    }

    [Fact]
    public void A_receipt_of_success_pays_the_worker_its_price_and_the_submitter_the_rest()
    {
        var spec = JobSpec.Given(JobSpec.Succeeded);
        spec.When(new JobCommand.Settle(), JobSpec.At)
            .Then(new JobEvent.Completed(1, Actors.Worker.Did, 40, 60))
            .Answering(spec.State!.ReceiptDigest);
    }

    [Fact]
    public void A_receipt_of_failure_refunds_everything()
    {
        var spec = JobSpec.Given(JobSpec.Erred);
        spec.When(new JobCommand.Settle(), JobSpec.At)
            .Then(new JobEvent.Failed(1, Actors.Worker.Did, JobSpec.Trouble, 100))
            .Answering(spec.State!.ReceiptDigest);
    }

    [Fact]
    public void Nothing_is_settled_without_a_receipt() =>
        JobSpec.Given(JobSpec.Executing).When(new JobCommand.Settle(), JobSpec.At).Then();

    [Fact]
    public void A_job_that_nobody_took_fails_in_answer_to_its_bidding()
    {
        var spec = JobSpec.Given(JobSpec.Open);
        spec.When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At)
            .Then(new JobEvent.Failed(1, null, JobSpec.Late, 100))
            .Answering(spec.State!.BiddingDigest);
    }

    [Fact]
    public void A_job_is_abandoned_before_bidding_and_during_a_run_alike()
    {
        JobSpec.Given(JobSpec.Submitted).When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At)
            .Then(new JobEvent.Failed(0, null, JobSpec.Late, 100));
        JobSpec.Given(JobSpec.Executing).When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At)
            .Then(new JobEvent.Failed(1, Actors.Worker.Did, JobSpec.Late, 100));
    }

    [Fact]
    public void A_job_that_has_its_receipt_is_not_abandoned() =>
        JobSpec.Given(JobSpec.Succeeded).When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At).Then();

    [Fact]
    public void Every_event_of_a_job_has_its_place_in_the_fold()
    {
        var folded = new HashSet<Type>();
        foreach (var history in new[] { JobSpec.Completed, JobSpec.Failed })
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
}
