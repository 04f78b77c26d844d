using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class JobPropertyTests
{
    private static readonly Said[] Sayings =
    [
        JobSpec.Submit(), JobSpec.OpenBidding(), JobSpec.Bid(Actors.Worker, 40), JobSpec.Bid(Actors.Worker, 101),
        JobSpec.Bid(Actors.Rival, 40), JobSpec.Bid(Actors.Rival, 60), JobSpec.CloseBidding(), JobSpec.Assign(),
        JobSpec.Start(), JobSpec.Start() with { By = Actors.Rival }, JobSpec.Progress(1, 5), JobSpec.Progress(2, 5),
        JobSpec.Progress(2, 4), JobSpec.Receipt(null), JobSpec.Receipt(JobSpec.Trouble),
        JobSpec.Receipt(null) with { By = Actors.Rival }, JobSpec.Complete(), JobSpec.Fail(JobSpec.Trouble),
        JobSpec.Fail(JobSpec.Late), JobSpec.Complete() with { By = Actors.Stranger },
        new(Actors.Worker, _ => null, _ => Actors.Facts("worker-1")),
    ];

    private static readonly JobCommand[] Commands =
    [
        new JobCommand.OpenBidding(), new JobCommand.CloseBidding("window"), new JobCommand.Settle(),
        new JobCommand.Abandon(JobSpec.Late),
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
                Assert.True(before is null || spec.State.Status >= before.Status);
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
            Assert.Equal(whole?.Bids, parts?.Bids);
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
        var life = 0;
        foreach (var choice in sequence)
        {
            yield return choice >= 0 ? Sayings[choice] : JobSpec.Succeeded[life++ % JobSpec.Succeeded.Length];
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

    /// <summary>Without the bids: an immutable list compares by reference.</summary>
    private static JobState? Plain(JobState? state) => state is null ? null : state with { Bids = [] };

    private static void Check(Arbitrary<int[]> sequences, Action<int[]> property) =>
        Prop.ForAll(sequences, property).Check(Config.QuickThrowOnFailure.WithMaxTest(200));
}
