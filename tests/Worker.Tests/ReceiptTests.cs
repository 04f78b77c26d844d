using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Worker.Tests;

/// <summary>Every attempt ends in a receipt that the ledger can hold, whatever its operation says.</summary>
public sealed class ReceiptTests : IDisposable
{
    private readonly string _blobs = Directory.CreateTempSubdirectory("meshledger-blobs-").FullName;

    public void Dispose() => Directory.Delete(_blobs, recursive: true);

    [Fact]
    public async Task A_code_that_is_for_nodes_to_say_stands_in_no_receipt()
    {
        var receipts = await RunAsync(Failing("LEASE_LOST", "it was me"), _ => null);

        var error = Assert.Single(receipts).Error!;
        Assert.Equal(("EXECUTION_ERROR", "LEASE_LOST: it was me"), (error.Code, error.Message));
    }

    [Fact]
    public async Task A_worker_s_own_code_stays()
    {
        var receipts = await RunAsync(Failing("OUT_OF_LUCK", "it was me"), _ => null);

        Assert.Equal("OUT_OF_LUCK", Assert.Single(receipts).Error!.Code);
    }

    [Fact]
    public async Task A_receipt_that_is_refused_for_what_it_says_is_followed_by_one_that_says_so()
    {
        var receipts = await RunAsync(
            Writing([1, 2, 3]),
            receipt => receipt.Outputs.Count > 0 ? new Refusal("WRONG_OUTPUT", "the bytes are others") : null);

        Assert.Equal(2, receipts.Count);
        Assert.Empty(receipts[1].Outputs);
        Assert.Equal("RECEIPT_REFUSED", receipts[1].Error!.Code);
        Assert.Contains("the bytes are others", receipts[1].Error!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("WRONG_NAME", "test")]
    [InlineData("WRONG_ENGINE", "builtin")]
    public async Task So_is_one_that_is_refused_for_a_name_in_it(string code, string engine)
    {
        var receipts = await RunAsync(
            Writing([1, 2, 3]), receipt => receipt.Outputs.Count > 0 ? new Refusal(code, "that is no name") : null);

        Assert.Equal(2, receipts.Count);
        Assert.Equal(("RECEIPT_REFUSED", engine), (receipts[1].Error!.Code, receipts[1].Engine.Name));
    }

    [Fact]
    public async Task A_receipt_that_comes_too_late_is_followed_by_none()
    {
        var receipts = await RunAsync(Failing("OUT_OF_LUCK", "no"), _ => new Refusal("JOB_ENDED", "it is over"));

        Assert.Single(receipts);
    }

    [Fact]
    public async Task A_receipt_that_no_event_can_hold_is_replaced_by_one_that_says_so()
    {
        // Small enough to stand in the receipt, and so many that together they are more than an event may have.
        var outputs = Enumerable.Range(0, 140).Select(i => new OperationOutput($"files/{i}", Letters, false));
        var receipts = await RunAsync(Result(null, [.. outputs]), _ => null);

        var error = Assert.Single(receipts).Error!;
        Assert.Equal("RECEIPT_REFUSED", error.Code);
        Assert.Contains("at most", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Letters => [.. Enumerable.Repeat((byte)'x', ReceiptOutput.MaxInline)];

    private static OperationResult Failing(string code, string message) =>
        Result(new OperationError(code, message, "execution", Recoverable: false), []);

    private static OperationResult Writing(byte[] bytes) => Result(null, [new OperationOutput("result", bytes, false)]);

    private static OperationResult Result(OperationError? error, IReadOnlyList<OperationOutput> outputs) =>
        new() { EngineName = "test", EngineVersion = "1.0.0", Error = error, Outputs = outputs };

    private async Task<IReadOnlyList<Receipt>> RunAsync(OperationResult result, Func<Receipt, Refusal?> judge)
    {
        var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes(
            """
            {"version": "1.0", "job_id": "job-receipt-001", "created_at": "2026-11-21T01:02:03Z", "kind": "VMOperation",
             "operation": "test.echo", "payload": {"type": "test.echo.v1", "data": {} } }
            """));
        Assert.NotNull(document.Document);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var node = new ScriptedNode(
            new WorkerNotice.Assigned(
                document.Document.JobId, 1, Digest.OfBytes([1]),
                JobSubmission.Create(document.Document, default, "test", 100, 250), null, (0, 0)),
            judge, stop);
        var worker = new JobWorker(
            node, SigningKey.Generate(), new WorkerOptions { Resources = MachineResources.Measure("/") },
            new Dictionary<string, IOperationHandler> { ["test.echo"] = new Ready(result) },
            BlobStore.Open(_blobs, new BlobStoreOptions(), TimeProvider.System), TimeProvider.System, NullLogger<JobWorker>.Instance);
        await worker.RunAsync(stop.Token);
        return node.Receipts;
    }

    /// <summary>Has ended as it was told to.</summary>
    private sealed class Ready(OperationResult result) : IOperationHandler
    {
        public IReadOnlyList<string> Operations => ["test.echo"];

        public Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken) =>
            Task.FromResult(result);
    }

    /// <summary>Assigns one attempt, judges its receipts, and stops the worker when one was accepted, or refused for what
    /// no other receipt would change.</summary>
    private sealed class ScriptedNode(WorkerNotice.Assigned assigned, Func<Receipt, Refusal?> judge, CancellationTokenSource stop)
        : IWorkerGateway
    {
        private readonly Channel<WorkerNotice> _notices = Channel.CreateUnbounded<WorkerNotice>();

        public List<Receipt> Receipts { get; } = [];

        public Task<Refusal?> RegisterAsync(SignedEvent registration, CancellationToken cancellationToken) =>
            Task.FromResult<Refusal?>(null);

        public async IAsyncEnumerable<WorkerNotice> ListenAsync(
            Digest registration, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            yield return assigned;
            await foreach (var notice in _notices.Reader.ReadAllAsync(cancellationToken))
            {
                yield return notice;
            }
        }

        public Task<IReadOnlyList<Refusal?>> ReportAsync(
            IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<Refusal?>>([.. events.Select(signed => Take(signed.Statement.Body))]);

        public void Decline(Digest registration, JobId job, int attempt)
        {
        }

        private Refusal? Take(LedgerEvent body)
        {
            if (body is not JobEvent.ReceiptIssued issued)
            {
                return null;
            }

            Receipts.Add(issued.Receipt);
            var refusal = judge(issued.Receipt);
            if (refusal is not { Code: "WRONG_ERROR" or "WRONG_OUTPUT" or "WRONG_NAME" or "WRONG_ENGINE" })
            {
                // A worker that went on would hand in another one at once.
                stop.CancelAfter(TimeSpan.FromMilliseconds(100));
            }

            return refusal;
        }
    }
}
