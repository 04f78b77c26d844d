using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>A bid, and everything that is known of who makes it.</summary>
internal sealed record Offer(long Price)
{
    public long Reputation { get; init; }
    public long Streak { get; init; }
    public long? LatencyMs { get; init; }
    public FreeResources Free { get; init; } = new(1, 1, 1, 1);
    public Did? Worker { get; init; }
    public Did? Owner { get; init; }
    public Func<WorkerEvent.Registered, WorkerEvent.Registered> Facts { get; init; } = facts => facts;
    public WorkerStanding Standing { get; init; }
    public Membership[] Memberships { get; init; } = [];

    /// <summary>One that has nothing to run the job with.</summary>
    public static Offer Unable(long price) => new(price) { Facts = facts => facts with { Operations = [] } };
}

/// <summary>A job that takes bids, and a world where every bidder is what its offer says.</summary>
internal sealed class Bazaar : IAuthority
{
    private readonly Dictionary<Did, (int Index, Offer Offer)> _bidders = [];
    private readonly Dictionary<Digest, WorkerRegistration> _known = [];

    private Bazaar(JobState state)
    {
        State = state;
    }

    public JobState State { get; set; }

    /// <param name="offers">In the order in which they arrive.</param>
    /// <param name="members">Of the job's document: <see cref="JobSpec.Document"/>.</param>
    public static Bazaar Open(IEnumerable<Offer> offers, string members = "")
    {
        var bazaar = new Bazaar(JobSpec.Given(JobSpec.Submit(members), JobSpec.OpenBidding()).State!);
        foreach (var offer in offers)
        {
            bazaar.Add(offer);
        }

        return bazaar;
    }

    public static Did Key(int index) => new(Digest.OfBytes(BitConverter.GetBytes(index)).ToArray());

    public MarketChoice Choose(SelectionInput? input = null) => Market.Choose(State, this, (input ?? JobSpec.Choice) with
    {
        Reputation = worker => _bidders[worker].Offer.Reputation,
        Streak = worker => _bidders[worker].Offer.Streak,
        Latency = worker => _bidders[worker].Offer.LatencyMs,
    });

    /// <summary>Which offers win, the best first.</summary>
    public int[] Winners(SelectionInput? input = null) =>
        [.. Choose(input).Assignees.Select(winner => _bidders[winner.Worker].Index)];

    public bool IsNode(Did key) => key == Actors.Node.Did;

    public WorkerRegistration? Registration(Digest registration) => _known.GetValueOrDefault(registration);

    public WorkerStanding Standing(Did worker, long asOf) => _bidders[worker].Offer.Standing;

    public IReadOnlyList<Membership> Memberships(Did worker, long asOf) => _bidders[worker].Offer.Memberships;

    private void Add(Offer offer)
    {
        var index = _bidders.Count;
        var worker = offer.Worker ?? Key(index);
        var registration = Digest.OfBytes(Key(index).ToString().Select(letter => (byte)letter).ToArray());
        _known[registration] = new WorkerRegistration(
            worker, registration, offer.Facts(Actors.Facts($"w{index}") with { Owner = offer.Owner }));
        _bidders.Add(worker, (index, offer));
        State = State with
        {
            Bids = State.Bids.SetItem(worker, new BidFact(
                Digest.OfBytes(registration.ToArray()),
                worker,
                new JobEvent.BidPlaced(State.Attempt, offer.Price, registration, offer.Free),
                10 + index,
                1)),
        };
    }
}
