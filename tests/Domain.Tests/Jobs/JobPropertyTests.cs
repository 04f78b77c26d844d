using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class JobPropertyTests
{
    private const string ThreeTries = "\"execution\":{\"max_attempts\":3},\"market\":{\"replicas\":2},";

    private static readonly Said[] Sayings =
    [
        JobSpec.Submit(), JobSpec.Submit(ThreeTries), JobSpec.OpenBidding(), JobSpec.OpenBidding(), JobSpec.OpenBidding(50),
        JobSpec.Bid(Actors.Worker, 40), JobSpec.Bid(Actors.Worker, 101), JobSpec.Bid(Actors.Rival, 40),
        JobSpec.Bid(Actors.Rival, 60), JobSpec.CloseBidding(), JobSpec.Assign(), JobSpec.Start(), JobSpec.Start(Actors.Rival),
        JobSpec.Renew(), JobSpec.Progress(1, 5), JobSpec.Progress(2, 5), JobSpec.Progress(2, 4),
        JobSpec.Output(1, "log", 0, "abc"), JobSpec.Output(2, "log", 3, "d"), JobSpec.Checkpoint(1),
        JobSpec.Receipt(null), JobSpec.Receipt(JobSpec.Trouble), JobSpec.Receipt(null, Actors.Rival),
        JobSpec.Receipt(null, Actors.Rival, "{}"), JobSpec.EndAttempt(), JobSpec.EndAttempt(RunResults.TimedOut),
        JobSpec.Complete(), JobSpec.Fail(JobSpec.Trouble), JobSpec.Fail(JobSpec.Late), JobSpec.RequestCancel(),
        JobSpec.Cancel(), JobSpec.Complete() with { By = Actors.Stranger },
        new(Actors.Worker, _ => null, _ => Actors.Facts("worker-1")),
    ];

    /// <summary>What half of the tries go through in order, so that they come to an end.</summary>
    private static readonly Said[][] Lives =
    [
        JobSpec.Succeeded, JobSpec.Retrying, JobSpec.Lost,
        [JobSpec.Submit(ThreeTries), .. JobSpec.Closed[1..], JobSpec.Assign(), JobSpec.Start(), JobSpec.Start(Actors.Rival)],
    ];

    private static readonly RetryPolicy Retry = RetryPolicy.Default with { FailedShare = 2_500 };

    private static readonly JobCommand[] Commands =
    [
        new JobCommand.OpenBidding(7), new JobCommand.CloseBidding("window", JobSpec.Choice),
        new JobCommand.Settle(new Dictionary<Did, string>(), Retry),
        new JobCommand.Settle(
            new Dictionary<Did, string> { [Actors.Worker.Did] = RunResults.Lost, [Actors.Rival.Did] = RunResults.TimedOut },
            Retry),
        new JobCommand.Abandon(JobSpec.Late), new JobCommand.Cancel(),
    ];

    /// <summary>Which saying comes next; one half of the time the next that a job's life has.</summary>
    private static Arbitrary<int[]> Sequences { get; } =
        Gen.Choose(-Sayings.Length, Sayings.Length - 1).ArrayOf().Resize(60).ToArbitrary();

    [Fact]
    public void What_is_judged_legal_folds_and_nothing_leaves_an_end() => Check(Sequences, sequence =>
    {
        var spec = JobSpec.Given();
        foreach (var said in Pick(sequence))
        {
            var (before, fact) = (spec.State, spec.Fact(said));
            if (JobRules.Check(before, fact, spec.Registry) is null)
            {
                Assert.False(before?.Status.IsTerminal() == true);
                spec.Take(fact);
                Assert.Equal((before?.Version ?? 0) + 1, spec.State!.Version);
            }
        }
    });

    [Fact]
    public void Folding_in_two_parts_is_folding_once() => Check(Sequences, sequence =>
    {
        var facts = Live(sequence).Facts;
        var whole = Fold(null, facts);
        for (var cut = 0; cut <= facts.Count; cut++)
        {
            var parts = Fold(Fold(null, facts.Take(cut)), facts.Skip(cut));
            Assert.Equal(Plain(whole), Plain(parts));
            Assert.Equal(whole?.Bids.Values.Order(ByOrder), parts?.Bids.Values.Order(ByOrder));
        }
    });

    [Fact]
    public void What_is_decided_is_legal_and_deciding_it_again_adds_nothing() => Check(Sequences, sequence =>
    {
        foreach (var command in Commands)
        {
            var spec = Live(sequence);
            if (spec.State is null)
            {
                return;
            }

            spec.Take(Job.Decide(spec.State, command, JobSpec.At, spec.Registry));
            Assert.Empty(Job.Decide(spec.State, command, JobSpec.At, spec.Registry).Events);
        }
    });

    [Fact]
    public void Every_status_is_reached_by_what_the_properties_try()
    {
        var reached = new HashSet<JobStatus>();
        Check(Sequences, sequence =>
        {
            if (Live(sequence).State is { } state)
            {
                reached.Add(state.Status);
            }
        });
        Assert.Equal(Enum.GetValues<JobStatus>().Length, reached.Count);
    }

    private static JobSpec Live(int[] sequence)
    {
        var spec = JobSpec.Given();
        foreach (var said in Pick(sequence))
        {
            var fact = spec.Fact(said);
            if (JobRules.Check(spec.State, fact, spec.Registry) is null)
            {
                spec.Take(fact);
            }
        }

        return spec;
    }

    private static IEnumerable<Said> Pick(int[] sequence)
    {
        var (at, life) = (0, Lives[sequence.Length % Lives.Length]);
        foreach (var choice in sequence)
        {
            yield return choice >= 0 || at == life.Length ? Sayings[Math.Max(0, choice)] : life[at++];
        }
    }

    private static JobState? Fold(JobState? state, IEnumerable<EventFact> facts)
    {
        foreach (var fact in facts)
        {
            state = Job.Evolve(state, fact);
        }

        return state;
    }

    private static Comparer<BidFact> ByOrder { get; } = Comparer<BidFact>.Create((a, b) => a.Order.CompareTo(b.Order));

    /// <summary>Without the collections that compare by reference; the runs as a list that compares by value.</summary>
    private static (JobState?, ValueList<Run>?) Plain(JobState? state) => state is null ? (null, null) : (
        state with
        {
            Bids = ImmutableDictionary<Did, BidFact>.Empty,
            Runs = [],
            ResultRun = Plain(state.ResultRun),
            Lost = state.Lost is { } lost ? lost with { Run = Plain(lost.Run)! } : null,
        },
        ValueList.From(state.Runs.Select(run => Plain(run)!)));

    private static Run? Plain(Run? run) =>
        run is null ? null : run with { OutputEnds = ImmutableDictionary<string, long>.Empty };

    private static void Check(Arbitrary<int[]> sequences, Action<int[]> property) =>
        Prop.ForAll(sequences, property).Check(Config.QuickThrowOnFailure.WithMaxTest(200));
}
