using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// Puts the document's sections together from members whose types are right (<see cref="JobMemberReader"/>), and shows
/// each to the rules that say what its values may be (<see cref="JobDocumentRules"/>).
/// </summary>
internal sealed class JobDocumentBinder(JsonElement root, DocumentFaults faults)
{
    private readonly JobMemberReader _members = new(faults);

    /// <summary>The document, or null if there is any fault.</summary>
    public JobDocument? Bind(byte[] utf8)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            faults.Add("", JobMembers.Object, root);
            return null;
        }

        _ = _members.Text(root, JobMembers.Schema);
        var envelope = new JobEnvelope
        {
            Version = _members.Text(root, JobMembers.Version),
            JobId = _members.Text(root, JobMembers.JobId),
            CreatedAt = _members.Timestamp(root, JobMembers.CreatedAt),
            Kind = _members.Text(root, JobMembers.Kind),
            Operation = _members.Text(root, JobMembers.Operation),
        };
        JobDocumentRules.Envelope.Check(envelope, faults);
        var metadata = Metadata();
        var execution = Execution();
        var constraints = Constraints();
        var routing = Routing();
        var payload = Payload();
        var market = Market();
        var observability = Observability();
        var audit = Audit();
        if (faults.Any)
        {
            return null;
        }

        return new JobDocument
        {
            Bytes = utf8,
            Sha256 = Digest.OfBytes(utf8),
            JobId = JobId.Parse(envelope.JobId),
            CreatedAt = envelope.CreatedAt!.Value,
            Operation = envelope.Operation!,
            PayloadType = payload.Type!,
            PayloadData = payload.Data!.Value,
            Metadata = metadata,
            Execution = execution,
            Constraints = constraints,
            Routing = routing,
            Market = market,
            Observability = observability,
            Audit = audit,
        };
    }

    private JobMetadata Metadata() => !_members.TryObject(root, JobMembers.Metadata, out var section)
        ? new JobMetadata()
        : new JobMetadata
        {
            Name = _members.Text(section, JobMembers.Name),
            Namespace = _members.Text(section, JobMembers.Namespace),
            Labels = _members.TextMap(section, JobMembers.Labels),
            Annotations = _members.TextMap(section, JobMembers.Annotations),
        };

    private JobExecution Execution()
    {
        if (!_members.TryObject(root, JobMembers.Execution, out var section))
        {
            return new JobExecution();
        }

        var execution = new JobExecution
        {
            IdempotencyKey = _members.Text(section, JobMembers.IdempotencyKey),
            Attempt = Saturated(_members.Integer(section, JobMembers.Attempt) ?? 1),
            MaxAttempts = Saturated(_members.Integer(section, JobMembers.MaxAttempts) ?? 1),
            TimeoutSeconds = _members.Integer(section, JobMembers.TimeoutSeconds) ?? 3600,
            Deadline = _members.Timestamp(section, JobMembers.Deadline),
            Priority = Saturated(_members.Integer(section, JobMembers.Priority) ?? 5),
            RetryOn = _members.TextList(section, JobMembers.RetryOn),
            Cancellable = _members.Flag(section, JobMembers.Cancellable) ?? true,
        };
        if (faults.Any && faults.Has(JobMembers.MaxAttempts.Pointer))
        {
            // Nothing can be said about an attempt when the number of attempts is not known.
            execution = execution with { MaxAttempts = JobLimits.Attempts };
        }

        return JobDocumentRules.Execution.Check(execution, faults);
    }

    private JobConstraints Constraints() => !_members.TryObject(root, JobMembers.Constraints, out var section)
        ? new JobConstraints()
        : JobDocumentRules.Constraints.Check(
            new JobConstraints
            {
                RequiredCapabilities = _members.TextList(section, JobMembers.RequiredCapabilities),
                RequiredFeatures = _members.TextList(section, JobMembers.RequiredFeatures),
                MinimumWorkerVersion = _members.Text(section, JobMembers.MinimumWorkerVersion),
                MaximumDiskSizeGb = _members.Integer(section, JobMembers.MaximumDiskSizeGb),
                RequirePrivileged = _members.Flag(section, JobMembers.RequirePrivileged) ?? false,
                AllowedWorkerPools = _members.TextList(section, JobMembers.AllowedWorkerPools),
            },
            faults);

    private JobRouting Routing() => !_members.TryObject(root, JobMembers.Routing, out var section)
        ? new JobRouting()
        : JobDocumentRules.Routing.Check(
            new JobRouting
            {
                WorkerId = _members.Text(section, JobMembers.WorkerId),
                WorkerPool = _members.Text(section, JobMembers.WorkerPool),
                Affinity = _members.TextMap(section, JobMembers.Affinity),
                AntiAffinity = _members.TextListMap(section, JobMembers.AntiAffinity),
            },
            faults);

    private JobPayload Payload()
    {
        if (!_members.TryObject(root, JobMembers.Payload, out var section))
        {
            if (!faults.Has(JobMembers.Payload.Pointer))
            {
                faults.AddMissing(JobMembers.Payload.Pointer, JobMembers.Payload.Expected, root);
            }

            return new JobPayload();
        }

        return JobDocumentRules.Payload.Check(
            new JobPayload
            {
                Type = _members.Text(section, JobMembers.PayloadType),
                Data = JobMemberReader.TryFind(section, JobMembers.PayloadData, out var data) ? data : null,
            },
            faults);
    }

    private JobMarket Market() => !_members.TryObject(root, JobMembers.Market, out var section)
        ? new JobMarket()
        : JobDocumentRules.Market.Check(
            new JobMarket
            {
                MaxPrice = _members.Integer(section, JobMembers.MaxPrice),
                Resources = !_members.TryObject(section, JobMembers.Resources, out var resources)
                    ? new JobResources()
                    : new JobResources
                    {
                        CpuCores = _members.Integer(resources, JobMembers.CpuCores),
                        MemoryMb = _members.Integer(resources, JobMembers.MemoryMb),
                        StorageMb = _members.Integer(resources, JobMembers.StorageMb),
                    },
                MinReputation = _members.Integer(section, JobMembers.MinReputation),
                TrustScope = _members.Text(section, JobMembers.TrustScope),
                Federations = _members.TextList(section, JobMembers.Federations),
                BidWindowMs = _members.Integer(section, JobMembers.BidWindowMs),
                Replicas = Saturated(_members.Integer(section, JobMembers.Replicas) ?? 1),
                AdaptiveReplication = _members.Flag(section, JobMembers.AdaptiveReplication) ?? false,
            },
            faults);

    private JobObservability Observability() => !_members.TryObject(root, JobMembers.Observability, out var section)
        ? new JobObservability()
        : new JobObservability
        {
            TraceId = _members.Text(section, JobMembers.TraceId),
            SpanId = _members.Text(section, JobMembers.SpanId),
            ParentSpanId = _members.Text(section, JobMembers.ParentSpanId),
            CorrelationId = _members.Text(section, JobMembers.CorrelationId),
        };

    private JobAudit Audit()
    {
        if (!_members.TryObject(root, JobMembers.Audit, out var section))
        {
            return new JobAudit();
        }

        var audit = new JobAudit
        {
            SubmittedBy = _members.Text(section, JobMembers.SubmittedBy),
            SubmittedFrom = _members.Text(section, JobMembers.SubmittedFrom),
        };
        if (!_members.TryObject(section, JobMembers.Authorization, out var authorization))
        {
            return audit;
        }

        audit = audit with
        {
            AuthorizationMethod = _members.Text(authorization, JobMembers.AuthorizationMethod),
            AuthorizationSubject = _members.Text(authorization, JobMembers.AuthorizationSubject),
        };
        return JobDocumentRules.Authorization.Check(audit, faults);
    }

    /// <summary>Out of an int's range is out of the member's range too, which is for the rules to say.</summary>
    private static int Saturated(long value) => (int)Math.Clamp(value, int.MinValue, int.MaxValue);
}
