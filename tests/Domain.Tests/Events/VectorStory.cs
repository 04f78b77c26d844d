using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Documents;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>
/// The ledger that schemas/vectors/events.json holds: founded, joined by a second node, with one job that completes and
/// one that fails, every kind of event at least once, some signed alone and some in batches, with awkward strings.
/// </summary>
internal sealed class VectorStory
{
    private const string AwkwardName = "N\u0153ud \"A\" \\ /\u0001\u001f\u007f\b\t\n\f\r \u00e9 \u20ac \u2028 \ufb00 \ud83d\ude00";

    private const string EchoDocument =
        """
        {"version":"1.0","job_id":"echo-vector-001","created_at":"2026-11-21T01:00:00Z","kind":"VMOperation",
         "operation":"system.echo","execution":{"idempotency_key":"nightly","timeout_seconds":60,
         "deadline":"2026-11-21T02:00:00Z"},"routing":{"affinity":{"zone":"north"}},
         "market":{"max_price":100,"bid_window_ms":250,"resources":{"cpu_cores":1}},
         "observability":{"correlation_id":"c-1"},
         "payload":{"type":"system.echo.v1","data":{"message":"hello"}}}
        """;

    /// <summary>Members that UTF-8 and UTF-16 order differently, and every kind of escape: kept as they are.</summary>
    private const string AwkwardDocument =
        """{"version":"1.0","job_id":"echo-vector-002","created_at":"2026-11-21T01:00:00Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{"ﬀ":"\u00e9\/\"\\","😀":"\u0001\t","b":1.50,"a":-0}}}""";

    private readonly List<SignedEvent> _events = [];
    private readonly Dictionary<StreamId, long> _versions = [];
    private int _number;

    private VectorStory()
    {
    }

    public static IReadOnlyList<(SignedEvent Event, long Version)> Tell()
    {
        var story = new VectorStory();
        var (firstBid, secondBid) = story.Begin();
        story.CompleteJob(firstBid, secondBid);
        story.FailJob();
        return [.. story._events.Select(signed =>
        {
            var version = story._versions.GetValueOrDefault(signed.Statement.Stream) + 1;
            story._versions[signed.Statement.Stream] = version;
            return (signed, version);
        })];
    }

    private (Digest Worker, Digest Rival) Begin()
    {
        var second = Actors.SecondNode.Did;
        Say(Actors.Node, new NodeEvent.Founded(AwkwardName), null, StreamId.Ledger);
        var joined = Say(Actors.SecondNode, new NodeEvent.Joined("cellar"), null, StreamId.OfNode(second));
        Say(Actors.Node, new NodeEvent.Admitted(second), joined, StreamId.OfNode(second));
        return (
            Say(Actors.Worker, Actors.Facts("worker-1"), null, StreamId.OfWorker(Actors.Worker.Did)),
            Say(Actors.Rival, Actors.Facts("worker-2"), null, StreamId.OfWorker(Actors.Rival.Did)));
    }

    private void CompleteJob(Digest worker, Digest rival)
    {
        var (job, stream, body) = Read(EchoDocument);
        var account = StreamId.OfAccount(Actors.Submitter.Did);
        Say(Actors.Node, new AccountEvent.Opened(1_000), null, account);
        var submitted = Say(Actors.Submitter, body, null, stream);
        var opening = new JobEvent.BiddingOpened(1, Actors.Time.AddMilliseconds(250));
        var opened = Batch(
            Actors.Node,
            (new AccountEvent.Held(job, 100), submitted, account),
            (new NodeEvent.IdempotencyKeyClaimed(job), submitted, StreamId.OfKey(body.Terms.IdempotencyKey!.Value)),
            (opening, submitted, stream))[2];
        var free = new FreeResources(2, 4096, 50_000);
        var first = Say(Actors.Rival, new JobEvent.BidPlaced(1, 60, rival, free), submitted, stream);
        var best = Say(Actors.Worker, new JobEvent.BidPlaced(1, 40, worker, free), submitted, stream);
        Say(Actors.Node, new JobEvent.BiddingClosed(1, 2, "all_answered"), opened, stream);
        var assignment = new JobEvent.Assigned(1, Actors.Worker.Did, 40, Market.Cheapest, [
            new ConsideredBid(first, Actors.Rival.Did, 60, []), new ConsideredBid(best, Actors.Worker.Did, 40, [])]);
        var assigned = Say(Actors.Node, assignment, best, stream);

        var started = Make(Actors.Worker, new JobEvent.ExecutionStarted(1), assigned, stream);
        var halfway = new JobEvent.ProgressReported(1, 1, "run", 5_000, AwkwardName);
        var receipt = Make(Actors.Worker, new JobEvent.ReceiptIssued(1, Receipt(null)), assigned, stream);
        Sign(
            Actors.Worker,
            started,
            Make(Actors.Worker, halfway, started.Digest, stream),
            Make(Actors.Worker, new JobEvent.ProgressReported(1, 2, "run", 10_000, ""), started.Digest, stream),
            receipt);

        var completed = Make(Actors.Node, new JobEvent.Completed(1, Actors.Worker.Did, 40, 60), receipt.Digest, stream);
        var earner = StreamId.OfAccount(Actors.Worker.Did);
        Sign(
            Actors.Node,
            completed,
            Make(Actors.Node, new AccountEvent.Paid(job, 40, Actors.Worker.Did), completed.Digest, account),
            Make(Actors.Node, new AccountEvent.Refunded(job, 60), completed.Digest, account),
            Make(Actors.Node, new AccountEvent.Opened(0), completed.Digest, earner),
            Make(Actors.Node, new AccountEvent.Received(job, 40, Actors.Submitter.Did), completed.Digest, earner));
    }

    private void FailJob()
    {
        var (job, stream, body) = Read(AwkwardDocument);
        var account = StreamId.OfAccount(Actors.Submitter.Did);
        var submitted = Say(Actors.Submitter, body, null, stream);
        var opening = new JobEvent.BiddingOpened(1, Actors.Time.AddMilliseconds(1_000));
        var opened = Batch(
            Actors.SecondNode, (new AccountEvent.Held(job, body.Terms.MaxPrice), submitted, account), (opening, submitted, stream))[1];
        var error = new JobError("DEADLINE_EXCEEDED", "no worker took the job in time", "bidding", false);
        var failed = Make(
            Actors.SecondNode, new JobEvent.Failed(1, null, error, body.Terms.MaxPrice), opened, stream);
        Sign(
            Actors.SecondNode,
            failed,
            Make(Actors.SecondNode, new AccountEvent.Refunded(job, body.Terms.MaxPrice), failed.Digest, account));
    }

    public static Receipt Receipt(JobError? error) => new()
    {
        Error = error,
        Engine = new EngineName("qemu-microvm", "7.2.22"),
        KernelSha256 = Digest.OfBytes("kernel"u8),
        Program = Blake3.Hash("program"u8),
        ExitCode = error is null ? 0 : 3,
        Outputs =
        [
            Output("result", """{"foo":"bar","n":[1,2.50]}"""),
            new ReceiptOutput("raw", 3, Blake3.Hash([0, 255, 128]), Digest.OfBytes([0, 255, 128]), true, null, "AP+A"),
        ],
        StartedAt = Actors.Time.AddSeconds(1),
        FinishedAt = Actors.Time.AddSeconds(3),
        DurationUs = 1_999_871,
        PeakMemoryBytes = 41_943_040,
    };

    public static ReceiptOutput Output(string name, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return new ReceiptOutput(name, bytes.Length, Blake3.Hash(bytes), Digest.OfBytes(bytes), false, text, null);
    }

    private static (JobId Job, StreamId Stream, JobEvent.Submitted Body) Read(string json)
    {
        var document = Assert.IsType<JobDocument>(JobDocumentSamples.Read(json).Document);
        return (
            document.JobId,
            StreamId.OfJob(document.JobId),
            JobSubmission.Create(document, Actors.Submitter.Did, "folder", defaultMaxPrice: 50, defaultBidWindowMs: 1_000));
    }

    private Statement Make(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream) =>
        Actors.State(by, body, cause, stream, ++_number);

    private Digest Say(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var statement = Make(by, body, cause, stream);
        Sign(by, statement);
        return statement.Digest;
    }

    private Digest[] Batch(SigningKey by, params (LedgerEvent Body, Digest? Cause, StreamId Stream)[] said)
    {
        var statements = Array.ConvertAll(said, one => Make(by, one.Body, one.Cause, one.Stream));
        Sign(by, statements);
        return Array.ConvertAll(statements, statement => statement.Digest);
    }

    private void Sign(SigningKey by, params Statement[] statements) => _events.AddRange(SignedEvent.Sign(by, statements));
}
