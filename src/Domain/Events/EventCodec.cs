using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Events;

/// <summary>One kind of event: its wire name, its CLR type, how its body is written.</summary>
public sealed record EventKind(string Type, Type ClrType, JsonTypeInfo Json)
{
    /// <summary>The CLR name and assembly, as readers that go by them want it.</summary>
    public string DotnetType { get; } = $"{ClrType.FullName}, {ClrType.Assembly.GetName().Name}";
}

/// <summary>
/// The explicit list of all kinds of events; nobody else turns an event into bytes or back. A wire name never changes
/// its meaning: a new shape is a new name with <c>_v2</c>, and an upcaster here.
/// </summary>
public static class EventCodec
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Strict)
    {
        TypeInfoResolver = EventJson.Default.WithAddedModifier(RequireEveryMember),
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = CanonicalJson.MaxDepth,
        Converters =
        {
            new TextConverter<JobId>(JobId.TryParse, "a job id"),
            new TextConverter<Did>((string? text, out Did did) => Did.TryParse(text, out did), "a did:key"),
            new TextConverter<Digest>((string? text, out Digest digest) => Digest.TryParse(text, out digest), "a digest"),
            new TextConverter<BlobHash>((string? text, out BlobHash hash) => BlobHash.TryParse(text, out hash), "a hash"),
            new TimeConverter(),
            new StringConverter(),
        },
    };

    /// <summary>Every kind there is.</summary>
    public static IReadOnlyList<EventKind> Kinds { get; } =
    [
        Kind<NodeEvent.Founded>("ledger_founded"),
        Kind<NodeEvent.Joined>("node_joined"),
        Kind<NodeEvent.Admitted>("node_admitted"),
        Kind<NodeEvent.IdempotencyKeyClaimed>("idempotency_key_claimed"),
        Kind<WorkerEvent.Registered>("worker_registered"),
        Kind<WorkerEvent.Vouched>("worker_vouched"),
        Kind<WorkerEvent.Draining>("worker_draining"),
        Kind<WorkerEvent.Retired>("worker_retired"),
        Kind<AccountEvent.Opened>("account_opened"),
        Kind<AccountEvent.Regenerated>("mana_regenerated"),
        Kind<AccountEvent.Held>("mana_held"),
        Kind<AccountEvent.Paid>("mana_paid"),
        Kind<AccountEvent.Refunded>("mana_refunded"),
        Kind<AccountEvent.Received>("mana_received"),
        Kind<JobEvent.Submitted>("job_submitted"),
        Kind<JobEvent.BiddingOpened>("bidding_opened"),
        Kind<JobEvent.BidPlaced>("bid_placed"),
        Kind<JobEvent.BiddingClosed>("bidding_closed"),
        Kind<JobEvent.Assigned>("job_assigned"),
        Kind<JobEvent.ExecutionStarted>("execution_started"),
        Kind<JobEvent.LeaseRenewed>("lease_renewed"),
        Kind<JobEvent.ProgressReported>("progress_reported"),
        Kind<JobEvent.PartialOutputProduced>("partial_output_produced"),
        Kind<JobEvent.CheckpointRecorded>("checkpoint_recorded"),
        Kind<JobEvent.ReceiptIssued>("receipt_issued"),
        Kind<JobEvent.AttemptEnded>("attempt_ended"),
        Kind<JobEvent.CancelRequested>("cancel_requested"),
        Kind<JobEvent.Completed>("job_completed"),
        Kind<JobEvent.Failed>("job_failed"),
        Kind<JobEvent.Cancelled>("job_cancelled"),
        Kind<JobEvent.ReceiptVerified>("receipt_verified"),
        Kind<JobEvent.ReceiptDisputed>("receipt_disputed"),
        Kind<FederationEvent.Founded>("federation_founded"),
        Kind<FederationEvent.MembershipGranted>("membership_granted"),
        Kind<FederationEvent.MembershipRevoked>("membership_revoked"),
        Kind<AidEvent.Requested>("aid_requested"),
        Kind<AidEvent.TemplateRegistered>("aid_template_registered"),
        Kind<AidEvent.TemplateWithdrawn>("aid_template_withdrawn"),
        Kind<AidEvent.Matched>("aid_matched"),
        Kind<LogEvent.KeyChanged>("log_key_changed"),
    ];

    private static readonly Dictionary<string, EventKind> ByType = Kinds.ToDictionary(kind => kind.Type);
    private static readonly Dictionary<Type, EventKind> ByClrType = Kinds.ToDictionary(kind => kind.ClrType);

    /// <summary>How the claims of a receipt are written.</summary>
    internal static JsonTypeInfo<RunClaims> ClaimsJson { get; } = (JsonTypeInfo<RunClaims>)Json.GetTypeInfo(typeof(RunClaims));

    /// <summary>The wire name of an event.</summary>
    public static string TypeOf(LedgerEvent body) => ByClrType[body.GetType()].Type;

    /// <summary>What a store writes into <c>mt_dotnet_type</c> for a wire name: the CLR name and assembly.</summary>
    public static string DotnetTypeOf(string type) =>
        ByType.TryGetValue(type, out var kind) ? kind.DotnetType : "";

    /// <summary>The statement that <paramref name="by"/> signs to say <paramref name="body"/>.</summary>
    /// <exception cref="FormatException">The body holds what no event can, such as U+0000; says what.</exception>
    public static Statement State(
        LedgerEvent body, Did by, Digest? cause, StreamId stream, EventId id, DateTimeOffset time)
    {
        var kind = ByClrType[body.GetType()];
        var data = JsonSerializer.SerializeToUtf8Bytes(body, kind.Json);
        var statement = Statement.Create(by, cause, data, id, stream, time, kind.Type);
        statement.Body = body;
        return statement;
    }

    /// <summary>Reads the body of a statement.</summary>
    /// <exception cref="FormatException">The type is unknown, or the data is not of its shape; says where.</exception>
    public static LedgerEvent Read(Statement statement) => Read(statement.Type, statement.Data.Span);

    /// <inheritdoc cref="Read(Statement)"/>
    public static LedgerEvent Read(string type, ReadOnlySpan<byte> data)
    {
        if (!ByType.TryGetValue(type, out var kind))
        {
            throw new FormatException($"Event type '{type}' is unknown to this version.");
        }

        try
        {
            return (LedgerEvent?)JsonSerializer.Deserialize(data, kind.Json)
                ?? throw new FormatException($"The data of {type} is null; expected an object.");
        }
        catch (JsonException exception)
        {
            throw new FormatException($"The data of {type} has not its shape: {exception.Message}", exception);
        }
    }

    private static EventKind Kind<T>(string type)
        where T : LedgerEvent => new(type, typeof(T), Json.GetTypeInfo(typeof(T)));

    /// <summary>An event always has all its members: one that may be absent would have two spellings, and the
    /// generated reader leaves it null, whatever its initializer says.</summary>
    private static void RequireEveryMember(JsonTypeInfo type)
    {
        foreach (var member in type.Properties)
        {
            member.IsRequired = true;
        }
    }
}

/// <summary>A string, refused when UTF-8 cannot hold it: the JSON writer would put U+FFFD in silence.</summary>
internal sealed class StringConverter : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? reader.GetString()
            : throw new JsonException("Expected a string.");

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options)
    {
        for (var at = value.AsSpan().IndexOfAnyInRange('\ud800', '\udfff'); at >= 0 && at < value.Length; at++)
        {
            if (char.IsSurrogate(value[at])
                && !(char.IsHighSurrogate(value[at]) && at + 1 < value.Length && char.IsLowSurrogate(value[++at])))
            {
                throw new FormatException("A string has a lone surrogate: no event can hold it.");
            }
        }

        writer.WriteStringValue(value);
    }
}

/// <summary>A value that is a string in JSON, parsed strictly.</summary>
internal sealed class TextConverter<T>(TextConverter<T>.Parser parse, string expected) : JsonConverter<T>
    where T : struct
{
    public delegate bool Parser(string? text, out T value);

    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && parse(reader.GetString(), out var value)
            ? value
            : throw new JsonException($"Expected {expected}.");

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}

internal sealed class TimeConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Timestamps.TryRead(reader.GetString(), out var time)
            ? time
            : throw new JsonException($"Expected a time such as 2026-11-21T01:02:03.123456Z.");

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Timestamps.Write(value));
}

[JsonSerializable(typeof(NodeEvent.Founded))]
[JsonSerializable(typeof(NodeEvent.Joined))]
[JsonSerializable(typeof(NodeEvent.Admitted))]
[JsonSerializable(typeof(NodeEvent.IdempotencyKeyClaimed))]
[JsonSerializable(typeof(WorkerEvent.Registered))]
[JsonSerializable(typeof(AccountEvent.Opened))]
[JsonSerializable(typeof(AccountEvent.Held))]
[JsonSerializable(typeof(AccountEvent.Paid))]
[JsonSerializable(typeof(AccountEvent.Refunded))]
[JsonSerializable(typeof(AccountEvent.Received))]
[JsonSerializable(typeof(JobEvent.Submitted))]
[JsonSerializable(typeof(JobEvent.BiddingOpened))]
[JsonSerializable(typeof(JobEvent.BidPlaced))]
[JsonSerializable(typeof(JobEvent.BiddingClosed))]
[JsonSerializable(typeof(JobEvent.Assigned))]
[JsonSerializable(typeof(JobEvent.ExecutionStarted))]
[JsonSerializable(typeof(JobEvent.ProgressReported))]
[JsonSerializable(typeof(JobEvent.ReceiptIssued))]
[JsonSerializable(typeof(JobEvent.Completed))]
[JsonSerializable(typeof(JobEvent.Failed))]
[JsonSerializable(typeof(WorkerEvent.Vouched))]
[JsonSerializable(typeof(WorkerEvent.Draining))]
[JsonSerializable(typeof(WorkerEvent.Retired))]
[JsonSerializable(typeof(AccountEvent.Regenerated))]
[JsonSerializable(typeof(JobEvent.LeaseRenewed))]
[JsonSerializable(typeof(JobEvent.PartialOutputProduced))]
[JsonSerializable(typeof(JobEvent.CheckpointRecorded))]
[JsonSerializable(typeof(JobEvent.AttemptEnded))]
[JsonSerializable(typeof(JobEvent.CancelRequested))]
[JsonSerializable(typeof(JobEvent.Cancelled))]
[JsonSerializable(typeof(JobEvent.ReceiptVerified))]
[JsonSerializable(typeof(JobEvent.ReceiptDisputed))]
[JsonSerializable(typeof(FederationEvent.Founded), TypeInfoPropertyName = "FederationFounded")]
[JsonSerializable(typeof(FederationEvent.MembershipGranted))]
[JsonSerializable(typeof(FederationEvent.MembershipRevoked))]
[JsonSerializable(typeof(AidEvent.Requested))]
[JsonSerializable(typeof(AidEvent.TemplateRegistered))]
[JsonSerializable(typeof(AidEvent.TemplateWithdrawn))]
[JsonSerializable(typeof(AidEvent.Matched))]
[JsonSerializable(typeof(LogEvent.KeyChanged))]
[JsonSerializable(typeof(Assignee[]))]
[JsonSerializable(typeof(AttemptOutcome[]))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(Label[]))]
[JsonSerializable(typeof(ConsideredBid[]))]
[JsonSerializable(typeof(ReceiptOutput[]))]
[JsonSerializable(typeof(AttestationSignature[]))]
[JsonSerializable(typeof(ClaimedOutput[]))]
[JsonSerializable(typeof(RunDifference[]))]
internal sealed partial class EventJson : JsonSerializerContext;
