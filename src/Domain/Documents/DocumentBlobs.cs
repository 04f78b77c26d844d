using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.Domain.Documents;

/// <summary>The blobs that a job's document names. Whatever the operation calls it: a text of the payload that reads as a
/// hash is one.</summary>
public static class DocumentBlobs
{
    private const int HashLength = 64;

    public static IEnumerable<BlobHash> Of(string document)
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

        var waiting = new Stack<JsonElement>([payload]);
        while (waiting.TryPop(out var element))
        {
            switch (element.ValueKind)
            {
                case JsonValueKind.Object:
                    foreach (var member in element.EnumerateObject())
                    {
                        waiting.Push(member.Value);
                    }

                    break;
                case JsonValueKind.Array:
                    foreach (var entry in element.EnumerateArray())
                    {
                        waiting.Push(entry);
                    }

                    break;
                case JsonValueKind.String when BlobHash.TryParse(element.GetString(), out var hash):
                    yield return hash;
                    break;
            }
        }
    }
}
