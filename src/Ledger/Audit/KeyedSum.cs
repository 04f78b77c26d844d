using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Tells whether two tables hold the same rows in whatever order, without keeping any: the sum, modulo 2^128, of a hash of
/// each row under a key that only this audit knows. Rows that are the same in both cancel out. Where a sum is not zero,
/// the tables are compared row by row.
/// </summary>
internal sealed class KeyedSum
{
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private UInt128 _sum;

    public bool IsZero => _sum == 0;

    public void Add(UInt128 row) => _sum = unchecked(_sum + row);

    public void Remove(UInt128 row) => _sum = unchecked(_sum - row);

    /// <summary>Safe for concurrent use.</summary>
    public UInt128 Of(string text, long first, long second, long third)
    {
        Span<byte> bytes = stackalloc byte[1024];
        _key.CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[32..], first);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[40..], second);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[48..], third);
        return Encoding.UTF8.TryGetBytes(text, bytes[56..], out var written)
            ? Hash(bytes[..(56 + written)])
            : Hash([.. bytes[..56], .. Encoding.UTF8.GetBytes(text)]);
    }

    /// <inheritdoc cref="Of(string, long, long, long)"/>
    public UInt128 Of(Guid id, long position)
    {
        Span<byte> bytes = stackalloc byte[56];
        _key.CopyTo(bytes);
        id.TryWriteBytes(bytes[32..]);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[48..], position);
        return Hash(bytes);
    }

    private static UInt128 Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
