using System.Collections.ObjectModel;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// A validated job document, version 1: the JSON that asks for a job. <see cref="Bytes"/> are those that were
/// submitted, to the byte, so that members that this version does not know are kept; the properties are the members
/// that decisions need, with the defaults filled in.
/// </summary>
public sealed record JobDocument
{
    /// <summary>The largest document that is accepted, in bytes.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>The deepest nesting of objects and arrays that is accepted; the document itself is level 1.</summary>
    public const int MaxDepth = 64;

    public required ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>SHA-256 of <see cref="Bytes"/>: two documents are the same content when these are equal.</summary>
    public required Digest Sha256 { get; init; }

    public required JobId JobId { get; init; }

    /// <summary>In UTC, whatever offset was written; to 100 nanoseconds.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Such as <c>system.echo</c>: two or more parts, joined by dots.</summary>
    public required string Operation { get; init; }

    /// <summary>Such as <c>system.echo.v1</c>: three or more parts, the last a version.</summary>
    public required string PayloadType { get; init; }

    /// <summary>The payload's <c>data</c>, any JSON value; JSON null where the document says null. Stays valid for as
    /// long as it is held: it owns its memory.</summary>
    public required JsonElement PayloadData { get; init; }

    public JobMetadata Metadata { get; init; } = new();

    public JobExecution Execution { get; init; } = new();

    public JobConstraints Constraints { get; init; } = new();

    public JobRouting Routing { get; init; } = new();

    public JobMarket Market { get; init; } = new();

    public JobObservability Observability { get; init; } = new();

    public JobAudit Audit { get; init; } = new();
}

/// <summary>Who and what for: free text. A node may have quotas for a namespace; nothing decides on the rest.</summary>
public sealed record JobMetadata
{
    public string? Name { get; init; }
    public string? Namespace { get; init; }
    public IReadOnlyDictionary<string, string> Labels { get; init; } = ReadOnlyDictionary<string, string>.Empty;
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = ReadOnlyDictionary<string, string>.Empty;
}

/// <summary>How the job is to be run.</summary>
public sealed record JobExecution
{
    public string? IdempotencyKey { get; init; }

    /// <summary>Counts from 1, at most <see cref="MaxAttempts"/>.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>1 to 100.</summary>
    public int MaxAttempts { get; init; } = 1;

    /// <summary>The time limit of one attempt, in seconds, up to seven days.</summary>
    public long TimeoutSeconds { get; init; } = 3600;

    /// <summary>In UTC, whatever offset was written.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>1 (last) to 10 (first).</summary>
    public int Priority { get; init; } = 5;

    /// <summary>The error codes that another attempt follows on; empty: those that are recoverable.</summary>
    public IReadOnlyList<string> RetryOn { get; init; } = [];
    public bool Cancellable { get; init; } = true;
}

/// <summary>What a worker must have to be allowed to run the job.</summary>
public sealed record JobConstraints
{
    public IReadOnlyList<string> RequiredCapabilities { get; init; } = [];
    public IReadOnlyList<string> RequiredFeatures { get; init; } = [];

    /// <summary>A text that <see cref="SemanticVersion.Parse"/> reads.</summary>
    public string? MinimumWorkerVersion { get; init; }
    public long? MaximumDiskSizeGb { get; init; }
    public bool RequirePrivileged { get; init; }

    /// <summary>Empty: any pool.</summary>
    public IReadOnlyList<string> AllowedWorkerPools { get; init; } = [];
}

/// <summary>Which workers are meant.</summary>
public sealed record JobRouting
{
    public string? WorkerId { get; init; }
    public string? WorkerPool { get; init; }
    public IReadOnlyDictionary<string, string> Affinity { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    public IReadOnlyDictionary<string, IReadOnlyList<string>> AntiAffinity { get; init; } =
        ReadOnlyDictionary<string, IReadOnlyList<string>>.Empty;
}

/// <summary>MeshLedger's own member <c>market</c>: what the submitter pays and whom it trusts.</summary>
public sealed record JobMarket
{
    /// <summary>The most that the submitter pays, in mana; null takes the node's default.</summary>
    public long? MaxPrice { get; init; }
    public JobResources Resources { get; init; } = new();
    public long? MinReputation { get; init; }
    public string? TrustScope { get; init; }
    public IReadOnlyList<string> Federations { get; init; } = [];

    /// <summary>How long bids are taken, in milliseconds; null takes the node's default.</summary>
    public long? BidWindowMs { get; init; }

    /// <summary>How many workers of different owners run the job; more than one must agree by majority.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>Whether a worker that others confirmed often enough may run it alone.</summary>
    public bool AdaptiveReplication { get; init; }
}

/// <summary>What the job needs of a machine; null asks for nothing.</summary>
public sealed record JobResources
{
    public long? CpuCores { get; init; }
    public long? MemoryMb { get; init; }
    public long? StorageMb { get; init; }
}

/// <summary>Ids that tie the job to traces elsewhere.</summary>
public sealed record JobObservability
{
    public string? TraceId { get; init; }
    public string? SpanId { get; init; }
    public string? ParentSpanId { get; init; }
    public string? CorrelationId { get; init; }
}

/// <summary>Who says to have asked. Claims of the document, not proofs.</summary>
public sealed record JobAudit
{
    public string? SubmittedBy { get; init; }
    public string? SubmittedFrom { get; init; }
    public string? AuthorizationMethod { get; init; }
    public string? AuthorizationSubject { get; init; }
}
