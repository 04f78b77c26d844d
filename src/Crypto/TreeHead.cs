using System.Globalization;

namespace MeshLedger.Crypto;

// The text of a tree head by C2SP tlog-checkpoint: three lines, each with a newline at its end.
//     example.com/log
//     20852163
//     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
// The log's name, its size in decimal, and its root in base64. Checked by TreeHeadTests.

/// <summary>What a log says of itself at one size.</summary>
/// <param name="Origin">The log's name, a URL without its scheme; the name of its key, too.</param>
/// <param name="Size">How many entries it has.</param>
/// <param name="Root">The RFC 6962 tree hash over them.</param>
public sealed record TreeHead(string Origin, long Size, Digest Root)
{
    /// <summary>What is signed.</summary>
    public string Text =>
        $"{Origin}\n{Size.ToString(CultureInfo.InvariantCulture)}\n{Convert.ToBase64String(Root.ToArray())}\n";

    /// <summary>Reads the text of a note. A head of another log may have further lines, which are signed as well and say
    /// nothing here.</summary>
    public static bool TryParse(string text, out TreeHead head)
    {
        head = new TreeHead("", 0, default);
        var lines = text.Split('\n', 5);
        if (lines.Length < 4 || !NoteKey.IsName(lines[0])
            || !long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            || lines[1] != size.ToString(CultureInfo.InvariantCulture)
            || !StrictBase64.TryRead(lines[2], Digest.Size, out var root))
        {
            return false;
        }

        head = new TreeHead(lines[0], size, new Digest(root));
        return true;
    }
}
