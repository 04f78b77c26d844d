namespace MeshLedger.Domain.Documents;

/// <summary>One thing that is wrong with a document: where (RFC 6901 pointer, "" is the whole), what was expected,
/// what was found.</summary>
public sealed record DocumentFault(string Pointer, string Expected, string Found)
{
    public override string ToString() =>
        $"{(Pointer.Length == 0 ? "(document)" : Pointer)}: expected {Expected}, found {Found}";
}
