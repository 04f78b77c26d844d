using System.Text.Encodings.Web;
using System.Text.Json;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Transports.Folder.Posix;

namespace MeshLedger.Transports.Folder;

/// <summary>
/// The bytes of <c>failed/NAME.error.json</c>: why the file beside it failed. UTF-8 JSON, indented, the same bytes for
/// the same reason. A document with faults gives
/// <code>
/// {
///   "code": "INVALID_DOCUMENT",
///   "message": "The document has 1 fault.",
///   "faults": [ { "pointer": "/job_id", "expected": "8 to 128 characters", "found": "\"x\"" } ]
/// }
/// </code>
/// a refusal has <c>job_id</c>, <c>code</c> and <c>message</c>; a failed job has <c>job_id</c>, and its result's own
/// <c>error</c> object, whose code and message are repeated on top. FolderForeignTests and TransportCompliance check all three.
/// </summary>
internal static class ErrorFile
{
    private static readonly JsonWriterOptions Indented = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static FailureReason Of(IReadOnlyList<DocumentFault> faults) => Write(
        "INVALID_DOCUMENT",
        faults.Count == 1 ? "The document has 1 fault." : $"The document has {faults.Count} faults.",
        default,
        json =>
        {
            json.WriteStartArray("faults");
            foreach (var fault in faults)
            {
                json.WriteStartObject();
                json.WriteString("pointer", fault.Pointer);
                json.WriteString("expected", fault.Expected);
                json.WriteString("found", fault.Found);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });

    public static FailureReason Of(FileReading.TooLarge reading) =>
        Of([new DocumentFault("", $"at most {JobDocument.MaxBytes} bytes", $"{reading.Size} bytes")]);

    public static FailureReason Of(FileReading.NotAFile reading) => Write(
        "NOT_A_FILE", $"Expected a regular file, found a {Word(reading.Kind)}; it was not opened.", default, null);

    public static FailureReason Of(JobId jobId, Submission.Refused refusal) =>
        Write(refusal.Code, refusal.Message, jobId, null);

    /// <summary>Of a result whose job failed.</summary>
    public static FailureReason Of(JobResult result)
    {
        using var document = Parse(result.Json);
        var error = document is { RootElement.ValueKind: JsonValueKind.Object }
            && document.RootElement.TryGetProperty("error", out var found) && found.ValueKind == JsonValueKind.Object
            ? found
            : default;
        return Write(
            Text(error, "code") ?? "JOB_FAILED",
            Text(error, "message") ?? "The job failed; its result says more.",
            result.JobId,
            error.ValueKind == JsonValueKind.Object
                ? json =>
                {
                    json.WritePropertyName("error");
                    error.WriteTo(json);
                }
                : null);
    }

    private static FailureReason Write(string code, string message, JobId jobId, Action<Utf8JsonWriter>? more)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Indented))
        {
            json.WriteStartObject();
            if (!jobId.IsDefault)
            {
                json.WriteString("job_id", jobId.ToString());
            }

            json.WriteString("code", code);
            json.WriteString("message", message);
            more?.Invoke(json);
            json.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        return new FailureReason(code, message, bytes.ToArray());
    }

    // The result is the node's own text; one that is no JSON still has to be answered.
    private static JsonDocument? Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? Text(JsonElement error, string member) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty(member, out var value)
            && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static string Word(FileKind kind) => kind switch
    {
        FileKind.Directory => "directory",
        FileKind.SymbolicLink => "symbolic link",
        FileKind.Fifo => "FIFO",
        FileKind.Socket => "socket",
        FileKind.Device => "device",
        _ => "file of an unknown kind",
    };
}

/// <summary>Why a file goes to <c>failed/</c>, and the bytes that tell it there.</summary>
internal sealed record FailureReason(string Code, string Message, byte[] Json);
