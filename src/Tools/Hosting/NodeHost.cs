using System.Net;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Workers;
using MeshLedger.Ledger;
using MeshLedger.Ledger.Postgres;
using MeshLedger.Machines;
using MeshLedger.Node;
using MeshLedger.Observability;
using MeshLedger.Projections;
using MeshLedger.Tools.Cli;
using MeshLedger.Transports.Folder;
using MeshLedger.Worker;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MeshLedger.Tools.Hosting;

/// <summary>How a node is to be put together.</summary>
internal sealed record NodeHostOptions
{
    public required DataDirectory Data { get; init; }
    public required string Folder { get; init; }

    /// <summary>How the node behaves; has its name.</summary>
    public required NodeOptions Node { get; init; }

    /// <summary>Null: a private PostgreSQL in the data directory.</summary>
    public string? Postgres { get; init; }

    /// <summary>What the workers are like; null: none.</summary>
    public WorkerConfig? Worker { get; init; }
    public int WorkerCount { get; init; } = 1;

    /// <summary>Of the first worker; the others are numbered.</summary>
    public string WorkerId { get; init; } = "";

    /// <summary>Whose the workers are; null: each its own.</summary>
    public Did? Owner { get; init; }

    /// <summary>The workers are the node's submitter's, who vouches for them.</summary>
    public bool AreSubmitters { get; init; }
    public IReadOnlyList<string> ImageDirectories { get; init; } = [];
    public bool UseInotify { get; init; } = true;
    public NodeBlobsConfig Blobs { get; init; } = new();
    public NodeLogConfig Log { get; init; } = new();

    /// <summary>Where blobs and the log are served; null: nowhere.</summary>
    public IPEndPoint? Listen { get; init; }

    /// <summary>How others reach what listens there; null: as it listens.</summary>
    public Uri? Advertise { get; init; }

    /// <summary>Metrics, health and traces.</summary>
    public ObservationOptions Observation { get; init; } = new();
}

/// <summary>Puts a node together, runs it until it is asked to stop, and takes it apart in order.</summary>
internal sealed class NodeHost(NodeHostOptions options, ILoggerFactory logs, TimeProvider clock)
{
    private static readonly TimeSpan ServerPatience = TimeSpan.FromSeconds(15);

    /// <summary>Runs until <paramref name="stop"/>. <paramref name="ready"/> is called once jobs are taken and every
    /// process on this database can see the workers.</summary>
    /// <exception cref="InvalidHistoryException">The ledger's history is broken.</exception>
    public async Task RunAsync(Action<NodeRecord> ready, CancellationToken stop)
    {
        var data = options.Data;
        data.Make();
        DataDirectory.MakeDirectory("--folder", options.Folder);
        using var held = await data.HoldAsync(clock, stop);
        await using var observation = await NodeObserver.StartAsync(options.Observation, data, logs, clock, stop);
        logs = observation.Logs;

        // A start that is broken off would leave its server behind; so it is waited for, and then stopped.
        await using var server = options.Postgres is null
            ? await PrivatePostgres.StartAsync(
                data.Root, ServerPatience, logs.CreateLogger<PrivatePostgres>(), CancellationToken.None)
            : null;
        stop.ThrowIfCancellationRequested();
        await using var database = LedgerDatabase.Open(options.Postgres ?? server!.ConnectionString);
        await Migrations.ApplyAsync(database, logs.CreateLogger(typeof(Migrations).FullName!), stop);
        await using var store = new PostgresEventStore(database, clock, logs.CreateLogger<PostgresEventStore>());
        var keys = new NodeKeys(
            SigningKey.LoadOrCreate(data.KeyFile("node")), SigningKey.LoadOrCreate(data.KeyFile("submitter")),
            SigningKey.LoadOrCreate(data.KeyFile("pool")));
        var projections = new ProjectionSet(store, database, clock, logs.CreateLogger<ProjectionSet>());
        MeshNode? running = null;
        await using var blobs = await NodeBlobs.StartAsync(
            options.Blobs,
            options.Blobs.Open(data, token => BlobReferences.ReadAsync(
                database, more => projections.CatchUpAsync("blob_references", more), token)),
            options.Listen, options.Advertise?.Host, keys.Submitter.Did, () => running?.BlobPeers ?? [],
            NodeLog.Routes(options.Log, data), logs, clock, stop);
        options.Node.BlobsUrl = blobs.Url is null ? null : options.Advertise?.ToString() ?? blobs.Url;
        await using var node = new MeshNode(
            store, new PostgresPresence(database), keys, options.Node, clock, logs.CreateLogger<MeshNode>());
        running = node;
        var copies = new CheckpointCopies(
            blobs.Fetcher, options.Blobs.CheckpointCopies, () => options.Node.BlobsUrl, logs.CreateLogger<CheckpointCopies>());
        node.CheckpointRecorded += copies.Note;
        await node.StartAsync(stop);
        await using var machines = options.Worker is null ? null : FindMachines();

        // Those that bring work stop first; then those that do it; then those that look on.
        using var stopIntake = new CancellationTokenSource();
        using var stopWork = new CancellationTokenSource();
        var transport = new FolderTransport(
            Options.Create(new FolderTransportOptions
            {
                Directory = options.Folder,
                NodeId = keys.Node.Did.ToString()["did:key:".Length..],
                UseInotify = options.UseInotify,
            }),
            clock, logs.CreateLogger<FolderTransport>());
        Directory.CreateDirectory(Path.Combine(options.Folder, "inbox"));
        var head = await store.HeadAsync(stop);
        var workers = Workers(keys.Submitter).ToList();
        await RefuseRetiredAsync(store, workers.Select(one => one.Key.Did), stop);
        Task[] working = [.. workers.Select(
            one => NewWorker(node, one.Key, one.Options, machines, blobs.Fetcher).RunAsync(stopWork.Token))];
        var projecting = projections.RunAsync(stopWork.Token);
        var collecting = Task.WhenAll(blobs.RunAsync(clock, stopWork.Token), copies.RunAsync(stopWork.Token));
        using var stopLog = new CancellationTokenSource();
        var logging = NodeLog.RunAsync(options.Log, data, store, database, clock, logs, stopLog.Token);
        var observing = observation.RunAsync(
            NodeObserver.Describe(store, database, keys, [.. workers.Select(one => one.Key.Did)], clock, logs),
            stopWork.Token);
        var taking = transport.RunAsync(new KeepingIntake(node, blobs.Store), stopIntake.Token);
        var asked = Task.Delay(Timeout.InfiniteTimeSpan, stop);
        var vouching = options.AreSubmitters
            ? Vouching.ForAsync(store, keys.Submitter, workers.Select(one => one.Key.Did), head, stopWork.Token)
            : Task.CompletedTask;
        Task[] parts = [node.Failure, taking, projecting, observing, collecting, logging, .. working];
        var settling = Task.WhenAll(vouching, node.UntilSeenAsync(workers.Select(one => one.Key.Did), stopWork.Token));
        await Task.WhenAny([asked, settling, .. parts]);
        var record = new NodeRecord(
            Environment.ProcessId, options.Node.Name, keys.Node.Did.ToString(), options.Folder, options.Postgres is not null,
            Timestamps.Write(clock.GetUtcNow()))
        {
            WaitLimitSeconds = (long)options.Node.WaitLimit.TotalSeconds,
            SubmitterMayBid = options.Node.Market.SubmitterMayBid,
            BlobsUrl = options.Node.BlobsUrl,
            Peers = options.Blobs.Peers,
        };
        if (settling.IsCompletedSuccessfully)
        {
            data.WriteRecord(record);
            ready(record);
        }

        var first = await Task.WhenAny([asked, .. parts, .. settling.IsFaulted ? [settling] : Array.Empty<Task>()]);
        await stopIntake.CancelAsync();
        await EndAsync(taking);
        await stopWork.CancelAsync();
        await EndAsync(Task.WhenAll([settling, .. working]));
        await EndAsync(projecting);
        await EndAsync(collecting);
        await EndAsync(observing);
        await stopLog.CancelAsync();
        await EndAsync(logging);
        if (first != asked)
        {
            await first;
            throw new InvalidOperationException("A part of the node ended by itself; the log above says which and why.");
        }
    }

    /// <summary>Waits for a part's end; how it ended is told by the part that ended first.</summary>
    private static Task EndAsync(Task part) =>
        part.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

    private IEnumerable<(SigningKey Key, WorkerOptions Options)> Workers(SigningKey submitter)
    {
        if (options.Worker is not { } config)
        {
            return [];
        }

        var shares = WorkerShares.Divide(
            config, options.WorkerCount, options.WorkerId, options.AreSubmitters ? submitter.Did : options.Owner,
            config.Resources(MachineResources.Measure(options.Data.Root)));
        return shares.Select((share, i) => (SigningKey.LoadOrCreate(options.Data.KeyFile(WorkerShares.KeyName(i))), share));
    }

    /// <summary>A key that has retired cannot register again; better said before anything runs.</summary>
    private async Task RefuseRetiredAsync(PostgresEventStore store, IEnumerable<Did> workers, CancellationToken stop)
    {
        foreach (var (worker, i) in workers.Select((worker, i) => (worker, i)))
        {
            var events = await store.LoadAsync(StreamId.OfWorker(worker), stop);
            if (events.Any(recorded => recorded.Statement.Body is WorkerEvent.Retired))
            {
                throw new CommandFailure(
                    ExitCodes.Failed, $"worker {worker} has retired and does not come back. Move its key "
                    + $"{options.Data.KeyFile(WorkerShares.KeyName(i))} away, so that a new one is made, or start with "
                    + "--no-worker.");
            }
        }
    }

    private JobWorker NewWorker(
        MeshNode node, SigningKey key, WorkerOptions worker, MicroVmHost? machines, BlobFetcher blobs)
    {
        var table = new HandlerTable(
            new HandlerOptions
            {
                Machines = machines,
                Blobs = blobs,
                WasmTier = options.Worker!.WasmTier,
                WasmDirectories = options.Worker!.WasmDirectories,
                ImageDirectories = options.ImageDirectories,
            },
            clock);
        return new JobWorker(
            node, key, worker,
            table.Operations.ToDictionary(operation => operation, operation => table[operation]), blobs.Store, clock,
            logs.CreateLogger<JobWorker>());
    }

    private MicroVmHost? FindMachines()
    {
        var log = logs.CreateLogger<MicroVmHost>();
        try
        {
            var host = MicroVmHost.Find(MicroVmHostOptions.FromEnvironment(options.Data.Machines), clock, log);

            // The probe starts now, so that the first job need not run before its outcome is known.
            _ = host.KvmBootsAsync(CancellationToken.None);
            return host;
        }
        catch (MachinesUnavailableException exception)
        {
            Log.NoMachines(log, exception.Message);
            return null;
        }
    }
}
