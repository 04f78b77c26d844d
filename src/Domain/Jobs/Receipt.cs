using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>A worker's account of an attempt: what ran, on what, with which result.</summary>
public sealed record Receipt
{
    /// <summary>Null exactly when the attempt succeeded.</summary>
    public JobError? Error { get; init; }
    public required EngineName Engine { get; init; }

    /// <summary>SHA-256 of the kernel that booted, where there was one.</summary>
    public Digest? KernelSha256 { get; init; }

    /// <summary>The program that ran, where it was a blob.</summary>
    public BlobHash? Program { get; init; }
    public int? ExitCode { get; init; }
    public ValueList<ReceiptOutput> Outputs { get; init; } = [];

    /// <summary>By the worker's clock.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>By the worker's clock.</summary>
    public required DateTimeOffset FinishedAt { get; init; }

    /// <summary>Measured on a monotonic clock.</summary>
    public required long DurationUs { get; init; }
    public long? PeakMemoryBytes { get; init; }

    /// <summary>What an engine that meters its guests says beside.</summary>
    public GuestAccount? Guest { get; init; }
}

/// <summary>The engine that ran the program.</summary>
public sealed record EngineName(string Name, string Version);

/// <summary>One output: its digests and size, and its bytes if they are at most 64 KiB; larger ones are blobs.</summary>
/// <param name="Text">The bytes, if they are UTF-8 without U+0000.</param>
/// <param name="Base64">The bytes otherwise.</param>
/// <param name="Truncated">True if more came than the job's limit let through; the digests are of what was kept.</param>
public sealed record ReceiptOutput(
    string Name, long Size, BlobHash Blake3, Digest Sha256, bool Truncated, string? Text, string? Base64)
{
    /// <summary>The largest output that is kept in the receipt itself.</summary>
    public const int MaxInline = 64 * 1024;
}
