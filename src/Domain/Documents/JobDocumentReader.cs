namespace MeshLedger.Domain.Documents;

/// <summary>What reading a document gave: the document, or every fault that it has.</summary>
public sealed record DocumentReading(JobDocument? Document, IReadOnlyList<DocumentFault> Faults)
{
    public bool IsValid => Document is not null;
}

/// <summary>Reads job documents, version 1.</summary>
public static class JobDocumentReader
{
    /// <summary>
    /// Reads and validates <paramref name="utf8"/>. Never throws for any input; every fault that can be seen is
    /// reported at once.
    /// </summary>
    public static DocumentReading Read(ReadOnlyMemory<byte> utf8) => throw new NotSupportedException();
}
