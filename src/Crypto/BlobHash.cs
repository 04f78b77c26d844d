namespace MeshLedger.Crypto;

/// <summary>
/// The name of a blob: the BLAKE3 hash of its bytes, written as 64 lowercase hexadecimal characters. A hash that came
/// from outside is parsed into this type before it is used for anything, a path least of all.
/// </summary>
public readonly record struct BlobHash
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 32;

    private readonly Bytes32 _bytes;

    /// <summary>Takes exactly 32 bytes.</summary>
    /// <exception cref="FormatException">The length is not 32.</exception>
    public BlobHash(ReadOnlySpan<byte> bytes)
    {
        _bytes = Bytes32.From(bytes, "a BLAKE3 hash");
    }

    private BlobHash(Bytes32 bytes)
    {
        _bytes = bytes;
    }

    /// <summary>True for the default value, which names no blob.</summary>
    public bool IsDefault => _bytes == default;

    /// <summary>Reads 64 lowercase hexadecimal characters.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out BlobHash hash)
    {
        var parsed = Bytes32.TryParseHex(text, out var bytes) && bytes != default;
        hash = parsed ? new BlobHash(bytes) : default;
        return parsed;
    }

    /// <inheritdoc cref="TryParse"/>
    /// <exception cref="FormatException">The text is anything else.</exception>
    public static BlobHash Parse(ReadOnlySpan<char> text) => TryParse(text, out var hash)
        ? hash
        : throw new FormatException($"'{text}' is no blob hash: expected 64 lowercase hexadecimal characters.");

    /// <summary>Writes the 32 bytes to <paramref name="destination"/>.</summary>
    public void CopyTo(Span<byte> destination) => _bytes.CopyTo(destination);

    public override string ToString() => _bytes.ToHex();
}
