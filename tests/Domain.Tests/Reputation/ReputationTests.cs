using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Reputation;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Tests.Jobs;

namespace MeshLedger.Domain.Tests.Reputation;

public sealed class ReputationTests
{
    private const string Echo = "system.echo";
    private static readonly Did Worker = Actors.Worker.Did;
    private static readonly string[] Results =
    [
        RunResults.Succeeded, RunResults.Agreed, RunResults.Own, RunResults.Failed, RunResults.TimedOut, RunResults.Lost,
        RunResults.Disagreed, RunResults.Withdrawn,
    ];

    private static Arbitrary<int> Seeds { get; } = Gen.Choose(0, int.MaxValue).ToArbitrary();

    [Fact]
    public void Each_outcome_is_worth_what_the_contract_says()
    {
        long[] points = [10, 10, 0, -5, -10, -10, -50, 0];
        foreach (var (result, worth) in Results.Zip(points))
        {
            var book = Book((result, Actors.Time));
            Assert.Equal(worth, book.Points(Worker, Echo, Actors.Time));
            Assert.Equal(worth, book.Points(Worker, ReputationBook.Overall, Actors.Time));
            Assert.Equal(0, book.Points(Worker, "system.other", Actors.Time));
            Assert.Equal(0, book.Points(Actors.Rival.Did, Echo, Actors.Time));
        }
    }

    [Fact]
    public void It_stays_between_minus_and_plus_a_thousand() => Prop.ForAll(Seeds, seed =>
    {
        var random = new Random(seed);
        var book = new ReputationBook();
        var only = random.GetItems(Results, 2);
        var at = Actors.Time;
        for (var i = 0; i < 300; i++)
        {
            at += TimeSpan.FromMinutes(random.Next(-60, 120));
            Apply(book, random.GetItems(only, 1)[0], at);
            Assert.InRange(book.Points(Worker, Echo, at), -1_000, 1_000);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Half_is_forgotten_in_thirty_days_to_the_point()
    {
        foreach (var (result, sign) in new[] { (RunResults.Succeeded, 1), (RunResults.Lost, -1) })
        {
            var book = Book([.. Enumerable.Repeat((result, Actors.Time), 80)]);
            foreach (var (days, points) in new[] { (0, 800), (30, 400), (60, 200), (90, 100), (120, 50), (150, 25), (180, 12), (300, 0), (4_000, 0) })
            {
                Assert.Equal(sign * points, book.Points(Worker, Echo, Actors.Time.AddDays(days)));
            }
        }
    }

    [Fact]
    public void Between_it_falls_as_a_half_life_does() => Prop.ForAll(Gen.Choose(0, 32 * 14).ToArbitrary(), steps =>
    {
        var book = Book([.. Enumerable.Repeat((RunResults.Succeeded, Actors.Time), 100)]);
        var left = book.Points(Worker, Echo, Actors.Time + (ReputationBook.HalfLife / 32 * steps));
        Assert.Equal(1_000 * Math.Pow(2, -steps / 32.0), left, 1.0);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Looking_changes_nothing_and_a_clock_that_goes_back_gives_nothing_back() => Prop.ForAll(Seeds, seed =>
    {
        var random = new Random(seed);
        var (looked, plain) = (new ReputationBook(), new ReputationBook());
        var at = Actors.Time;
        for (var i = 0; i < 60; i++)
        {
            at += TimeSpan.FromDays(random.Next(-5, 20));
            var result = random.GetItems(Results, 1)[0];
            var before = looked.Points(Worker, Echo, at);
            Assert.True(Math.Abs(looked.Points(Worker, Echo, at.AddDays(random.Next(1, 900)))) <= Math.Abs(before));
            Apply(looked, result, at);
            Apply(plain, result, at);
            Assert.Equal(plain.Score(Worker, Echo), looked.Score(Worker, Echo));
        }

        var restored = new ReputationBook();
        foreach (var (worker, operation, score) in looked.All)
        {
            restored.Restore(worker, operation, score);
        }

        Assert.Equal(plain.Points(Worker, Echo, at), restored.Points(Worker, Echo, at));
        Assert.Equal(plain.All.Order(ByKey), looked.All.Order(ByKey));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Only_settlements_count()
    {
        var book = new ReputationBook();
        foreach (var statement in VectorStory.Tell().Select(told => told.Event.Statement))
        {
            var isSettlement = statement.Body is JobEvent.Completed or JobEvent.AttemptEnded
                or JobEvent.Failed { Outcomes.Count: > 0 };
            Assert.Equal(isSettlement, book.Apply(statement.Body, statement.Time).Count > 0);
        }
    }

    [Fact]
    public void What_a_worker_says_of_its_own_doing_raises_nothing()
    {
        var boast = JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(body => body with
        {
            Receipt = body.Receipt with { DurationUs = CanonicalJson.MaxInteger, PeakMemoryBytes = 0, ExitCode = 100 },
        });
        Assert.Equal(Folded([.. JobSpec.Succeeded[..^1], JobSpec.Receipt(null), JobSpec.Complete()]), Folded([.. JobSpec.Succeeded[..^1], boast, JobSpec.Complete()]));
        Assert.Equal(
            Folded([.. JobSpec.Executing, JobSpec.Receipt(null), JobSpec.Complete()]),
            Folded([.. JobSpec.Executing, JobSpec.Renew(), JobSpec.Progress(1, 10_000), JobSpec.Output(1, "log", 0, "x"), JobSpec.Checkpoint(1), JobSpec.Receipt(null), JobSpec.Complete()]));
    }

    [Fact]
    public void A_streak_is_of_confirmed_results_in_a_row()
    {
        foreach (var (story, streak) in new[] { ("AAA", 3), ("ASA", 2), ("AOA", 2), ("AWA", 2), ("AFA", 1), ("AAL", 0), ("AAT", 0), ("ADAA", 2), ("SSS", 0) })
        {
            var book = Book([.. story.Select(letter =>
                (Results.First(result => char.ToUpperInvariant(result[0]) == letter), Actors.Time))]);
            Assert.Equal(streak, book.Score(Worker, Echo).Streak);
        }
    }

    [Fact]
    public void Every_outcome_is_counted_and_what_was_earned_added_up() => Prop.ForAll(Seeds, seed =>
    {
        var random = new Random(seed);
        var results = random.GetItems(Results, 40);
        var score = Book([.. results.Select(result => (result, Actors.Time))]).Score(Worker, Echo);
        long Count(params string[] which) => results.Count(which.Contains);
        Assert.Equal(
            (Count("succeeded", "agreed", "own"), Count("failed"), Count("timed_out"), Count("lost"), Count("disagreed")),
            (score.Succeeded, score.Failed, score.TimedOut, score.Lost, score.Disagreed));
        Assert.Equal(3 * (40 - Count("withdrawn")), score.Earned);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_submitter_s_reputation_is_its_own_and_that_of_workers_it_vouched_for()
    {
        Assert.Equal(0, SubmitterReputation.Sum([]));
        Assert.Equal(30, SubmitterReputation.Sum([10, -500, 20]));
        Assert.Equal(1_000, SubmitterReputation.Sum([900, 900]));
    }

    private static Comparer<(Did, string, ReputationScore)> ByKey { get; } = Comparer<(Did Worker, string Operation, ReputationScore)>.Create(
        (a, b) => string.CompareOrdinal($"{a.Worker} {a.Operation}", $"{b.Worker} {b.Operation}"));

    private static ReputationScore Folded(Said[] history)
    {
        var book = new ReputationBook();
        foreach (var fact in JobSpec.Given(history).Facts)
        {
            book.Apply(fact.Body, fact.Time);
        }

        return book.Score(Worker, Echo);
    }

    private static ReputationBook Book(params (string Result, DateTimeOffset At)[] settled)
    {
        var book = new ReputationBook();
        foreach (var (result, at) in settled)
        {
            Apply(book, result, at);
        }

        return book;
    }

    private static void Apply(ReputationBook book, string result, DateTimeOffset at) =>
        book.Apply(new JobEvent.Completed(1, Echo, [new AttemptOutcome(Worker, result, 3)], 0), at);
}
