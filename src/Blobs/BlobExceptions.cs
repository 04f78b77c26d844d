using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

/// <summary>A blob that was asked for is not to be had.</summary>
public sealed class BlobNotFoundException : IOException
{
    public BlobNotFoundException(BlobHash hash)
        : this(hash, $"Blob {hash} is not in this store.")
    {
    }

    /// <param name="hash">The blob.</param>
    /// <param name="message">Says who was asked.</param>
    public BlobNotFoundException(BlobHash hash, string message)
        : base(message) => Hash = hash;

    public BlobHash Hash { get; }
}

/// <summary>A blob's bytes on disk are not those that its name stands for. None of the wrong ones were handed out.
/// </summary>
/// <param name="hash">The blob, which is in quarantine now.</param>
/// <param name="offset">The first byte of the 16 KiB in which the damage begins.</param>
public sealed class BlobDamagedException(BlobHash hash, long offset) : IOException(
    $"Blob {hash} is damaged at byte {offset}, and was put into quarantine. Add its content again, or fetch it from a peer.")
{
    public BlobHash Hash { get; } = hash;

    public long Offset { get; } = offset;
}

/// <summary>More bytes came than a blob may have.</summary>
public sealed class BlobTooLargeException(long maxBytes)
    : IOException($"A blob may have at most {maxBytes} bytes; more came.")
{
    public long MaxBytes { get; } = maxBytes;
}

/// <summary>What came is not what was promised.</summary>
public sealed class BlobMismatchException(string message) : IOException(message);

/// <summary>The store is full, also after what nothing keeps alive was removed.</summary>
public sealed class BlobQuotaException(long quotaBytes, long usedBytes, long neededBytes) : IOException(
    $"The store may take {quotaBytes} bytes, and {usedBytes} of them are in use by blobs that something keeps alive or that "
    + $"are new; {neededBytes} more do not fit. Remove tags, or raise the quota.")
{
    public long QuotaBytes { get; } = quotaBytes;

    public long UsedBytes { get; } = usedBytes;

    public long NeededBytes { get; } = neededBytes;
}
