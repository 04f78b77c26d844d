using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

/// <summary>The limits of a store.</summary>
public sealed class BlobStoreOptions
{
    /// <summary>The largest blob that is taken, in bytes: 1 TiB unless told otherwise.</summary>
    public long MaxBlobBytes { get; set; } = 1L << 40;

    /// <summary>What all of the store's files together may take, in bytes, outboards and what is not complete yet
    /// included; null: what the disk gives.</summary>
    public long? QuotaBytes { get; set; }

    /// <summary>A blob that nothing keeps alive stays for this long after it was last added, tagged or asked to stay:
    /// 24 hours.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromHours(24);

    /// <summary>What keeps blobs alive beside tags: the hashes to which the ledger refers. Null: nothing does. If it
    /// throws, nothing is removed.</summary>
    public Func<CancellationToken, Task<IReadOnlySet<BlobHash>>>? References { get; set; }

    /// <exception cref="ArgumentOutOfRangeException">A limit makes no sense.</exception>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(MaxBlobBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(QuotaBytes ?? 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(Grace, TimeSpan.Zero);
    }
}
