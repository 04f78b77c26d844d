using System.Text.Json;

namespace MeshLedger.Domain.Documents;

/// <summary>What reading a document gave: the document, or every fault that it has.</summary>
public sealed record DocumentReading(JobDocument? Document, IReadOnlyList<DocumentFault> Faults)
{
    public bool IsValid => Document is not null;
}

/// <summary>
/// Reads job documents, version 1: UTF-8 JSON of at most 1 MiB and 64 levels, such as
/// <c>{"version":"1.0","job_id":"echo-test-001","created_at":"2026-01-30T16:00:00Z","kind":"VMOperation",
/// "operation":"system.echo","payload":{"type":"system.echo.v1","data":null}}</c>. The rules stand in this folder's
/// README.md and in schemas/documents/job-v1.schema.json; SchemaAgreementTests checks that both say the same.
/// </summary>
public static class JobDocumentReader
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = JobDocument.MaxDepth };

    /// <summary>
    /// Reads and validates <paramref name="utf8"/>. Never throws for any input; every fault that can be seen is
    /// reported at once, in the order of the document, up to 100. The document keeps a copy of the bytes.
    /// </summary>
    public static DocumentReading Read(ReadOnlyMemory<byte> utf8)
    {
        if (JsonSyntax.FaultOfBytes(utf8.Span) is { } fault)
        {
            return new DocumentReading(null, [fault]);
        }

        JsonElement root;
        try
        {
            // Unlike a JsonDocument, this owns its memory and borrows from no pool: the payload may outlive the reading.
            root = JsonElement.Parse(utf8.Span, Strict);
        }
        catch (JsonException)
        {
            return new DocumentReading(null, [JsonSyntax.Locate(utf8.Span)]);
        }

        var faults = new DocumentFaults(root);
        JsonIntegrity.Check(root, faults);
        var document = new JobDocumentBinder(root, faults).Bind(utf8);
        return document is null
            ? new DocumentReading(null, faults.InOrder())
            : new DocumentReading(document, []);
    }
}
