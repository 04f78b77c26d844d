using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Node.Tests;

/// <summary>Whom a busy market asks first.</summary>
public sealed class TurnsTests
{
    private const int Busy = 1000;
    private static readonly DateTimeOffset Time = new(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);

    private readonly Registry _registry = new();
    private readonly Did[] _nodes = [SigningKey.Generate().Did, SigningKey.Generate().Did];
    private readonly List<WorkerPresence> _workers = [];

    public TurnsTests()
    {
        for (var i = 0; i < 8; i++)
        {
            var worker = SigningKey.Generate().Did;
            var registered = EventCodec.State(
                new WorkerEvent.Registered(
                    $"worker-{i}", null, "1.2.0", ["system.echo"], [], [], ["default"], [],
                    new WorkerResources(2, 4096, 10_000, 100), false, 2),
                worker, null, StreamId.OfWorker(worker), EventId.New(Time), Time);
            _registry.Apply(registered, registered.Body, 1, i + 1);
            _workers.Add(new WorkerPresence(worker, registered.Digest, _nodes[i % 2]));
        }
    }

    [Fact]
    public void All_nodes_draw_the_same_workers_of_one_node_and_each_worker_has_its_share()
    {
        var (one, two) = (Links(_nodes[0]), Links(_nodes[1]));
        var shares = _workers.ToDictionary(worker => worker.Worker, _ => 0);
        for (var i = 0; i < 4000; i++)
        {
            var job = Job($"job-{i:D6}");
            var asked = Turns.Of(job, one, Busy, 2)!;
            Assert.True(asked.SetEquals(Turns.Of(job, two, Busy, 2)!));
            Assert.Equal(2, asked.Count);
            Assert.Single(asked.Select(one.NodeOf).Distinct());
            foreach (var worker in asked)
            {
                shares[worker]++;
            }
        }

        Assert.All(shares.Values, share => Assert.InRange(share, 850, 1150));
    }

    [Theory]
    [InlineData(32, 2, null)]
    [InlineData(33, 2, 2)]
    [InlineData(33, 3, 3)]
    [InlineData(33, 5, 5)]
    [InlineData(33, 8, null)]
    [InlineData(33, 0, null)]
    public void All_are_asked_unless_more_than_twice_as_many_jobs_are_open_as_can_run(int open, int askFirst, int? asked) =>
        Assert.Equal(asked, Turns.Of(Job("job-turn-one"), Links(_nodes[0]), open, askFirst)?.Count);

    [Fact]
    public void A_job_for_several_workers_asks_so_many_times_as_many() =>
        Assert.Equal(6, Turns.Of(Job("job-turn-three", "\"market\":{\"replicas\":3},"), Links(_nodes[0]), Busy, 2)?.Count);

    [Fact]
    public void Only_workers_that_could_run_it_are_asked() =>
        Assert.Null(Turns.Of(
            Job("job-turn-else", "\"routing\":{\"worker_id\":\"worker-3\"},"), Links(_nodes[0]), Busy, 2));

    private WorkerLinks Links(Did node)
    {
        var links = new WorkerLinks(_registry, new Standings(_registry, TimeProvider.System), node);
        foreach (var local in _workers.Where(worker => worker.Node == node))
        {
            links.Add(new WorkerLink(_registry.Registration(local.Registration)!));
        }

        links.SetRemote(_workers);
        return links;
    }

    private static JobState Job(string id, string more = "")
    {
        var document = NodeFixture.Document(id, more);
        var submitter = SigningKey.Generate().Did;
        var stream = StreamId.OfJob(document.JobId);
        var submitted = EventCodec.State(
            JobSubmission.Create(document, submitter, "test", 100, 250), submitter, null, stream, EventId.New(Time), Time);
        var state = Domain.Jobs.Job.Evolve(null, EventFact.Of(submitted));
        var opened = EventCodec.State(
            new JobEvent.BiddingOpened(1, Time, 100, 0), submitter, submitted.Digest, stream, EventId.New(Time), Time);
        return Domain.Jobs.Job.Evolve(state, EventFact.Of(opened));
    }
}
