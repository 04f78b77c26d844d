using System.Buffers.Binary;
using System.Text;

namespace MeshLedger.Crypto;

// A signed note by C2SP signed-note: UTF-8 text that ends in a newline, an empty line, and a line for each signature:
//     This is an example message.
//
//     — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
// The base64 has the key's ID in four bytes and the signature. Checked by SignedNoteTests.

/// <summary>A line of a note: who says that he signed, not yet believed.</summary>
public sealed record NoteSignature(string Name, uint KeyId, ReadOnlyMemory<byte> Bytes);

/// <summary>A signature that holds.</summary>
/// <param name="Time">When a witness signed, in Unix seconds; otherwise 0.</param>
public sealed record VerifiedSignature(NoteKey Key, long Time);

/// <summary>A text with the signatures of those who vouch for it.</summary>
public sealed class SignedNote
{
    /// <summary>The longest note, and the most signatures that are read.</summary>
    public const int MaxBytes = 1 << 20;
    public const int MaxSignatures = 100;

    private const string Dash = "\u2014 ";

    private SignedNote(string text, IReadOnlyList<NoteSignature> signatures)
    {
        Text = text;
        Signatures = signatures;
    }

    /// <summary>What is signed, with the newline at its end.</summary>
    public string Text { get; }

    public IReadOnlyList<NoteSignature> Signatures { get; }

    /// <summary>The text with one signature.</summary>
    /// <param name="time">When a witness signs, in Unix seconds.</param>
    /// <exception cref="FormatException">The text is not one that a note can hold.</exception>
    public static SignedNote Sign(string text, NoteKey name, SigningKey key, long time = 0)
    {
        if (!IsText(text))
        {
            throw new FormatException("A note's text ends in a newline and has no other control characters.");
        }

        return new SignedNote(text, []).With(name, key, time);
    }

    /// <summary>The same note with one more signature.</summary>
    public SignedNote With(NoteKey name, SigningKey key, long time = 0) => name.Key == key.Did
        ? new SignedNote(Text, [.. Signatures, new NoteSignature(name.Name, name.Id, name.Sign(key, Text, time))])
        : throw new ArgumentException($"{name} is not the public half of {key.Did}.", nameof(name));

    /// <summary>The same note with another's signatures of it.</summary>
    public SignedNote With(IEnumerable<NoteSignature> signatures) => new(Text, [.. Signatures, .. signatures]);

    /// <summary>Reads a note, without believing any signature. False for what is no note; never throws.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out SignedNote? note)
    {
        note = null;
        if (bytes.Length > MaxBytes || !StrictBase64.TryUtf8(bytes, out var all))
        {
            return false;
        }

        var end = all.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0 || !all.EndsWith('\n') || !IsText(all[..(end + 1)])
            || !TryParseLines(all[(end + 2)..], out var signatures) || signatures.Count == 0)
        {
            return false;
        }

        note = new SignedNote(all[..(end + 1)], signatures);
        return true;
    }

    /// <summary>Reads lines of signatures, each with its newline, such as a witness answers with.</summary>
    public static bool TryParseLines(string text, out IReadOnlyList<NoteSignature> signatures)
    {
        var read = new List<NoteSignature>();
        signatures = read;
        if (text.Length > 0 && !text.EndsWith('\n'))
        {
            return false;
        }

        foreach (var line in text.Split('\n')[..^1])
        {
            if (!line.StartsWith(Dash, StringComparison.Ordinal) || line.Split(' ') is not [_, var name, var base64]
                || read.Count == MaxSignatures || !NoteKey.IsName(name) || !StrictBase64.TryRead(base64, out var bytes)
                || bytes.Length < 5)
            {
                return false;
            }

            read.Add(new NoteSignature(name, BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes.AsMemory(4)));
        }

        return true;
    }

    /// <summary>Which of the known keys signed. Unknown keys are ignored, as is a second signature by one key; one by a
    /// known key that does not hold makes the note invalid.</summary>
    /// <returns>False if a known key's signature does not hold, or there is none.</returns>
    public bool TryVerify(IEnumerable<NoteKey> known, out IReadOnlyList<VerifiedSignature> verified)
    {
        var found = new List<VerifiedSignature>();
        verified = found;
        var keys = known.ToList();
        foreach (var signature in Signatures)
        {
            var key = keys.Find(key => key.Id == signature.KeyId && key.Name == signature.Name);
            if (key is null || found.Exists(one => one.Key == key))
            {
                continue;
            }

            if (!key.Verify(Text, signature.Bytes.Span, out var time))
            {
                found.Clear();
                return false;
            }

            found.Add(new VerifiedSignature(key, time));
        }

        return found.Count > 0;
    }

    public byte[] ToBytes() => Encoding.UTF8.GetBytes(ToString());

    public override string ToString() => $"{Text}\n{LinesOf(Signatures)}";

    /// <summary>Lines of signatures as a note ends with them.</summary>
    public static string LinesOf(IEnumerable<NoteSignature> signatures)
    {
        var lines = new StringBuilder();
        Span<byte> id = stackalloc byte[4];
        foreach (var signature in signatures)
        {
            BinaryPrimitives.WriteUInt32BigEndian(id, signature.KeyId);
            lines.Append($"{Dash}{signature.Name} {Convert.ToBase64String([.. id, .. signature.Bytes.Span])}\n");
        }

        return lines.ToString();
    }

    private static bool IsText(string text) =>
        text.EndsWith('\n') && !text.Any(letter => letter is < ' ' and not '\n') && text != "\n"
        && !HasLoneSurrogate(text);

    private static bool HasLoneSurrogate(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return true;
            }
        }

        return false;
    }
}
