using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>What may not be said about a job, and by which code it is refused.</summary>
public sealed class JobRefusalTests
{
    private static readonly Digest Elsewhere = Digest.OfBytes("elsewhere"u8);

    [Fact]
    public void Nothing_is_said_about_a_job_that_was_never_submitted() =>
        JobSpec.Given().WhenSaid(JobSpec.OpenBidding()).Refused("JOB_UNKNOWN");

    [Fact]
    public void A_submission_answers_nothing() =>
        JobSpec.Given().WhenSaid(JobSpec.Submit().Answering(Elsewhere)).Refused("WRONG_CAUSE");

    [Fact]
    public void A_job_for_nothing_is_refused() => JobSpec.Given()
        .WhenSaid(JobSpec.Submit().Changed<JobEvent.Submitted>(body => body with { Terms = body.Terms with { MaxPrice = 0 } }))
        .Refused("WRONG_PRICE");

    [Fact]
    public void A_job_id_is_taken_once() => JobSpec.Given(JobSpec.Open).WhenSaid(JobSpec.Submit()).Refused("JOB_ID_TAKEN");

    [Fact]
    public void After_its_end_nothing_is_said_about_a_job()
    {
        foreach (var history in new[] { JobSpec.Completed, JobSpec.Failed })
        {
            foreach (var said in history)
            {
                JobSpec.Given(history).WhenSaid(said).Refused("JOB_ENDED");
            }
        }
    }

    [Fact]
    public void An_event_of_another_family_has_no_place_in_a_job() => JobSpec.Given(JobSpec.Open)
        .WhenSaid(new Said(Actors.Node, _ => null, _ => new AccountEvent.Opened(1, 0, 0)))
        .Refused("WRONG_STREAM");

    [Fact]
    public void Only_a_node_opens_closes_assigns_and_ends()
    {
        foreach (var (history, said) in new[]
        {
            (JobSpec.Submitted, JobSpec.OpenBidding()),
            ([.. JobSpec.Open, JobSpec.Bid(Actors.Worker, 1)], JobSpec.CloseBidding()),
            (JobSpec.Closed, JobSpec.Assign()),
            (JobSpec.Succeeded, JobSpec.Complete()),
            (JobSpec.Erred, JobSpec.Fail(JobSpec.Trouble)),
        })
        {
            JobSpec.Given(history).WhenSaid(said).Accepted();
            JobSpec.Given(history).WhenSaid(said with { By = Actors.Worker }).Refused("NOT_A_NODE");
            JobSpec.Given(history).WhenSaid(said with { By = Actors.SecondNode }).Refused("NOT_A_NODE");
        }
    }

    [Fact]
    public void Only_the_assigned_worker_starts_reports_and_issues_the_receipt()
    {
        foreach (var (history, said) in new[]
        {
            (JobSpec.Assigned, JobSpec.Start()),
            (JobSpec.Executing, JobSpec.Progress(1, 1)),
            (JobSpec.Executing, JobSpec.Receipt(null)),
        })
        {
            JobSpec.Given(history).WhenSaid(said).Accepted();
            JobSpec.Given(history).WhenSaid(said with { By = Actors.Rival }).Refused("NOT_YOUR_ASSIGNMENT");
            JobSpec.Given(history).WhenSaid(said with { By = Actors.Node }).Refused("NOT_YOUR_ASSIGNMENT");
        }
    }

    [Fact]
    public void Before_an_assignment_nobody_is_the_assigned_worker() =>
        JobSpec.Given(JobSpec.Closed).WhenSaid(JobSpec.Start()).Refused("NOT_YOUR_ASSIGNMENT");

    [Fact]
    public void Everything_has_its_status()
    {
        foreach (var (history, said) in new[]
        {
            (JobSpec.Open, JobSpec.OpenBidding()),
            (JobSpec.Submitted, JobSpec.Bid(Actors.Worker, 1)),
            (JobSpec.Closed, JobSpec.Bid(Actors.Worker, 1)),
            (JobSpec.Closed, JobSpec.CloseBidding()),
            (JobSpec.Open, JobSpec.Assign()),
            (JobSpec.Assigned, JobSpec.Assign()),
            (JobSpec.Executing, JobSpec.OpenBidding()),
            (JobSpec.Executing, JobSpec.CloseBidding()),
            (JobSpec.Lost, JobSpec.Bid(Actors.Worker, 1)),
            (JobSpec.Lost, JobSpec.Assign()),
        })
        {
            JobSpec.Given(history).WhenSaid(said).Refused("WRONG_STATUS");
        }

        JobSpec.Given(JobSpec.Executing).WhenSaid(JobSpec.Start()).Refused("STARTED");
        JobSpec.Given(JobSpec.Assigned).WhenSaid(JobSpec.Progress(1, 1)).Refused("WRONG_CAUSE");
        JobSpec.Given(JobSpec.Assigned).WhenSaid(JobSpec.Receipt(null)).Refused("NOT_STARTED");
    }

    [Fact]
    public void Every_event_names_the_attempt_under_way()
    {
        JobSpec.Given(JobSpec.Submitted)
            .WhenSaid(JobSpec.OpenBidding().Changed<JobEvent.BiddingOpened>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Open)
            .WhenSaid(JobSpec.Bid(Actors.Worker, 1).Changed<JobEvent.BidPlaced>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Open)
            .WhenSaid(JobSpec.CloseBidding().Changed<JobEvent.BiddingClosed>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Closed)
            .WhenSaid(JobSpec.Assign().Changed<JobEvent.Assigned>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Assigned)
            .WhenSaid(JobSpec.Start().Changed<JobEvent.ExecutionStarted>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Executing)
            .WhenSaid(JobSpec.Progress(1, 1).Changed<JobEvent.ProgressReported>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Executing)
            .WhenSaid(JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Succeeded)
            .WhenSaid(JobSpec.Complete().Changed<JobEvent.Completed>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
        JobSpec.Given(JobSpec.Erred)
            .WhenSaid(JobSpec.Fail(JobSpec.Trouble).Changed<JobEvent.Failed>(body => body with { Attempt = 2 }))
            .Refused("WRONG_ATTEMPT");
    }

    [Fact]
    public void Every_event_answers_what_it_must()
    {
        foreach (var (history, said) in new[]
        {
            (JobSpec.Submitted, JobSpec.OpenBidding()),
            (JobSpec.Open, JobSpec.Bid(Actors.Worker, 1)),
            (JobSpec.Open, JobSpec.CloseBidding()),
            (JobSpec.Closed, JobSpec.Assign()),
            (JobSpec.Assigned, JobSpec.Start()),
            (JobSpec.Executing, JobSpec.Progress(1, 1)),
            (JobSpec.Executing, JobSpec.Receipt(null)),
            (JobSpec.Succeeded, JobSpec.Complete()),
            (JobSpec.Erred, JobSpec.Fail(JobSpec.Trouble)),
            (JobSpec.Submitted, JobSpec.Fail(JobSpec.Late)),
        })
        {
            JobSpec.Given(history).WhenSaid(said).Accepted();
            JobSpec.Given(history).WhenSaid(said.Answering(Elsewhere)).Refused("WRONG_CAUSE");
            JobSpec.Given(history).WhenSaid(said.Answering(null)).Refused("WRONG_CAUSE");
        }
    }

    [Fact]
    public void A_bid_for_nothing_is_refused() =>
        JobSpec.Given(JobSpec.Open).WhenSaid(JobSpec.Bid(Actors.Worker, 0)).Refused("WRONG_PRICE");

    [Fact]
    public void A_bid_stands_on_a_registration_of_its_author()
    {
        JobSpec.Given(JobSpec.Open).WhenSaid(JobSpec.Bid(Actors.Worker, 1) with { By = Actors.Rival })
            .Refused("NOT_REGISTERED");
        JobSpec.Given(JobSpec.Open).WhenSaid(
            JobSpec.Bid(Actors.Worker, 1).Changed<JobEvent.BidPlaced>(body => body with { Registration = Elsewhere }))
            .Refused("NOT_REGISTERED");
    }

    [Fact]
    public void A_worker_bids_at_most_sixteen_times_on_an_attempt()
    {
        Said[] bids = [.. Enumerable.Range(1, JobRules.MaxBids).Select(price => JobSpec.Bid(Actors.Worker, price))];
        JobSpec.Given([.. JobSpec.Open, .. bids[1..]]).WhenSaid(JobSpec.Bid(Actors.Worker, 9)).Accepted();
        JobSpec.Given([.. JobSpec.Open, .. bids]).WhenSaid(JobSpec.Bid(Actors.Worker, 9)).Refused("TOO_MANY_BIDS");
        JobSpec.Given([.. JobSpec.Open, .. bids]).WhenSaid(JobSpec.Bid(Actors.Rival, 9)).Accepted();
    }

    [Fact]
    public void Bids_are_counted_when_bidding_closes() => JobSpec.Given([.. JobSpec.Open, JobSpec.Bid(Actors.Worker, 10)])
        .WhenSaid(JobSpec.CloseBidding().Changed<JobEvent.BiddingClosed>(body => body with { Bids = 0 }))
        .Refused("WRONG_BIDS");

    [Fact]
    public void A_policy_must_be_known() => JobSpec.Given(JobSpec.Closed)
        .WhenSaid(JobSpec.Assign().Changed<JobEvent.Assigned>(body => body with { Selection = body.Selection with { Policy = "friends_first" } }))
        .Refused("UNKNOWN_POLICY");

    [Fact]
    public void An_assignment_is_what_the_bids_lead_to()
    {
        Func<JobEvent.Assigned, JobEvent.Assigned>[] changes =
        [
            body => body with { Assignees = [body.Assignees[0] with { Worker = Actors.Rival.Did }] },
            body => body with { Assignees = [body.Assignees[0] with { Price = 41 }] },
            body => body with { Assignees = [] },
            body => body with { Selection = body.Selection with { Replicas = 2 } },
            body => body with { Selection = body.Selection with { Streak = 11, Draw = 1 } },
            body => body with { Considered = [] },
            body => body with { Considered = [body.Considered[1], body.Considered[0]] },
            body => body with { Considered = [body.Considered[0] with { Unmet = ["charm"] }, body.Considered[1]] },
        ];
        Assert.All(changes, change =>
            JobSpec.Given(JobSpec.Closed).WhenSaid(JobSpec.Assign().Changed(change)).Refused("WRONG_CHOICE"));
    }

    [Fact]
    public void A_second_receipt_is_refused() =>
        JobSpec.Given(JobSpec.Succeeded).WhenSaid(JobSpec.Receipt(null)).Refused("RECEIPT_EXISTS");

    [Fact]
    public void Progress_after_the_receipt_is_refused() =>
        JobSpec.Given(JobSpec.Succeeded).WhenSaid(JobSpec.Progress(2, 6_000)).Refused("RECEIPT_EXISTS");

    [Fact]
    public void Progress_is_numbered_from_one_without_a_hole()
    {
        JobSpec.Given(JobSpec.Executing).WhenSaid(JobSpec.Progress(0, 1)).Refused("WRONG_SEQUENCE");
        JobSpec.Given(JobSpec.Executing).WhenSaid(JobSpec.Progress(2, 1)).Refused("WRONG_SEQUENCE");
        JobSpec.Given([.. JobSpec.Executing, JobSpec.Progress(1, 1)]).WhenSaid(JobSpec.Progress(1, 1)).Refused("WRONG_SEQUENCE");
    }

    [Fact]
    public void Progress_never_falls_and_ends_at_ten_thousand()
    {
        JobSpec.Given(JobSpec.Executing).WhenSaid(JobSpec.Progress(1, -1)).Refused("WRONG_PROGRESS");
        JobSpec.Given(JobSpec.Executing).WhenSaid(JobSpec.Progress(1, 10_001)).Refused("WRONG_PROGRESS");
        JobSpec.Given([.. JobSpec.Executing, JobSpec.Progress(1, 500)]).WhenSaid(JobSpec.Progress(2, 499)).Refused("WRONG_PROGRESS");
    }

    [Fact]
    public void Only_a_receipt_of_success_completes_a_job()
    {
        JobSpec.Given(JobSpec.Executing).WhenSaid(JobSpec.Complete()).Refused("NO_SUCCESS");
        JobSpec.Given(JobSpec.Executing).WhenSaid(JobSpec.Complete(RunResults.Succeeded)).Refused("NO_VERDICT");
        JobSpec.Given(JobSpec.Erred).WhenSaid(JobSpec.Complete()).Refused("NO_SUCCESS");
    }

    [Fact]
    public void A_settlement_pays_the_assigned_worker_its_price_and_the_submitter_the_rest()
    {
        Func<JobEvent.Completed, JobEvent.Completed>[] changes =
        [
            body => body with { Outcomes = [body.Outcomes[0] with { Worker = Actors.Rival.Did }] },
            body => body with { Outcomes = [body.Outcomes[0] with { Paid = 41 }], Refunded = 59 },
            body => body with { Outcomes = [body.Outcomes[0] with { Result = RunResults.Own }] },
            body => body with { Outcomes = [] },
            body => body with { Refunded = 61 },
        ];
        Assert.All(changes, change =>
            JobSpec.Given(JobSpec.Succeeded).WhenSaid(JobSpec.Complete().Changed(change)).Refused("WRONG_SETTLEMENT"));
    }

    [Fact]
    public void A_failure_says_what_the_receipt_says_and_refunds_everything()
    {
        Func<JobEvent.Failed, JobEvent.Failed>[] changes =
        [
            body => body with { Outcomes = [] },
            body => body with { Outcomes = [body.Outcomes[0] with { Result = RunResults.Lost }] },
            body => body with { Outcomes = [body.Outcomes[0] with { Result = RunResults.Withdrawn }] },
            body => body with { Outcomes = [body.Outcomes[0] with { Paid = 41 }], Refunded = 59 },
            body => body with { Error = JobSpec.Late },
            body => body with { Refunded = 99 },
        ];
        Assert.All(changes, change =>
            JobSpec.Given(JobSpec.Erred).WhenSaid(JobSpec.Fail(JobSpec.Trouble).Changed(change)).Refused("WRONG_SETTLEMENT"));
        JobSpec.Given(JobSpec.Succeeded).WhenSaid(JobSpec.Fail(JobSpec.Trouble)).Refused("WRONG_SETTLEMENT");
    }

    [Fact]
    public void A_submission_that_is_not_its_document_s_is_refused()
    {
        var body = JobSpec.Submission(Documents.JobDocumentSamples.Minimal);
        var stream = StreamId.Parse("job-echo-test-001");
        Assert.Null(JobSubmission.Check(body, Actors.Submitter.Did, stream));
        JobEvent.Submitted[] wrong =
        [
            body with { DocumentSha256 = Elsewhere },
            body with { Document = "{}", DocumentSha256 = Digest.OfBytes("{}"u8) },
            body with { Operation = "system.other" },
            body with { Terms = body.Terms with { Priority = 9 } },
            body with { Requirements = body.Requirements with { Privileged = true } },
        ];
        Assert.All(wrong, one => Assert.Equal("WRONG_DOCUMENT", JobSubmission.Check(one, Actors.Submitter.Did, stream)?.Code));
        Assert.Equal(
            "WRONG_DOCUMENT", JobSubmission.Check(body, Actors.Submitter.Did, StreamId.Parse("job-another-one"))?.Code);
    }
}
