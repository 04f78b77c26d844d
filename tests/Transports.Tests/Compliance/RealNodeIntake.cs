using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Ledger.Audit;
using MeshLedger.Node;
using MeshLedger.Testing;
using MeshLedger.Worker;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Transports.Tests.Compliance;

/// <summary>A real node with its worker on a real PostgreSQL, whose operations wait where the suite holds them. At the end
/// its ledger is audited.</summary>
internal sealed class RealNodeIntake : IIntakeUnderTest
{
    private readonly ScriptedIntake _documents = new();
    private readonly Gate _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _blobs = Directory.CreateTempSubdirectory("meshledger-blobs-").FullName;
    private readonly PostgresDatabase _database;
    private readonly PostgresEventStore _store;
    private readonly MeshNode _node;
    private readonly Task _working;

    private RealNodeIntake(PostgresDatabase database, PostgresEventStore store, MeshNode node)
    {
        _database = database;
        _store = store;
        _node = node;
        var worker = new JobWorker(
            node,
            SigningKey.Generate(),
            new WorkerOptions { Resources = MachineResources.Measure("/"), MaxConcurrentJobs = 8 },
            new Dictionary<string, IOperationHandler> { ["system.echo"] = _gate, [ScriptedIntake.FailingOperation] = _gate },
            BlobStore.Open(_blobs, new BlobStoreOptions(), TimeProvider.System),
            TimeProvider.System,
            NullLogger<JobWorker>.Instance);
        _working = worker.RunAsync(_stop.Token);
    }

    public IJobIntake Intake => _node;

    public int Jobs => (int)_database.ScalarAsync<long>("SELECT count(*) FROM mt_streams WHERE type = 'job'").GetAwaiter().GetResult();

    public static RealNodeIntake Start() => Task.Run(async () =>
    {
        var database = await PostgresDatabase.CreateAsync();
        var store = new PostgresEventStore(
            database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        var node = new MeshNode(
            store,
            new PostgresPresence(database.Source),
            new NodeKeys(SigningKey.Generate(), SigningKey.Generate(), SigningKey.Generate()),
            new NodeOptions(),
            TimeProvider.System,
            NullLogger<MeshNode>.Instance);
        await node.StartAsync(CancellationToken.None);
        return new RealNodeIntake(database, store, node);
    }).GetAwaiter().GetResult();

    public byte[] Succeeding(JobId jobId, string content = "", string? idempotencyKey = null) =>
        _documents.Succeeding(jobId, content, idempotencyKey);

    public byte[] Failing(JobId jobId) => _documents.Failing(jobId);

    public void Hold() => _gate.Hold();

    public void Release() => _gate.Release();

    public async Task SubmittedAsync(JobId jobId)
    {
        var stream = Domain.Events.StreamId.OfJob(jobId);
        using var limit = new CancellationTokenSource(Eventually.Deadline);
        while ((await _store.LoadAsync(stream, limit.Token)).Count == 0)
        {
            await Task.Delay(10, limit.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Release();
        await _stop.CancelAsync();
        await _working;
        await _node.DisposeAsync();
        await _store.DisposeAsync();
        var audit = await LedgerAudit.RunAsync(_database.Source, null, CancellationToken.None);
        await _database.DisposeAsync();
        await _documents.DisposeAsync();
        _stop.Dispose();
        Directory.Delete(_blobs, recursive: true);
        Assert.Empty(audit.Faults);
    }

    /// <summary>Runs every operation of the suite, once it is let through.</summary>
    private sealed class Gate : IOperationHandler
    {
        private volatile TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Gate()
        {
            _open.SetResult();
        }

        public IReadOnlyList<string> Operations => ["system.echo", ScriptedIntake.FailingOperation];

        public void Hold() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _open.TrySetResult();

        public async Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
        {
            await _open.Task.WaitAsync(cancellationToken);
            return new OperationResult
            {
                EngineName = "gate",
                EngineVersion = "1",
                Error = context.Document.Operation == ScriptedIntake.FailingOperation
                    ? new OperationError("EXECUTION_ERROR", "It was asked to fail.", "execution", Recoverable: false)
                    : null,
                Outputs = [new OperationOutput("result", Encoding.UTF8.GetBytes("{}"), Truncated: false)],
            };
        }
    }
}
