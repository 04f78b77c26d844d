using System.Collections.Immutable;
using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class MarketTests
{
    private static Arbitrary<int> Seeds { get; } = Gen.Choose(0, int.MaxValue).ToArbitrary();

    [Fact]
    public void Every_term_and_score_is_what_exact_rationals_say() => Prop.ForAll(Seeds, seed =>
    {
        var random = new Random(seed);
        var extreme = random.Next(3) == 0;
        var bazaar = Bazaar.Open(Enumerable.Range(0, random.Next(1, 12)).Select(_ => Random(random, extreme)));
        bazaar.State = bazaar.State with
        {
            Escrow = long.MaxValue,
            Submission = bazaar.State.Submission with
            {
                Terms = bazaar.State.Submission.Terms with { MaxPrice = long.MaxValue },
            },
        };
        var weights = new SelectionWeights(random.Next(4), random.Next(4) * 333_333, random.Next(4), random.Next(1, 1_000_001));
        var policy = random.GetItems([.. SelectionPolicy.Names], 1)[0];
        var choice = bazaar.Choose(JobSpec.Choice with { Policy = policy, Weights = weights });

        var expected = Exactly(choice.Considered, bazaar, policy, weights);
        Assert.Equal(expected.Select(one => one.Terms), choice.Considered.Select(bid => bid.Terms));
        Assert.Equal(expected.MaxBy(one => (one.Terms.Score, -one.Order)).Bid, choice.Assignees[0].Bid);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));

    [Fact]
    public void Order_of_arrival_decides_between_equals_alone() => Prop.ForAll(Seeds, seed =>
    {
        var random = new Random(seed);
        var offers = Enumerable.Range(0, random.Next(2, 9)).Select(_ => Random(random, extreme: false)).ToArray();
        var order = Enumerable.Range(0, offers.Length).ToArray();
        random.Shuffle(order);
        var (one, other) = (Bazaar.Open(offers), Bazaar.Open(order.Select(i => offers[i])));

        var best = one.Choose().Considered.Max(bid => bid.Terms!.Score);
        int[] equals = [.. Enumerable.Range(0, offers.Length).Where(i => one.Choose().Considered[i].Terms!.Score == best)];
        Assert.Equal(equals[0], one.Winners()[0]);
        Assert.Equal(order.First(equals.Contains), order[other.Winners()[0]]);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Bids_that_cannot_win_do_not_change_who_wins() => Prop.ForAll(Seeds, seed =>
    {
        var random = new Random(seed);
        var offers = Enumerable.Range(0, random.Next(1, 12)).Select(_ => Random(random, extreme: false)).ToList();
        var alone = Bazaar.Open(offers).Choose().Assignees[0].Price;
        for (var i = 0; i < 4; i++)
        {
            offers.Insert(random.Next(offers.Count + 1), Offer.Unable(random.Next(1, 9)) with { Reputation = 2_000 });
        }

        var with = Bazaar.Open(offers).Choose();
        Assert.Equal(alone, with.Assignees[0].Price);
        Assert.All(with.Considered, bid => Assert.Equal(bid.Unmet.Count == 0, bid.Terms is not null));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void At_equal_reputation_the_cheaper_bid_wins_whichever_came_first()
    {
        foreach (var reputation in new long[] { -1_000, 0, 3, 1_000 })
        {
            Offer[] offers = [new(20) { Reputation = reputation }, new(5) { Reputation = reputation }];
            Assert.Equal([1], Bazaar.Open(offers).Winners());
            Assert.Equal([0], Bazaar.Open(offers.Reverse()).Winners());
        }
    }

    [Fact]
    public void Reputation_decides_half_and_price_the_most_of_the_rest()
    {
        Assert.Equal([1], Bazaar.Open([new Offer(5), new Offer(20) { Reputation = 61 }]).Winners());
        Assert.Equal([0], Bazaar.Open([new Offer(5), new Offer(20) { Reputation = 59 }]).Winners());
        Assert.Equal([0], Bazaar.Open([new Offer(5), new Offer(20) { Reputation = 1 }]).Winners());
        Assert.Equal([0], Bazaar.Open([
            new Offer(5) { Reputation = 40 }, new Offer(20) { Reputation = 45 }, new Offer(20) { Reputation = 0 }]).Winners());
    }

    [Fact]
    public void A_boundless_claim_gains_no_more_than_twice_what_is_asked()
    {
        const string asks = "\"market\":{\"resources\":{\"cpu_cores\":2,\"memory_mb\":100,\"storage_mb\":7}},";
        var choice = Bazaar.Open(
            [
                new Offer(5) { Free = new FreeResources(4, 200, 14, 2) },
                new Offer(5) { Free = new FreeResources(long.MaxValue, long.MaxValue, long.MaxValue, long.MaxValue) },
                new Offer(5) { Free = new FreeResources(2, 100, 7, 1) },
            ],
            asks).Choose();
        Assert.Equal([1_000_000, 1_000_000, 0], choice.Considered.Select(bid => bid.Terms!.Resources));
    }

    [Fact]
    public void Of_a_worker_the_latest_bid_counts_and_stands_where_it_came()
    {
        var spec = JobSpec.Given([
            .. JobSpec.Open, JobSpec.Bid(Actors.Worker, 20), JobSpec.Bid(Actors.Rival, 40), JobSpec.Bid(Actors.Worker, 40),
            JobSpec.CloseBidding()]);
        var choice = Market.Choose(spec.State!, spec.Registry, JobSpec.Choice);
        Assert.Equal([40, 40], choice.Considered.Select(bid => bid.Price));
        Assert.Equal(Actors.Rival.Did, choice.Assignees[0].Worker);
        Assert.Equal(spec.State!.Bids[Actors.Worker.Did].Digest, spec.Facts[^2].Digest);
    }

    [Fact]
    public void The_submitter_s_own_bid_wins_only_where_a_node_lets_it()
    {
        Offer[] offers = [new(5) { Worker = Actors.Submitter.Did }, new(20)];
        Assert.Equal([1], Bazaar.Open(offers).Winners());
        Assert.Equal([0], Bazaar.Open(offers).Winners(JobSpec.Choice with { SubmitterMayBid = true }));
        Assert.Equal(
            ["another bidder than the submitter"], Bazaar.Open(offers).Choose().Considered[0].Unmet);
    }

    [Fact]
    public void Who_just_failed_is_passed_over_as_long_as_the_owners_of_the_others_suffice()
    {
        var owner = Actors.Stranger.Did;
        foreach (var (offers, members, winners) in new (Offer[], string, int[])[]
        {
            ([new(5), new(20)], "", [1]),
            ([new(5), Offer.Unable(20)], "", [0]),
            ([new(5), new(6), new(7)], "\"market\":{\"replicas\":2},", [1, 2]),
            ([new(5), new(6) { Owner = owner }, new(7) { Owner = owner }], "\"market\":{\"replicas\":2},", [0, 1]),
        })
        {
            var bazaar = Bazaar.Open(offers, members);
            bazaar.State = bazaar.State with { FailedLast = [Bazaar.Key(0)] };
            Assert.Equal(winners, bazaar.Winners());
        }
    }

    [Fact]
    public void Several_workers_are_of_different_owners()
    {
        const string three = "\"market\":{\"replicas\":3},";
        var owner = Actors.Stranger.Did;
        Assert.Equal(
            [0, 1, 3],
            Bazaar.Open([new(1), new(2) { Owner = owner }, new(3) { Owner = owner }, new(4)], three).Winners());
        Assert.Empty(Bazaar.Open([new(1), new(2) { Owner = owner }, new(3) { Owner = owner }], three).Winners());
        Assert.Empty(Bazaar.Open([new(1), new(2), new(3) { Owner = Bazaar.Key(0) }], three).Winners());
    }

    [Fact]
    public void Ten_thousand_bids_lead_to_the_choice_that_one_look_at_each_leads_to()
    {
        var random = new Random(7);
        var bazaar = Bazaar.Open(Enumerable.Range(0, 10_000).Select(_ => Random(random, extreme: false)));
        var choice = bazaar.Choose();
        Assert.Equal(10_000, choice.Considered.Count);
        var best = choice.Considered.MaxBy(bid => bid.Terms!.Score)!;
        Assert.Equal(best.Bid, choice.Assignees[0].Bid);
        Assert.Equal(
            choice,
            Market.Repeat(
                bazaar.State,
                new JobEvent.Assigned(1, choice.Assignees, choice.Selection, choice.Considered),
                bazaar));
    }

    [Fact]
    public void A_bid_on_somebody_else_s_registration_cannot_win()
    {
        var bazaar = Bazaar.Open([new Offer(1), new Offer(2)]);
        var (first, second) = (bazaar.State.Bids[Bazaar.Key(0)], bazaar.State.Bids[Bazaar.Key(1)]);
        bazaar.State = bazaar.State with
        {
            Bids = ImmutableDictionary<Did, BidFact>.Empty.Add(second.Worker, first with { Worker = second.Worker }),
        };
        Assert.Empty(bazaar.Choose().Assignees);
        Assert.Equal(["registration of the bidder"], bazaar.Choose().Considered[0].Unmet);
    }

    [Fact]
    public void Hostile_weights_policies_and_leases_are_refused()
    {
        foreach (var (code, change) in new (string, Func<Selection, Selection>)[]
        {
            ("WRONG_WEIGHTS", selection => selection with { Weights = new SelectionWeights(0, 0, 0, 0) }),
            ("WRONG_WEIGHTS", selection => selection with { Weights = new SelectionWeights(-1, 2, 0, 0) }),
            ("WRONG_WEIGHTS", selection => selection with { Weights = new SelectionWeights(1, 1_000_001, 0, 0) }),
            ("WRONG_WEIGHTS", selection => selection with
            {
                Weights = new SelectionWeights(CanonicalJson.MaxInteger, CanonicalJson.MaxInteger, 0, 0),
            }),
            ("WRONG_CHOICE", selection => selection with { Weights = new SelectionWeights(0, 0, 0, 1) }),
            ("UNKNOWN_POLICY", selection => selection with { Policy = "" }),
            ("WRONG_CHOICE", selection => selection with { Policy = "first" }),
            ("WRONG_LEASE", selection => selection with { LeaseMs = 0 }),
        })
        {
            JobSpec.Given(JobSpec.Closed).WhenSaid(JobSpec.Assign().Changed<JobEvent.Assigned>(
                body => body with { Selection = change(body.Selection) })).Refused(code);
        }
    }

    private static Offer Random(Random random, bool extreme)
    {
        long[] all = [long.MinValue, long.MinValue + 1, -1, 0, 1, 1L << 53, long.MaxValue - 1, long.MaxValue];
        long Any(int least, int most) => extreme ? random.GetItems(all, 1)[0] : random.Next(least, most);
        long Least(long least, int most) => Math.Max(least, Any((int)least, most));
        return new Offer(Least(1, 100))
        {
            Reputation = Any(-1_000, 1_001),
            LatencyMs = random.Next(3) == 0 ? null : Any(0, 1_000),
            Free = new FreeResources(Least(0, 9), Least(0, 9), Least(0, 9), Least(1, 4)),
        };
    }

    /// <summary>The page of the contract, in fractions of big integers.</summary>
    private static (Digest Bid, BidTerms Terms, int Order)[] Exactly(
        ValueList<ConsideredBid> bids, Bazaar bazaar, string policy, SelectionWeights weights)
    {
        static long Floor(BigInteger above, BigInteger below) => (long)BigInteger.Divide(above, below);
        static long High(BigInteger value, IEnumerable<BigInteger> all, int leastSpan = 0)
        {
            var (least, most) = (all.Min(), all.Max());
            var span = BigInteger.Max(most - least, leastSpan);
            return value == most ? 1_000_000 : Floor(1_000_000 * (span - (most - value)), span);
        }

        BigInteger Headroom(ConsideredBid bid)
        {
            var free = bazaar.State.Bids[bid.Worker].Body.Free;
            var ratios = new BigInteger[] { free.CpuCores, free.MemoryMb, free.StorageMb, free.Slots };
            return ratios.Aggregate(BigInteger.Zero, (sum, one) => sum + BigInteger.Min(2_000_000, one * 1_000_000)) / 4;
        }

        BigInteger[] prices = [.. bids.Select(bid => -(BigInteger)bid.Price)];
        BigInteger[] reputations = [.. bids.Select(bid => (BigInteger)bid.Reputation)];
        BigInteger[] rooms = [.. bids.Select(Headroom)];
        BigInteger[] latencies = [.. bids.Where(bid => bid.LatencyMs is not null).Select(bid => -(BigInteger)bid.LatencyMs!.Value)];
        return [.. bids.Select((bid, i) =>
        {
            var (price, reputation) = (High(prices[i], prices), High(reputations[i], reputations, 100));
            var room = High(rooms[i], rooms);
            var latency = bid.LatencyMs is { } ms ? High(-(BigInteger)ms, latencies, 100) : 0;
            var score = policy switch
            {
                "cheapest" => price,
                "best_reputation" => reputation,
                "least_loaded" => room,
                "first" => 0,
                _ => Floor(
                    ((BigInteger)weights.Price * price) + ((BigInteger)weights.Reputation * reputation)
                        + ((BigInteger)weights.Resources * room) + ((BigInteger)weights.Latency * latency),
                    weights.Price + weights.Reputation + weights.Resources + weights.Latency),
            };
            return (bid.Bid, new BidTerms(price, reputation, room, latency, score), i);
        })];
    }
}
