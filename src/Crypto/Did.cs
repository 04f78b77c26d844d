using System.Buffers;
using System.Collections.Concurrent;
using SimpleBase;

namespace MeshLedger.Crypto;

/// <summary>
/// The name of a key: <c>did:key:z</c> and base58btc of 0xED 0x01 and the 32 bytes of an Ed25519 public key
/// (the did:key method, section 3.1.1; multicodec ed25519-pub). The text is 56 characters long.
/// </summary>
public readonly record struct Did
{
    private const string Prefix = "did:key:z";

    private const int MaxKnown = 10_000;

    private static readonly SearchValues<char> Base58Letters =
        SearchValues.Create("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz");

    private static readonly ConcurrentDictionary<string, Did> Known = new();

    private static readonly ConcurrentDictionary<string, Did>.AlternateLookup<ReadOnlySpan<char>> KnownByText =
        Known.GetAlternateLookup<ReadOnlySpan<char>>();

    private readonly Bytes32 _key;
    private readonly string? _text;

    /// <summary>The name of a public key of exactly 32 bytes.</summary>
    /// <exception cref="FormatException">The length is not 32.</exception>
    public Did(ReadOnlySpan<byte> publicKey)
    {
        _key = Bytes32.From(publicKey, "an Ed25519 public key");
        Span<byte> encoded = stackalloc byte[34];
        encoded[0] = 0xED;
        encoded[1] = 0x01;
        publicKey.CopyTo(encoded[2..]);
        _text = Prefix + Base58.Bitcoin.Encode(encoded);
    }

    /// <summary>What a did:key looks like, for error messages.</summary>
    public static string Expected => "did:key:z6Mk... of an Ed25519 public key";

    /// <summary>True for the default value, which names no key.</summary>
    public bool IsDefault => _text is null;

    public static bool TryParse(ReadOnlySpan<char> text, out Did did)
    {
        if (KnownByText.TryGetValue(text, out did))
        {
            return true;
        }

        if (!TryDecode(text, out did))
        {
            return false;
        }

        // A ledger has few authors and names them in every event.
        if (Known.Count < MaxKnown)
        {
            Known.TryAdd(did.ToString(), did);
        }

        return true;
    }

    /// <exception cref="FormatException">The text is no did:key of an Ed25519 key.</exception>
    public static Did Parse(ReadOnlySpan<char> text) => TryParse(text, out var did)
        ? did
        : throw new FormatException($"'{text}' is no key name: expected {Expected}.");

    /// <summary>Writes the 32 bytes of the public key.</summary>
    public void CopyKeyTo(Span<byte> destination) => _key.CopyTo(destination);

    public bool Equals(Did other) => _key == other._key;

    public override int GetHashCode() => _key.GetHashCode();

    public override string ToString() => _text ?? "(no key)";

    private static bool TryDecode(ReadOnlySpan<char> text, out Did did)
    {
        did = default;
        if (!text.StartsWith(Prefix, StringComparison.Ordinal) || text.Length is < 50 or > 60)
        {
            return false;
        }

        // The decoder throws at characters beyond its table.
        Span<byte> bytes = stackalloc byte[64];
        if (text[Prefix.Length..].ContainsAnyExcept(Base58Letters)
            || !Base58.Bitcoin.TryDecode(text[Prefix.Length..], bytes, out var length)
            || length != 34 || bytes[0] != 0xED || bytes[1] != 0x01)
        {
            return false;
        }

        did = new Did(bytes[2..34]);

        // Base58 has one spelling for each value, except that a decoder may be lenient: hold it to its own.
        if (text.SequenceEqual(did._text))
        {
            return true;
        }

        did = default;
        return false;
    }
}
