using System.Net;
using System.Threading.Channels;
using MeshLedger.Blobs;
using MeshLedger.Blobs.Http;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Tools.Hosting;

/// <summary>What a node does with blobs.</summary>
internal sealed record NodeBlobsConfig
{
    private const long MaxBytes = CanonicalJson.MaxInteger;

    /// <summary>The largest blob; null: the store's own limit.</summary>
    public long? MaxBlobBytes { get; init; }

    public long? QuotaBytes { get; init; }

    /// <summary>How long what nothing keeps alive stays.</summary>
    public TimeSpan Grace { get; init; } = new BlobStoreOptions().Grace;

    /// <summary>How often it is looked for.</summary>
    public TimeSpan CollectInterval { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Nodes that are asked for blobs, beside those of this ledger that say where they serve theirs.</summary>
    public IReadOnlyList<string> Peers { get; init; } = [];

    /// <summary>Whose signature adds a blob over HTTP, beside this node's submitter.</summary>
    public IReadOnlyList<Did> Writers { get; init; } = [];

    /// <summary>The most bytes a second that are sent; null: as many as go.</summary>
    public long? SendBytesPerSecond { get; init; }

    /// <summary>How many other nodes keep a copy of each checkpoint.</summary>
    public int CheckpointCopies { get; init; } = 2;

    public static NodeBlobsConfig Read(ConfigSection blobs)
    {
        var defaults = new NodeBlobsConfig();
        var peers = blobs.Texts("peers") ?? [];
        foreach (var peer in peers.Where(peer => !PeerList.TryParse(peer, out _)))
        {
            blobs.Fault("peers", $"expected http://HOST:PORT or https://HOST:PORT, found '{peer}'");
        }

        var writers = blobs.Texts("writers") ?? [];
        foreach (var writer in writers.Where(writer => !Did.TryParse(writer, out _)))
        {
            blobs.Fault("writers", $"expected {Did.Expected}, found '{writer}'");
        }

        var config = new NodeBlobsConfig
        {
            MaxBlobBytes = blobs.Integer("max_blob_bytes", 1, MaxBytes),
            QuotaBytes = blobs.Integer("quota_bytes", 1, MaxBytes),
            Grace = TimeSpan.FromSeconds(blobs.Integer("grace_seconds", (long)defaults.Grace.TotalSeconds, 0, 31_536_000)),
            CollectInterval = TimeSpan.FromSeconds(
                blobs.Integer("collect_seconds", (long)defaults.CollectInterval.TotalSeconds, 1, 31_536_000)),
            Peers = [.. peers.Where(peer => PeerList.TryParse(peer, out _))],
            Writers = [.. writers.Where(writer => Did.TryParse(writer, out _)).Select(writer => Did.Parse(writer))],
            CheckpointCopies = (int)blobs.Integer("checkpoint_copies", defaults.CheckpointCopies, 0, 1000),
            SendBytesPerSecond = blobs.Integer("send_bytes_per_second", 1, MaxBytes),
        };
        blobs.End();
        return config;
    }

    public System.Text.Json.Nodes.JsonObject ToJson()
    {
        var json = new System.Text.Json.Nodes.JsonObject
        {
            ["grace_seconds"] = (long)Grace.TotalSeconds,
            ["collect_seconds"] = (long)CollectInterval.TotalSeconds,
            ["checkpoint_copies"] = CheckpointCopies,
            ["peers"] = Cli.Names.List(Peers),
            ["writers"] = Cli.Names.List(Writers.Select(writer => writer.ToString())),
        };
        foreach (var (name, figure) in new[]
            { ("max_blob_bytes", MaxBlobBytes), ("quota_bytes", QuotaBytes), ("send_bytes_per_second", SendBytesPerSecond) })
        {
            if (figure is not null)
            {
                json[name] = figure;
            }
        }

        return json;
    }

    /// <param name="references">The blobs that the ledger needs; null where nothing is collected.</param>
    public BlobStore Open(DataDirectory data, Func<CancellationToken, Task<IReadOnlySet<BlobHash>>>? references)
    {
        var options = new BlobStoreOptions
        {
            QuotaBytes = QuotaBytes,
            Grace = Grace,
            References = references,
        };
        options.MaxBlobBytes = MaxBlobBytes ?? options.MaxBlobBytes;
        return BlobStore.Open(data.Blobs, options, TimeProvider.System);
    }
}

/// <summary>The blobs to which jobs refer that are not archived, by the ledger.</summary>
internal static class BlobReferences
{
    public static async Task<IReadOnlySet<BlobHash>> ReadAsync(
        NpgsqlDataSource database, Func<CancellationToken, Task> catchUp, CancellationToken cancellationToken)
    {
        await catchUp(cancellationToken);
        var found = new HashSet<BlobHash>();
        await using var command = database.CreateCommand(
            """
            SELECT DISTINCT r.hash FROM blob_references r
            WHERE NOT EXISTS (SELECT FROM mt_streams s WHERE s.id = r.stream_id AND s.is_archived)
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            found.Add(BlobHash.Parse(reader.GetString(0)));
        }

        return found;
    }
}

/// <summary>A running node's blobs: the store, its server if it has one, and the collection of what nobody needs.</summary>
internal sealed class NodeBlobs : IAsyncDisposable
{
    private readonly Channel<BlobHash> _damaged =
        Channel.CreateBounded<BlobHash>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly BlobServer? _server;
    private readonly PeerList _peers;
    private readonly NodeBlobsConfig _config;
    private readonly ILogger _log;

    private NodeBlobs(
        BlobStore store, BlobServer? server, PeerList peers, BlobFetcher fetcher, NodeBlobsConfig config, ILogger log)
    {
        Store = store;
        _server = server;
        _peers = peers;
        Fetcher = fetcher;
        _config = config;
        _log = log;
    }

    public BlobStore Store { get; }

    public BlobFetcher Fetcher { get; }

    /// <summary>Where it listens; null: nowhere.</summary>
    public string? Url => _server?.Url;

    /// <param name="listen">Null: blobs are not served.</param>
    /// <param name="hostName">A name by which this node is reached.</param>
    /// <param name="found">Where other nodes serve theirs.</param>
    /// <param name="routes">What else is served there.</param>
    public static async Task<NodeBlobs> StartAsync(
        NodeBlobsConfig config, BlobStore store, IPEndPoint? listen, string? hostName, Did submitter,
        Func<IReadOnlyCollection<string>> found, Action<IEndpointRouteBuilder>? routes, ILoggerFactory logs, TimeProvider clock, CancellationToken cancellationToken)
    {
        var log = logs.CreateLogger<BlobStore>();
        var writers = config.Writers.Append(submitter).ToHashSet();
        BlobServer? server = null;
        if (listen is not null)
        {
            try
            {
                server = await BlobServer.StartAsync(
                    store,
                    new BlobServerOptions
                    {
                        Listen = listen,
                        HostNames = hostName is null ? [] : [hostName],
                        MayAdd = writers.Contains,
                        SendBytesPerSecond = config.SendBytesPerSecond,
                        Routes = routes,
                    },
                    clock, log, cancellationToken);
            }
            catch (IOException exception)
            {
                throw new CommandFailure(ExitCodes.Failed, $"--listen: {exception.Message} Choose another address or port.");
            }
        }

        var peers = new PeerList(
            config.Peers,
            () => [.. found().Select(text => PeerList.TryParse(text, out var address) ? address : null).OfType<Uri>()]);
        var fetcher = new BlobFetcher(store, peers, new FetchOptions(), clock, logs.CreateLogger<BlobFetcher>());
        return new NodeBlobs(store, server, peers, fetcher, config, log);
    }

    /// <summary>Collects now and then, and heals what turns out to be damaged, until cancelled.</summary>
    public async Task RunAsync(TimeProvider clock, CancellationToken stop)
    {
        Store.Quarantined += hash => _damaged.Writer.TryWrite(hash);
        await Task.WhenAll(CollectAsync(clock, stop), HealAsync(stop));
    }

    private async Task HealAsync(CancellationToken stop)
    {
        try
        {
            await foreach (var hash in _damaged.Reader.ReadAllAsync(stop))
            {
                try
                {
                    await Fetcher.FetchAsync(hash, size: null, progress: null, stop);
                    Log.BlobHealed(_log, hash.ToString());
                }
                catch (IOException exception)
                {
                    Log.BlobNotHealed(_log, hash.ToString(), exception.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end.
        }
    }

    private async Task CollectAsync(TimeProvider clock, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                await Task.Delay(_config.CollectInterval, clock, stop);
                var report = await Store.Collector.CollectAsync(stop);
                if (report.Removed.Count > 0)
                {
                    Log.BlobsCollected(_log, report.Removed.Count, report.FreedBytes);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is IOException or NpgsqlException or TimeoutException)
            {
                // Nothing was removed. It will be tried again.
                Log.CollectionFailed(_log, exception.Message);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _peers.Dispose();
    }
}
