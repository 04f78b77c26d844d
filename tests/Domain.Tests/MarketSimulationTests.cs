using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Reputation;

namespace MeshLedger.Domain.Tests;

public sealed class MarketSimulationTests
{
    private const int Steps = 10_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Whatever_comes_in_whatever_order_no_mana_is_made_or_lost_and_every_job_ends_once(int seed)
    {
        var simulation = new MarketSimulation(seed);
        for (var step = 0; step < Steps; step++)
        {
            simulation.Step();
        }

        simulation.Finish();
        var ledger = simulation.Ledger;
        Assert.Equal((0, ledger.Created), (ledger.Held, ledger.Balances));
        Assert.All(ledger.Jobs, job =>
        {
            Assert.True(job.Value.Status.IsTerminal());
            Assert.Equal(
                job.Value.Status == JobStatus.Completed,
                job.Value.ResultRun?.Receipt is { Error: null } && job.Value.Paid > 0);
        });
        var ends = ledger.Statements.Where(said => said.Body is JobEvent.Completed or JobEvent.Failed or JobEvent.Cancelled);
        Assert.Equal(ledger.Jobs.Keys.Order(ByName), ends.Select(said => said.Stream).Order(ByName));

        var anew = new ReputationBook();
        foreach (var statement in ledger.Statements)
        {
            anew.Apply(statement.Body, statement.Time);
        }

        Assert.Equal(anew.All.ToDictionary(one => (one.Worker, one.Operation)), ledger.Book.All.ToDictionary(one => (one.Worker, one.Operation)));
    }

    /// <summary>A simulation in which nothing goes wrong would show nothing.</summary>
    [Fact]
    public void The_simulation_comes_across_every_kind_of_end_and_most_refusals()
    {
        var simulation = new MarketSimulation(7);
        for (var step = 0; step < 2 * Steps; step++)
        {
            simulation.Step();
        }

        var ledger = simulation.Ledger;
        var ended = ledger.Jobs.Values.GroupBy(job => job.Status).ToDictionary(group => group.Key, group => group.Count());
        Assert.All(
            new[] { JobStatus.Completed, JobStatus.Failed, JobStatus.Cancelled }, status => Assert.True(ended[status] > 10, $"{string.Join(", ", ended)}; {string.Join(", ", simulation.Refused)}"));
        var results = ledger.Statements.Select(said => said.Body switch
        {
            JobEvent.Completed completed => completed.Outcomes,
            JobEvent.Failed failed => failed.Outcomes,
            JobEvent.AttemptEnded retried => retried.Outcomes,
            JobEvent.Cancelled cancelled => cancelled.Outcomes,
            _ => [],
        }).SelectMany(outcomes => outcomes).Select(outcome => outcome.Result).ToHashSet();
        Assert.Equal(
            ["agreed", "disagreed", "failed", "lost", "own", "succeeded", "timed_out", "withdrawn"],
            results.Order(StringComparer.Ordinal));
        Assert.Contains(ledger.Jobs.Values, job => job is { Status: JobStatus.Completed, Losses: > 0 });
        Assert.Contains(ledger.Jobs.Values, job => job is { Status: JobStatus.Completed, Failures: > 0 });
        string[] refusals =
        [
            "JOB_ENDED", "WRONG_STATUS", "WRONG_ATTEMPT", "WRONG_CAUSE", "NOT_YOUR_ASSIGNMENT", "LEASE_LOST", "RECEIPT_EXISTS",
            "CANCELLED", "NOT_THE_SUBMITTER", "NOT_CANCELLABLE", "STARTED", "WRONG_SEQUENCE", "WRONG_PROGRESS", "WRONG_PRICE",
            "NOT_REGISTERED", "WRONG_RESOURCES", "INSUFFICIENT_MANA", "WRONG_REGENERATION", "WORKER_RETIRED",
        ];
        Assert.Empty(refusals.Except(simulation.Refused.Keys));
    }

    private static Comparer<StreamId> ByName { get; } =
        Comparer<StreamId>.Create((a, b) => string.CompareOrdinal(a.ToString(), b.ToString()));
}
