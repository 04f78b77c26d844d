using MeshLedger.Crypto;
using MeshLedger.Domain.Ports;
using MeshLedger.Observability.Health;
using MeshLedger.Observability.Metrics;
using MeshLedger.Observability.Traces;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Observability;

/// <summary>What of a node is to be seen, and where.</summary>
public sealed record ObservationOptions
{
    /// <summary>Null: no metrics and no health; 0: any port that is free.</summary>
    public int? MetricsPort { get; init; }

    /// <summary>Null: no traces.</summary>
    public TraceOptions? Traces { get; init; }

    /// <summary>With less free space in the data directory a node is not ready.</summary>
    public long LeastFreeBytes { get; init; } = 256L << 20;

    /// <summary>As many events behind the log's head, metrics, or a read model, are behind.</summary>
    public long MostLag { get; init; } = 50_000;

    /// <summary>Who was silent for longer counts as gone.</summary>
    public TimeSpan PresenceLimit { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>An attempt that has run for longer is called long-running.</summary>
    public TimeSpan LongRunning { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>What a node that runs is, to those who look on.</summary>
/// <param name="Projections">How far each read model is; null where there are none.</param>
/// <param name="Workers">The keys of the workers in this process.</param>
public sealed record ObservedNode(
    IEventStore Store, IPresence Presence, Did Node, IReadOnlyCollection<Did> Workers,
    Func<CancellationToken, Task<IReadOnlyList<(string Name, long Position)>>>? Projections);

/// <summary>Metrics, health and traces of one node, from before its start until after its end.</summary>
public sealed class NodeObservation : IAsyncDisposable
{
    private readonly ObservationOptions _options;
    private readonly TimeProvider _clock;
    private readonly MetricRegistry _metrics = new();
    private readonly HealthChecks _checks;
    private ObservabilityServer? _server;

    private NodeObservation(ObservationOptions options, string dataDirectory, ILoggerFactory logs, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        var counted = new CountedLogs(logs, _metrics);
        Logs = counted;
        _checks = new HealthChecks(clock);
        _checks.Set(
            "node",
            "If this lasts, look at the log. A node that waits to be admitted needs a running node without --no-admit.",
            _ => Task.FromResult<string?>($"the node is starting; its latest message is: {counted.Latest}"));
        _checks.Set(
            "disk", $"Free space in {dataDirectory}, or move the data directory.",
            _ => Task.FromResult(DiskFault(dataDirectory)));
        ProcessMetrics.AddTo(_metrics);
        _metrics.Gauge(
            "meshledger_data_directory_free_bytes", "Free space on the data directory's file system.",
            () => new DriveInfo(dataDirectory).AvailableFreeSpace);
    }

    /// <summary>The logs to use from now on: they are counted.</summary>
    public ILoggerFactory Logs { get; }

    /// <summary>Where metrics and health are; null when nobody asked for them.</summary>
    public string? Url => _server?.Url;

    /// <summary>Starts answering: not ready, until <see cref="RunAsync"/>.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<NodeObservation> StartAsync(
        ObservationOptions options, string dataDirectory, ILoggerFactory logs, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var observation = new NodeObservation(options, dataDirectory, logs, clock);
        if (options.MetricsPort is { } port)
        {
            observation._server = await ObservabilityServer.StartAsync(
                port, observation._metrics, observation._checks, observation.Logs.CreateLogger<ObservabilityServer>(),
                cancellationToken);
        }

        return observation;
    }

    /// <summary>Looks on while the node runs, until cancelled.</summary>
    /// <exception cref="Domain.Events.InvalidHistoryException">The ledger's history is broken.</exception>
    public async Task RunAsync(ObservedNode node, CancellationToken stopping)
    {
        var parts = new List<Task>();
        if (_server is not null)
        {
            var metrics = new LedgerMetrics(_metrics, _clock, node.Workers, _options.LongRunning);
            var follower = new LedgerFollower(node.Store, metrics, _clock, Logs.CreateLogger<LedgerFollower>());
            AddGauges(node, follower);
            AddChecks(node, follower);
            parts.Add(follower.RunAsync(stopping));
        }

        if (_options.Traces is { } traces)
        {
            parts.Add(RunTracerAsync(traces, node, stopping));
        }

        if (parts.Count == 0)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, stopping).ContinueWith(
                _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            return;
        }

        // One that fails is told at once; the others end with the node.
        await await Task.WhenAny(parts);
        await Task.WhenAll(parts);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    private async Task RunTracerAsync(TraceOptions options, ObservedNode node, CancellationToken stopping)
    {
        using var exporter = TraceExporter.Start(options, node.Node, Logs.CreateLogger<TraceExporter>());
        await new JobTracer(node.Store, node.Node, _clock, Logs.CreateLogger<JobTracer>()).RunAsync(stopping);
    }

    private void AddGauges(ObservedNode node, LedgerFollower follower)
    {
        _metrics.Gauge(
            "meshledger_ledger_head_position", "The log's last position.", [],
            async token => [new Sample(await node.Store.HeadAsync(token))]);
        _metrics.Gauge(
            "meshledger_ledger_followed_position", "Up to where these metrics know the log.", () => follower.Position);
        _metrics.Gauge(
            "meshledger_nodes_live", "Nodes that are alive.", [],
            async token => [new Sample((await node.Presence.ListAsync(_options.PresenceLimit, token)).Nodes.Count)]);
        _metrics.Gauge(
            "meshledger_workers_live", "Workers that are alive.", [],
            async token => [new Sample((await node.Presence.ListAsync(_options.PresenceLimit, token)).Workers.Count)]);
        if (node.Projections is { } projections)
        {
            _metrics.Gauge(
                "meshledger_projection_lag_events", "Events that a read model does not know yet.", ["projection"],
                async token =>
                {
                    var positions = await projections(token);
                    var head = await node.Store.HeadAsync(token);
                    return [.. positions.Select(at => new Sample(Math.Max(0, head - at.Position), at.Name))];
                });
        }
    }

    private void AddChecks(ObservedNode node, LedgerFollower follower)
    {
        _checks.Set(
            "database",
            "See that PostgreSQL runs and has space; the log (events 1000 to 1999) says what it answers. Nothing is lost.",
            async token => await node.Store.HeadAsync(token) < 0 ? "the log has no position" : null);
        _checks.Set(
            "node", "See the log, event 2006: the node cannot say that it is alive, so others take over its jobs.",
            async token => (await node.Presence.ListAsync(_options.PresenceLimit, token)).Nodes.Contains(node.Node)
                ? null
                : $"the node gave no sign of life for {_options.PresenceLimit.TotalSeconds} s");
        _checks.Set(
            "following", "Wait until it has caught up; if it does not, see the log, events 1001 and 7001.",
            async token => follower.Position < 0
                ? "the metrics do not follow the log yet"
                : Lag("the metrics", await node.Store.HeadAsync(token) - follower.Position));
        if (node.Workers.Count > 0)
        {
            _checks.Set(
                "worker", "See the log, events 3000 to 3999; without a worker here, start with --no-worker.",
                async token =>
                {
                    var live = (await node.Presence.ListAsync(_options.PresenceLimit, token)).Workers;
                    var silent = node.Workers.Except(live.Select(present => present.Worker)).ToList();
                    return silent.Count == 0
                        ? null
                        : $"workers of this process do not listen for jobs: {string.Join(", ", silent)}";
                });
        }

        if (node.Projections is { } projections)
        {
            _checks.Set(
                "projections", "Wait until they have caught up; if they do not, see the log, event 6000.",
                async token =>
                {
                    var positions = await projections(token);
                    var head = await node.Store.HeadAsync(token);
                    return positions.Select(at => Lag(at.Name, head - at.Position))
                        .FirstOrDefault(fault => fault is not null);
                });
        }
    }

    private string? Lag(string what, long events) =>
        events > _options.MostLag ? $"{what} is {events} events behind" : null;

    private string? DiskFault(string directory)
    {
        var free = new DriveInfo(directory).AvailableFreeSpace;
        return free < _options.LeastFreeBytes
            ? $"{free} bytes are free in {directory}; at least {_options.LeastFreeBytes} are wanted"
            : null;
    }
}
