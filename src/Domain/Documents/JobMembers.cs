using System.Text;

namespace MeshLedger.Domain.Documents;

/// <summary>One member that documents may have: where it stands, what it holds, whether null says "absent".</summary>
internal sealed class JobMember
{
    private readonly byte[] _utf8Name;

    public JobMember(string pointer, string expected, bool optional)
    {
        Pointer = pointer;
        Expected = expected;
        IsOptional = optional;
        _utf8Name = Encoding.UTF8.GetBytes(pointer[(pointer.LastIndexOf('/') + 1)..]);
    }

    public string Pointer { get; }

    /// <summary>What the value has to be, in words. Every fault of the member says this, be it of type or of value.
    /// </summary>
    public string Expected { get; }

    public bool IsOptional { get; }

    public ReadOnlySpan<byte> Utf8Name => _utf8Name;
}

/// <summary>Limits of values, as the schema has them too.</summary>
internal static class JobLimits
{
    public const int OperationLength = 128;
    public const int PayloadTypeLength = 160;
    public const int IdempotencyKeyLength = 512;
    public const int Attempts = 100;
    public const int TimeoutSeconds = 7 * 24 * 3600;
    public const int Priority = 10;
    public const int ListItems = 256;
    public const int ListItemLength = 256;
    public const long MaxPrice = 1_000_000_000_000;
    public const int CpuCores = 4096;
    public const long MemoryMb = 67_108_864;
    public const long StorageMb = 1_000_000_000_000;
    public const int TrustScopeLength = 256;
    public const int BidWindowMs = 600_000;
    public const int Replicas = 15;
}

/// <summary>Every member of a job document that is read, in the order of the schema.</summary>
internal static class JobMembers
{
    public const string ListItem = "a string of 1 to 256 characters";
    public const string Text = "a string";
    public const string Object = "an object";
    public const string Flag = "true or false";
    public const string TextMap = "an object whose values are strings";

    public const string List = "a list of at most 256 strings of 1 to 256 characters";
    private const string Timestamp = "a timestamp such as 2026-01-30T16:00:00Z (RFC 3339)";
    private const string Safe = "9007199254740991";

    public static readonly JobMember Schema = Optional("/$schema", Text);
    public static readonly JobMember Version = Required("/version", "the string \"1.0\"");
    public static readonly JobMember JobId = Required("/job_id", "a job id: " + Jobs.JobId.Expected);
    public static readonly JobMember CreatedAt = Required("/created_at", Timestamp);
    public static readonly JobMember Kind = Required("/kind", "the string \"VMOperation\"");
    public static readonly JobMember Operation = Required(
        "/operation",
        "an operation such as system.echo: two or more parts of A-Z a-z 0-9 _ - joined by dots, at most 128 "
            + "characters");

    public static readonly JobMember Metadata = Optional("/metadata", Object);
    public static readonly JobMember Name = Optional("/metadata/name", Text);
    public static readonly JobMember Namespace = Optional("/metadata/namespace", Text);
    public static readonly JobMember Labels = Optional("/metadata/labels", TextMap);
    public static readonly JobMember Annotations = Optional("/metadata/annotations", TextMap);

    public static readonly JobMember Execution = Optional("/execution", Object);
    public static readonly JobMember IdempotencyKey =
        Optional("/execution/idempotency_key", "a string of 1 to 512 characters");

    public static readonly JobMember Attempt = Required("/execution/attempt", Integers("1", "100"));
    public static readonly JobMember MaxAttempts = Required("/execution/max_attempts", Integers("1", "100"));
    public static readonly JobMember TimeoutSeconds = Required(
        "/execution/timeout_seconds", Integers("1", "604800") + " (7 days)");

    public static readonly JobMember Deadline = Optional("/execution/deadline", Timestamp);
    public static readonly JobMember Priority = Required("/execution/priority", Integers("1", "10"));
    public static readonly JobMember RetryOn = Optional("/execution/retry_on", List);
    public static readonly JobMember Cancellable = Required("/execution/cancellable", Flag);

    public static readonly JobMember Constraints = Optional("/constraints", Object);
    public static readonly JobMember RequiredCapabilities = Optional("/constraints/required_capabilities", List);
    public static readonly JobMember RequiredFeatures = Optional("/constraints/required_features", List);
    public static readonly JobMember MinimumWorkerVersion =
        Optional("/constraints/minimum_worker_version", SemanticVersion.Expected);

    public static readonly JobMember MaximumDiskSizeGb =
        Optional("/constraints/maximum_disk_size_gb", Integers("0", Safe));

    public static readonly JobMember RequirePrivileged = Optional("/constraints/require_privileged", Flag);
    public static readonly JobMember AllowedWorkerPools = Optional("/constraints/allowed_worker_pools", List);

    public static readonly JobMember Routing = Optional("/routing", Object);
    public static readonly JobMember WorkerId = Optional("/routing/worker_id", Text);
    public static readonly JobMember WorkerPool = Optional("/routing/worker_pool", Text);
    public static readonly JobMember Affinity = Optional("/routing/affinity", TextMap);
    public static readonly JobMember AntiAffinity = Optional(
        "/routing/anti_affinity", "an object whose values are lists of at most 256 strings of 1 to 256 characters");

    public static readonly JobMember Payload = Required("/payload", "an object with the members type and data");
    public static readonly JobMember PayloadType = Required(
        "/payload/type",
        "a payload type such as system.echo.v1: three or more parts of A-Z a-z 0-9 _ - joined by dots, the last of "
            + "them v and a number, at most 160 characters");

    public static readonly JobMember PayloadData = Required("/payload/data", "any JSON value, at least null");

    public static readonly JobMember Market = Optional("/market", Object);
    public static readonly JobMember MaxPrice = Optional("/market/max_price", Integers("1", "1000000000000"));
    public static readonly JobMember Resources = Optional("/market/resources", Object);
    public static readonly JobMember CpuCores = Optional("/market/resources/cpu_cores", Integers("1", "4096"));
    public static readonly JobMember MemoryMb = Optional("/market/resources/memory_mb", Integers("1", "67108864"));
    public static readonly JobMember StorageMb =
        Optional("/market/resources/storage_mb", Integers("1", "1000000000000"));

    public static readonly JobMember MinReputation = Optional("/market/min_reputation", Integers("0", Safe));
    public static readonly JobMember TrustScope = Optional("/market/trust_scope", "a string of 1 to 256 characters");
    public static readonly JobMember Federations = Optional("/market/federations", List);
    public static readonly JobMember BidWindowMs = Optional("/market/bid_window_ms", Integers("0", "600000"));

    public static readonly JobMember Replicas = Required("/market/replicas", Integers("1", "15"));
    public static readonly JobMember AdaptiveReplication = Required("/market/adaptive_replication", Flag);

    public static readonly JobMember Observability = Optional("/observability", Object);
    public static readonly JobMember TraceId = Optional("/observability/trace_id", Text);
    public static readonly JobMember SpanId = Optional("/observability/span_id", Text);
    public static readonly JobMember ParentSpanId = Optional("/observability/parent_span_id", Text);
    public static readonly JobMember CorrelationId = Optional("/observability/correlation_id", Text);

    public static readonly JobMember Audit = Optional("/audit", Object);
    public static readonly JobMember SubmittedBy = Optional("/audit/submitted_by", Text);
    public static readonly JobMember SubmittedFrom = Optional("/audit/submitted_from", Text);
    public static readonly JobMember Authorization =
        Optional("/audit/authorization", "an object with the members method and subject");

    public static readonly JobMember AuthorizationMethod = Required("/audit/authorization/method", Text);
    public static readonly JobMember AuthorizationSubject = Required("/audit/authorization/subject", Text);

    /// <summary>May be left out or null. What may be left out but not null, such as a priority, is not optional here:
    /// it has a default, and null is no way to ask for it.</summary>
    private static JobMember Optional(string pointer, string expected) => new(pointer, expected, optional: true);

    private static JobMember Required(string pointer, string expected) => new(pointer, expected, optional: false);

    private static string Integers(string from, string to) => $"an integer from {from} to {to}";
}
