using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Testing;

namespace MeshLedger.Domain.Tests;

/// <summary>The ledgers that other rooms are tested with are legal by the rules of this one.</summary>
public sealed class HistoryTests
{
    [Fact]
    public void A_history_is_legal_and_has_thirteen_events_a_job()
    {
        var history = LedgerHistory.Of(jobs: 40);
        var ledger = Judged(history.Statements);
        Assert.Equal(40, ledger.Jobs.Count);
        Assert.All(ledger.Jobs.Values, job => Assert.True(job.Status.IsTerminal()));
        Assert.Equal(0, ledger.Held);
        Assert.All(
            ledger.Jobs.Where(job => job.Value.Status == JobStatus.Completed),
            job => Assert.Equal(13, history.Statements.Count(said => About(said) == job.Key)));
    }

    [Fact]
    public void A_story_is_legal_and_has_all_that_may_happen()
    {
        var ledger = Judged([.. new LedgerStory().Tell().Events.Select(signed => signed.Statement)]);
        Assert.Equal(0, ledger.Held);
        string[] rare = ["checkpoint_recorded", "partial_output_produced", "node_joined", "node_admitted", "aid_template_withdrawn"];
        Assert.Empty(EventCodec.Kinds.Select(kind => kind.Type)
            .Except(ledger.Statements.Select(statement => statement.Type)).Except(rare));
        Assert.Empty(Enum.GetValues<JobStatus>()[^3..].Except(ledger.Jobs.Values.Select(job => job.Status)));
    }

    private static StreamId About(Statement statement) => statement.Body switch
    {
        AccountEvent.Held held => StreamId.OfJob(held.JobId),
        AccountEvent.Paid paid => StreamId.OfJob(paid.JobId),
        AccountEvent.Received received => StreamId.OfJob(received.JobId),
        AccountEvent.Refunded refunded => StreamId.OfJob(refunded.JobId),
        _ => statement.Stream,
    };

    private static TestLedger Judged(IReadOnlyList<Statement> statements)
    {
        var ledger = new TestLedger();
        foreach (var statement in statements)
        {
            Assert.Null(ledger.Check(statement));
            ledger.Take(statement);
        }

        return ledger;
    }
}
