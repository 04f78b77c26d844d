namespace MeshLedger.Blobs.Peers;

/// <summary>How blobs are fetched.</summary>
public sealed class FetchOptions
{
    /// <summary>How much is asked of a peer at once: 4 MiB.</summary>
    public int RangeBytes { get; set; } = 4 << 20;

    /// <summary>How many ranges are asked of one peer at the same time.</summary>
    public int RangesPerPeer { get; set; } = 2;

    /// <summary>How long a peer has to say what it holds.</summary>
    public TimeSpan AskTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a peer has for each 16 KiB; then the rest of the range is asked of another.</summary>
    public TimeSpan StallTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>After a failure that may pass, a peer is left alone for this long; then twice as long, and so on.</summary>
    public TimeSpan FirstDelay { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How many failures in a row a peer may have.</summary>
    public int MaxFailures { get; set; } = 4;

    /// <summary>How many times all peers are asked again when those that had the blob are gone.</summary>
    public int MaxRounds { get; set; } = 3;
}

/// <summary>How far a fetch is.</summary>
/// <param name="Bytes">Verified, what was here from before included.</param>
/// <param name="Total">Null until it is known.</param>
/// <param name="BytesPerSecond">Since the fetch began.</param>
/// <param name="Peers">That are being read from.</param>
public sealed record FetchProgress(long Bytes, long? Total, long BytesPerSecond, IReadOnlyList<string> Peers);

/// <summary>A peer that was given up.</summary>
/// <param name="IsLie">It sent what is not the blob, or not what it was asked for; otherwise it only failed.</param>
public sealed record PeerFault(string Peer, string Reason, bool IsLie);

/// <summary>What came of a fetch.</summary>
/// <param name="Sources">The peers that gave something; none if the blob was here.</param>
/// <param name="Faults">The peers that were given up on the way.</param>
public sealed record FetchedBlob(BlobInfo Blob, IReadOnlyList<string> Sources, IReadOnlyList<PeerFault> Faults);
