using System.Globalization;
using System.Text;

namespace MeshLedger.Crypto;

// A proof that a log holds an entry, checked without the log (C2SP tlog-proof):
//     c2sp.org/tlog-proof@v1
//     extra eyJieSI6...
//     index 306
//     O3ov40OgZ9h3Vd0A4C0hCaR1zW6S+0eYzkQQW0b2zPA=
//
//     example.com/log
//     ...the signed tree head as it was published
// `extra` is base64, here of the log entry itself; the hashes go from the leaf's sibling up. Checked by LogProofTests.

/// <summary>An entry's place in a log, the audit path, and the signed head that it leads to.</summary>
/// <param name="Extra">The log entry itself; null if the file has none.</param>
/// <param name="Index">From 0.</param>
public sealed record LogProof(byte[]? Extra, long Index, IReadOnlyList<Digest> Path, SignedNote Head)
{
    /// <summary>The longest file that is read.</summary>
    public const int MaxBytes = 2 << 20;

    private const string Mark = "c2sp.org/tlog-proof@v1";
    private const int MaxPath = 63;

    /// <summary>Reads a file; never throws.</summary>
    /// <param name="fault">What was expected where.</param>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out LogProof? proof, out string fault)
    {
        proof = null;
        fault = "";
        if (bytes.Length > MaxBytes)
        {
            fault = $"it has {bytes.Length} bytes, more than any proof";
            return false;
        }

        var end = bytes.IndexOf("\n\n"u8);
        if (end < 0 || !StrictBase64.TryUtf8(bytes[..end], out var text) || !SignedNote.TryParse(bytes[(end + 2)..], out var head))
        {
            fault = "expected lines, an empty one, and a signed tree head";
            return false;
        }

        var lines = new Queue<string>(text.Split('\n'));
        byte[]? extra = null;
        if (lines.Dequeue() != Mark)
        {
            fault = $"line 1: expected {Mark}";
            return false;
        }

        if (lines.TryPeek(out var line) && line.StartsWith("extra ", StringComparison.Ordinal)
            && !StrictBase64.TryRead(lines.Dequeue().AsSpan(6), out extra))
        {
            fault = "line 2: expected extra and base64";
            return false;
        }

        if (!lines.TryDequeue(out line) || !line.StartsWith("index ", StringComparison.Ordinal)
            || !long.TryParse(line.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            || line != $"index {index.ToString(CultureInfo.InvariantCulture)}")
        {
            fault = "expected a line of index and a number";
            return false;
        }

        var path = new List<Digest>();
        foreach (var hash in lines)
        {
            if (path.Count == MaxPath || !StrictBase64.TryRead(hash, Digest.Size, out var digest))
            {
                fault = $"hash {path.Count + 1}: expected base64 of 32 bytes, at most {MaxPath} times";
                return false;
            }

            path.Add(new Digest(digest));
        }

        proof = new LogProof(extra, index, path, head!);
        return true;
    }

    /// <summary>True if the path leads from this entry to the root of the head, whoever signed that.</summary>
    public bool Includes(ReadOnlySpan<byte> entry) =>
        TreeHead.TryParse(Head.Text, out var head)
        && MerkleTree.RootFromPath(MerkleTree.LeafHash(entry), Index, head.Size, [.. Path]) == head.Root;

    public byte[] ToBytes()
    {
        var text = new StringBuilder($"{Mark}\n");
        if (Extra is not null)
        {
            text.Append($"extra {Convert.ToBase64String(Extra)}\n");
        }

        text.Append($"index {Index.ToString(CultureInfo.InvariantCulture)}\n");
        foreach (var hash in Path)
        {
            text.Append($"{Convert.ToBase64String(hash.ToArray())}\n");
        }

        return Encoding.UTF8.GetBytes($"{text}\n{Head}");
    }
}
