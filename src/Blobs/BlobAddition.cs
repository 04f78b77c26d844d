using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

/// <summary>How a blob is to be added.</summary>
public sealed record BlobAddition
{
    public static BlobAddition Plain { get; } = new();

    public BlobMetadata Metadata { get; init; } = BlobMetadata.None;

    /// <summary>The tag that keeps it alive from its first moment on.</summary>
    public BlobTag? Tag { get; init; }

    /// <summary>How many bytes were promised; null: any number.</summary>
    public long? Size { get; init; }

    /// <summary>Which blob was promised; null: any.</summary>
    public BlobHash? Hash { get; init; }
}
