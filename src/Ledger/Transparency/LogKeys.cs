using System.Globalization;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Logs;

namespace MeshLedger.Ledger.Transparency;

// The file `keys` of a log whose key was handed over: a line for each key, oldest first, of
//     the size from which on it signs heads, in decimal: the position of its hand-over, 0 for the first
//     the key, NAME+HEX+BASE64
//     the signatures of the hand-over by the key before and by this key, in base64; - for none
// with a space between, each line ended by a newline. Checked by LogKeysTests.

/// <summary>One key of a log.</summary>
/// <param name="From">The size of the smallest tree that it signs.</param>
/// <param name="FromSignature">By the key before, over <see cref="LogEvent.ToSign"/>; null for the first key, and where the
/// key before was lost.</param>
/// <param name="ToSignature">By this key, over the same; null for the first key.</param>
public sealed record LogKeyTerm(NoteKey Key, long From, string? FromSignature, string? ToSignature);

/// <summary>The keys that a log had, oldest first: each signs the heads from a size on, until the next one does.</summary>
public sealed class LogKeys
{
    /// <summary>The most bytes of the file.</summary>
    public const int MaxBytes = 1 << 20;

    private const string None = "-";

    private readonly long _until = long.MaxValue; // Sizes from here on are signed by a key that is not among these.

    public LogKeys(IReadOnlyList<LogKeyTerm> terms)
    {
        Terms = terms;
    }

    private LogKeys(IReadOnlyList<LogKeyTerm> terms, long until)
    {
        Terms = terms;
        _until = until;
    }

    /// <summary>At least one.</summary>
    public IReadOnlyList<LogKeyTerm> Terms { get; }

    public string Origin => Terms[0].Key.Name;

    public NoteKey Latest => Terms[^1].Key;

    /// <summary>A log that never had another key, as far as anybody here knows.</summary>
    public static implicit operator LogKeys(NoteKey key) => new([new LogKeyTerm(key, 0, null, null)]);

    /// <summary>The key whose signature counts on a head of this size; null where none of these does.</summary>
    public NoteKey? For(long size) => size >= _until ? null : Terms.LastOrDefault(term => term.From <= size)?.Key;

    /// <summary>Those of these keys whom someone believes who believes one of them: it follows hand-overs as far as the key
    /// before signed them, and goes back as far as the key after did.</summary>
    /// <returns>Null if the key is none of these.</returns>
    public LogKeys? BelievedBy(NoteKey key)
    {
        var at = Terms.ToList().FindIndex(term => term.Key == key);
        if (at < 0)
        {
            return null;
        }

        var (first, last) = (at, at);
        while (first > 0 && IsSigned(Terms[first].Key, first, Terms[first].ToSignature))
        {
            first--;
        }

        while (last + 1 < Terms.Count && IsSigned(Terms[last].Key, last + 1, Terms[last + 1].FromSignature))
        {
            last++;
        }

        return new LogKeys(
            [.. Terms.Skip(first).Take(last - first + 1)], last + 1 < Terms.Count ? Terms[last + 1].From : long.MaxValue);
    }

    /// <summary>These keys and the next one.</summary>
    /// <param name="position">Where the log holds the hand-over.</param>
    public LogKeys After(LogEvent.KeyChanged changed, long position)
    {
        IReadOnlyList<LogKeyTerm> before =
            Terms.Count == 1 ? [new LogKeyTerm(NoteKey.Parse(changed.From), 0, null, null)] : Terms;
        return new LogKeys(
            [.. before, new LogKeyTerm(NoteKey.Parse(changed.To), position, changed.FromSignature, changed.ToSignature)]);
    }

    /// <summary>The bytes of the file.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(string.Concat(Terms.Select(term => string.Create(
        CultureInfo.InvariantCulture, $"{term.From} {term.Key} {term.FromSignature ?? None} {term.ToSignature ?? None}\n"))));

    public static bool TryParse(ReadOnlySpan<byte> bytes, out LogKeys? keys)
    {
        keys = null;
        var terms = new List<LogKeyTerm>();
        foreach (var line in bytes.Length <= MaxBytes ? Encoding.UTF8.GetString(bytes).Split('\n')[..^1] : [])
        {
            if (line.Split(' ') is not [var from, var key, var before, var after]
                || !long.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out var size)
                || !NoteKey.TryParse(key, out var read) || read!.Type != NoteKeyType.Signature
                || (terms.Count == 0 ? size != 0 || before != None || after != None : size <= terms[^1].From)
                || (terms.Count > 0 && read.Name != terms[0].Key.Name))
            {
                return false;
            }

            terms.Add(new LogKeyTerm(read, size, before == None ? null : before, after == None ? null : after));
        }

        keys = terms.Count > 0 ? new LogKeys(terms) : null;
        return keys is not null && keys.ToBytes().AsSpan().SequenceEqual(bytes);
    }

    /// <summary>The latest.</summary>
    public override string ToString() => Latest.ToString();

    /// <summary>Whether a key signed the hand-over to the key of this place.</summary>
    private bool IsSigned(NoteKey signer, int to, string? signature) =>
        signature is not null && StrictBase64.TryRead(signature, Ed25519.SignatureSize, out var bytes)
            && Ed25519.Verify(signer.Key, LogEvent.ToSign(Terms[to - 1].Key, Terms[to].Key), bytes);
}
