using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class MarketTests
{
    /// <summary>A price, and whether the bidder can run the job.</summary>
    private static Arbitrary<(long Price, bool Able)[]> Bids { get; } = Gen.Choose(1, 130)
        .SelectMany(price => Gen.Elements(true, true, false).Select(able => ((long)price, able)))
        .ArrayOf().Resize(20).ToArbitrary();

    [Fact]
    public void The_cheapest_eligible_bid_wins_and_of_equals_the_earliest() => Prop.ForAll(Bids, bids =>
    {
        var (state, authority) = Open(bids);
        var choice = Market.Choose(state, authority);

        var expected = bids.Select((bid, index) => (bid, index))
            .Where(one => one.bid.Able && one.bid.Price <= 100)
            .OrderBy(one => one.bid.Price).ThenBy(one => one.index)
            .Select(one => state.Bids[one.index])
            .FirstOrDefault();
        Assert.Equal(expected, choice.Winner);
        Assert.Equal(bids.Length, choice.Considered.Count);
        Assert.All(choice.Considered.Zip(bids), pair =>
            Assert.Equal(pair.Second.Able && pair.Second.Price <= 100, pair.First.Unmet.Count == 0));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Bids_that_cannot_win_do_not_change_who_wins() => Prop.ForAll(Bids, bids =>
    {
        var (state, authority) = Open(bids);
        var with = Market.Choose(state, authority);
        var able = with.Considered.Where(bid => bid.Unmet.Count == 0).Select(bid => bid.Bid).ToHashSet();
        var without = Market.Choose(state with { Bids = state.Bids.RemoveAll(bid => !able.Contains(bid.Digest)) }, authority);
        Assert.Equal(with.Winner, without.Winner);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_bid_of_another_attempt_is_not_considered()
    {
        var (state, authority) = Open([(1, true)]);
        Assert.Empty(Market.Choose(state with { Attempt = 2 }, authority).Considered);
    }

    [Fact]
    public void A_bid_on_somebody_else_s_registration_cannot_win()
    {
        var (state, authority) = Open([(1, true), (2, true)]);
        var stolen = state.Bids[0] with { Worker = state.Bids[1].Worker };
        var choice = Market.Choose(state with { Bids = [stolen] }, authority);
        Assert.Null(choice.Winner);
        Assert.Equal(["registration of the bidder"], choice.Considered[0].Unmet);
    }

    [Fact]
    public void Each_requirement_that_is_not_met_is_said_in_one_sentence()
    {
        var submission = JobSpec.Submission(Documents.JobDocumentSamples.Full);
        var able = Actors.Facts("worker-7") with
        {
            Version = "0.4.0",
            Operations = ["guestkit.inspect"],
            Capabilities = ["disk.qcow2"],
            Features = ["lvm"],
            Pools = ["pool-prod"],
            Labels = [new Label("disk_locality", "/mnt/vms")],
            Resources = new WorkerResources(2, 2_048, 10_000, 1_000),
            Privileged = true,
        };
        var free = new FreeResources(2, 2_048, 10_000);
        string[] never = ["trust scope acme", "federation north or south", "reputation 10"];
        Assert.Equal(never, Market.Unmet(submission, able, free));

        var unable = new WorkerEvent.Registered(
            "worker-8", "0.4.0-beta", [], [], [], ["other"], [new Label("rack", "r2")], new WorkerResources(1, 1, 1, 1),
            false, 1);
        Assert.Equal(
            [
                "operation guestkit.inspect", "capability guestkit.inspect", "capability disk.qcow2", "feature lvm",
                "worker pool pool-prod", "worker worker-7", "privileged worker",
                "worker version 0.4.0-rc.1+b.2 or later, not 0.4.0-beta", "disks of 1000 GB, not 1",
                "2 CPU cores, not 1", "2048 MB of memory, not 1", "10000 MB of storage, not 1",
                "label disk_locality=/mnt/vms", "no label rack=r2", .. never,
            ],
            Market.Unmet(submission, unable, new FreeResources(1, 1, 1)));
    }

    private static (JobState State, Workers Authority) Open((long Price, bool Able)[] bids)
    {
        var authority = new Workers();
        var state = JobSpec.Given(JobSpec.Open).State!;
        var facts = ImmutableList.CreateBuilder<BidFact>();
        for (var i = 0; i < bids.Length; i++)
        {
            var worker = Actors.Key((byte)(100 + i)).Did;
            var registration = Digest.OfBytes([(byte)i]);
            var said = Actors.Facts($"w{i}");
            authority.Known[registration] = new WorkerRegistration(
                worker, registration, bids[i].Able ? said : said with { Operations = [] });
            facts.Add(new BidFact(
                Digest.OfBytes([(byte)i, 1]),
                worker,
                new JobEvent.BidPlaced(1, bids[i].Price, registration, new FreeResources(1, 1, 1))));
        }

        return (state with { Bids = facts.ToImmutable() }, authority);
    }

    private sealed class Workers : IAuthority
    {
        public Dictionary<Digest, WorkerRegistration> Known { get; } = [];

        public bool IsNode(Did key) => false;

        public WorkerRegistration? Registration(Digest registration) => Known.GetValueOrDefault(registration);
    }
}
