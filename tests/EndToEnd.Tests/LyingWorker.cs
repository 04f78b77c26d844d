using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;
using MeshLedger.Ledger;
using MeshLedger.Node;
using MeshLedger.Wasm;
using MeshLedger.Worker;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>
/// A worker made of the real parts, at a real node that has joined a ledger, which tells lies about what it ran: each is
/// an event of its own, signed by its own key, and nothing that a node could see is wrong with it.
/// </summary>
internal sealed class LyingWorker : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PostgresEventStore _store;
    private readonly Npgsql.NpgsqlDataSource _database;
    private readonly MeshNode _node;
    private readonly PeerList _peers = new([], () => []);
    private readonly SigningKey _key = SigningKey.Generate();
    private readonly Task _working;

    /// <summary>By job, what it says in place of what was so.</summary>
    private readonly ConcurrentDictionary<string, Func<JobEvent, JobEvent>> _lies = new();
    private readonly ConcurrentDictionary<JobId, JobEvent.Submitted> _submissions = new();

    private LyingWorker(Npgsql.NpgsqlDataSource database, PostgresEventStore store, MeshNode node, BlobStore blobs)
    {
        (_database, _store, _node) = (database, store, node);
        var fetcher = new BlobFetcher(
            blobs, _peers, new FetchOptions(), TimeProvider.System, NullLogger<BlobFetcher>.Instance);

        // Interpreted, a run takes long enough to be saved several times, and needs not to be long for that.
        var table = new HandlerTable(new HandlerOptions { Blobs = fetcher, WasmTier = Tier.Interpreter }, TimeProvider.System);
        var worker = new JobWorker(
            new Gateway(node, this), _key,
            new WorkerOptions
            {
                WorkerId = "liar", MaxConcurrentJobs = 1, Resources = new WorkerResources(2, 4096, 10_000, 10),
            },
            table.Operations.ToDictionary(operation => operation, operation => table[operation]), blobs, TimeProvider.System,
            NullLogger<JobWorker>.Instance);
        _working = worker.RunAsync(_stop.Token);
    }

    /// <summary>Joins the ledger of a node, whose blobs it shares.</summary>
    public static async Task<LyingWorker> JoinAsync(TestNode keeper)
    {
        var database = LedgerDatabase.Open(keeper.Socket);
        var store = new PostgresEventStore(database, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        var node = new MeshNode(
            store, new PostgresPresence(database),
            new NodeKeys(SigningKey.Generate(), SigningKey.Generate(), SigningKey.Generate()),
            new NodeOptions { Name = "den" }, TimeProvider.System, NullLogger<MeshNode>.Instance);
        await node.StartAsync(CancellationToken.None);
        return new LyingWorker(
            database, store, node,
            BlobStore.Open(Path.Combine(keeper.Data, "blobs"), new BlobStoreOptions(), TimeProvider.System));
    }

    public void LieAbout(string job, Func<JobEvent, JobEvent> lie) => _lies[job] = lie;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _working.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        await _node.DisposeAsync();
        await _store.DisposeAsync();
        await _database.DisposeAsync();
        _peers.Dispose();
        _stop.Dispose();
    }

    private SignedEvent Told(SignedEvent honest)
    {
        var statement = honest.Statement;
        if (!statement.Stream.IsJob(out var job) || !_lies.TryGetValue(job.ToString(), out var lie))
        {
            return honest;
        }

        var lied = lie((JobEvent)statement.Body);
        if (lied is JobEvent.ReceiptIssued { Receipt.Error: null } issued && lied != statement.Body)
        {
            // What it says, it also attests.
            lied = ReceiptAttestation.Issue(_key, _submissions[job], statement.Cause!.Value, issued.Attempt, issued.Receipt);
        }

        return lied == statement.Body ? honest : SignedEvent.Sign(
            _key, [EventCodec.State(lied, _key.Did, statement.Cause, statement.Stream, statement.Id, statement.Time)])[0];
    }

    /// <summary>Between the worker and the node's port: what is passed on is what the worker says then.</summary>
    private sealed class Gateway(IWorkerGateway node, LyingWorker liar) : IWorkerGateway
    {
        public Task<Refusal?> RegisterAsync(SignedEvent registration, CancellationToken cancellationToken) =>
            node.RegisterAsync(registration, cancellationToken);

        public async IAsyncEnumerable<WorkerNotice> ListenAsync(
            Digest registration, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (var notice in node.ListenAsync(registration, cancellationToken))
            {
                if (notice is WorkerNotice.Assigned assigned)
                {
                    liar._submissions[assigned.JobId] = assigned.Submission;
                }

                yield return notice;
            }
        }

        public Task<IReadOnlyList<Refusal?>> ReportAsync(IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken) =>
            node.ReportAsync([.. events.Select(liar.Told)], cancellationToken);

        public void Decline(Digest registration, JobId job, int attempt) => node.Decline(registration, job, attempt);
    }
}
