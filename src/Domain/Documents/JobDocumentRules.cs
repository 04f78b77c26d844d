using System.Text.Json;
using System.Text.RegularExpressions;
using FluentValidation;
using FluentValidation.Results;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Documents;

/// <summary>The members of the document itself, as far as their types were right.</summary>
internal sealed record JobEnvelope
{
    public string? Version { get; init; }
    public string? JobId { get; init; }
    public DateTimeOffset? CreatedAt { get; init; }
    public string? Kind { get; init; }
    public string? Operation { get; init; }
}

/// <summary>The payload, as far as its types were right; no <see cref="Data"/> is no such member.</summary>
internal sealed record JobPayload
{
    public string? Type { get; init; }
    public JsonElement? Data { get; init; }
}

/// <summary>
/// What values may be, one validator a section. Each rule is named by the JSON pointer of its member, so that a failure
/// says where it is in the document. Validators are built once: building one costs a thousand times what it takes to
/// run. Metadata and observability are free text and have no rules beyond their types.
/// </summary>
internal static class JobDocumentRules
{
    public static readonly IValidator<JobEnvelope> Envelope = new EnvelopeRules();
    public static readonly IValidator<JobExecution> Execution = new ExecutionRules();
    public static readonly IValidator<JobConstraints> Constraints = new ConstraintsRules();
    public static readonly IValidator<JobRouting> Routing = new RoutingRules();
    public static readonly IValidator<JobPayload> Payload = new PayloadRules();
    public static readonly IValidator<JobMarket> Market = new MarketRules();
    public static readonly IValidator<JobAudit> Authorization = new AuthorizationRules();

    /// <summary>Adds what the rules say to the faults, and returns the section.</summary>
    public static T Check<T>(this IValidator<T> rules, T section, DocumentFaults faults)
    {
        foreach (var failure in rules.Validate(section).Errors)
        {
            if (!faults.Has(failure.PropertyName))
            {
                faults.AddAt(failure.PropertyName, failure.ErrorMessage);
            }
        }

        return section;
    }

    private static void Of<T, TValue>(this IRuleBuilderOptions<T, TValue> rule, JobMember member) =>
        rule.OverridePropertyName(member.Pointer).WithMessage(member.Expected);

    private static void IsList<T>(this IRuleBuilderInitial<T, IReadOnlyList<string>> rule, JobMember member) =>
        rule.Custom((items, context) => CheckList(items, member.Pointer, member.Expected, context));

    private static void CheckList<T>(
        IReadOnlyList<string> items, string pointer, string expected, ValidationContext<T> context)
    {
        if (items.Count > JobLimits.ListItems)
        {
            context.AddFailure(new ValidationFailure(pointer, expected));
            return;
        }

        for (var i = 0; i < items.Count; i++)
        {
            if (!HasLength(items[i], JobLimits.ListItemLength))
            {
                context.AddFailure(new ValidationFailure($"{pointer}/{i}", JobMembers.ListItem));
            }
        }
    }

    /// <summary>1 to <paramref name="max"/> characters, counted as Unicode code points like JSON Schema does.</summary>
    private static bool HasLength(string text, int max)
    {
        if (text.Length is 0 || text.Length > 2 * max)
        {
            return false;
        }

        return text.Length <= max || text.EnumerateRunes().Count() <= max;
    }

    private sealed class EnvelopeRules : AbstractValidator<JobEnvelope>
    {
        public EnvelopeRules()
        {
            RuleFor(envelope => envelope.Version).Must(version => version == "1.0").Of(JobMembers.Version);
            RuleFor(envelope => envelope.JobId).Must(id => JobId.TryParse(id, out _)).Of(JobMembers.JobId);
            RuleFor(envelope => envelope.CreatedAt).NotNull().Of(JobMembers.CreatedAt);
            RuleFor(envelope => envelope.Kind).Must(kind => kind == "VMOperation").Of(JobMembers.Kind);
            RuleFor(envelope => envelope.Operation).Must(JobNames.IsOperation).Of(JobMembers.Operation);
        }
    }

    private sealed class ExecutionRules : AbstractValidator<JobExecution>
    {
        public ExecutionRules()
        {
            RuleFor(execution => execution.IdempotencyKey)
                .Must(key => key is null || HasLength(key, JobLimits.IdempotencyKeyLength))
                .Of(JobMembers.IdempotencyKey);
            RuleFor(execution => execution.Attempt).Custom((attempt, context) =>
            {
                var most = context.InstanceToValidate.MaxAttempts;
                if (attempt is < 1 or > JobLimits.Attempts)
                {
                    context.AddFailure(new ValidationFailure(JobMembers.Attempt.Pointer, JobMembers.Attempt.Expected));
                }
                else if (most is >= 1 and <= JobLimits.Attempts && attempt > most)
                {
                    context.AddFailure(new ValidationFailure(
                        JobMembers.Attempt.Pointer, $"an integer from 1 to max_attempts, which is {most}"));
                }
            });
            RuleFor(execution => execution.MaxAttempts)
                .InclusiveBetween(1, JobLimits.Attempts)
                .Of(JobMembers.MaxAttempts);
            RuleFor(execution => execution.TimeoutSeconds)
                .InclusiveBetween(1, JobLimits.TimeoutSeconds)
                .Of(JobMembers.TimeoutSeconds);
            RuleFor(execution => execution.Priority)
                .InclusiveBetween(1, JobLimits.Priority)
                .Of(JobMembers.Priority);
            RuleFor(execution => execution.RetryOn).IsList(JobMembers.RetryOn);
        }
    }

    private sealed class ConstraintsRules : AbstractValidator<JobConstraints>
    {
        public ConstraintsRules()
        {
            RuleFor(constraints => constraints.RequiredCapabilities).IsList(JobMembers.RequiredCapabilities);
            RuleFor(constraints => constraints.RequiredFeatures).IsList(JobMembers.RequiredFeatures);
            RuleFor(constraints => constraints.MinimumWorkerVersion)
                .Must(version => version is null || SemanticVersion.TryParse(version, out _))
                .Of(JobMembers.MinimumWorkerVersion);
            RuleFor(constraints => constraints.MaximumDiskSizeGb)
                .InclusiveBetween(0, JsonInteger.Max)
                .Of(JobMembers.MaximumDiskSizeGb);
            RuleFor(constraints => constraints.AllowedWorkerPools).IsList(JobMembers.AllowedWorkerPools);
        }
    }

    private sealed class RoutingRules : AbstractValidator<JobRouting>
    {
        public RoutingRules()
        {
            RuleFor(routing => routing.AntiAffinity).Custom((map, context) =>
            {
                foreach (var (name, items) in map)
                {
                    var pointer = JobMembers.AntiAffinity.Pointer + JsonText.Token(name);
                    CheckList(items, pointer, JobMembers.List, context);
                }
            });
        }
    }

    private sealed class PayloadRules : AbstractValidator<JobPayload>
    {
        public PayloadRules()
        {
            RuleFor(payload => payload.Type).Must(JobNames.IsPayloadType).Of(JobMembers.PayloadType);
            RuleFor(payload => payload.Data).NotNull().Of(JobMembers.PayloadData);
        }
    }

    private sealed class MarketRules : AbstractValidator<JobMarket>
    {
        public MarketRules()
        {
            RuleFor(market => market.MaxPrice).InclusiveBetween(1, JobLimits.MaxPrice).Of(JobMembers.MaxPrice);
            RuleFor(market => market.Resources.CpuCores)
                .InclusiveBetween(1, JobLimits.CpuCores)
                .Of(JobMembers.CpuCores);
            RuleFor(market => market.Resources.MemoryMb)
                .InclusiveBetween(1, JobLimits.MemoryMb)
                .Of(JobMembers.MemoryMb);
            RuleFor(market => market.Resources.StorageMb)
                .InclusiveBetween(1, JobLimits.StorageMb)
                .Of(JobMembers.StorageMb);
            RuleFor(market => market.MinReputation).InclusiveBetween(0, JsonInteger.Max).Of(JobMembers.MinReputation);
            RuleFor(market => market.TrustScope)
                .Must(scope => scope is null || HasLength(scope, JobLimits.TrustScopeLength))
                .Of(JobMembers.TrustScope);
            RuleFor(market => market.Federations).IsList(JobMembers.Federations);
            RuleFor(market => market.BidWindowMs)
                .InclusiveBetween(0, JobLimits.BidWindowMs)
                .Of(JobMembers.BidWindowMs);
            RuleFor(market => market.Replicas).InclusiveBetween(1, JobLimits.Replicas).Of(JobMembers.Replicas);
        }
    }

    /// <summary>Runs only where the document has an authorization: then it has to be whole.</summary>
    private sealed class AuthorizationRules : AbstractValidator<JobAudit>
    {
        public AuthorizationRules()
        {
            RuleFor(audit => audit.AuthorizationMethod).NotNull().Of(JobMembers.AuthorizationMethod);
            RuleFor(audit => audit.AuthorizationSubject).NotNull().Of(JobMembers.AuthorizationSubject);
        }
    }
}

/// <summary>The dotted names of operations and payload types.</summary>
internal static partial class JobNames
{
    public static bool IsOperation(string? text) =>
        text is { Length: <= JobLimits.OperationLength } && OperationPattern().IsMatch(text);

    public static bool IsPayloadType(string? text) =>
        text is { Length: <= JobLimits.PayloadTypeLength } && PayloadTypePattern().IsMatch(text);

    [GeneratedRegex(@"\A[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\z", RegexOptions.ExplicitCapture)]
    private static partial Regex OperationPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\.v[0-9]+\z", RegexOptions.ExplicitCapture)]
    private static partial Regex PayloadTypePattern();
}
