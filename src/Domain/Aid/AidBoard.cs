using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Aid;

/// <summary>A request, and the job that answers it, if there is one.</summary>
public sealed record AidRequest(
    StreamId Stream, Digest Digest, Did By, DateTimeOffset At, ValueList<string> Tags, string Parameters, JobId? Job);

/// <summary>A template. One that was withdrawn matches nothing.</summary>
public sealed record AidTemplate(
    StreamId Stream, Digest Digest, Did By, DateTimeOffset At, string Name, ValueList<string> Tags, string Document,
    bool IsWithdrawn);

/// <summary>
/// Requests and templates, folded from their streams. A request goes to the template with which it shares most tags,
/// of equals the oldest in the log; without a shared tag there is no match. Safe for concurrent use.
/// </summary>
public sealed class AidBoard
{
    /// <summary>Limits of what is kept for ever.</summary>
    public const int MaxTags = 64;
    public const int MaxTagLength = 128;
    public const int MaxParametersLength = 64 * 1024;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    private readonly Lock _lock = new();
    private readonly Dictionary<StreamId, AidRequest> _requests = [];
    private readonly Dictionary<StreamId, AidTemplate> _templates = [];
    private readonly Dictionary<Digest, StreamId> _byDigest = [];
    private readonly List<StreamId> _order = [];

    /// <summary>In log order.</summary>
    public IReadOnlyList<AidRequest> Requests
    {
        get
        {
            lock (_lock)
            {
                return [.. _order.Where(_requests.ContainsKey).Select(stream => _requests[stream])];
            }
        }
    }

    /// <summary>In log order.</summary>
    public IReadOnlyList<AidTemplate> Templates
    {
        get
        {
            lock (_lock)
            {
                return [.. _order.Where(_templates.ContainsKey).Select(stream => _templates[stream])];
            }
        }
    }

    /// <summary>The request of a stream; null if there is none.</summary>
    public AidRequest? Request(StreamId stream)
    {
        lock (_lock)
        {
            return _requests.GetValueOrDefault(stream);
        }
    }

    /// <summary>The template of an event's digest; null if there is none.</summary>
    public AidTemplate? Template(Digest digest)
    {
        lock (_lock)
        {
            return _byDigest.TryGetValue(digest, out var stream) ? _templates[stream] : null;
        }
    }

    /// <summary>The open requests that have a template, each with it, oldest request first.</summary>
    public IReadOnlyList<(AidRequest Request, AidTemplate Template)> Matches()
    {
        var templates = Templates;
        var matches = new List<(AidRequest, AidTemplate)>();
        foreach (var request in Requests.Where(request => request.Job is null))
        {
            AidTemplate? best = null;
            var most = 0;
            foreach (var template in templates.Where(template => !template.IsWithdrawn))
            {
                var shared = template.Tags.Intersect(request.Tags, StringComparer.Ordinal).Count();
                if (shared > most)
                {
                    (best, most) = (template, shared);
                }
            }

            if (best is not null)
            {
                matches.Add((request, best));
            }
        }

        return matches;
    }

    /// <summary>The document that a match submits: the template's, with the request's parameters in
    /// <c>payload.data</c>.</summary>
    /// <returns>The document, or what is wrong with it.</returns>
    public static DocumentReading Fill(AidTemplate template, AidRequest request, JobId job, DateTimeOffset now)
    {
        var document = JsonNode.Parse(template.Document)!.AsObject();
        document["job_id"] = job.ToString();
        document["created_at"] = Rfc3339.Write(now);
        if (document["payload"] is JsonObject payload)
        {
            payload["data"] ??= new JsonObject();
        }

        if (document["payload"] is JsonObject { } filled && filled["data"] is JsonObject data)
        {
            foreach (var (name, value) in JsonNode.Parse(request.Parameters)!.AsObject())
            {
                data[name] = value?.DeepClone();
            }
        }

        return JobDocumentReader.Read(Encoding.UTF8.GetBytes(document.ToJsonString()));
    }

    internal Refusal? Check(Statement statement, AidEvent body, long version, IAuthority authority)
    {
        if (!statement.Stream.IsAid(out _))
        {
            return new Refusal("WRONG_STREAM", $"{statement.Type} does not belong to stream {statement.Stream}");
        }

        lock (_lock)
        {
            var request = _requests.GetValueOrDefault(statement.Stream);
            var template = _templates.GetValueOrDefault(statement.Stream);
            return body switch
            {
                AidEvent.Requested or AidEvent.TemplateRegistered when version != 1 || statement.Cause is not null =>
                    new Refusal("WRONG_STREAM", "a request or a template begins a stream of its own, and answers nothing"),
                AidEvent.Requested requested => Tags(requested.Tags)
                    ?? (IsObject(requested.Parameters, MaxParametersLength)
                        ? null
                        : new Refusal(
                            "WRONG_PARAMETERS", $"parameters are a JSON object of at most {MaxParametersLength} characters")),
                AidEvent.TemplateRegistered registered => Tags(registered.Tags)
                    ?? (IsObject(registered.Document, JobDocument.MaxBytes)
                        ? null
                        : new Refusal(
                            "WRONG_DOCUMENT", $"a template is a JSON object of at most {JobDocument.MaxBytes} characters")),
                AidEvent.TemplateWithdrawn => template is { IsWithdrawn: false } && template.By == statement.By
                    && statement.Cause == template.Digest
                        ? null
                        : new Refusal("NOT_YOUR_TEMPLATE", "only its author withdraws a template, once"),
                AidEvent.Matched matched => !authority.IsNode(statement.By)
                    ? new Refusal("NOT_A_NODE", $"only an admitted node may say this, not {statement.By}")
                    : request is null || request.Job is not null || statement.Cause != request.Digest
                        ? new Refusal("MATCHED", "a request is matched once")
                        : Shares(request, matched.Template)
                            ? null
                            : new Refusal("WRONG_TEMPLATE", "the template shares no tag with the request, was withdrawn, or is none"),
                _ => new Refusal("WRONG_STREAM", $"{statement.Type} is none of aid's events"),
            };
        }
    }

    internal void Apply(Statement statement, AidEvent body)
    {
        lock (_lock)
        {
            switch (body)
            {
                case AidEvent.Requested requested:
                    _order.Add(statement.Stream);
                    _requests[statement.Stream] = new AidRequest(
                        statement.Stream, statement.Digest, statement.By, statement.Time, requested.Tags,
                        requested.Parameters, null);
                    break;
                case AidEvent.TemplateRegistered template:
                    _order.Add(statement.Stream);
                    _byDigest[statement.Digest] = statement.Stream;
                    _templates[statement.Stream] = new AidTemplate(
                        statement.Stream, statement.Digest, statement.By, statement.Time, template.Name, template.Tags,
                        template.Document, false);
                    break;
                case AidEvent.TemplateWithdrawn when _templates.TryGetValue(statement.Stream, out var known):
                    _templates[statement.Stream] = known with { IsWithdrawn = true };
                    break;
                case AidEvent.Matched matched when _requests.TryGetValue(statement.Stream, out var request):
                    _requests[statement.Stream] = request with { Job = matched.JobId };
                    break;
            }
        }
    }

    private static Refusal? Tags(ValueList<string> tags) =>
        tags.Count is >= 1 and <= MaxTags && tags.All(tag => tag.Length is >= 1 and <= MaxTagLength)
            ? null
            : new Refusal("WRONG_TAGS", $"expected 1 to {MaxTags} tags of 1 to {MaxTagLength} characters");

    /// <summary>An object without a member twice, and whose strings can all be written again: no lone surrogates.
    /// </summary>
    private static bool IsObject(string json, int maxLength)
    {
        try
        {
            return json.Length <= maxLength
                && JsonNode.Parse(json, documentOptions: Strict) is JsonObject node && node.ToJsonString().Length > 0;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private bool Shares(AidRequest request, Digest template) => Template(template) is { IsWithdrawn: false } known
        && known.Tags.Intersect(request.Tags, StringComparer.Ordinal).Any();
}
