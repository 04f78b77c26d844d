using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

/// <summary>What a store has of a blob.</summary>
public enum BlobState
{
    /// <summary>All of it.</summary>
    Complete,

    /// <summary>A part, verified, from a fetch that is under way or was broken off.</summary>
    Partial,

    /// <summary>Bytes that turned out to be damaged. They are never handed out, and go when the blob comes anew.</summary>
    Quarantined,
}

/// <summary>One blob of a store.</summary>
/// <param name="Size">Of the content in bytes; of a partial blob as it is promised.</param>
/// <param name="KeptUntil">Before this, garbage collection leaves it alone even if nothing keeps it alive.</param>
public sealed record BlobInfo(BlobHash Hash, long Size, BlobState State, BlobMetadata Metadata, DateTimeOffset KeptUntil);

/// <summary>A page of a listing.</summary>
/// <param name="Next">What to pass as <c>after</c> for the next page; null if this was the last one.</param>
public sealed record BlobPage(IReadOnlyList<BlobInfo> Blobs, BlobHash? Next);

/// <summary>What a store holds.</summary>
/// <param name="Blobs">How many complete blobs.</param>
/// <param name="Bytes">Of their contents together.</param>
/// <param name="Largest">Of the largest one's content.</param>
/// <param name="Partial">How many partial ones.</param>
/// <param name="Quarantined">How many in quarantine.</param>
/// <param name="StoredBytes">Of all of the store's files: contents, outboards, what is partial, quarantined or being
/// written. This is what the quota is about.</param>
public sealed record BlobTotals(long Blobs, long Bytes, long Largest, long Partial, long Quarantined, long StoredBytes);
