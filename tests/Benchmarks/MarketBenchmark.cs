using System.Diagnostics;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Benchmarks;

/// <summary>A choice among very many bids, and jobs through a market of many workers in two real nodes.</summary>
internal static class MarketBenchmark
{
    private const int Bids = 10_000;
    private const int Jobs = 5000;
    private const int Rounds = 21;

    /// <summary>A node that runs has been compiled to the end.</summary>
    private const int WarmUp = 60;
    private const int WarmUpJobs = 2000;

    public static async Task RunAsync()
    {
        Select();
        await RunJobsAsync();
    }

    /// <summary>Filter, score and choose: the median, and with it the time in which a judge repeats the choice.</summary>
    private static void Select()
    {
        var registry = new Registry();
        var now = TimeProvider.System.GetUtcNow().ToMicroseconds();
        var node = SigningKey.Generate().Did;
        var text = """
            {"version":"1.0","job_id":"bench-select","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation","operation":"system.echo",
             "constraints":{"required_capabilities":["disk.qcow2"],"minimum_worker_version":"1.1.0","allowed_worker_pools":["default"]},
             "routing":{"affinity":{"zone":"a"}},"market":{"max_price":1000,"resources":{"cpu_cores":2,"memory_mb":512}},
             "payload":{"type":"system.echo.v1","data":null}}
            """;
        var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes(text)).Document!;
        var stream = StreamId.OfJob(document.JobId);
        var submitter = SigningKey.Generate().Did;
        var state = Step(null, JobSubmission.Create(document, submitter, "bench", 1000, 250), submitter, null);
        state = Step(
            state, new JobEvent.BiddingOpened(1, now, Pricing.Escrow(state.Submission.Terms, 0), 0), node, state.SubmissionDigest);
        var random = new Random(1);
        for (var i = 0; i < Bids; i++)
        {
            var worker = SigningKey.Generate().Did;
            var registered = EventCodec.State(
                new WorkerEvent.Registered(
                    $"worker-{i}", null, "1.2.0", ["system.echo"], ["disk.qcow2"], [], ["default"],
                    [new Label("zone", i % 10 == 0 ? "b" : "a")], new WorkerResources(16, 65536, 100_000, 1000), false, 8),
                worker, null, StreamId.OfWorker(worker), EventId.New(now), now);
            registry.Apply(registered, registered.Body, 1, i + 2);
            state = Step(
                state,
                new JobEvent.BidPlaced(
                    1, random.Next(1, 1000), registered.Digest,
                    new FreeResources(random.Next(1, 16), random.Next(256, 65536), 50_000, random.Next(1, 8))),
                worker,
                state.SubmissionDigest);
        }

        var reputations = state.Bids.Keys.ToDictionary(worker => worker, _ => (long)random.Next(-100, 1000));
        var input = new SelectionInput(
            "weighted", SelectionWeights.Default, 30_000, false, Bids + 2, now, worker => reputations[worker], _ => 0,
            worker => reputations[worker] & 63);
        var times = new List<double>();
        for (var round = -WarmUp; round < Rounds; round++)
        {
            var clock = Stopwatch.StartNew();
            var choice = Market.Choose(state, registry, input);
            if (round >= 0)
            {
                times.Add(clock.Elapsed.TotalMilliseconds);
            }

            if (choice.Assignees.Count != 1)
            {
                throw new InvalidOperationException("Nobody won.");
            }
        }

        times.Sort();
        Figure.Print("market_select", times[Rounds / 2], "ms");

        JobState Step(JobState? before, JobEvent body, Did by, Digest? cause) => Job.Evolve(
            before, EventFact.Of(EventCodec.State(body, by, cause, stream, EventId.New(now), now)));
    }

    /// <summary>Two nodes of four workers each on one PostgreSQL, and a folder that both watch.</summary>
    private static async Task RunJobsAsync()
    {
        var home = NodeProcess.NewHome();
        var (first, second) = (Path.Combine(home, "first"), Path.Combine(home, "second"));
        var jobs = Path.Combine(first, "jobs");
        using var one = NodeProcess.Start("up", "--data", first, "--name", "first", "--workers", "4");
        Process? two = null;
        try
        {
            await NodeProcess.WaitAsync(() => File.Exists(Path.Combine(first, "node.json")), 60, "the first node");
            two = NodeProcess.Start(
                "up", "--data", second, "--name", "second", "--workers", "4", "--folder", jobs, "--postgres",
                $"Host={Path.Combine(first, "postgres")};Username=meshledger;Database=postgres");
            await NodeProcess.WaitAsync(() => File.Exists(Path.Combine(second, "node.json")), 60, "the second node");
            _ = await NodeProcess.SettleManyAsync(home, jobs, "warm-up", WarmUpJobs);
            Figure.Print("market_jobs", await NodeProcess.SettleManyAsync(home, jobs, "market", Jobs), "jobs/s");
        }
        finally
        {
            if (two is not null)
            {
                await NodeProcess.StopAsync(two);
                two.Dispose();
            }

            await NodeProcess.StopAsync(one);
            Directory.Delete(home, recursive: true);
        }
    }
}
