using Microsoft.Extensions.Logging;

namespace MeshLedger.Blobs;

internal static partial class Log
{
    [LoggerMessage(10000, LogLevel.Information, "Blobs are served on {Url}.")]
    public static partial void Listening(ILogger log, string url);

    [LoggerMessage(10001, LogLevel.Error, "{Message}")]
    public static partial void Damaged(ILogger log, string message);

    [LoggerMessage(10002, LogLevel.Warning, "Peer {Peer} is not asked for blob {Hash} any more: {Reason}")]
    public static partial void PeerDropped(ILogger log, string peer, string hash, string reason);

    [LoggerMessage(10003, LogLevel.Information, "Blob {Hash} of {Size} bytes came from {Peers} in {Seconds:0.0} s.")]
    public static partial void Fetched(ILogger log, string hash, long size, string peers, double seconds);

    [LoggerMessage(10004, LogLevel.Information, "{Signer} added blob {Hash} of {Size} bytes.")]
    public static partial void Added(ILogger log, string signer, string hash, long size);

    [LoggerMessage(10005, LogLevel.Debug, "Peer {Peer} failed at blob {Hash}, and is tried again: {Reason}")]
    public static partial void PeerFailed(ILogger log, string peer, string hash, string reason);

    [LoggerMessage(10006, LogLevel.Error, "A request for {Path} failed: {Reason}")]
    public static partial void RequestFailed(ILogger log, string path, string reason);
}
