using System.Diagnostics;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Observability.Traces;

/// <summary>
/// Where a job's trace belongs, by the W3C Trace Context rules: the document's <c>observability.trace_id</c> (32
/// hexadecimal digits, not all zero), below its <c>span_id</c> or else its <c>parent_span_id</c> (16 digits, not all
/// zero). Without a valid trace id it is the first 16 bytes of the SHA-256 of the job id, so that whoever knows the job
/// finds the trace. Checked by TraceContextTests.
/// </summary>
internal static class TraceContext
{
    /// <param name="job">The job.</param>
    /// <param name="document">The document's text.</param>
    public static ActivityContext Of(JobId job, string? document)
    {
        var (trace, span, parent) = Read(document);
        if (IsId(trace, 32))
        {
            var above = IsId(span, 16) ? span : IsId(parent, 16) ? parent : null;
            return new ActivityContext(
                ActivityTraceId.CreateFromString(trace!.ToLowerInvariant()),
                above is null ? default : ActivitySpanId.CreateFromString(above.ToLowerInvariant()),
                ActivityTraceFlags.Recorded, isRemote: true);
        }

        var digest = Digest.OfBytes(System.Text.Encoding.UTF8.GetBytes(job.ToString())).ToArray();
        return new ActivityContext(
            ActivityTraceId.CreateFromBytes(
                digest.AsSpan(0, 16)), default, ActivityTraceFlags.Recorded, isRemote: true);
    }

    private static (string? Trace, string? Span, string? Parent) Read(string? document)
    {
        if (document is null)
        {
            return default;
        }

        using var json = JsonDocument.Parse(document);
        string? Text(string name) => EventView.TextOf(json.RootElement, "observability", name);
        return (Text("trace_id"), Text("span_id"), Text("parent_span_id"));
    }

    private static bool IsId(string? text, int length) =>
        text?.Length == length && text.All(char.IsAsciiHexDigit) && text.Any(letter => letter != '0');
}
