using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace MeshLedger.Crypto;

/// <summary>What a note's key signs.</summary>
public enum NoteKeyType
{
    /// <summary>0x01: Ed25519 over the note's text.</summary>
    Signature = 0x01,

    /// <summary>0x04: a witness's Ed25519 over the time, which stands before the signature, and the text.</summary>
    Cosignature = 0x04,
}

/// <summary>
/// The public key of who signs notes (C2SP signed-note), with the name that he goes by. Its text is
/// <c>name+hex(key ID)+base64(type || 32-byte public key)</c>, where the key ID is the first four bytes of
/// SHA-256(name || 0x0A || type || public key).
/// </summary>
public sealed record NoteKey
{
    private const int MaxName = 255;
    private const int TimeSize = 8;

    public NoteKey(string name, NoteKeyType type, Did key)
    {
        Name = IsName(name) ? name : throw new FormatException($"'{name}' is no key name: expected no spaces and no +.");
        Type = type;
        Key = key;
        Id = IdOf(name, type, key);
    }

    public string Name { get; }

    public NoteKeyType Type { get; }

    public Did Key { get; }

    /// <summary>Tells keys of one name apart; a hint, and nothing that is to be trusted.</summary>
    public uint Id { get; }

    /// <summary>How long its signatures are.</summary>
    internal int SignatureSize => Ed25519.SignatureSize + (Type == NoteKeyType.Cosignature ? TimeSize : 0);

    /// <summary>Names are not empty, and have neither white space nor a plus.</summary>
    public static bool IsName(string text) => text.Length is > 0 and <= MaxName
        && !text.Any(letter => letter == '+' || char.IsWhiteSpace(letter) || char.IsControl(letter) || char.IsSurrogate(letter));

    public static bool TryParse(string text, out NoteKey? key)
    {
        key = null;
        var parts = text.Split('+', 3);
        if (parts.Length != 3 || !IsName(parts[0]) || parts[1].Length != 8 || parts[1].Any(char.IsAsciiLetterUpper)
            || !uint.TryParse(parts[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id)
            || !StrictBase64.TryRead(parts[2], 1 + Ed25519.PublicKeySize, out var bytes)
            || !Enum.IsDefined((NoteKeyType)bytes[0]))
        {
            return false;
        }

        var read = new NoteKey(parts[0], (NoteKeyType)bytes[0], new Did(bytes.AsSpan(1)));
        key = read.Id == id ? read : null;
        return key is not null;
    }

    /// <exception cref="FormatException">It is no key of a note.</exception>
    public static NoteKey Parse(string text) => TryParse(text, out var key)
        ? key!
        : throw new FormatException($"'{text}' is no key of a note: expected NAME+HEX+BASE64, as a log publishes it.");

    public override string ToString()
    {
        var bytes = new byte[1 + Ed25519.PublicKeySize];
        bytes[0] = (byte)Type;
        Key.CopyKeyTo(bytes.AsSpan(1));
        return $"{Name}+{Id:x8}+{Convert.ToBase64String(bytes)}";
    }

    /// <summary>The signature of a note's text, as its line holds it after the key ID.</summary>
    /// <param name="key">The private half.</param>
    /// <param name="time">When a witness signs, in Unix seconds; else nothing.</param>
    internal byte[] Sign(SigningKey key, string text, long time)
    {
        var signature = key.Sign(Message(text, time));
        if (Type == NoteKeyType.Signature)
        {
            return signature;
        }

        var timed = new byte[TimeSize + signature.Length];
        BinaryPrimitives.WriteInt64BigEndian(timed, time);
        signature.CopyTo(timed, TimeSize);
        return timed;
    }

    /// <summary>True if these bytes are this key's signature of the text.</summary>
    /// <param name="time">When a witness signed, in Unix seconds; otherwise 0.</param>
    internal bool Verify(string text, ReadOnlySpan<byte> signature, out long time)
    {
        time = 0;
        if (signature.Length != SignatureSize)
        {
            return false;
        }

        if (Type == NoteKeyType.Cosignature)
        {
            time = BinaryPrimitives.ReadInt64BigEndian(signature);
            signature = signature[TimeSize..];
        }

        return time >= 0 && Ed25519.Verify(Key, Message(text, time), signature);
    }

    private byte[] Message(string text, long time) => Encoding.UTF8.GetBytes(
        Type == NoteKeyType.Signature
            ? text
            : $"cosignature/v1\ntime {time.ToString(CultureInfo.InvariantCulture)}\n{text}");

    private static uint IdOf(string name, NoteKeyType type, Did key)
    {
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeySize];
        key.CopyKeyTo(publicKey);
        return BinaryPrimitives.ReadUInt32BigEndian(
            SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', (byte)type, .. publicKey]));
    }
}
