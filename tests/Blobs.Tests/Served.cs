using MeshLedger.Blobs.Http;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Blobs.Tests;

/// <summary>A store that is served on a port of its own.</summary>
internal sealed class Served : IAsyncDisposable
{
    private Served(BlobServer server, BlobStore store, StoreDirectory directory)
    {
        Server = server;
        Store = store;
        Directory = directory;
    }

    public BlobServer Server { get; }

    public BlobStore Store { get; }

    public StoreDirectory Directory { get; }

    public string Url => Server.Url;

    public static async Task<Served> StartAsync(
        Action<BlobServerOptions>? change = null, Action<BlobStoreOptions>? limits = null, TimeProvider? clock = null)
    {
        var directory = new StoreDirectory(inMemory: true);
        var store = directory.Open(limits);
        var options = new BlobServerOptions();
        change?.Invoke(options);
        var server = await BlobServer.StartAsync(
            store, options, clock ?? TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        return new Served(server, store, directory);
    }

    public async Task<BlobHash> AddAsync(byte[] content) => await Store.AddBytesAsync(content, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Directory.Dispose();
    }

    /// <summary>A fetcher into a store, with short patience.</summary>
    public static BlobFetcher Fetcher(BlobStore into, params string[] peers) => new(
        into, new PeerList(peers, () => []),
        new FetchOptions
        {
            RangeBytes = 1 << 20,
            StallTimeout = TimeSpan.FromMilliseconds(400),
            AskTimeout = TimeSpan.FromSeconds(5),
            FirstDelay = TimeSpan.FromMilliseconds(10),
            MaxFailures = 2,
        },
        TimeProvider.System, NullLogger<BlobFetcher>.Instance);
}
