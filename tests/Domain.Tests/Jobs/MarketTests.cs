using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class MarketTests
{
    /// <summary>A price, a reputation, and whether the bidder can run the job.</summary>
    private static Arbitrary<Offer[]> Offers { get; } = Gen.Choose(1, 130)
        .SelectMany(price => Gen.Choose(-3, 3).SelectMany(reputation => Gen.Elements(true, true, false)
            .Select(able => new Offer(price) { Reputation = reputation * 10, Able = able })))
        .ArrayOf().Resize(20).ToArbitrary();

    [Fact]
    public void Bids_that_cannot_win_do_not_change_who_wins() => Prop.ForAll(Offers, offers =>
    {
        var market = Open(offers);
        var able = offers.Where(offer => offer.Able && offer.Price <= 100).ToArray();
        Assert.Equal(
            market.Choose().Assignees.Select(winner => winner.Price), Open(able).Choose().Assignees.Select(winner => winner.Price));
        Assert.All(market.Choose().Considered.Zip(offers), pair =>
        {
            Assert.Equal(pair.Second.Able && pair.Second.Price <= 100, pair.First.Unmet.Count == 0);
            Assert.Equal(pair.First.Unmet.Count == 0, pair.First.Terms is not null);
        });
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_bid_on_somebody_else_s_registration_cannot_win()
    {
        var market = Open([new Offer(1), new Offer(2)]);
        var (first, second) = (market.Bid(0), market.Bid(1));
        var stolen = first with { Worker = second.Worker };
        var choice = market.With(state => state with
        {
            Bids = ImmutableDictionary<Did, BidFact>.Empty.Add(second.Worker, stolen),
        }).Choose();
        Assert.Empty(choice.Assignees);
        Assert.Equal(["registration of the bidder"], choice.Considered[0].Unmet);
    }

    internal sealed record Offer(long Price)
    {
        public long Reputation { get; init; }
        public bool Able { get; init; } = true;
        public long? LatencyMs { get; init; }
        public FreeResources Free { get; init; } = new(1, 1, 1, 1);
        public Did? Owner { get; init; }
        public Func<WorkerEvent.Registered, WorkerEvent.Registered> Facts { get; init; } = facts => facts;
        public WorkerStanding Standing { get; init; }
        public Membership[] Memberships { get; init; } = [];
    }

    internal static Bazaar Open(Offer[] offers, string members = "")
    {
        var bazaar = new Bazaar(JobSpec.Given(JobSpec.Submit(members), JobSpec.OpenBidding()).State!);
        foreach (var offer in offers)
        {
            bazaar.Add(offer);
        }

        return bazaar;
    }

    /// <summary>A job that takes bids, and a world where every bidder is what its offer says.</summary>
    internal sealed record Bazaar(JobState State) : IAuthority
    {
        private readonly List<Offer> _offers = [];
        private readonly List<Did> _workers = [];
        private readonly Dictionary<Digest, WorkerRegistration> _known = [];

        public JobState State { get; private set; } = State;

        public SelectionInput Input { get; init; } = JobSpec.Choice;

        public BidFact Bid(int index) => State.Bids[_workers[index]];

        public Bazaar With(Func<JobState, JobState> change) => this with { State = change(State) };

        public void Add(Offer offer)
        {
            var key = Digest.OfBytes(BitConverter.GetBytes(_offers.Count));
            var worker = new Did(key.ToArray());
            var registration = Digest.OfBytes(key.ToArray());
            var said = offer.Facts(Actors.Facts($"w{_offers.Count}") with { Owner = offer.Owner });
            _known[registration] = new WorkerRegistration(worker, registration, offer.Able ? said : said with { Operations = [] });
            State = State with
            {
                Bids = State.Bids.SetItem(worker, new BidFact(
                    Digest.OfBytes(registration.ToArray()),
                    worker,
                    new JobEvent.BidPlaced(State.Attempt, offer.Price, registration, offer.Free),
                    10 + _offers.Count,
                    1)),
            };
            _offers.Add(offer);
            _workers.Add(worker);
        }

        public MarketChoice Choose(SelectionInput? input = null) => Market.Choose(State, this, (input ?? Input) with
        {
            Reputation = worker => OfferOf(worker).Reputation,
            Latency = worker => OfferOf(worker).LatencyMs,
        });

        public int[] Winners(SelectionInput? input = null) =>
            [.. Choose(input).Assignees.Select(winner => _workers.IndexOf(winner.Worker))];

        public bool IsNode(Did key) => false;

        public WorkerRegistration? Registration(Digest registration) => _known.GetValueOrDefault(registration);

        public WorkerStanding Standing(Did worker, long asOf) => OfferOf(worker).Standing;

        public IReadOnlyList<Membership> Memberships(Did worker, long asOf) => OfferOf(worker).Memberships;

        private Offer OfferOf(Did worker) => _offers[_workers.IndexOf(worker)];
    }
}
