using System.Net;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Peers;

/// <summary>The peers there are: those that were configured, and those that are found. Safe for several threads at once.
/// </summary>
public sealed class PeerList : IDisposable
{
    private readonly Uri[] _configured;
    private readonly Func<IReadOnlyCollection<Uri>> _found;
    private readonly HttpClient _http;

    /// <param name="configured">Such as <c>http://10.0.0.7:7400</c>.</param>
    /// <param name="found">More of them, as of now; without this node itself.</param>
    /// <exception cref="FormatException">One is no address of a peer.</exception>
    public PeerList(IEnumerable<string> configured, Func<IReadOnlyCollection<Uri>> found)
    {
        _configured = [.. configured.Select(Parse)];
        _found = found;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseProxy = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            MaxResponseHeadersLength = 16,
            ResponseDrainTimeout = TimeSpan.Zero,
            MaxResponseDrainSize = 0,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>No peers at all.</summary>
    public static PeerList None { get; } = new([], () => []);

    /// <summary>Their addresses, each once.</summary>
    public IReadOnlyList<Uri> Addresses => [.. _configured.Concat(_found()).Distinct()];

    internal IReadOnlyList<BlobPeer> Peers => [.. Addresses.Select(address => new BlobPeer(address, _http))];

    /// <summary>Asks every peer whether it answers.</summary>
    public async Task<IReadOnlyList<PeerAnswer>> AskAllAsync(
        TimeSpan patience, TimeProvider clock, CancellationToken cancellationToken) =>
        await Task.WhenAll(Peers.Select(async peer =>
        {
            var began = clock.GetTimestamp();
            string? fault = null;
            try
            {
                await RangeReader.WithinAsync(token => peer.HaveAsync([], token), patience, clock, cancellationToken);
            }
            catch (PeerException exception)
            {
                fault = exception.Message;
            }

            return new PeerAnswer(peer.Name, clock.GetElapsedTime(began), fault);
        }));

    /// <summary>Gives a peer a blob.</summary>
    /// <exception cref="BlobNotFoundException">It is not in the store.</exception>
    /// <exception cref="IOException">The peer did not take it; says why.</exception>
    public async Task<AddedBlob> PutAsync(
        Uri address, BlobStore from, BlobHash hash, SigningKey key, TimeProvider clock, CancellationToken cancellationToken)
    {
        await using var content = from.OpenRead(hash);
        try
        {
            var type = from.Find(hash)?.Metadata.ContentType;
            var added = await new BlobPeer(address, _http)
                .PutAsync(hash, content, type, key, clock.GetUtcNow(), cancellationToken);
            return new AddedBlob(hash, added.Size, added.WasNew);
        }
        catch (PeerException exception)
        {
            throw new IOException($"{address} did not take blob {hash}: {exception.Message}");
        }
    }

    /// <exception cref="FormatException">It is no address of a peer.</exception>
    public static Uri Parse(string text) => TryParse(text, out var address)
        ? address!
        : throw new FormatException($"'{text}' is no address of a peer: expected http://HOST:PORT or https://HOST:PORT.");

    public static bool TryParse(string? text, out Uri? address) =>
        Uri.TryCreate(text, UriKind.Absolute, out address) && address.Scheme is ("http" or "https")
        && address.Host.Length > 0 && address.UserInfo.Length == 0 && address.Query.Length == 0 && address.Fragment.Length == 0;

    public void Dispose() => _http.Dispose();
}

/// <summary>Whether a peer answers.</summary>
/// <param name="Fault">Null if it does.</param>
public sealed record PeerAnswer(string Peer, TimeSpan Time, string? Fault);
