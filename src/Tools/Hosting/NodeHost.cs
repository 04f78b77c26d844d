using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger;
using MeshLedger.Ledger.Postgres;
using MeshLedger.Machines;
using MeshLedger.Node;
using MeshLedger.Observability;
using MeshLedger.Projections;
using MeshLedger.Transports.Folder;
using MeshLedger.Worker;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace MeshLedger.Tools.Hosting;

/// <summary>How a node is to be put together.</summary>
internal sealed record NodeHostOptions
{
    public required DataDirectory Data { get; init; }
    public required string Folder { get; init; }
    public required string Name { get; init; }

    /// <summary>Null: a private PostgreSQL in the data directory.</summary>
    public string? Postgres { get; init; }

    /// <summary>Null: no worker.</summary>
    public WorkerOptions? Worker { get; init; }
    public IReadOnlyList<string> ImageDirectories { get; init; } = [];
    public bool UseInotify { get; init; } = true;

    /// <summary>Whether nodes that join the ledger are admitted.</summary>
    public bool AdmitNodes { get; init; } = true;

    /// <summary>Metrics, health and traces.</summary>
    public ObservationOptions Observation { get; init; } = new();
}

/// <summary>Puts a node together, runs it until it is asked to stop, and takes it apart in order.</summary>
internal sealed class NodeHost(NodeHostOptions options, ILoggerFactory logs, TimeProvider clock)
{
    private static readonly TimeSpan ServerPatience = TimeSpan.FromSeconds(15);

    /// <summary>Runs until <paramref name="stop"/>. <paramref name="ready"/> is called once jobs are taken.</summary>
    /// <exception cref="InvalidHistoryException">The ledger's history is broken.</exception>
    public async Task RunAsync(Action<NodeRecord> ready, CancellationToken stop)
    {
        var data = options.Data;
        data.Make();
        using var held = await data.HoldAsync(clock, stop);
        await using var observation = await NodeObserver.StartAsync(options.Observation, data, logs, clock, stop);
        logs = observation.Logs;

        // A start that is broken off would leave its server behind; so it is waited for, and then stopped.
        await using var server = options.Postgres is null
            ? await PrivatePostgres.StartAsync(
                data.Root, ServerPatience, logs.CreateLogger<PrivatePostgres>(), CancellationToken.None)
            : null;
        stop.ThrowIfCancellationRequested();
        await using var database = NpgsqlDataSource.Create(options.Postgres ?? server!.ConnectionString);
        await Migrations.ApplyAsync(database, logs.CreateLogger(typeof(Migrations).FullName!), stop);
        await using var store = new PostgresEventStore(database, clock, logs.CreateLogger<PostgresEventStore>());
        var keys = new NodeKeys(
            SigningKey.LoadOrCreate(data.KeyFile("node")), SigningKey.LoadOrCreate(data.KeyFile("submitter")),
            SigningKey.LoadOrCreate(data.KeyFile("pool")));
        await using var node = new MeshNode(
            store, new PostgresPresence(database), keys, new NodeOptions { Name = options.Name, AdmitNodes = options.AdmitNodes }, clock,
            logs.CreateLogger<MeshNode>());
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
        var worker = options.Worker is null
            ? Task.CompletedTask
            : NewWorker(node, options.Worker, machines).RunAsync(stopWork.Token);
        var projecting = new ProjectionSet(store, database, clock, logs.CreateLogger<ProjectionSet>())
            .RunAsync(stopWork.Token);
        var observing = observation.RunAsync(
            NodeObserver.Describe(store, database, keys, options, clock, logs), stopWork.Token);
        var taking = transport.RunAsync(node, stopIntake.Token);
        var record = new NodeRecord(
            Environment.ProcessId, options.Name, keys.Node.Did.ToString(), options.Folder, options.Postgres is not null,
            Timestamps.Write(clock.GetUtcNow()));
        data.WriteRecord(record);
        ready(record);

        Task[] parts = options.Worker is null
            ? [node.Failure, taking, projecting, observing]
            : [node.Failure, taking, projecting, observing, worker];
        var asked = Task.Delay(Timeout.InfiniteTimeSpan, stop);
        var first = await Task.WhenAny([asked, .. parts]);
        await stopIntake.CancelAsync();
        await EndAsync(taking);
        await stopWork.CancelAsync();
        await EndAsync(worker);
        await EndAsync(projecting);
        await EndAsync(observing);
        if (first != asked)
        {
            await first;
            throw new InvalidOperationException("A part of the node ended by itself; the log above says which and why.");
        }
    }

    /// <summary>Waits for a part's end; how it ended is told by the part that ended first.</summary>
    private static Task EndAsync(Task part) =>
        part.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

    private JobWorker NewWorker(MeshNode node, WorkerOptions worker, MicroVmHost? machines)
    {
        var blobs = BlobDirectory.Open(options.Data.Blobs);
        worker.Resources = MachineResources.Measure(options.Data.Root);
        var table = new HandlerTable(
            new HandlerOptions { Machines = machines, Blobs = blobs, ImageDirectories = options.ImageDirectories }, clock);
        return new JobWorker(
            node, SigningKey.LoadOrCreate(options.Data.KeyFile("worker")), worker,
            table.Operations.ToDictionary(operation => operation, operation => table[operation]), blobs, clock,
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
