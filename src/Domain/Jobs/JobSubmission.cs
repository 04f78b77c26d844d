using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>From a document to the event that submits it: the document whole, and what decisions need of it.</summary>
public static class JobSubmission
{
    /// <summary>The operation whose payload names a program's format.</summary>
    public const string ExecuteOperation = "vm.execute";

    private static readonly string[] ProgramFormats = ["elf", "wasm"];

    /// <summary>The capability of workers that run programs of a format.</summary>
    public static string FormatCapability(string format) => $"{ExecuteOperation}.{format}";

    /// <summary>The body of <c>job_submitted</c>.</summary>
    /// <param name="submitter">Who signs it; idempotency keys are its own.</param>
    /// <param name="transport">How the document came.</param>
    /// <param name="defaultMaxPrice">For a document without <c>market.max_price</c>.</param>
    /// <param name="defaultBidWindowMs">For a document without <c>market.bid_window_ms</c>.</param>
    public static JobEvent.Submitted Create(
        JobDocument document, Did submitter, string transport, long defaultMaxPrice, long defaultBidWindowMs)
    {
        var (execution, constraints, routing, market) =
            (document.Execution, document.Constraints, document.Routing, document.Market);
        var terms = new JobTerms(
            market.MaxPrice ?? defaultMaxPrice,
            market.BidWindowMs ?? defaultBidWindowMs,
            execution.TimeoutSeconds * 1000,
            execution.Deadline?.ToMicroseconds(),
            execution.Priority,
            execution.MaxAttempts,
            ValueList.From(execution.RetryOn),
            execution.Cancellable,
            market.Replicas,
            market.AdaptiveReplication,
            document.Metadata.Namespace,
            execution.IdempotencyKey is { } key ? KeyOf(submitter, key) : null,
            document.Observability.CorrelationId);
        var requirements = new JobRequirements
        {
            Capabilities = Capabilities(document),
            Features = ValueList.From(constraints.RequiredFeatures),
            MinimumWorkerVersion = constraints.MinimumWorkerVersion,
            MaximumDiskSizeGb = constraints.MaximumDiskSizeGb,
            Privileged = constraints.RequirePrivileged,
            Pools = Pools(constraints, routing),
            WorkerId = routing.WorkerId,
            Affinity = ValueList.From(routing.Affinity
                .OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => new Label(pair.Key, pair.Value))),
            AntiAffinity = ValueList.From(routing.AntiAffinity
                .OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .SelectMany(pair => pair.Value.Select(value => new Label(pair.Key, value)))),
            CpuCores = market.Resources.CpuCores,
            MemoryMb = market.Resources.MemoryMb,
            StorageMb = market.Resources.StorageMb,
            MinReputation = market.MinReputation,
            TrustScope = market.TrustScope,
            Federations = ValueList.From(market.Federations),
        };
        return new JobEvent.Submitted(
            Encoding.UTF8.GetString(document.Bytes.Span),
            document.Sha256,
            document.Operation,
            transport,
            terms,
            requirements);
    }

    /// <summary>Why a submission does not say what its document says; null if it does. The audit asks.</summary>
    public static Refusal? Check(JobEvent.Submitted submitted, Did submitter, StreamId stream)
    {
        var bytes = Encoding.UTF8.GetBytes(submitted.Document);
        if (Digest.OfBytes(bytes) != submitted.DocumentSha256)
        {
            return new Refusal("WRONG_DOCUMENT", "document_sha256 is not the document's");
        }

        if (JobDocumentReader.Read(bytes).Document is not { } document)
        {
            return new Refusal("WRONG_DOCUMENT", "the document is not valid");
        }

        var expected = Create(
            document, submitter, submitted.Transport, submitted.Terms.MaxPrice, submitted.Terms.BidWindowMs);
        return StreamId.OfJob(document.JobId) == stream && expected == submitted
            ? null
            : new Refusal("WRONG_DOCUMENT", "the submission's members are not those of its document");
    }

    /// <summary>SHA-256 over the submitter's did:key, a zero byte, and the key.</summary>
    public static Digest KeyOf(Did submitter, string idempotencyKey) =>
        Digest.OfBytes(Encoding.UTF8.GetBytes($"{submitter}\0{idempotencyKey}"));

    /// <summary>What the constraints ask for and, of a program, what runs its format: not every worker has machines.
    /// </summary>
    private static ValueList<string> Capabilities(JobDocument document)
    {
        var asked = document.Constraints.RequiredCapabilities;
        if (document is { Operation: ExecuteOperation, PayloadData.ValueKind: JsonValueKind.Object }
            && document.PayloadData.TryGetProperty("format", out var format)
            && ProgramFormats.FirstOrDefault(one => format.ValueKind == JsonValueKind.String && format.ValueEquals(one)) is { } known
            && FormatCapability(known) is var needed && !asked.Contains(needed))
        {
            return ValueList.From(asked.Append(needed));
        }

        return ValueList.From(asked);
    }

    /// <summary>The pools that are allowed: the routing's if it names one, else those of the constraints.</summary>
    private static ValueList<string> Pools(JobConstraints constraints, JobRouting routing) => routing.WorkerPool switch
    {
        null => ValueList.From(constraints.AllowedWorkerPools),
        var pool => [pool],
    };
}
