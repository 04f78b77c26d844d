using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// Turns parsed JSON into the document's sections. A value of the wrong type becomes a fault here and leaves its default
/// behind; what the value may be is said by the rules of <see cref="JobDocumentRules"/>, which see every section too.
/// </summary>
internal sealed class JobDocumentBinder(JsonElement root, DocumentFaults faults)
{
    /// <summary>Stands for a list item that has its fault already, so that the others keep their indexes.</summary>
    private const string FaultyItem = "?";

    /// <summary>The document, or null if there is any fault.</summary>
    public JobDocument? Bind(ReadOnlyMemory<byte> utf8)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            faults.Add("", JobMembers.Object, root);
            return null;
        }

        _ = Text(root, JobMembers.Schema);
        var envelope = new JobEnvelope
        {
            Version = Text(root, JobMembers.Version),
            JobId = Text(root, JobMembers.JobId),
            CreatedAt = Timestamp(root, JobMembers.CreatedAt),
            Kind = Text(root, JobMembers.Kind),
            Operation = Text(root, JobMembers.Operation),
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
            Bytes = utf8.ToArray(),
            Sha256 = Digest.OfBytes(utf8.Span),
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

    private JobMetadata Metadata() => !TryObject(root, JobMembers.Metadata, out var section)
        ? new JobMetadata()
        : new JobMetadata
        {
            Name = Text(section, JobMembers.Name),
            Namespace = Text(section, JobMembers.Namespace),
            Labels = TextMap(section, JobMembers.Labels),
            Annotations = TextMap(section, JobMembers.Annotations),
        };

    private JobExecution Execution()
    {
        if (!TryObject(root, JobMembers.Execution, out var section))
        {
            return new JobExecution();
        }

        var execution = new JobExecution
        {
            IdempotencyKey = Text(section, JobMembers.IdempotencyKey),
            Attempt = Saturated(Integer(section, JobMembers.Attempt) ?? 1),
            MaxAttempts = Saturated(Integer(section, JobMembers.MaxAttempts) ?? 1),
            TimeoutSeconds = Integer(section, JobMembers.TimeoutSeconds) ?? 3600,
            Deadline = Timestamp(section, JobMembers.Deadline),
            Priority = Saturated(Integer(section, JobMembers.Priority) ?? 5),
            Cancellable = Flag(section, JobMembers.Cancellable) ?? true,
        };
        if (faults.Any && faults.Has(JobMembers.MaxAttempts.Pointer))
        {
            // Nothing can be said about an attempt when the number of attempts is not known.
            execution = execution with { MaxAttempts = JobLimits.Attempts };
        }

        return JobDocumentRules.Execution.Check(execution, faults);
    }

    private JobConstraints Constraints() => !TryObject(root, JobMembers.Constraints, out var section)
        ? new JobConstraints()
        : JobDocumentRules.Constraints.Check(
            new JobConstraints
            {
                RequiredCapabilities = TextList(section, JobMembers.RequiredCapabilities),
                RequiredFeatures = TextList(section, JobMembers.RequiredFeatures),
                MinimumWorkerVersion = Text(section, JobMembers.MinimumWorkerVersion),
                MaximumDiskSizeGb = Integer(section, JobMembers.MaximumDiskSizeGb),
                RequirePrivileged = Flag(section, JobMembers.RequirePrivileged) ?? false,
                AllowedWorkerPools = TextList(section, JobMembers.AllowedWorkerPools),
            },
            faults);

    private JobRouting Routing() => !TryObject(root, JobMembers.Routing, out var section)
        ? new JobRouting()
        : JobDocumentRules.Routing.Check(
            new JobRouting
            {
                WorkerId = Text(section, JobMembers.WorkerId),
                WorkerPool = Text(section, JobMembers.WorkerPool),
                Affinity = TextMap(section, JobMembers.Affinity),
                AntiAffinity = TextListMap(section, JobMembers.AntiAffinity),
            },
            faults);

    private JobPayload Payload()
    {
        if (!TryObject(root, JobMembers.Payload, out var section))
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
                Type = Text(section, JobMembers.PayloadType),
                Data = TryFind(section, JobMembers.PayloadData, out var data) ? data : null,
            },
            faults);
    }

    private JobMarket Market() => !TryObject(root, JobMembers.Market, out var section)
        ? new JobMarket()
        : JobDocumentRules.Market.Check(
            new JobMarket
            {
                MaxPrice = Integer(section, JobMembers.MaxPrice),
                Resources = !TryObject(section, JobMembers.Resources, out var resources)
                    ? new JobResources()
                    : new JobResources
                    {
                        CpuCores = Integer(resources, JobMembers.CpuCores),
                        MemoryMb = Integer(resources, JobMembers.MemoryMb),
                        StorageMb = Integer(resources, JobMembers.StorageMb),
                    },
                MinReputation = Integer(section, JobMembers.MinReputation),
                TrustScope = Text(section, JobMembers.TrustScope),
                Federations = TextList(section, JobMembers.Federations),
                BidWindowMs = Integer(section, JobMembers.BidWindowMs),
            },
            faults);

    private JobObservability Observability() => !TryObject(root, JobMembers.Observability, out var section)
        ? new JobObservability()
        : new JobObservability
        {
            TraceId = Text(section, JobMembers.TraceId),
            SpanId = Text(section, JobMembers.SpanId),
            ParentSpanId = Text(section, JobMembers.ParentSpanId),
            CorrelationId = Text(section, JobMembers.CorrelationId),
        };

    private JobAudit Audit()
    {
        if (!TryObject(root, JobMembers.Audit, out var section))
        {
            return new JobAudit();
        }

        var audit = new JobAudit
        {
            SubmittedBy = Text(section, JobMembers.SubmittedBy),
            SubmittedFrom = Text(section, JobMembers.SubmittedFrom),
        };
        if (!TryObject(section, JobMembers.Authorization, out var authorization))
        {
            return audit;
        }

        audit = audit with
        {
            AuthorizationMethod = Text(authorization, JobMembers.AuthorizationMethod),
            AuthorizationSubject = Text(authorization, JobMembers.AuthorizationSubject),
        };
        return JobDocumentRules.Authorization.Check(audit, faults);
    }

    private string? Text(JsonElement owner, JobMember member) =>
        TryValue(owner, member, JsonValueKind.String, out var value) ? JsonText.Of(value) : null;

    private bool? Flag(JsonElement owner, JobMember member)
    {
        if (!TryPresent(owner, member, out var value))
        {
            return null;
        }

        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            faults.Add(member.Pointer, member.Expected, value);
            return null;
        }

        return value.ValueKind == JsonValueKind.True;
    }

    private long? Integer(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.Number, out var value))
        {
            return null;
        }

        if (!JsonInteger.TryRead(value, out var integer))
        {
            faults.Add(member.Pointer, member.Expected, value);
            return null;
        }

        return integer;
    }

    private DateTimeOffset? Timestamp(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.String, out var value))
        {
            return null;
        }

        if (!Rfc3339.TryParse(JsonText.Of(value), out var time))
        {
            faults.Add(member.Pointer, member.Expected, value);
            return null;
        }

        return time;
    }

    private List<string> TextList(JsonElement owner, JobMember member) =>
        TryValue(owner, member, JsonValueKind.Array, out var value) ? Items(value, member.Pointer) : [];

    private List<string> Items(JsonElement list, string pointer)
    {
        var items = new List<string>(list.GetArrayLength());
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.String)
            {
                items.Add(JsonText.Of(item));
                continue;
            }

            faults.Add($"{pointer}/{items.Count}", JobMembers.ListItem, item);
            items.Add(FaultyItem);
        }

        return items;
    }

    private IReadOnlyDictionary<string, string> TextMap(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.Object, out var value))
        {
            return new JobMetadata().Labels;
        }

        var map = new Dictionary<string, string>(value.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in value.EnumerateObject())
        {
            var name = JsonText.NameOf(entry);
            if (entry.Value.ValueKind == JsonValueKind.String)
            {
                map[name] = JsonText.Of(entry.Value);
            }
            else
            {
                faults.Add(member.Pointer + JsonText.Token(name), JobMembers.Text, entry.Value);
            }
        }

        return map;
    }

    private IReadOnlyDictionary<string, IReadOnlyList<string>> TextListMap(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.Object, out var value))
        {
            return new JobRouting().AntiAffinity;
        }

        var map = new Dictionary<string, IReadOnlyList<string>>(value.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in value.EnumerateObject())
        {
            var name = JsonText.NameOf(entry);
            var pointer = member.Pointer + JsonText.Token(name);
            if (entry.Value.ValueKind == JsonValueKind.Array)
            {
                map[name] = Items(entry.Value, pointer);
            }
            else
            {
                faults.Add(pointer, JobMembers.List, entry.Value);
            }
        }

        return map;
    }

    private bool TryObject(JsonElement owner, JobMember member, out JsonElement value) =>
        TryValue(owner, member, JsonValueKind.Object, out value);

    /// <summary>True if the member is there with a value of the kind; a value of any other kind is a fault.</summary>
    private bool TryValue(JsonElement owner, JobMember member, JsonValueKind kind, out JsonElement value)
    {
        if (!TryPresent(owner, member, out value))
        {
            return false;
        }

        if (value.ValueKind != kind)
        {
            faults.Add(member.Pointer, member.Expected, value);
            return false;
        }

        return true;
    }

    /// <summary>Null counts as absent where the member may be null.</summary>
    private static bool TryPresent(JsonElement owner, JobMember member, out JsonElement value) =>
        TryFind(owner, member, out value) && !(member.IsOptional && value.ValueKind == JsonValueKind.Null);

    private static bool TryFind(JsonElement owner, JobMember member, out JsonElement value)
    {
        foreach (var candidate in owner.EnumerateObject())
        {
            if (JsonText.IsNamed(candidate, member.Utf8Name))
            {
                value = candidate.Value;
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>Out of an int's range is out of the member's range too, which is for the rules to say.</summary>
    private static int Saturated(long value) => (int)Math.Clamp(value, int.MinValue, int.MaxValue);
}
