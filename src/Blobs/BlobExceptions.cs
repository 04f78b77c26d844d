using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

/// <summary>A blob that was asked for is not here.</summary>
public sealed class BlobNotFoundException(BlobHash hash) : IOException($"Blob {hash} is not in this store.")
{
    public BlobHash Hash { get; } = hash;
}

/// <summary>A blob's bytes on disk are not those that its name stands for. None of them were handed out.</summary>
public sealed class BlobDamagedException(BlobHash hash, BlobHash found)
    : IOException($"Blob {hash} is damaged: its bytes hash to {found}. Add its content again to heal it.")
{
    public BlobHash Hash { get; } = hash;

    public BlobHash Found { get; } = found;
}

/// <summary>More bytes came than a blob may have.</summary>
public sealed class BlobTooLargeException(long maxBytes)
    : IOException($"A blob may have at most {maxBytes} bytes; more came.")
{
    public long MaxBytes { get; } = maxBytes;
}
