using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.Domain.Documents;

/// <summary>The blobs that a job's document names: for sure those that stand under the name <c>hash</c> or <c>blake3</c>. Any
/// other text of the payload that reads as a hash may be one, whatever the operation calls it, or a seed, or a SHA-256.
/// </summary>
public static class DocumentBlobs
{
    private const int HashLength = 64;

    /// <summary>Whether a member of this name holds names of blobs: itself, or a list of them.</summary>
    public static bool IsNameOf(string member) => member is "hash" or "blake3";

    /// <summary>Whatever may be one: these are kept, and fit a bundle.</summary>
    public static IEnumerable<BlobHash> Of(string document) => Find(document).Select(found => found.Hash);

    /// <summary>What is one for sure: who lacks it lacks something.</summary>
    public static IEnumerable<BlobHash> NamedIn(string document) =>
        Find(document).Where(found => found.IsNamed).Select(found => found.Hash);

    private static IEnumerable<(BlobHash Hash, bool IsNamed)> Find(string document)
    {
        // Most documents name no blob, and need not be read again.
        if (document.Length < HashLength)
        {
            yield break;
        }

        using var json = JsonDocument.Parse(document);
        if (!json.RootElement.TryGetProperty("payload", out var payload))
        {
            yield break;
        }

        var waiting = new Stack<(JsonElement Element, bool IsNamed)>([(payload, false)]);
        while (waiting.TryPop(out var next))
        {
            switch (next.Element.ValueKind)
            {
                case JsonValueKind.Object:
                    foreach (var member in next.Element.EnumerateObject())
                    {
                        waiting.Push((member.Value, IsNameOf(member.Name)));
                    }

                    break;
                case JsonValueKind.Array:
                    foreach (var entry in next.Element.EnumerateArray())
                    {
                        waiting.Push((entry, next.IsNamed));
                    }

                    break;
                case JsonValueKind.String when BlobHash.TryParse(next.Element.GetString(), out var hash):
                    yield return (hash, next.IsNamed);
                    break;
            }
        }
    }
}
