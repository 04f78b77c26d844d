using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Accounts;

public sealed class AccountTests
{
    private static readonly JobId Job = JobId.Parse("job-00000001");
    private static readonly JobId OtherJob = JobId.Parse("job-00000002");
    private static readonly Did Other = Actors.Worker.Did;
    private readonly Registry _registry = Actors.Founded();

    [Fact]
    public void What_is_held_is_paid_and_refunded_to_the_unit()
    {
        var state = Given(
            new AccountEvent.Opened(100, 0, 0), new AccountEvent.Held(Job, 60), new AccountEvent.Paid(Job, 45, Other),
            new AccountEvent.Refunded(Job, 15), new AccountEvent.Received(OtherJob, 7, Other));
        Assert.Equal((5, 100, 62, 0), (state.Version, state.Granted, state.Balance, state.Held));
        Assert.Empty(state.Escrow);
    }

    [Fact]
    public void Only_a_node_writes_to_an_account()
    {
        var fact = new EventFact(Actors.Stranger.Did, null, default, Actors.Time, new AccountEvent.Opened(1, 0, 0));
        Assert.Equal("NOT_A_NODE", Account.Check(AccountState.None, fact, _registry)?.Code);
    }

    [Fact]
    public void An_account_begins_with_its_opening()
    {
        Refused("ACCOUNT_NOT_OPEN", AccountState.None, new AccountEvent.Held(Job, 1));
        Refused("ACCOUNT_NOT_OPEN", AccountState.None, new AccountEvent.Received(Job, 1, Other));
        Refused("ACCOUNT_NOT_OPEN", AccountState.None, new AccountEvent.Opened(-1, 0, 0));
        Refused("ACCOUNT_NOT_OPEN", AccountState.None, new AccountEvent.Opened(CanonicalJson.MaxInteger + 1, 0, 0));
    }

    [Fact]
    public void An_account_is_opened_once() =>
        Refused("ACCOUNT_OPEN", Given(new AccountEvent.Opened(1, 0, 0)), new AccountEvent.Opened(1, 0, 0));

    [Fact]
    public void Nobody_holds_more_than_the_balance() =>
        Refused("INSUFFICIENT_MANA", Given(new AccountEvent.Opened(10, 0, 0)), new AccountEvent.Held(Job, 11));

    [Fact]
    public void A_job_s_price_is_held_once_and_is_at_least_one()
    {
        var state = Given(new AccountEvent.Opened(10, 0, 0), new AccountEvent.Held(Job, 1));
        Refused("WRONG_AMOUNT", state, new AccountEvent.Held(Job, 1));
        Refused("WRONG_AMOUNT", state, new AccountEvent.Held(OtherJob, 0));
        Refused("WRONG_AMOUNT", state, new AccountEvent.Held(OtherJob, -1));
    }

    [Fact]
    public void Nothing_leaves_escrow_that_is_not_in_it()
    {
        var state = Given(new AccountEvent.Opened(10, 0, 0), new AccountEvent.Held(Job, 5));
        AccountEvent[] events =
        [
            new AccountEvent.Paid(Job, 6, Other), new AccountEvent.Paid(Job, 0, Other), new AccountEvent.Paid(Job, -1, Other),
            new AccountEvent.Paid(OtherJob, 1, Other), new AccountEvent.Refunded(Job, 6), new AccountEvent.Refunded(Job, 0),
            new AccountEvent.Refunded(OtherJob, 1),
        ];
        Assert.All(events, body => Refused("NOT_IN_ESCROW", state, body));
    }

    [Fact]
    public void What_is_received_is_at_least_one_and_fits_the_largest_balance()
    {
        var state = Given(new AccountEvent.Opened(CanonicalJson.MaxInteger - 5, 0, 0), new AccountEvent.Held(Job, 3));
        Refused("WRONG_AMOUNT", state, new AccountEvent.Received(Job, 0, Other));
        Refused("WRONG_AMOUNT", state, new AccountEvent.Received(Job, 6, Other));
        Refused("WRONG_AMOUNT", state, new AccountEvent.Received(Job, long.MaxValue, Other));
        Assert.Null(Check(state, new AccountEvent.Received(Job, 5, Other)));
    }

    [Fact]
    public void An_event_of_another_family_has_no_place_in_an_account()
    {
        Refused("WRONG_STREAM", Given(new AccountEvent.Opened(1, 0, 0)), new NodeEvent.Joined("x"));
        Assert.Throws<InvalidHistoryException>(() => Account.Evolve(AccountState.None, new NodeEvent.Joined("x"), Actors.Time));
        Assert.Throws<InvalidHistoryException>(() => Account.Evolve(AccountState.None, new AccountEvent.Paid(Job, 1, Other), Actors.Time));
    }

    [Theory]
    [InlineData(60, 100, 60)]
    [InlineData(59, 100, null)]
    [InlineData(3_600, 100, 3_600)]
    [InlineData(3_659, 100, 3_600)]
    [InlineData(60, 150, 90)]
    [InlineData(60, 9, 6)]
    [InlineData(60, -1_000, 6)]
    [InlineData(60, 201, 120)]
    [InlineData(60, 33, 19)]
    [InlineData(100_000, 100, 9_900)]
    public void What_grows_goes_by_whole_minutes_and_reputation_up_to_the_cap(int seconds, long reputation, int? amount)
    {
        var state = Given(new AccountEvent.Opened(100, 60, 10_000));
        var grown = Account.Regeneration(state, Actors.Time.AddSeconds(seconds), reputation);
        Assert.Equal(amount, grown?.Amount);
        if (grown is not null)
        {
            var later = Account.Evolve(state, grown, grown.Until);
            Assert.Equal((100L + grown.Amount, grown.Amount), (later.Balance, later.Regenerated));
            Assert.Equal(seconds / 60 * 60, (later.RegeneratedUntil - Actors.Time).TotalSeconds);
        }
    }

    [Fact]
    public void Looking_often_or_seldom_lets_the_same_grow()
    {
        var opened = Given(new AccountEvent.Opened(0, 7, 1_000_000));
        var (often, now) = (opened, Actors.Time);
        var random = new Random(1);
        for (var i = 0; i < 500; i++)
        {
            now += TimeSpan.FromSeconds(random.Next(1, 300));
            if (Account.Regeneration(often, now, 33) is { } grown)
            {
                often = Account.Evolve(often, grown, now);
            }
        }

        Assert.Equal(Account.Regeneration(opened, now, 33)!.Amount, often.Regenerated);
    }

    [Fact]
    public void Time_at_the_cap_is_not_made_up_for_and_above_it_nothing_is_taken_away()
    {
        var full = Given(new AccountEvent.Opened(50, 60, 50));
        var grown = Account.Regeneration(full, Actors.Time.AddDays(1), 100)!;
        Assert.Equal(0, grown.Amount);
        var spent = Account.Evolve(Account.Evolve(full, grown, grown.Until), new AccountEvent.Held(Job, 50), grown.Until);
        Assert.Null(Account.Regeneration(spent, grown.Until.AddSeconds(59), 100));
        Assert.Equal(50, Account.Regeneration(spent, grown.Until.AddMinutes(1), 100)!.Amount);
        Assert.Equal(0, Account.Regeneration(Given(new AccountEvent.Opened(60, 60, 50)), Actors.Time.AddHours(1), 100)!.Amount);
        Assert.Null(Account.Regeneration(Given(new AccountEvent.Opened(60, 0, 90)), Actors.Time.AddHours(1), 100));
        Assert.Null(Account.Regeneration(AccountState.None, Actors.Time.AddHours(1), 100));
    }

    [Fact]
    public void Nothing_grows_but_what_the_rate_says()
    {
        var state = Given(new AccountEvent.Opened(100, 60, 10_000));
        var now = Actors.Time.AddMinutes(5);
        var grown = Account.Regeneration(state, now, 100)!;
        Assert.Null(At(now, grown));
        Assert.Null(At(now.AddYears(70), Account.Regeneration(state, now.AddYears(70), 100)!));
        AccountEvent.Regenerated[] wrong =
        [
            grown with { Amount = 301 }, grown with { Amount = 299 }, grown with { Reputation = 200 },
            grown with { From = grown.From.AddMinutes(-1) }, grown with { From = grown.From.AddMinutes(1) },
            grown with { Until = grown.Until.AddSeconds(1) }, grown with { Until = grown.From, Amount = 0 },
            grown with { Until = grown.From.AddMinutes(-1), Amount = 0 },
        ];
        Assert.All(wrong, body => Assert.Equal("WRONG_REGENERATION", At(now, body)?.Code));
        Assert.Equal("WRONG_REGENERATION", At(grown.Until.AddMicroseconds(-1), grown)?.Code);

        Refusal? At(DateTimeOffset time, AccountEvent.Regenerated body) =>
            Account.Check(state, new EventFact(Actors.Node.Did, null, default, time, body), _registry);
    }

    [Fact]
    public void The_largest_balances_and_rates_do_not_overflow()
    {
        var state = Given(new AccountEvent.Opened(CanonicalJson.MaxInteger - 5, Account.MaxRate, CanonicalJson.MaxInteger));
        var grown = Account.Regeneration(state, DateTimeOffset.MaxValue, long.MaxValue)!;
        Assert.Equal(5, grown.Amount);
        Refused("ACCOUNT_NOT_OPEN", AccountState.None, new AccountEvent.Opened(0, Account.MaxRate + 1, 0));
        Refused("ACCOUNT_NOT_OPEN", AccountState.None, new AccountEvent.Opened(0, -1, 0));
        Refused("ACCOUNT_NOT_OPEN", AccountState.None, new AccountEvent.Opened(0, 0, -1));
    }

    [Theory]
    [InlineData(100, 0, 100)]
    [InlineData(100, -900, 100)]
    [InlineData(100, 25, 80)]
    [InlineData(100, 1_000, 9)]
    [InlineData(1, 1_000, 1)]
    [InlineData(long.MaxValue, 0, long.MaxValue)]
    [InlineData(long.MaxValue, long.MaxValue, 99)]
    public void A_price_falls_with_reputation_and_never_to_nothing(long price, long reputation, long adjusted) =>
        Assert.Equal(adjusted, Pricing.Adjust(price, reputation));

    [Fact]
    public void Every_event_of_an_account_has_its_place_in_the_fold()
    {
        var opened = Given(new AccountEvent.Opened(10, 0, 0), new AccountEvent.Held(Job, 5));
        foreach (var kind in EventCodec.Kinds.Where(kind => kind.ClrType.IsSubclassOf(typeof(AccountEvent))))
        {
            LedgerEvent body = VectorStory.Tell().First(told => told.Event.Statement.Type == kind.Type)
                .Event.Statement.Body switch
            {
                AccountEvent.Paid paid => paid with { JobId = Job, Amount = 1 },
                AccountEvent.Refunded refunded => refunded with { JobId = Job, Amount = 1 },
                var other => other,
            };
            Assert.Equal(3, Account.Evolve(opened, body, Actors.Time).Version);
        }
    }

    [Fact]
    public void Mana_is_conserved_whatever_is_tried()
    {
        var tries = Gen.Choose(0, 5).SelectMany(what => Gen.Choose(0, 2).SelectMany(who =>
            Gen.Choose(0, 3).SelectMany(job => Gen.Choose(-2, 60).Select(amount => (what, who, job, amount)))));
        Prop.ForAll(tries.ArrayOf().Resize(150).ToArbitrary(), sequence =>
        {
            var accounts = new[] { AccountState.None, AccountState.None, AccountState.None };
            var paid = new long[3];
            var received = new long[3];
            foreach (var (what, who, number, amount) in sequence)
            {
                var (job, to) = (JobId.Parse($"job-0000000{number}"), (who + 1 + (number % 2)) % 3);
                AccountEvent body = what switch
                {
                    0 => new AccountEvent.Opened(amount * 2, 0, 0),
                    1 or 2 => new AccountEvent.Held(job, amount),
                    3 => new AccountEvent.Refunded(job, amount),
                    _ => new AccountEvent.Paid(job, amount, Other),
                };
                var receipt = new AccountEvent.Received(job, amount, Other);
                if (Check(accounts[who], body) is not null
                    || (body is AccountEvent.Paid && Check(accounts[to], receipt) is not null))
                {
                    continue;
                }

                accounts[who] = Account.Evolve(accounts[who], body, Actors.Time);
                if (body is AccountEvent.Paid)
                {
                    accounts[to] = Account.Evolve(accounts[to], receipt, Actors.Time);
                    paid[who] += amount;
                    received[to] += amount;
                }

                for (var i = 0; i < 3; i++)
                {
                    var account = accounts[i];
                    Assert.True(account.Balance >= 0 && account.Held >= 0 && account.Escrow.Values.All(held => held > 0));
                    Assert.Equal(account.Escrow.Values.Sum(), account.Held);
                    Assert.Equal(account.Granted + received[i], account.Balance + account.Held + paid[i]);
                }

                Assert.Equal(accounts.Sum(one => one.Granted), accounts.Sum(one => one.Balance + one.Held));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    private static AccountState Given(params AccountEvent[] events) =>
        events.Aggregate(AccountState.None, (state, body) => Account.Evolve(state, body, Actors.Time));

    private void Refused(string code, AccountState state, LedgerEvent body) => Assert.Equal(code, Check(state, body)?.Code);

    private Refusal? Check(AccountState state, LedgerEvent body) =>
        Account.Check(state, new EventFact(Actors.Node.Did, null, default, Actors.Time, body), _registry);
}
