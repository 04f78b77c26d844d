using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>Where two runs part, and in what they differ.</summary>
public sealed class RunComparisonTests
{
    private static readonly RunClaims Claims =
        RunClaims.Of(VectorStory.Receipt(null) with { Guest = VectorStory.Metered() });

    private static readonly RecordedCheckpoint[] Saved =
        [.. Enumerable.Range(1, 5).Select(n => new RecordedCheckpoint(1, Actors.Worker.Did, n, 1_000 * n, State($"s{n}"), 5))];

    [Fact]
    public void Runs_that_are_alike_part_nowhere()
    {
        var compared = RunComparison.Of(Claims, Saved, Claims, States(_ => null));
        Assert.True(compared.IsEqual);
        Assert.Equal(5, compared.Checkpoints);
        Assert.Null(compared.Parting);
    }

    [Theory]
    [InlineData(1, "between the beginning and checkpoint 1 of attempt 1 (fuel 1,000)")]
    [InlineData(4, "between checkpoint 3 of attempt 1 (fuel 3,000) and checkpoint 4 of attempt 1 (fuel 4,000)")]
    [InlineData(6, "between checkpoint 5 of attempt 1 (fuel 5,000) and the end")]
    public void The_first_checkpoint_that_differs_says_where_they_part(int from, string where)
    {
        var compared = RunComparison.Of(
            Claims, Saved.Reverse(), Claims with { Fuel = 1 }, States(n => n >= from ? State($"honest {n}") : null));
        Assert.Equal(from - 1, compared.Checkpoints);
        Assert.Equal(where, compared.Parting?.ToString());
        Assert.Contains(compared.Differences, difference => difference.What == "fuel" && difference.Found == "1");
        Assert.Equal(from <= 5, compared.Differences[^1].What == $"checkpoint {from} of attempt 1");
    }

    [Fact]
    public void A_single_checkpoint_that_differs_disputes_a_receipt_that_is_right()
    {
        var compared = RunComparison.Of(Claims, Saved, Claims, States(n => n == 2 ? State("honest") : null));
        Assert.False(compared.IsEqual);
        Assert.Equal(["checkpoint 2 of attempt 1"], compared.Differences.Select(difference => difference.What));
    }

    [Fact]
    public void A_checkpoint_beyond_the_end_or_where_nothing_stands_still_differs()
    {
        var beyond = States(_ => null);
        beyond.Remove(5_000);
        Assert.Equal("the program had ended before", RunComparison.Of(Claims, Saved, Claims, beyond).Differences[0].Found);

        var elsewhere = States(_ => null);
        elsewhere[3_000] = elsewhere[3_000] with { Fuel = 3_001 };
        Assert.Equal(2, RunComparison.Of(Claims, Saved, Claims, elsewhere).Parting?.From?.Sequence);
    }

    [Fact]
    public void Outputs_are_compared_by_name_also_those_that_one_lacks()
    {
        var found = Claims with
        {
            Outputs = [Claims.Outputs[0] with { Truncated = false }, new ClaimedOutput("third", 0, State(""), Digest.OfBytes([]), false)],
        };
        var differences = RunDifference.Between(Claims, found).ToList();
        Assert.Equal(["output raw", "output result", "output third"], differences.Select(difference => difference.What));
        Assert.EndsWith(", cut at the limit", differences[0].Claimed, StringComparison.Ordinal);
        Assert.Equal(("none", "none"), (differences[1].Found, differences[2].Claimed));
    }

    [Fact]
    public void What_is_not_metered_parts_nowhere_in_particular()
    {
        var echo = RunClaims.Of(VectorStory.Receipt(null));
        var compared = RunComparison.Of(echo, [], echo with { ExitCode = 1 }, new Dictionary<long, FoundState>());
        Assert.False(compared.IsEqual);
        Assert.Null(compared.Parting);
    }

    [Fact]
    public void A_receipt_rests_on_the_checkpoints_of_every_run_that_it_goes_back_to()
    {
        var first = new CheckpointName(1, 1, Actors.Rival.Did, State("1.1"));
        var facts = new List<EventFact>
        {
            Checkpoint(Actors.Rival, 1, 1, 10, null), Checkpoint(Actors.Rival, 1, 2, 20, null),
            Checkpoint(Actors.Worker, 2, 1, 30, first), Checkpoint(Actors.Third, 2, 1, 25, null),
            Receipt(Actors.Worker, 2, VectorStory.Metered(new CheckpointName(2, 1, Actors.Worker.Did, State("2.1")))),
            Receipt(Actors.Third, 2, VectorStory.Metered()),
        };
        var history = new ReceiptHistory(facts);
        Assert.Equal([10, 20, 25, 30], history.Marks);
        Assert.Equal([10, 30], history.Of(history.Receipts[0]).Select(saved => saved.Fuel));
        Assert.Equal([25], history.Of(history.Receipts[1]).Select(saved => saved.Fuel));
    }

    private static BlobHash State(string text) => Blake3.Hash(System.Text.Encoding.UTF8.GetBytes(text));

    private static Dictionary<long, FoundState> States(Func<long, BlobHash?> other) => Saved.ToDictionary(
        saved => saved.Fuel, saved => new FoundState(saved.Fuel, other(saved.Sequence) ?? saved.State, saved.Size));

    private static EventFact Checkpoint(SigningKey by, int attempt, long sequence, long fuel, CheckpointName? from) => Fact(
        by, new JobEvent.CheckpointRecorded(
            attempt, sequence, State($"{attempt}.{sequence}"), 5, new EngineName("meshledger-wasm", "0.1.0"), fuel, from));

    private static EventFact Receipt(SigningKey by, int attempt, GuestAccount guest) =>
        Fact(by, new JobEvent.ReceiptIssued(attempt, VectorStory.Receipt(null) with { Guest = guest }, null));

    private static EventFact Fact(SigningKey by, LedgerEvent body) =>
        EventFact.Of(Actors.State(by, body, null, StreamId.Parse("job-echo-test-001"), 1));
}
