using System.Net;

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

    internal BlobPeer Peer(Uri address) => new(address, _http);

    /// <exception cref="FormatException">It is no address of a peer.</exception>
    public static Uri Parse(string text) => TryParse(text, out var address)
        ? address!
        : throw new FormatException($"'{text}' is no address of a peer: expected http://HOST:PORT or https://HOST:PORT.");

    public static bool TryParse(string? text, out Uri? address) =>
        Uri.TryCreate(text, UriKind.Absolute, out address) && address.Scheme is ("http" or "https")
        && address.Host.Length > 0 && address.UserInfo.Length == 0 && address.Query.Length == 0 && address.Fragment.Length == 0;

    public void Dispose() => _http.Dispose();
}
