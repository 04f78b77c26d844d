using System.Net;
using MeshLedger.Crypto;
using Microsoft.AspNetCore.Routing;

namespace MeshLedger.Blobs.Http;

/// <summary>How blobs are served.</summary>
public sealed class BlobServerOptions
{
    /// <summary>Where to listen; port 0 is any that is free.</summary>
    public IPEndPoint Listen { get; set; } = new(IPAddress.Loopback, 0);

    /// <summary>Names by which this server may be asked for, beside IP addresses and <c>localhost</c>. A page in a browser
    /// that reaches it under any other name is refused.</summary>
    public IReadOnlyCollection<string> HostNames { get; set; } = [];

    /// <summary>Whose signature adds a blob; nobody's unless told.</summary>
    public Func<Did, bool> MayAdd { get; set; } = static _ => false;

    /// <summary>The most bytes a second that all answers together send; null: as many as go.</summary>
    public long? SendBytesPerSecond { get; set; }

    /// <summary>What else is served here; null: nothing.</summary>
    public Action<IEndpointRouteBuilder>? Routes { get; set; }

    /// <summary>The most requests that are answered at once; more are told to come again.</summary>
    public int MaxRequests { get; set; } = 256;
}
