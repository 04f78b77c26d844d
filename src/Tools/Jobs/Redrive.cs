using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MeshLedger.Domain;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Tools.Jobs;

/// <summary>A failed job's document as a new job: the same, but for its name, its time, and what would end it at once or
/// make it the old job again.</summary>
internal static partial class Redrive
{
    /// <summary>The annotation that names the job which is run again.</summary>
    public const string Annotation = "meshledger.redrive_of";

    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="isTaken">Whether a job of this id exists.</param>
    /// <returns>The new document, or its faults; and what was left out, a phrase each.</returns>
    public static (DocumentReading Reading, IReadOnlyList<string> Removed) Of(
        JobId job, bool isRedrive, JobEvent.Submitted submission, Predicate<JobId> isTaken, TimeProvider clock)
    {
        var removed = new List<string>();
        var document = JsonNode.Parse(submission.Document)!.AsObject();
        document["job_id"] = NewId(job, isRedrive, isTaken, clock).ToString();
        document["created_at"] = Timestamps.Write(clock.GetUtcNow());
        Member(Member(document, "metadata"), "annotations")[Annotation] = job.ToString();
        if (document["execution"] is JsonObject execution)
        {
            if (execution.Remove("idempotency_key", out var key) && key is not null)
            {
                removed.Add("idempotency_key, which would answer with the failed job");
            }

            if (submission.Terms.Deadline is { } deadline && deadline <= clock.GetUtcNow())
            {
                removed.Add($"deadline, which passed at {execution["deadline"]}");
                execution.Remove("deadline");
            }
        }

        return (JobDocumentReader.Read(Encoding.UTF8.GetBytes(document.ToJsonString(Plain))), removed);
    }

    /// <summary><c>ID-r1</c>, <c>ID-r2</c>...; a ULID where that would be too long.</summary>
    private static JobId NewId(JobId job, bool isRedrive, Predicate<JobId> isTaken, TimeProvider clock)
    {
        var stem = isRedrive ? Suffix().Replace(job.ToString(), "") : job.ToString();
        for (var number = 1; ; number++)
        {
            if (!JobId.TryParse($"{stem}-r{number}", out var id))
            {
                return JobId.Parse(new UlidFactory(clock, RandomNumberGenerator.Fill).New().ToString());
            }

            if (!isTaken(id))
            {
                return id;
            }
        }
    }

    private static JsonObject Member(JsonObject parent, string name)
    {
        if (parent[name] is JsonObject member)
        {
            return member;
        }

        var made = new JsonObject();
        parent[name] = made;
        return made;
    }

    [GeneratedRegex("-r[0-9]+$")]
    private static partial Regex Suffix();
}
