using System.Buffers.Binary;
using System.Security.Cryptography;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>What several workers say of one job, who is paid for it, and when a trusted one is checked.</summary>
public sealed class QuorumTests
{
    private const string Adaptive = "\"market\":{\"replicas\":3,\"adaptive_replication\":true},";

    public static TheoryData<int, int> Sizes => new() { { 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 1 }, { 5, 1 }, { 2, 3 }, { 3, 3 } };

    /// <summary>Every combination of results from {A, B, error, lost}: a majority or none; who is paid, who loses.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_combination_of_results_has_one_end_that_the_rules_allow(int count, int maxAttempts)
    {
        for (var code = 0; code < 1 << (2 * count); code++)
        {
            var said = new char[count];
            for (var i = 0; i < count; i++)
            {
                said[i] = "ABEL"[(code >> (2 * i)) & 3];
            }

            Judge(said, maxAttempts);
        }
    }

    [Fact]
    public void A_run_that_hands_in_nothing_keeps_the_verdict_open_even_when_it_can_change_nothing()
    {
        var spec = JobSpec.Given([.. JobSpec.Quorum, JobSpec.Receipt(null), JobSpec.Receipt(null, Actors.Rival)]);
        Assert.Null(Verdict.Of(spec.State!, new Dictionary<Did, string>(), spec.Registry));
        Assert.True(Verdict.IsDecided(spec.State!, spec.Registry));
        spec.When(new JobCommand.Abandon(JobSpec.Late), JobSpec.At).Then();
        spec.WhenSaid(JobSpec.Fail(JobSpec.Late)).Refused("NO_VERDICT");
        spec.WhenSaid(JobSpec.RequestCancel()).Refused("RECEIPT_EXISTS");
        spec.WhenSaid(JobSpec.Complete()).Accepted();
        spec.WhenSaid(JobSpec.Complete(RunResults.TimedOut)).Accepted();
    }

    [Fact]
    public void An_undecided_job_may_still_end_for_a_reason_of_the_node_s()
    {
        var spec = JobSpec.Given([.. JobSpec.Quorum, JobSpec.Receipt(null)]);
        Assert.False(Verdict.IsDecided(spec.State!, spec.Registry));
        spec.WhenSaid(JobSpec.Fail(JobSpec.Late)).Accepted();
    }

    [Fact]
    public void What_workers_say_of_an_output_is_its_name_size_digest_and_whether_it_is_whole()
    {
        var receipt = VectorStory.Receipt(null);
        var (first, second) = (receipt.Outputs[0], receipt.Outputs[1]);
        var same = Verdict.ResultDigest(receipt);
        Assert.Equal(same, Verdict.ResultDigest(receipt with { Outputs = [second, first] }));
        Assert.Equal(same, Verdict.ResultDigest(receipt with { ExitCode = 7, DurationUs = 1, Engine = new EngineName("x", "y") }));
        Assert.Equal(same, Verdict.ResultDigest(receipt with { Outputs = [first with { Text = null }, second] }));
        ValueList<ReceiptOutput>[] others =
        [
            [], [first], [first, second, second], [first with { Name = "resul" }, second], [first with { Truncated = true }, second],
            [first with { Sha256 = second.Sha256 }, second], [first with { Size = 27 }, second],
        ];
        Assert.Equal(others.Length + 1, others.Select(outputs => Verdict.ResultDigest(receipt with { Outputs = outputs })).Append(same).Distinct().Count());
        var error = Verdict.ResultDigest(VectorStory.Receipt(JobSpec.Trouble));
        Assert.Equal(error, Verdict.ResultDigest(VectorStory.Receipt(JobSpec.Trouble with { Message = "other words" })));
        Assert.NotEqual(error, Verdict.ResultDigest(VectorStory.Receipt(JobSpec.Trouble) with { ExitCode = 4 }));
        Assert.NotEqual(error, Verdict.ResultDigest(VectorStory.Receipt(JobSpec.Late)));
    }

    [Fact]
    public void What_workers_say_of_a_metered_guest_is_its_fuel_its_result_and_its_final_state_and_not_how_it_was_run()
    {
        var receipt = VectorStory.Receipt(null) with { Guest = VectorStory.Metered() };
        var same = Verdict.ResultDigest(receipt);
        GuestAccount[] others =
        [
            receipt.Guest with { Fuel = 1 }, receipt.Guest with { FuelTable = 2 }, receipt.Guest with { Result = "1" },
            receipt.Guest with { Result = null }, receipt.Guest with { StateDigest = Blake3.Hash([]) },
        ];
        Assert.All(others, other => Assert.NotEqual(same, Verdict.ResultDigest(receipt with { Guest = other })));
        Assert.Equal(same, Verdict.ResultDigest(receipt with
        {
            Guest = receipt.Guest with { Tier = "interpreter", Checkpoints = 9, ResumedFrom = VectorStory.Saved },
        }));
    }

    [Fact]
    public void A_worker_of_the_submitter_s_is_paid_and_earns_no_trust()
    {
        Assert.Equal(RunResults.Own, Outcome(Actors.Submitter.Did, null));
        Assert.Equal(RunResults.Own, Outcome(Bazaar.Key(0), Actors.Submitter.Did));
        Assert.Equal(RunResults.Succeeded, Outcome(Bazaar.Key(0), Actors.Stranger.Did));

        static string Outcome(Did worker, Did? owner)
        {
            var bazaar = Bazaar.Open([new Offer(5) { Worker = worker, Owner = owner }]);
            var state = Running(bazaar, "A", 1);
            var outcome = Assert.Single(Verdict.Of(state, new Dictionary<Did, string>(), bazaar)!.Outcomes);
            Assert.Equal(5, outcome.Paid);
            return outcome.Result;
        }
    }

    [Theory]
    [InlineData(11)]
    [InlineData(25)]
    [InlineData(200)]
    public void A_trusted_worker_is_checked_about_once_in_its_streak(long streak)
    {
        const int Tries = 20_000;
        var state = Bazaar.Open([new Offer(1), new Offer(2), new Offer(3)], Adaptive).State;
        var checks = 0;
        for (var i = 0; i < Tries; i++)
        {
            var closed = state with { ClosingDigest = Digest.OfBytes(BitConverter.GetBytes(i)) };
            var draw = Market.Draw(closed, streak);
            Assert.InRange(draw, 0, streak - 1);
            Assert.Equal(draw, Market.Draw(closed with { Bids = state.Bids.ToBuilder().ToImmutable() }, streak));
            checks += draw == 0 ? 1 : 0;
        }

        // Five standard deviations.
        var (mean, deviation) = (Tries / (double)streak, Math.Sqrt(Tries / (double)streak));
        Assert.InRange(checks, mean - (5 * deviation), mean + (5 * deviation));
    }

    [Fact]
    public void The_draw_follows_from_events_alone_and_from_each_of_them()
    {
        var bazaar = Bazaar.Open([new Offer(1) { Streak = 25 }, new Offer(2), new Offer(3)], Adaptive);
        var state = bazaar.State with { ClosingDigest = Digest.OfBytes("closing"u8) };
        byte[] all = [
            .. state.SubmissionDigest.ToArray(), .. state.Bids.Values.OrderBy(bid => bid.Order).SelectMany(bid => bid.Digest.ToArray()),
            .. state.ClosingDigest.Value.ToArray()];
        Assert.Equal(
            (long)(BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(all)) % 1_000_003), Market.Draw(state, 1_000_003));
        JobState[] others =
        [
            state with { ClosingDigest = Digest.OfBytes("another"u8) },
            state with { SubmissionDigest = Digest.OfBytes("another"u8) },
            state with { Bids = state.Bids.Remove(Bazaar.Key(2)) },
        ];
        Assert.Equal(4, others.Append(state).Select(one => Market.Draw(one, 1_000_003)).Distinct().Count());
    }

    [Fact]
    public void Who_is_trusted_runs_alone_unless_the_draw_says_otherwise()
    {
        var (alone, checkedByOthers) = (0, 0);
        for (var i = 0; i < 200; i++)
        {
            var bazaar = Bazaar.Open([new Offer(1) { Streak = 11 }, new Offer(2), new Offer(3)], Adaptive);
            bazaar.State = bazaar.State with { ClosingDigest = Digest.OfBytes(BitConverter.GetBytes(i)) };
            var choice = bazaar.Choose();
            Assert.Equal((11, Market.Draw(bazaar.State, 11)), (choice.Selection.Streak, choice.Selection.Draw));
            Assert.Equal(choice.Selection.Draw == 0 ? 3 : 1, choice.Assignees.Count);
            _ = choice.Selection.Draw == 0 ? checkedByOthers++ : alone++;
        }

        Assert.True(alone > 0 && checkedByOthers > 0);
        Offer[] notYet = [new Offer(1) { Streak = 10 }, new Offer(2) { Streak = 90 }, new Offer(3)];
        var asked = Bazaar.Open(notYet, Adaptive);
        asked.State = asked.State with { ClosingDigest = Digest.OfBytes("closing"u8) };
        Assert.Equal((3, null), (asked.Choose().Assignees.Count, asked.Choose().Selection.Draw));
    }

    [Fact]
    public void Nothing_is_drawn_before_bidding_has_closed()
    {
        var spec = JobSpec.Given(
            JobSpec.Submit(Adaptive), JobSpec.OpenBidding(), JobSpec.Bid(Actors.Rival, 60), JobSpec.Bid(Actors.Worker, 40),
            JobSpec.Bid(Actors.Third, 50));
        var command = new JobCommand.CloseBidding("window", JobSpec.Choice with { Streak = _ => 40 });
        spec.When(command, JobSpec.At).Then(new JobEvent.BiddingClosed(1, 3, "window"));
        spec.Take(spec.When(command, JobSpec.At).Decision);
        Assert.Null(spec.State!.Assignment);
        spec.Take(spec.When(command, JobSpec.At).Decision);
        Assert.Equal(Market.Draw(spec.State, 40), spec.State.Assignment!.Selection.Draw);
        Assert.Equal(spec.State.Assignment.Selection.Draw == 0 ? 3 : 1, spec.State.Runs.Count);
    }

    private static void Judge(char[] said, int maxAttempts)
    {
        var bazaar = Bazaar.Open(Enumerable.Range(0, said.Length).Select(i => new Offer(10 + i)));
        var state = Running(bazaar, new string(said), maxAttempts);
        var silent = state.Runs.Where(run => run.Receipt is null).ToDictionary(run => run.Worker, _ => RunResults.Lost);
        var decision = Job.Decide(
            state, new JobCommand.Settle(silent, RetryPolicy.Default with { FailedShare = 5_000 }), JobSpec.At, bazaar);
        var decided = Assert.Single(decision.Events);
        var fact = new EventFact(Actors.Node.Did, decided.Cause, Digest.OfBytes("end"u8), JobSpec.At, decided.Body);
        var story = new string(said);
        Assert.True(JobRules.Check(state, fact, bazaar) is null, $"{story}: {JobRules.Check(state, fact, bazaar)}");

        var most = said.Where(one => one != 'L').GroupBy(one => one).MaxBy(group => group.Count());
        var majority = most is not null && most.Count() * 2 > said.Length ? most.Key : (char?)null;
        var isLoss = story == "L";
        var mayRetry = maxAttempts > 1 || isLoss;
        var (kind, outcomes, refunded) = decided.Body switch
        {
            JobEvent.Completed completed => ("completed", completed.Outcomes, completed.Refunded),
            JobEvent.Failed failed => ("failed", failed.Outcomes, failed.Refunded),
            JobEvent.AttemptEnded ended => ("retry", ended.Outcomes, state.Escrow),
            _ => throw new InvalidOperationException(),
        };
        Assert.Equal(majority is 'A' or 'B' ? "completed" : mayRetry ? "retry" : "failed", kind);
        Assert.Equal(state.Escrow, refunded + outcomes.Sum(one => one.Paid));
        for (var i = 0; i < said.Length; i++)
        {
            var result = said[i] switch
            {
                'L' => RunResults.Lost,
                _ when majority is not null && said[i] != majority => RunResults.Disagreed,
                'E' => RunResults.Failed,
                _ when said.Length == 1 => RunResults.Succeeded,
                _ when majority is not null => RunResults.Agreed,
                _ => RunResults.Withdrawn,
            };
            var paid = result switch
            {
                RunResults.Succeeded or RunResults.Agreed => 10 + i,
                RunResults.Failed when kind == "failed" => (10 + i) / 2,
                _ => 0,
            };
            Assert.Equal(new AttemptOutcome(Bazaar.Key(i), result, paid), outcomes[i]);
        }
    }

    /// <summary>The offers of a bazaar, assigned, each with its receipt, but for those that were lost.</summary>
    private static JobState Running(Bazaar bazaar, string said, int maxAttempts)
    {
        var state = bazaar.State;
        var receipts = state.Bids.Values.OrderBy(bid => bid.Order).Select((bid, i) => new Run
        {
            Bid = bid,
            StartDigest = Digest.OfBytes("start"u8),
            ReceiptDigest = said[i] == 'L' ? null : Digest.OfBytes("receipt"u8),
            Receipt = said[i] switch
            {
                'L' => null,
                'E' => VectorStory.Receipt(JobSpec.Trouble),
                var output => VectorStory.Receipt(null) with { Outputs = [VectorStory.Output("result", $"{output}")] },
            },
        });
        return state with
        {
            Status = JobStatus.Executing,
            Escrow = 100 * said.Length,
            Runs = [.. receipts],
            AssignmentDigest = Digest.OfBytes("assignment"u8),
            AssignedAt = JobSpec.At,
            Assignment = new JobEvent.Assigned(
                1, [], new Selection("weighted", SelectionWeights.Default, 1, JobSpec.At, 1, said.Length, false, 0, null), []),
            ReceiptDigest = said.All(one => one == 'L') ? null : Digest.OfBytes("receipt"u8),
            Submission = state.Submission with
            {
                Terms = state.Submission.Terms with { Replicas = said.Length, MaxAttempts = maxAttempts },
            },
        };
    }
}
