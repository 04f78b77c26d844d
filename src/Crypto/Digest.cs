using System.Security.Cryptography;

namespace MeshLedger.Crypto;

/// <summary>
/// A SHA-256 digest: 32 bytes, written as 64 lowercase hexadecimal characters. The default value stands for no digest
/// at all and is refused wherever a digest is read or appended.
/// </summary>
public readonly record struct Digest : IComparable<Digest>
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 32;

    private readonly Bytes32 _bytes;

    /// <summary>Takes exactly 32 bytes.</summary>
    /// <exception cref="FormatException">The length is not 32.</exception>
    public Digest(ReadOnlySpan<byte> bytes)
    {
        _bytes = Bytes32.From(bytes, "a SHA-256 digest");
    }

    private Digest(Bytes32 bytes)
    {
        _bytes = bytes;
    }

    /// <summary>True for the default value, which is no digest.</summary>
    public bool IsDefault => _bytes == default;

    /// <summary>SHA-256 of <paramref name="data"/>.</summary>
    public static Digest OfBytes(ReadOnlySpan<byte> data)
    {
        Span<byte> hash = stackalloc byte[Size];
        SHA256.HashData(data, hash);
        return new Digest(hash);
    }

    /// <summary>Reads 64 lowercase hexadecimal characters.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Digest digest)
    {
        var parsed = Bytes32.TryParseHex(text, out var bytes) && bytes != default;
        digest = parsed ? new Digest(bytes) : default;
        return parsed;
    }

    /// <inheritdoc cref="TryParse"/>
    /// <exception cref="FormatException">The text is anything else.</exception>
    public static Digest Parse(ReadOnlySpan<char> text) => TryParse(text, out var digest)
        ? digest
        : throw new FormatException($"'{text}' is no SHA-256 digest: expected 64 lowercase hexadecimal characters.");

    /// <summary>Writes the 32 bytes to <paramref name="destination"/>.</summary>
    public void CopyTo(Span<byte> destination) => _bytes.CopyTo(destination);

    /// <summary>The 32 bytes, as a new array.</summary>
    public byte[] ToArray()
    {
        var array = new byte[Size];
        CopyTo(array);
        return array;
    }

    /// <inheritdoc/>
    public int CompareTo(Digest other) => _bytes.CompareTo(other._bytes);

    public override string ToString() => _bytes.ToHex();

    public static bool operator <(Digest left, Digest right) => left.CompareTo(right) < 0;

    public static bool operator <=(Digest left, Digest right) => left.CompareTo(right) <= 0;

    public static bool operator >(Digest left, Digest right) => left.CompareTo(right) > 0;

    public static bool operator >=(Digest left, Digest right) => left.CompareTo(right) >= 0;
}
