using System.Text;
using System.Threading.Channels;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;
using MeshLedger.Ledger;
using MeshLedger.Ledger.Audit;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Node.Tests;

/// <summary>A node on a database of its own or a shared one, and workers that are driven by hand.</summary>
internal sealed class NodeFixture : IAsyncDisposable
{
    private readonly PostgresEventStore _store;

    private NodeFixture(
        PostgresDatabase database, PostgresEventStore store, FaultyStore? faults, MeshNode node, LogLines<MeshNode> lines)
    {
        Lines = lines;
        Faults = faults;
        Database = database;
        _store = store;
        Node = node;
    }

    public PostgresDatabase Database { get; }

    public MeshNode Node { get; }

    public IEventStore Store => _store;

    /// <summary>Null unless the node was started with it.</summary>
    public FaultyStore? Faults { get; }

    /// <summary>What the node logged.</summary>
    public LogLines<MeshNode> Lines { get; }

    public static NodeOptions Options => new()
    {
        PresenceInterval = TimeSpan.FromMilliseconds(200),
        PresenceLimit = TimeSpan.FromSeconds(3),
    };

    public static async Task<NodeFixture> StartAsync(
        PostgresDatabase database, NodeOptions? options = null, NodeKeys? keys = null, TimeProvider? clock = null,
        bool faulty = false)
    {
        var store = new PostgresEventStore(
            database.Source, clock ?? TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        var faults = faulty ? new FaultyStore(store) : null;
        var lines = new LogLines<MeshNode>();
        var node = new MeshNode(
            faults ?? (IEventStore)store,
            new PostgresPresence(database.Source),
            keys ?? NewKeys(),
            options ?? Options,
            clock ?? TimeProvider.System,
            lines);
        await node.StartAsync(CancellationToken.None);
        return new NodeFixture(database, store, faults, node, lines);
    }

    /// <summary>What a test that waited in vain should say.</summary>
    public async Task<string> StoryAsync()
    {
        var events = await Database.RowsAsync("SELECT seq_id, stream_id, type, timestamp FROM mt_events ORDER BY seq_id");
        return $"the ledger has\n{string.Join('\n', events)}\nand the node said\n{Lines}";
    }

    public static NodeKeys NewKeys() => new(SigningKey.Generate(), SigningKey.Generate(), SigningKey.Generate());

    public Task<Submission> SubmitAsync(JobDocument document) => Node.SubmitAsync(document, "test", CancellationToken.None);

    public static JobDocument Document(string id, string more = "", string data = "null") => JobDocumentReader.Read(
        Encoding.UTF8.GetBytes(
            "{\"version\":\"1.0\",\"job_id\":\"" + id + "\",\"created_at\":\"2026-11-21T00:00:00Z\",\"kind\":\"VMOperation\","
            + "\"operation\":\"system.echo\"," + more + "\"payload\":{\"type\":\"system.echo.v1\",\"data\":" + data + "}}"))
        .Document!;

    public async Task AssertCleanAsync()
    {
        var report = await LedgerAudit.RunAsync(Database.Source, null, CancellationToken.None);
        Assert.Empty(report.Faults);
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        await _store.DisposeAsync();
    }
}

/// <summary>A worker whose every word is said by the test.</summary>
internal sealed class HandWorker
{
    private readonly MeshNode _node;

    private HandWorker(MeshNode node, EventAuthor author, Digest registration)
    {
        _node = node;
        Author = author;
        Registration = registration;
    }

    public EventAuthor Author { get; }

    public Digest Registration { get; }

    public static async Task<HandWorker> RegisterAsync(
        MeshNode node, string name = "worker-1", string version = "1.2.0", long cores = 2, SigningKey? key = null,
        Did? owner = null, TimeProvider? clock = null)
    {
        var author = new EventAuthor(key ?? SigningKey.Generate(), clock ?? TimeProvider.System);
        var body = new WorkerEvent.Registered(
            name, owner, version, ["system.echo"], ["disk.qcow2"], ["lvm"], ["default"], [new Label("zone", "a")],
            new WorkerResources(cores, 4096, 10_000, 100), false, 2);
        var signed = author.Sign([author.State(body, null, StreamId.OfWorker(author.Did))]);
        Assert.Null(await node.RegisterAsync(signed[0], CancellationToken.None));
        return new HandWorker(node, author, signed[0].Digest);
    }

    /// <summary>Notices as they come, until <paramref name="stop"/>. The worker is alive from now on.</summary>
    public IAsyncEnumerator<WorkerNotice> Listen(CancellationToken stop)
    {
        var notices = _node.ListenAsync(Registration, stop).GetAsyncEnumerator(stop);
        var first = notices.MoveNextAsync();
        var kept = Channel.CreateUnbounded<WorkerNotice>();
        _ = PumpAsync();
        return kept.Reader.ReadAllAsync(stop).GetAsyncEnumerator(stop);

        async Task PumpAsync()
        {
            try
            {
                for (var more = await first; more; more = await notices.MoveNextAsync())
                {
                    kept.Writer.TryWrite(notices.Current);
                }
            }
            catch (OperationCanceledException)
            {
                // The test has ended.
            }
            catch (Exception exception)
            {
                kept.Writer.TryComplete(exception);
            }
        }
    }

    public SignedEvent Bid(WorkerNotice.Offered offer, long price = 5) => Say(
        new JobEvent.BidPlaced(offer.Attempt, price, Registration, new FreeResources(2, 4096, 10_000, 2)),
        offer.SubmissionDigest,
        offer.JobId);

    public SignedEvent Start(WorkerNotice.Assigned assigned) =>
        Say(new JobEvent.ExecutionStarted(assigned.Attempt), assigned.AssignmentDigest, assigned.JobId);

    public SignedEvent Receipt(WorkerNotice.Assigned assigned, JobError? error = null, string output = "same") => Say(
        Author.IssueReceipt(assigned.Submission, assigned.AssignmentDigest, assigned.Attempt, new Receipt
        {
            Error = error,
            Engine = new EngineName("hand", "1"),
            Outputs =
            [
                new ReceiptOutput(
                    "result", output.Length, Blake3.Hash(Encoding.UTF8.GetBytes(output)),
                    Digest.OfBytes(Encoding.UTF8.GetBytes(output)), false, output, null),
            ],
            StartedAt = DateTimeOffset.UnixEpoch,
            FinishedAt = DateTimeOffset.UnixEpoch,
            DurationUs = 1,
        }),
        assigned.AssignmentDigest,
        assigned.JobId);

    public SignedEvent Say(JobEvent body, Digest? cause, JobId job) =>
        Author.Sign([Author.State(body, cause, StreamId.OfJob(job))])[0];

    /// <summary>Reports events and gives back the codes of their refusals, "ok" for accepted.</summary>
    public async Task<string[]> ReportAsync(params SignedEvent[] events) =>
        [.. (await _node.ReportAsync(events, CancellationToken.None)).Select(refusal => refusal?.Code ?? "ok")];

    /// <summary>The next notice of a kind, those between skipped.</summary>
    public static async Task<T> NextAsync<T>(IAsyncEnumerator<WorkerNotice> notices)
        where T : WorkerNotice
    {
        while (await notices.MoveNextAsync())
        {
            if (notices.Current is T wanted)
            {
                return wanted;
            }
        }

        throw new InvalidOperationException("The worker was told nothing more.");
    }

    /// <summary>Bids on the next offer and waits for its assignment.</summary>
    public async Task<WorkerNotice.Assigned> WinAsync(IAsyncEnumerator<WorkerNotice> notices, long price = 5)
    {
        Assert.Equal(["ok"], await ReportAsync(Bid(await NextAsync<WorkerNotice.Offered>(notices), price)));
        return await NextAsync<WorkerNotice.Assigned>(notices);
    }
}
