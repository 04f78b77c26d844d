using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>A bid that fails a requirement never wins, also alone, and the choice says in which words.</summary>
public sealed class RequirementTests
{
    private static readonly Offer Able = new(50);
    private static readonly Membership North = new("north", ["medical"]);
    private static readonly Membership South = new("south", ["medical"]);

    /// <summary>What a document asks for, what a bidder needs for it, what one lacks, and what is said of that one.
    /// </summary>
    private static readonly (string Asks, Func<Offer, Offer> Meets, Func<Offer, Offer> Fails, string[] Unmet)[] Table =
    [
        ("", offer => offer, offer => offer with { Standing = WorkerStanding.Draining }, ["a worker that takes jobs, not one that is draining"]),
        ("", offer => offer, offer => offer with { Standing = WorkerStanding.Retired }, ["a worker that takes jobs, not one that is retired"]),
        ("", offer => offer, With(facts => facts with { Operations = ["system.other"] }), ["operation system.echo"]),
        ("\"constraints\":{\"required_capabilities\":[\"gpu\"]},", With(facts => facts with { Capabilities = ["gpu"] }),
            With(facts => facts with { Features = ["gpu"], Pools = ["gpu"] }), ["capability gpu"]),
        ("\"constraints\":{\"required_capabilities\":[\"a\",\"b\"]},", With(facts => facts with { Capabilities = ["a", "b"] }),
            With(facts => facts with { Capabilities = ["ab"] }), ["capability a", "capability b"]),
        ("\"constraints\":{\"required_features\":[\"lvm\"]},", With(facts => facts with { Features = ["lvm"] }),
            With(facts => facts with { Capabilities = ["lvm"] }), ["feature lvm"]),
        ("\"constraints\":{\"allowed_worker_pools\":[\"p\",\"q\"]},", With(facts => facts with { Pools = ["q"] }),
            With(facts => facts with { Pools = [] }), ["worker pool p or q"]),
        ("\"routing\":{\"worker_pool\":\"p\"},", With(facts => facts with { Pools = ["x", "p"] }),
            With(facts => facts with { Pools = ["P"] }), ["worker pool p"]),
        ("\"routing\":{\"worker_id\":\"w9\"},", With(facts => facts with { WorkerId = "w9" }), offer => offer, ["worker w9"]),
        ("\"constraints\":{\"require_privileged\":true},", With(facts => facts with { Privileged = true }),
            offer => offer, ["privileged worker"]),
        ("\"constraints\":{\"minimum_worker_version\":\"1.2.0\"},", offer => offer,
            With(facts => facts with { Version = "1.2.0-rc.1" }), ["worker version 1.2.0 or later, not 1.2.0-rc.1"]),
        ("\"constraints\":{\"minimum_worker_version\":\"1.2.0\"},", offer => offer,
            With(facts => facts with { Version = "newest" }), ["worker version 1.2.0 or later, not newest"]),
        ("\"constraints\":{\"maximum_disk_size_gb\":500},", offer => offer,
            With(facts => facts with { Resources = facts.Resources with { MaxDiskSizeGb = 499 } }), ["disks of 500 GB, not 499"]),
        ("\"market\":{\"resources\":{\"cpu_cores\":2}},", Free(new FreeResources(2, 0, 0, 1)), Free(new FreeResources(1, 9, 9, 9)),
            ["2 CPU cores, not 1"]),
        ("\"market\":{\"resources\":{\"memory_mb\":2}},", Free(new FreeResources(0, 2, 0, 1)), Free(new FreeResources(9, 1, 9, 9)),
            ["2 MB of memory, not 1"]),
        ("\"market\":{\"resources\":{\"storage_mb\":2}},", Free(new FreeResources(0, 0, 2, 1)), Free(new FreeResources(9, 9, 1, 9)),
            ["2 MB of storage, not 1"]),
        ("", Free(new FreeResources(0, 0, 0, 1)), Free(new FreeResources(9, 9, 9, 0)), ["a free slot"]),
        ("\"routing\":{\"affinity\":{\"zone\":\"north\"}},", offer => offer,
            With(facts => facts with { Labels = [new Label("zone", "south"), new Label("north", "zone")] }), ["label zone=north"]),
        ("\"routing\":{\"anti_affinity\":{\"zone\":[\"east\",\"north\"]}},", With(facts => facts with { Labels = [] }),
            offer => offer, ["no label zone=north"]),
        ("\"market\":{\"federations\":[\"south\",\"north\"]},", offer => offer with { Memberships = [North] },
            With(facts => facts with { Capabilities = ["north"], Labels = [new Label("federation", "north")], Pools = ["north"] }),
            ["federation south or north"]),
        ("\"market\":{\"trust_scope\":\"north/medical\"},", offer => offer with { Memberships = [North] },
            offer => offer with { Memberships = [South, new Membership("north", ["other"])] }, ["trust scope north/medical"]),
        ("\"market\":{\"trust_scope\":\"medical\",\"federations\":[\"north\",\"south\"]},", offer => offer with { Memberships = [South] },
            offer => offer with { Memberships = [new Membership("north", []), new Membership("mine", ["medical"])] }, ["trust scope medical"]),
        ("\"market\":{\"min_reputation\":10},", offer => offer with { Reputation = 10 }, offer => offer with { Reputation = 9 },
            ["reputation 10, not 9"]),
        ("\"market\":{\"min_reputation\":0},", offer => offer, offer => offer with { Reputation = -1 }, ["reputation 0, not -1"]),
        ("\"market\":{\"max_price\":60},", offer => offer, offer => offer with { Price = 61 },
            ["price of at most 60, not 61", "a balance that covers it: 60 is held for 1"]),
        ("", offer => offer, offer => offer with { Worker = Actors.Submitter.Did }, ["another bidder than the submitter"]),
    ];

    [Fact]
    public void A_bid_that_fails_a_requirement_never_wins_and_the_choice_says_why()
    {
        foreach (var (asks, meets, fails, unmet) in Table)
        {
            var failing = fails(Able) with { Reputation = Math.Max(fails(Able).Reputation, unmet[0].StartsWith("rep", StringComparison.Ordinal) ? -1 : 900) };
            var alone = Bazaar.Open([failing], asks).Choose();
            Assert.Empty(alone.Assignees);
            Assert.Equal(unmet, alone.Considered[0].Unmet);
            Assert.Null(alone.Considered[0].Terms);
            Assert.Equal([0], Bazaar.Open([meets(Able)], asks).Winners());
            Assert.Equal([1], Bazaar.Open([failing, meets(Able)], asks).Winners());
            Assert.Equal([0], Bazaar.Open([meets(Able), failing], asks).Winners());
        }
    }

    [Fact]
    public void Everything_that_is_missing_is_said_in_order()
    {
        var submission = JobSpec.Submission(Documents.JobDocumentSamples.Full);
        var facts = new WorkerEvent.Registered(
            "worker-8", null, "0.4.0-beta", [], [], [], ["other"], [new Label("rack", "r2")], new WorkerResources(1, 1, 1, 1),
            false, 1);
        var bidder = new Bidder(
            new WorkerRegistration(Actors.Worker.Did, default, facts), new FreeResources(1, 1, 1, 0),
            WorkerStanding.Retired, [], 9);
        Assert.Equal(
            [
                "a worker that takes jobs, not one that is retired",
                "operation guestkit.inspect", "capability guestkit.inspect", "capability disk.qcow2", "feature lvm",
                "worker pool pool-prod", "worker worker-7", "privileged worker",
                "worker version 0.4.0-rc.1+b.2 or later, not 0.4.0-beta", "disks of 1000 GB, not 1",
                "2 CPU cores, not 1", "2048 MB of memory, not 1", "10000 MB of storage, not 1", "a free slot",
                "label disk_locality=/mnt/vms", "no label rack=r2", "federation north or south", "trust scope acme",
                "reputation 10, not 9",
            ],
            Requirements.Unmet(submission, bidder));
    }

    [Fact]
    public void A_scope_that_no_federation_grants_says_how_to_name_one()
    {
        var choice = Bazaar.Open([Able with { Memberships = [North] }], "\"market\":{\"trust_scope\":\"medical\"},").Choose();
        Assert.Equal(
            ["trust scope medical (it names no federation that grants it: write FEDERATION/medical)"],
            choice.Considered[0].Unmet);
    }

    [Fact]
    public void A_membership_counts_from_its_grant_to_its_end_as_of_the_choice()
    {
        const string asks = "\"market\":{\"federations\":[\"north\"]},";
        var spec = JobSpec.Given(JobSpec.Submit(asks), JobSpec.OpenBidding(), JobSpec.Bid(Actors.Worker, 40), JobSpec.CloseBidding());
        var stream = StreamId.OfFederation("north");
        var (member, version) = (Actors.Worker.Did, 0);
        foreach (var (body, position) in new (FederationEvent, long)[]
        {
            (new FederationEvent.Founded("north"), 20), (new FederationEvent.MembershipGranted(member, []), 21),
            (new FederationEvent.MembershipRevoked(member, "left"), 25), (new FederationEvent.MembershipGranted(member, []), 30),
        })
        {
            var statement = Actors.State(Actors.North, body, null, stream, 70 + ++version);
            Assert.Null(spec.Registry.Check(statement, body, version));
            spec.Registry.Apply(statement, body, version, position);
        }

        foreach (var (asOf, met) in new[] { (0, false), (20, false), (21, true), (24, true), (25, false), (29, false), (30, true), (99, true) })
        {
            var choice = Market.Choose(spec.State!, spec.Registry, JobSpec.Choice with { AsOf = asOf });
            Assert.Equal(met ? [] : ["federation north"], choice.Considered[0].Unmet);
            Assert.Equal(met, choice.Assignees.Count == 1);
        }

        var before = JobSpec.Assign(JobSpec.Choice with { AsOf = 24 });
        spec.WhenSaid(before).Accepted();
        spec.WhenSaid(before.Changed<JobEvent.Assigned>(
            body => body with { Selection = body.Selection with { AsOf = 25 } })).Refused("WRONG_CHOICE");
    }

    [Fact]
    public void Why_a_job_waits_counts_owners_not_workers()
    {
        var state = JobSpec.Given(JobSpec.Submit("\"market\":{\"replicas\":2},"), JobSpec.OpenBidding()).State!;
        Assert.Equal(["No worker is alive."], WaitReasons.Of(state, []));
        Assert.Equal(
            ["2 workers of different owners are asked for, 1 could run it"], WaitReasons.Of(state, [Live(1), Live(2)]));
        Assert.Empty(WaitReasons.Of(state, [Live(1), Live(2), Live(3, null)]));
        Assert.Equal(
            [
                "2 workers of different owners are asked for, 1 could run it",
                "Worker worker-4 does not meet: operation system.echo, a free slot",
            ],
            WaitReasons.Of(state, [Live(4, null, able: false), Live(1)]));
    }

    private static Bidder Live(int number) => Live(number, Actors.Stranger.Did);

    private static Bidder Live(int number, Did? owner, bool able = true)
    {
        var facts = Actors.Facts($"worker-{number}") with { Owner = owner };
        return new Bidder(
            new WorkerRegistration(Bazaar.Key(number), default, able ? facts : facts with { Operations = [] }),
            new FreeResources(1, 1, 1, able ? 1 : 0), WorkerStanding.Active, [], 0);
    }

    private static Func<Offer, Offer> With(Func<WorkerEvent.Registered, WorkerEvent.Registered> facts) =>
        offer => offer with { Facts = facts };

    private static Func<Offer, Offer> Free(FreeResources free) => offer => offer with { Free = free };

    [Fact]
    public void Of_many_things_that_a_worker_lacks_the_first_few_are_named()
    {
        Assert.Equal("a, b", WaitReasons.Few(["a", "b"]));
        Assert.Equal(
            "label0, label1, label2, label3, label4 and 59995 more",
            WaitReasons.Few([.. Enumerable.Range(0, 60_000).Select(i => $"label{i}")]));
    }
}
