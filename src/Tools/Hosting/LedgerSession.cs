using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;
using MeshLedger.Domain.Workers;
using MeshLedger.Ledger;
using MeshLedger.Ledger.Postgres;
using MeshLedger.Node;
using MeshLedger.Projections;
using MeshLedger.Tools.Cli;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Tools.Hosting;

/// <summary>
/// A reading verb's way to the ledger: the running node's PostgreSQL, the server of <c>--postgres</c>, or, when no node
/// runs, the private PostgreSQL started for the moment.
/// </summary>
internal sealed class LedgerSession : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PresenceLimit = TimeSpan.FromSeconds(15);

    private readonly PrivatePostgres? _ownServer;
    private readonly ILoggerFactory _logs;
    private PostgresEventStore? _store;

    private LedgerSession(NpgsqlDataSource database, PrivatePostgres? ownServer, ILoggerFactory logs)
    {
        Database = database;
        _ownServer = ownServer;
        _logs = logs;
    }

    public NpgsqlDataSource Database { get; }

    public PostgresEventStore Store =>
        _store ??= new PostgresEventStore(Database, TimeProvider.System, _logs.CreateLogger<PostgresEventStore>());

    public ProjectionSet Projections => field ??= new ProjectionSet(
        Store, Database, TimeProvider.System, _logs.CreateLogger<ProjectionSet>());

    public static async Task<LedgerSession> OpenAsync(Call call)
    {
        var logs = new StderrLog(json: !call.Output.IsText, LogLevel.Error, TimeProvider.System);
        if (call.Postgres is { } given)
        {
            return new LedgerSession(Source(given), ownServer: null, logs);
        }

        var data = call.Data;
        if (data.ReadRecord() is { External: true } && !Directory.Exists(Path.Combine(data.Root, "postgres", "cluster")))
        {
            throw new CommandFailure(
                ExitCodes.Failed, $"the node of {data.Root} keeps its ledger on another PostgreSQL: give --postgres, too.");
        }

        if (await PrivatePostgres.FindRunningAsync(data.Root, call.Stop) is { } running)
        {
            return new LedgerSession(Source(running), ownServer: null, logs);
        }

        if (!Directory.Exists(Path.Combine(data.Root, "postgres", "cluster")))
        {
            throw new CommandFailure(
                ExitCodes.Failed, $"there is no ledger in {data.Root}. Start a node (meshledger up), or choose another "
                + "directory with --data.");
        }

        // A start that is broken off would leave its server behind.
        var server = await PrivatePostgres.StartAsync(
            data.Root, Patience, logs.CreateLogger<LedgerSession>(), CancellationToken.None);
        var session = new LedgerSession(Source(server.ConnectionString), server, logs);
        try
        {
            await Migrations.ApplyAsync(session.Database, logs.CreateLogger<LedgerSession>(), call.Stop);
            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>A job's state, folded from its stream, each event verified; null if there is no such job.</summary>
    public async Task<JobState?> LoadJobAsync(JobId job, CancellationToken cancellationToken)
    {
        JobState? state = null;
        foreach (var recorded in await Store.LoadAsync(StreamId.OfJob(job), cancellationToken))
        {
            state = Job.Evolve(state, EventFact.Of(recorded.Statement));
        }

        return state;
    }

    /// <summary>Who is who.</summary>
    public async Task<Registry> LoadRegistryAsync(CancellationToken cancellationToken)
    {
        var registry = new Registry();
        await RegistryReader.ReadAsync(Store, registry, cancellationToken);
        return registry;
    }

    /// <summary>Who is alive, as far as the nodes say.</summary>
    public Task<PresentParties> PresentAsync(CancellationToken cancellationToken) =>
        new PostgresPresence(Database).ListAsync(PresenceLimit, cancellationToken);

    /// <summary>Every reputation as of the latest event.</summary>
    public async Task<ReputationBook> LoadReputationAsync(CancellationToken cancellationToken)
    {
        await Projections.CatchUpAsync(cancellationToken);
        var book = new ReputationBook();
        foreach (var row in await Sql.RowsAsync(Database, "SELECT * FROM worker_reputation", [], cancellationToken))
        {
            long Figure(string name) => row[name]!.GetValue<long>();
            book.Restore(Did.Parse(row.Text("worker")), row.Text("operation"), new ReputationScore(
                Figure("milli_points"), Figure("step"), Figure("succeeded"), Figure("failed"), Figure("timed_out"),
                Figure("lost"), Figure("disagreed"), Figure("streak"), Figure("earned")));
        }

        return book;
    }

    /// <summary>The workers that are alive, as bidders with all of their resources free.</summary>
    public async Task<IReadOnlyList<Bidder>> LiveBiddersAsync(
        Registry registry, string operation, CancellationToken cancellationToken)
    {
        var present = await PresentAsync(cancellationToken);
        var book = await LoadReputationAsync(cancellationToken);
        return [.. present.Workers
            .Select(worker => registry.Registration(worker.Registration))
            .OfType<WorkerRegistration>()
            .Select(worker => new Bidder(
                worker,
                new FreeResources(
                    worker.Facts.Resources.CpuCores, worker.Facts.Resources.MemoryMb, worker.Facts.Resources.StorageMb,
                    worker.Facts.MaxConcurrentJobs),
                registry.Standing(worker.Worker, long.MaxValue),
                registry.Memberships(worker.Worker, long.MaxValue),
                book.Points(worker.Worker, operation, TimeProvider.System.GetUtcNow())))];
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null)
        {
            await _store.DisposeAsync();
        }

        await Database.DisposeAsync();
        if (_ownServer is not null)
        {
            await _ownServer.DisposeAsync();
        }
    }

    /// <exception cref="CommandFailure">It is no connection string.</exception>
    public static NpgsqlDataSource Source(string connection)
    {
        try
        {
            return LedgerDatabase.Open(connection);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            throw new CommandFailure(ExitCodes.Usage, $"--postgres is no connection string: {exception.Message}");
        }
    }
}
