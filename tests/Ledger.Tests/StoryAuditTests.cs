using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Workers;
using MeshLedger.Ledger.Audit;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Ledger.Tests;

/// <summary>Ledgers whose every event is signed by its author, and in which one thing is not so.</summary>
public sealed class StoryAuditTests(StoryAuditTests.OneDatabase one) : IClassFixture<StoryAuditTests.OneDatabase>
{
    [Fact]
    public async Task A_story_told_as_it_was_is_clean()
    {
        var story = new LedgerStory().Tell();

        var report = await AuditAsync(story);

        Assert.Empty(report.Faults);
        Assert.Equal(150_000, report.Granted);
        Assert.Equal(250, report.Regenerated);
        Assert.Equal(report.Granted + report.Regenerated, report.Balances + report.Escrow);
        Assert.Equal(0, report.Escrow);
    }

    [Fact]
    public void Mana_is_conserved_at_every_position()
    {
        var accounts = new Dictionary<StreamId, AccountState>();
        var (underWay, position) = (0L, 0);
        foreach (var statement in new LedgerStory().Tell().Events.Select(signed => signed.Statement))
        {
            position++;
            if (statement.Body is not AccountEvent body)
            {
                continue;
            }

            accounts[statement.Stream] = Account.Evolve(
                accounts.GetValueOrDefault(statement.Stream, AccountState.None), body, statement.Time);
            underWay += body switch
            {
                AccountEvent.Paid paid => paid.Amount,
                AccountEvent.Received received => -received.Amount,
                _ => 0,
            };
            Assert.True(
                accounts.Values.Sum(account => account.Granted + account.Regenerated)
                    == accounts.Values.Sum(account => account.Balance + account.Held) + underWay,
                $"mana was made or lost at position {position}");
            Assert.All(accounts.Values, account => Assert.True(account is { Balance: >= 0, Held: >= 0 }));
        }

        Assert.Equal(0, underWay);
    }

    private static Dictionary<string, (Func<LedgerEvent, LedgerEvent[]> Twist, string Kind, string Reason)> Lies => new()
    {
        ["a completed job pays more than the price"] = (
            Once<JobEvent.Completed>(completed => completed with
            {
                Outcomes = [completed.Outcomes[0] with { Paid = completed.Outcomes[0].Paid + 1 }],
                Refunded = completed.Refunded - 1,
            }),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["a completed job keeps some of what was held"] = (
            Once<JobEvent.Completed>(completed => completed with { Refunded = completed.Refunded - 1 }),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["who disagreed is paid"] = (
            Once<JobEvent.Completed>(
                completed => completed with
                {
                    Outcomes = ValueList.From(completed.Outcomes.Select(outcome => outcome with { Result = RunResults.Agreed })),
                },
                completed => completed.Outcomes.Count == 3),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["a success for the own owner counts"] = (
            Once<JobEvent.Completed>(
                completed => completed with { Outcomes = [completed.Outcomes[0] with { Result = RunResults.Succeeded }] },
                completed => completed.Outcomes[0].Result == RunResults.Own),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["a failed attempt is paid"] = (
            Once<JobEvent.AttemptEnded>(ended => ended with { Outcomes = [ended.Outcomes[0] with { Paid = 5 }] }),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["a lost attempt is nobody's fault"] = (
            Once<JobEvent.AttemptEnded>(
                ended => ended with { Outcomes = [ended.Outcomes[0] with { Result = RunResults.Withdrawn }] },
                ended => ended.Outcomes[0].Result == RunResults.Lost),
            "illegal_event", "NO_VERDICT"),
        ["a failed job pays more than the price"] = (
            Once<JobEvent.Failed>(failed => failed with
            {
                Outcomes = [failed.Outcomes[0] with { Paid = failed.Outcomes[0].Paid + failed.Refunded }],
                Refunded = 0,
            }),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["a cancelled job pays"] = (
            Once<JobEvent.Cancelled>(cancelled => cancelled with
            {
                Outcomes = [cancelled.Outcomes[0] with { Paid = 1 }],
                Refunded = cancelled.Refunded - 1,
            }),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["a worker does not receive what was paid"] = (Without<AccountEvent.Received>(), "unsettled", "mana_received"),
        ["what was paid does not add up"] = (Without<AccountEvent.Received>(), "mana_not_conserved", "grew"),
        ["a worker receives twice"] = (Twice<AccountEvent.Received>(), "illegal_event", "WRONG_SETTLEMENT"),
        ["a worker receives more than was paid"] = (
            Once<AccountEvent.Received>(received => received with { Amount = received.Amount + 1 }),
            "illegal_event", "WRONG_SETTLEMENT"),
        ["the submitter does not pay"] = (Without<AccountEvent.Paid>(), "unsettled", "mana_paid"),
        ["the submitter pays less"] = (
            Once<AccountEvent.Paid>(paid => paid with { Amount = paid.Amount - 1 }), "illegal_event", "WRONG_SETTLEMENT"),
        ["nothing is refunded"] = (Without<AccountEvent.Refunded>(), "unsettled", "mana_refunded"),
        ["nothing is held"] = (Without<AccountEvent.Held>(), "illegal_event", "NOT_HELD"),
        ["less is held than the opening says"] = (
            Once<AccountEvent.Held>(held => held with { Amount = held.Amount - 1 }), "illegal_event", "WRONG_SETTLEMENT"),
        ["the opening asks for less than the price"] = (
            Once<JobEvent.BiddingOpened>(opened => opened with { Escrow = opened.Escrow - 1 }),
            "illegal_event", "WRONG_ESCROW"),
        ["a second attempt holds something else"] = (
            Once<JobEvent.BiddingOpened>(opened => opened with { Escrow = 50 }, opened => opened.Attempt == 2),
            "illegal_event", "WRONG_ESCROW"),
        ["too much grows"] = (
            Once<AccountEvent.Regenerated>(grown => grown with { Amount = grown.Amount + 1 }),
            "illegal_event", "WRONG_REGENERATION"),
        ["more time passes than did"] = (
            Once<AccountEvent.Regenerated>(grown => grown with
            {
                Amount = grown.Amount * 2,
                Until = grown.Until + (grown.Until - grown.From),
            }),
            "illegal_event", "WRONG_REGENERATION"),
        ["it grows as for somebody better"] = (
            Once<AccountEvent.Regenerated>(grown => grown with { Reputation = 200, Amount = 60 * 2 * 10 }),
            "wrong_reputation", "not 200"),
        ["a submitter is better than it is"] = (
            Once<JobEvent.BiddingOpened>(opened => opened with
            {
                SubmitterReputation = 100,
                Escrow = Pricing.Adjust(100, 100),
            }),
            "wrong_reputation", "not 100"),
        ["a receipt is of another attempt"] = (
            Once<JobEvent.ReceiptIssued>(issued => issued with { Attempt = issued.Attempt + 1 }),
            "illegal_event", "WRONG_ATTEMPT"),
        ["a receipt is called right that is not"] = (
            body => body is JobEvent.ReceiptDisputed disputed
                ?
                [
                    new JobEvent.ReceiptVerified(
                        disputed.Attempt, disputed.Worker, disputed.Registration, disputed.Engine, disputed.VerifiedAt,
                        disputed.Found, disputed.Checkpoints, disputed.Summary),
                ]
                : [body],
            "illegal_event", "WRONG_FINDING"),
        ["a finding is summed up as another"] = (
            Once<JobEvent.ReceiptVerified>(verified => verified with { VerifiedAt = verified.VerifiedAt.AddDays(1) }),
            "illegal_event", "WRONG_SUMMARY"),
        ["a node finds twice"] = (Twice<JobEvent.ReceiptVerified>(), "illegal_event", "FINDING_EXISTS"),
        ["the dearer bid wins"] = (
            Once<JobEvent.Assigned>(
                assigned => assigned with
                {
                    Assignees = [.. assigned.Considered.Where(bid => bid.Worker != assigned.Assignees[0].Worker)
                        .Select(bid => new Assignee(bid.Bid, bid.Worker, bid.Price)).Take(1)],
                },
                assigned => assigned.Assignees.Count == 1 && assigned.Considered.Count == 2),
            "illegal_event", "WRONG_CHOICE"),
        ["a bid is not considered"] = (
            Once<JobEvent.Assigned>(
                assigned => assigned with { Considered = [assigned.Considered[1]] },
                assigned => assigned.Considered.Count == 2),
            "illegal_event", "WRONG_CHOICE"),
        ["a match names another template"] = (
            Once<AidEvent.Matched>(matched => matched with { Template = Digest.OfBytes([1]) }),
            "illegal_event", "WRONG_TEMPLATE"),
        ["a match names a job that was for something else"] = (
            Once<AidEvent.Matched>(matched => matched with { JobId = JobId.Parse("job-alone-1") }),
            "illegal_event", "WRONG_MATCH"),
        ["a match's job is not what template and request make"] = (
            Once<JobEvent.Submitted>(
                submitted => JobSubmission.Create(
                    JobDocumentReader.Read(Encoding.UTF8.GetBytes(
                        submitted.Document.Replace("\"number\":2", "\"number\":3", StringComparison.Ordinal))).Document!,
                    default,
                    submitted.Transport,
                    100,
                    250),
                submitted => submitted.Document.Contains("\"number\":2", StringComparison.Ordinal)),
            "illegal_event", "WRONG_MATCH"),
        ["a match names a job that never comes"] = (
            Once<AidEvent.Matched>(matched => matched with { JobId = JobId.Parse("job-that-never-comes") }),
            "unsettled", "job_submitted of job-that-never-comes"),
    };

    public static TheoryData<string> Told => [.. Lies.Keys];

    [Theory]
    [MemberData(nameof(Told))]
    public async Task What_is_not_so_is_found_though_it_is_signed(string lie)
    {
        var (twist, kind, reason) = Lies[lie];

        var report = await AuditAsync(new LedgerStory { Twist = twist }.Tell());

        Assert.Contains(
            report.Faults, fault => fault.Kind == kind && fault.Reason.Contains(reason, StringComparison.Ordinal));
    }

    public static TheoryData<string> Choices => ["reputation", "streak", "old", "future", "other time"];

    [Theory]
    [MemberData(nameof(Choices))]
    public async Task A_choice_by_figures_that_are_not_so_is_found(string lie)
    {
        SelectionInput Choosing(SelectionInput input) => lie switch
        {
            "reputation" => input with { Reputation = worker => input.Reputation(worker) + 1 },
            "streak" => input with { Streak = worker => input.Streak(worker) + 1 },
            "old" => input with { AsOf = -1 },
            "future" => input with { AsOf = input.AsOf + 1000 },
            _ => input with { At = input.At.AddDays(365) },
        };

        var report = await AuditAsync(new LedgerStory { Choosing = Choosing }.Tell());

        Assert.NotEmpty(report.Faults);
        Assert.All(report.Faults, fault => Assert.Equal("wrong_reputation", fault.Kind));
    }

    [Fact]
    public async Task A_choice_as_of_an_earlier_position_is_judged_by_what_was_so_then()
    {
        // Every figure as of the founding, when nobody had any.
        var report = await AuditAsync(new LedgerStory
        {
            Choosing = input => input with { AsOf = 1, Reputation = _ => 0, Streak = _ => 0 },
        }.Tell());

        Assert.Empty(report.Faults);
    }

    public static TheoryData<string, string> Intruders => new()
    {
        { "grant", "NOT_THE_FEDERATION" },
        { "vouch", "NOT_THE_OWNER" },
        { "retire", "NOT_THE_WORKER" },
        { "cancel", "JOB_ENDED" },
        { "complete", "JOB_UNKNOWN" },
        { "open", "NOT_A_NODE" },
        { "withdraw", "NOT_YOUR_TEMPLATE" },
    };

    [Theory]
    [MemberData(nameof(Intruders))]
    public async Task What_somebody_else_had_to_say_is_found(string what, string code)
    {
        var story = new LedgerStory().Tell();
        var (worker, stranger) = (story.Workers[0].Did, story.Stranger);
        var registration = story.Registry.Worker(worker)!.Digest;
        _ = what switch
        {
            "grant" => story.Say(
                stranger, new FederationEvent.MembershipGranted(worker, []), null, StreamId.OfFederation("north")),
            "vouch" => story.Say(stranger, new WorkerEvent.Vouched(worker), registration, StreamId.OfWorker(worker)),
            "retire" => story.Say(stranger, new WorkerEvent.Retired("gone"), registration, StreamId.OfWorker(worker)),
            "cancel" => story.Say(
                stranger,
                new JobEvent.CancelRequested("mine"),
                story.Latest<JobEvent.Submitted>("job-was-lost").Digest,
                StreamId.OfJob(JobId.Parse("job-was-lost"))),
            "complete" => story.Say(
                story.Node,
                new JobEvent.Completed(1, "system.echo", [], 0),
                null,
                StreamId.OfJob(JobId.Parse("job-unknown"))),
            "open" => story.Say(
                stranger, new AccountEvent.Opened(1_000_000, 0, 0), null, StreamId.OfAccount(stranger.Did)),
            _ => story.Say(
                story.Owner,
                new AidEvent.TemplateWithdrawn(),
                story.Registry.Aid.Templates[0].Digest,
                story.Registry.Aid.Templates[0].Stream),
        };

        var report = await AuditAsync(story);

        var fault = Assert.Single(report.Faults);
        Assert.Equal(("illegal_event", (long)story.Events.Count), (fault.Kind, fault.Position));
        Assert.StartsWith(code, fault.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_owner_s_price_goes_by_its_worker_s_reputation()
    {
        var story = new LedgerStory().Tell();

        var opened = (JobEvent.BiddingOpened)story.Latest<JobEvent.BiddingOpened>("job-owned").Body;

        Assert.Equal(10, opened.SubmitterReputation);
        Assert.Equal(Pricing.Adjust(100, 10), opened.Escrow);
        Assert.Empty((await AuditAsync(story)).Faults);
    }

    private static Func<LedgerEvent, LedgerEvent[]> Once<T>(Func<T, T> change, Func<T, bool>? when = null)
        where T : LedgerEvent
    {
        var done = false;
        return body =>
        {
            if (done || body is not T one || (when is not null && !when(one)))
            {
                return [body];
            }

            done = true;
            return [change(one)];
        };
    }

    private static Func<LedgerEvent, LedgerEvent[]> Without<T>()
        where T : LedgerEvent
    {
        var done = false;
        return body => done || !(done = body is T) ? [body] : [];
    }

    private static Func<LedgerEvent, LedgerEvent[]> Twice<T>()
        where T : LedgerEvent
    {
        var done = false;
        return body => done || !(done = body is T) ? [body] : [body, body];
    }

    private async Task<AuditReport> AuditAsync(LedgerStory story)
    {
        await one.Database.ExecuteAsync(
            "TRUNCATE mt_streams, mt_events, ml_event_ids; SELECT setval('mt_events_sequence', 1, false)");
        await using var store = new PostgresEventStore(
            one.Database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        await story.AppendAsync(store);
        return await LedgerAudit.RunAsync(one.Database.Source, null, CancellationToken.None);
    }

    /// <summary>Emptied for each test: making one takes longer than a story does.</summary>
    public sealed class OneDatabase : IAsyncLifetime
    {
        public PostgresDatabase Database { get; private set; } = null!;

        public async Task InitializeAsync() => Database = await PostgresDatabase.CreateAsync();

        public async Task DisposeAsync() => await Database.DisposeAsync();
    }
}
