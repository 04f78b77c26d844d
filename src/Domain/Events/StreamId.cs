using System.Buffers;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Events;

/// <summary>
/// The name of one subject's events: a kind, a dash, and the subject. <c>job-JOB_ID</c>, <c>account-DID</c>,
/// <c>worker-DID</c>, <c>node-DID</c>, <c>key-SHA256</c> (one idempotency key), <c>federation-NAME</c>, <c>aid-ULID</c>
/// (one request or template), <c>log-SHA256</c> (one transparency log), and the one stream <c>ledger</c>.
/// At most 200 characters from <c>A-Z a-z 0-9 . _ : -</c>, so no JSON text needs an escape for it.
/// </summary>
public readonly record struct StreamId
{
    public const int MaxLength = 200;

    private const string JobPrefix = "job-";
    private const string AccountPrefix = "account-";
    private const string WorkerPrefix = "worker-";
    private const string NodePrefix = "node-";
    private const string KeyPrefix = "key-";
    private const string FederationPrefix = "federation-";
    private const string AidPrefix = "aid-";
    private const string LogPrefix = "log-";

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    private readonly string? _value;

    private StreamId(string value)
    {
        _value = value;
    }

    /// <summary>The stream of the ledger itself: who founded it.</summary>
    public static StreamId Ledger { get; } = new("ledger");

    public bool IsDefault => _value is null;

    /// <summary>The part before the first dash: <c>job</c>, <c>account</c>, <c>worker</c>, <c>node</c>, <c>key</c>,
    /// <c>federation</c>, <c>aid</c>, <c>log</c>, or <c>ledger</c>.</summary>
    public string Kind => _value is null ? "" : _value.IndexOf('-', StringComparison.Ordinal) switch
    {
        < 0 => _value,
        var dash => _value[..dash],
    };

    public static StreamId OfJob(JobId job) => new(JobPrefix + job);

    public static StreamId OfAccount(Did owner) => new(AccountPrefix + owner);

    public static StreamId OfWorker(Did worker) => new(WorkerPrefix + worker);

    public static StreamId OfNode(Did node) => new(NodePrefix + node);

    /// <summary>The stream that makes one idempotency key of one submitter belong to one job.</summary>
    public static StreamId OfKey(Digest key) => new(KeyPrefix + key);

    /// <exception cref="ArgumentException">No name of a federation.</exception>
    public static StreamId OfFederation(string name) => FederationNames.IsValid(name)
        ? new StreamId(FederationPrefix + name)
        : throw new ArgumentException($"'{name}' is no federation's name: expected {FederationNames.Expected}.", nameof(name));

    public static StreamId OfAid(Ulid id) => new(AidPrefix + id);

    /// <summary>The stream of the log of this origin.</summary>
    public static StreamId OfLog(string origin) => new(LogPrefix + Digest.OfBytes(Encoding.UTF8.GetBytes(origin)));

    public static bool TryParse(string? text, out StreamId id)
    {
        var valid = text is { Length: > 0 and <= MaxLength } && !text.AsSpan().ContainsAnyExcept(Allowed);
        id = valid ? new StreamId(text!) : default;
        return valid;
    }

    /// <exception cref="FormatException">The text is no stream name.</exception>
    public static StreamId Parse(string? text) => TryParse(text, out var id)
        ? id
        : throw new FormatException($"'{text}' is no stream name: expected at most {MaxLength} of A-Z a-z 0-9 . _ : -.");

    public bool IsJob(out JobId job)
    {
        job = default;
        return _value?.StartsWith(JobPrefix, StringComparison.Ordinal) == true
            && JobId.TryParse(_value[JobPrefix.Length..], out job);
    }

    public bool IsAccount(out Did owner) => Is(AccountPrefix, out owner);

    public bool IsWorker(out Did worker) => Is(WorkerPrefix, out worker);

    public bool IsNode(out Did node) => Is(NodePrefix, out node);

    public bool IsKey => _value?.StartsWith(KeyPrefix, StringComparison.Ordinal) == true;

    public bool IsFederation(out string name)
    {
        name = _value?.StartsWith(FederationPrefix, StringComparison.Ordinal) == true
            ? _value[FederationPrefix.Length..]
            : "";
        return FederationNames.IsValid(name);
    }

    public bool IsAid(out Ulid id)
    {
        id = default;
        return _value?.StartsWith(AidPrefix, StringComparison.Ordinal) == true
            && Ulid.TryParse(_value.AsSpan(AidPrefix.Length), out id);
    }

    public override string ToString() => _value ?? "(no stream)";

    private bool Is(string prefix, out Did did)
    {
        did = default;
        return _value?.StartsWith(prefix, StringComparison.Ordinal) == true
            && Did.TryParse(_value.AsSpan(prefix.Length), out did);
    }
}
