using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Documents;

/// <summary>A document was built that is none; <see cref="Faults"/> says all that is wrong with it.</summary>
public sealed class InvalidJobDocumentException : Exception
{
    public InvalidJobDocumentException()
        : this([])
    {
    }

    public InvalidJobDocumentException(string message)
        : this(message, [])
    {
    }

    public InvalidJobDocumentException(string message, Exception innerException)
        : base(message, innerException)
    {
        Faults = [];
    }

    public InvalidJobDocumentException(IReadOnlyList<DocumentFault> faults)
        : this($"The job document is not valid:{string.Concat(faults.Select(fault => $"\n  {fault}"))}", faults)
    {
    }

    private InvalidJobDocumentException(string message, IReadOnlyList<DocumentFault> faults)
        : base(message)
    {
        Faults = faults;
    }

    public IReadOnlyList<DocumentFault> Faults { get; }
}

/// <summary>
/// Writes a job document:
/// <c>JobDocumentBuilder.For("system.echo", "system.echo.v1").WithData(new { message = "hi" }).Build(clock, ids)</c>.
/// What a section does not say differently from its default is left out. The builder may be used again after
/// <see cref="Build(DateTimeOffset, Ulid)"/>; it is not safe to share between threads.
/// </summary>
public sealed class JobDocumentBuilder
{
    /// <summary>The protocol's own name for its schema, written into every document.</summary>
    public const string SchemaName = "https://guestkit.dev/schemas/job-v1.json";

    private static readonly JsonSerializerOptions DataOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly string _operation;
    private readonly string _payloadType;
    private readonly Dictionary<string, string> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _annotations = new(StringComparer.Ordinal);
    private string? _jobId;
    private JsonElement? _data;
    private JobMetadata _metadata = new();
    private JobExecution _execution = new();
    private JobConstraints _constraints = new();
    private JobRouting _routing = new();
    private JobMarket _market = new();
    private JobObservability _observability = new();
    private JobAudit _audit = new();

    private JobDocumentBuilder(string operation, string payloadType)
    {
        _operation = operation;
        _payloadType = payloadType;
    }

    public static JobDocumentBuilder For(string operation, string payloadType) => new(operation, payloadType);

    /// <summary>Without this, the id is <c>job-</c> and a ULID.</summary>
    public JobDocumentBuilder WithJobId(JobId id) => Set(() => _jobId = id.ToString());

    /// <summary>The payload's data, as it is.</summary>
    public JobDocumentBuilder WithData(JsonElement data) => Set(() => _data = data.Clone());

    /// <summary>The payload's data, from an object whose properties are named as they are to stand in the JSON. Its
    /// texts have to be Unicode: the serializer puts U+FFFD in the place of a lone surrogate.</summary>
    public JobDocumentBuilder WithData<T>(T data) =>
        Set(() => _data = JsonSerializer.SerializeToElement(data, DataOptions));

    public JobDocumentBuilder WithName(string name) => Set(() => _metadata = _metadata with { Name = name });

    public JobDocumentBuilder WithNamespace(string name) => Set(() => _metadata = _metadata with { Namespace = name });

    public JobDocumentBuilder WithLabel(string name, string value) => Set(() => _labels[name] = value);

    public JobDocumentBuilder WithAnnotation(string name, string value) => Set(() => _annotations[name] = value);

    public JobDocumentBuilder WithIdempotencyKey(string key) => With(_execution with { IdempotencyKey = key });

    public JobDocumentBuilder WithMaxAttempts(int attempts) => With(_execution with { MaxAttempts = attempts });

    /// <summary>The time limit of one attempt, rounded up to whole seconds.</summary>
    public JobDocumentBuilder WithTimeout(TimeSpan timeout) =>
        With(_execution with { TimeoutSeconds = (long)Math.Ceiling(timeout.TotalSeconds) });

    public JobDocumentBuilder WithDeadline(DateTimeOffset deadline) => With(_execution with { Deadline = deadline });

    /// <summary>1 (last) to 10 (first).</summary>
    public JobDocumentBuilder WithPriority(int priority) => With(_execution with { Priority = priority });

    public JobDocumentBuilder WithRequiredCapabilities(params IReadOnlyList<string> capabilities) =>
        With(_constraints with { RequiredCapabilities = capabilities });

    /// <summary>The most that the submitter pays, in mana.</summary>
    public JobDocumentBuilder WithMaxPrice(long mana) => With(_market with { MaxPrice = mana });

    public JobDocumentBuilder WithResources(JobResources resources) => With(_market with { Resources = resources });

    /// <summary>Replaces the whole section.</summary>
    public JobDocumentBuilder With(JobExecution execution) => Set(() => _execution = execution);

    /// <inheritdoc cref="With(JobExecution)"/>
    public JobDocumentBuilder With(JobConstraints constraints) => Set(() => _constraints = constraints);

    /// <inheritdoc cref="With(JobExecution)"/>
    public JobDocumentBuilder With(JobRouting routing) => Set(() => _routing = routing);

    /// <inheritdoc cref="With(JobExecution)"/>
    public JobDocumentBuilder With(JobMarket market) => Set(() => _market = market);

    /// <inheritdoc cref="With(JobExecution)"/>
    public JobDocumentBuilder With(JobObservability observability) => Set(() => _observability = observability);

    /// <inheritdoc cref="With(JobExecution)"/>
    public JobDocumentBuilder With(JobAudit audit) => Set(() => _audit = audit);

    /// <summary>Builds the document, created now.</summary>
    /// <exception cref="InvalidJobDocumentException">It would not be valid.</exception>
    public JobDocument Build(TimeProvider clock, UlidFactory ids) => Build(clock.GetUtcNow(), ids.New());

    /// <summary>Builds the document. The id is used only if no job id was given.</summary>
    /// <exception cref="InvalidJobDocumentException">It would not be valid.</exception>
    public JobDocument Build(DateTimeOffset now, Ulid id)
    {
        var utf8 = new ArrayBufferWriter<byte>(1024);
        var faults = new List<DocumentFault>();
        using (var writer = new Utf8JsonWriter(
            utf8, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            Write(new JobSectionWriter(writer, faults), now, id);
        }

        var reading = JobDocumentReader.Read(utf8.WrittenMemory);
        faults.AddRange(reading.Faults);
        return faults.Count == 0 ? reading.Document! : throw new InvalidJobDocumentException(faults);
    }

    private void Write(JobSectionWriter root, DateTimeOffset now, Ulid id)
    {
        root.Open();
        root.Text("$schema", SchemaName);
        root.Text("version", "1.0");
        root.Text("job_id", _jobId ?? $"job-{id}");
        root.Text("created_at", Rfc3339.Write(now));
        root.Text("kind", "VMOperation");
        root.Text("operation", _operation);
        var metadata = root.Section("metadata");
        metadata.Text("name", _metadata.Name);
        metadata.Text("namespace", _metadata.Namespace);
        metadata.Map("labels", _labels);
        metadata.Map("annotations", _annotations);
        metadata.Close();
        Write(root.Section("execution"), _execution);
        Write(root.Section("constraints"), _constraints);
        Write(root.Section("routing"), _routing);
        var payload = root.Section("payload");
        payload.Text("type", _payloadType);
        payload.Json("data", _data);
        payload.Close();
        Write(root.Section("market"), _market);
        Write(root.Section("observability"), _observability);
        Write(root.Section("audit"), _audit);
        root.Close();
    }

    private static void Write(JobSectionWriter section, JobExecution execution)
    {
        var byDefault = new JobExecution();
        section.Text("idempotency_key", execution.IdempotencyKey);
        section.Number("attempt", execution.Attempt, byDefault.Attempt);
        section.Number("max_attempts", execution.MaxAttempts, byDefault.MaxAttempts);
        section.Number("timeout_seconds", execution.TimeoutSeconds, byDefault.TimeoutSeconds);
        section.Text("deadline", execution.Deadline is { } deadline ? Rfc3339.Write(deadline) : null);
        section.Number("priority", execution.Priority, byDefault.Priority);
        section.List("retry_on", execution.RetryOn);
        section.Flag("cancellable", execution.Cancellable, byDefault.Cancellable);
        section.Close();
    }

    private static void Write(JobSectionWriter section, JobConstraints constraints)
    {
        section.List("required_capabilities", constraints.RequiredCapabilities);
        section.List("required_features", constraints.RequiredFeatures);
        section.Text("minimum_worker_version", constraints.MinimumWorkerVersion);
        section.Number("maximum_disk_size_gb", constraints.MaximumDiskSizeGb);
        section.Flag("require_privileged", constraints.RequirePrivileged, byDefault: false);
        section.List("allowed_worker_pools", constraints.AllowedWorkerPools);
        section.Close();
    }

    private static void Write(JobSectionWriter section, JobRouting routing)
    {
        section.Text("worker_id", routing.WorkerId);
        section.Text("worker_pool", routing.WorkerPool);
        section.Map("affinity", routing.Affinity);
        var antiAffinity = section.Section("anti_affinity");
        foreach (var (name, values) in routing.AntiAffinity)
        {
            antiAffinity.List(name, values, evenIfEmpty: true);
        }

        antiAffinity.Close();
        section.Close();
    }

    private static void Write(JobSectionWriter section, JobMarket market)
    {
        section.Number("max_price", market.MaxPrice);
        var resources = section.Section("resources");
        resources.Number("cpu_cores", market.Resources.CpuCores);
        resources.Number("memory_mb", market.Resources.MemoryMb);
        resources.Number("storage_mb", market.Resources.StorageMb);
        resources.Close();
        section.Number("min_reputation", market.MinReputation);
        section.Text("trust_scope", market.TrustScope);
        section.List("federations", market.Federations);
        section.Number("bid_window_ms", market.BidWindowMs);
        section.Number("replicas", market.Replicas, 1);
        section.Flag("adaptive_replication", market.AdaptiveReplication, byDefault: false);
        section.Close();
    }

    private static void Write(JobSectionWriter section, JobObservability observability)
    {
        section.Text("trace_id", observability.TraceId);
        section.Text("span_id", observability.SpanId);
        section.Text("parent_span_id", observability.ParentSpanId);
        section.Text("correlation_id", observability.CorrelationId);
        section.Close();
    }

    private static void Write(JobSectionWriter section, JobAudit audit)
    {
        section.Text("submitted_by", audit.SubmittedBy);
        section.Text("submitted_from", audit.SubmittedFrom);
        var authorization = section.Section("authorization");
        authorization.Text("method", audit.AuthorizationMethod);
        authorization.Text("subject", audit.AuthorizationSubject);
        authorization.Close();
        section.Close();
    }

    private JobDocumentBuilder Set(Action change)
    {
        change();
        return this;
    }
}
