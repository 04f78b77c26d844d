using System.Buffers;
using System.Buffers.Binary;

namespace MeshLedger.Crypto;

/// <summary>32 bytes by value: what digests, hashes and public keys are made of.</summary>
internal readonly record struct Bytes32(UInt128 High, UInt128 Low) : IComparable<Bytes32>
{
    private static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdef");

    public static Bytes32 From(ReadOnlySpan<byte> bytes, string what) => bytes.Length == 32
        ? Read(bytes)
        : throw new FormatException($"Expected {what} of 32 bytes, found {bytes.Length}.");

    public static bool TryParseHex(ReadOnlySpan<char> text, out Bytes32 value)
    {
        value = default;
        if (text.Length != 64 || text.ContainsAnyExcept(Hexadecimal))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[32];
        Convert.FromHexString(text, bytes, out _, out _);
        value = Read(bytes);
        return true;
    }

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt128BigEndian(destination, High);
        BinaryPrimitives.WriteUInt128BigEndian(destination[16..], Low);
    }

    public string ToHex()
    {
        Span<byte> bytes = stackalloc byte[32];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    public int CompareTo(Bytes32 other)
    {
        var high = High.CompareTo(other.High);
        return high != 0 ? high : Low.CompareTo(other.Low);
    }

    private static Bytes32 Read(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt128BigEndian(bytes),
        BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]));
}
