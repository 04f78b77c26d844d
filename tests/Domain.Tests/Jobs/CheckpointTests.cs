using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>From which checkpoint a run may go on, and whose.</summary>
public sealed class CheckpointTests
{
    private static readonly Said[] Kept = [.. JobSpec.Retriable, JobSpec.Checkpoint(1), JobSpec.Checkpoint(2)];

    private static CheckpointName First => VectorStory.Saved;

    private static CheckpointName Last => VectorStory.Saved with { Sequence = 2 };

    [Fact]
    public void A_run_that_begins_again_goes_on_from_its_own_last_checkpoint()
    {
        var spec = JobSpec.Given(Kept);
        Assert.Equal([Last, First], Saved(spec));
        spec.WhenSaid(Receipt(null, Last)).Accepted();
        spec.WhenSaid(JobSpec.Checkpoint(3, Last)).Accepted();

        // It may have begun again before it recorded its last one.
        spec.WhenSaid(Receipt(null, VectorStory.Saved)).Accepted();
        spec.WhenSaid(Receipt(null, Last with { Sequence = 3 })).Refused("WRONG_CHECKPOINT");
        spec.WhenSaid(Receipt(null, Last with { Sequence = 0 })).Refused("WRONG_CHECKPOINT");
        spec.WhenSaid(Receipt(null, Last with { State = Blake3.Hash("another"u8) })).Refused("WRONG_CHECKPOINT");
        spec.WhenSaid(Receipt(null, Last with { Worker = Actors.Rival.Did })).Refused("WRONG_CHECKPOINT");
    }

    [Fact]
    public void The_next_attempt_goes_on_from_the_last_checkpoint_of_a_lost_one()
    {
        var spec = JobSpec.Given([.. Kept, JobSpec.EndAttempt(RunResults.Lost), .. Next(Actors.Rival)]);
        Assert.Equal([Last, First], Saved(spec));
        spec.WhenSaid(Receipt(null, Last, Actors.Rival)).Accepted();
        spec.WhenSaid(Receipt(null, null, Actors.Rival)).Accepted();
        spec.WhenSaid(Receipt(null, Last with { Sequence = 3 }, Actors.Rival)).Refused("WRONG_CHECKPOINT");
        spec.WhenSaid(Receipt(null, Last with { State = Blake3.Hash("another"u8) }, Actors.Rival)).Refused("WRONG_CHECKPOINT");

        spec.Take(spec.Fact(JobSpec.EndAttempt(RunResults.Lost)));
        Assert.Equal([Last, First], spec.State!.Saved.Select(saved => saved.Name));
    }

    [Fact]
    public void The_node_that_had_the_last_checkpoint_may_be_gone_so_an_earlier_one_does()
    {
        var spec = JobSpec.Given([.. Kept, JobSpec.EndAttempt(RunResults.Lost), .. Next(Actors.Rival)]);
        spec.WhenSaid(Receipt(null, First, Actors.Rival)).Accepted();
        spec.WhenSaid(JobSpec.Checkpoint(1, First, Actors.Rival)).Accepted();
        spec.Take(spec.Fact(JobSpec.Checkpoint(1, First, Actors.Rival)));
        var own = First with { Worker = Actors.Rival.Did, Attempt = 2 };
        Assert.Equal([own, Last, First], Saved(spec));
        spec.WhenSaid(JobSpec.Checkpoint(2, own, Actors.Rival)).Accepted();
        spec.Take(spec.Fact(JobSpec.Checkpoint(2, own, Actors.Rival)));
        Assert.Equal([own with { Sequence = 2 }, own, Last], Saved(spec));

        // What is not among them any more is collected, so nobody has it.
        spec.Take(spec.Fact(JobSpec.EndAttempt(RunResults.Lost)));
        foreach (var said in Next(Actors.Worker))
        {
            spec.Take(spec.Fact(said));
        }

        spec.WhenSaid(Receipt(null, Last)).Accepted();
        spec.WhenSaid(Receipt(null, First)).Refused("WRONG_CHECKPOINT");
    }

    [Fact]
    public void A_late_result_of_a_lost_attempt_says_where_that_attempt_began()
    {
        var spec = JobSpec.Given([
            .. Kept, JobSpec.EndAttempt(RunResults.Lost), .. Next(Actors.Rival), JobSpec.EndAttempt(RunResults.Lost)]);
        var late = JobSpec.Receipt(null, Actors.Rival).Changed<JobEvent.ReceiptIssued>(body => With(body, Last));
        spec.WhenSaid(late).Accepted();
        spec.Take(spec.Fact(late));
        Assert.Equal([Last, First], Saved(spec));
    }

    [Fact]
    public void An_attempt_that_failed_by_its_own_leaves_its_checkpoints()
    {
        var spec = JobSpec.Given([.. Kept, Receipt(JobSpec.Trouble, VectorStory.Saved), JobSpec.EndAttempt()]);
        Assert.Equal([Last, First], spec.State!.Saved.Select(saved => saved.Name));
    }

    [Theory]
    [InlineData("EXIT_STATUS", false)]
    [InlineData("TIMEOUT", true)]
    public void What_failed_after_it_went_on_from_another_s_checkpoint_leaves_nothing(string code, bool isLeft)
    {
        var spec = JobSpec.Given([
            .. Kept, JobSpec.EndAttempt(RunResults.Lost), .. Next(Actors.Rival),
            Receipt(JobSpec.Trouble with { Code = code }, Last, Actors.Rival), JobSpec.EndAttempt()]);
        Assert.Equal(isLeft ? [Last, First] : [], spec.State!.Saved.Select(saved => saved.Name));
    }

    [Fact]
    public void Workers_who_are_to_agree_take_nothing_over_from_each_other()
    {
        var spec = JobSpec.Given([.. JobSpec.Quorum, JobSpec.Checkpoint(1)]);
        Assert.Equal([First], Saved(spec));
        Assert.Empty(spec.State!.SavedFor(spec.State.RunOf(Actors.Rival.Did)!));
        spec.WhenSaid(Receipt(null, VectorStory.Saved)).Accepted();
        spec.WhenSaid(Receipt(null, VectorStory.Saved, Actors.Rival)).Refused("WRONG_CHECKPOINT");
        spec.Take(spec.Fact(JobSpec.EndAttempt(RunResults.Lost)));
        Assert.Empty(spec.State.Saved);
    }

    [Theory]
    [InlineData("{\"format\":\"wasm\"}", "", "vm.execute.wasm")]
    [InlineData("{\"format\":\"elf\"}", "\"a\",\"vm.execute.elf\"", "a,vm.execute.elf")]
    [InlineData("{\"format\":\"elf\"}", "\"a\"", "a,vm.execute.elf")]
    [InlineData("{\"format\":\"pe\"}", "\"a\"", "a")]
    [InlineData("{\"format\":1}", "", "")]
    [InlineData("{}", "", "")]
    [InlineData("[]", "", "")]
    public void What_runs_a_program_s_format_is_a_capability_that_the_job_needs(string data, string asked, string expected)
    {
        var submitted = JobSpec.Submission($$$"""
            {"version":"1.0","job_id":"format-0001","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
             "operation":"vm.execute","constraints":{"required_capabilities":[{{{asked}}}]},
             "payload":{"type":"vm.execute.v1","data":{{{data}}}}}
            """);
        Assert.Equal(expected, string.Join(',', submitted.Requirements.Capabilities));
        Assert.Null(JobSubmission.Check(submitted, Actors.Submitter.Did, Domain.Events.StreamId.Parse("job-format-0001")));
    }

    private static Said[] Next(SigningKey worker) =>
        [JobSpec.OpenBidding(), JobSpec.Bid(worker, 10), JobSpec.CloseBidding(), JobSpec.Assign(), JobSpec.Start(worker)];

    private static IEnumerable<CheckpointName> Saved(JobSpec spec) =>
        spec.State!.SavedFor(spec.State.Runs[0]).Select(saved => saved.Name);

    private static Said Receipt(JobError? error, CheckpointName? from, SigningKey? by = null) =>
        JobSpec.Receipt(error, by).Changed<JobEvent.ReceiptIssued>(body => With(body, from));

    private static JobEvent.ReceiptIssued With(JobEvent.ReceiptIssued body, CheckpointName? from) =>
        body with { Receipt = body.Receipt with { Guest = VectorStory.Metered(from) } };
}
