using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Tells whether two tables hold the same rows in whatever order, without keeping any: the sum, modulo 2^64, of a hash of
/// each row (SipHash-2-4) under a key that only this audit knows. Rows that are the same in both cancel out; rows that were
/// made without the key do so once in 2^64. Where a sum is not zero, the tables are compared row by row.
/// </summary>
internal sealed class KeyedSum
{
    private readonly ulong _key0;
    private readonly ulong _key1;
    private ulong _sum;

    public KeyedSum()
        : this(RandomNumberGenerator.GetBytes(16))
    {
    }

    internal KeyedSum(ReadOnlySpan<byte> key)
    {
        _key0 = BinaryPrimitives.ReadUInt64LittleEndian(key);
        _key1 = BinaryPrimitives.ReadUInt64LittleEndian(key[8..]);
    }

    public bool IsZero => _sum == 0;

    public void Add(ulong row) => _sum = unchecked(_sum + row);

    public void Remove(ulong row) => _sum = unchecked(_sum - row);

    /// <summary>Safe for concurrent use.</summary>
    public ulong Of(string text, long first, long second, long third)
    {
        Span<long> numbers = [first, second, third];
        return Hash([.. MemoryMarshal.AsBytes(numbers), .. Encoding.UTF8.GetBytes(text)]);
    }

    /// <inheritdoc cref="Of(string, long, long, long)"/>
    public ulong Of(Guid id, long position)
    {
        Span<byte> bytes = stackalloc byte[24];
        id.TryWriteBytes(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], position);
        return Hash(bytes);
    }

    /// <summary>SipHash-2-4 (Aumasson, Bernstein 2012). Checked by KeyedSumTests.</summary>
    internal ulong Hash(ReadOnlySpan<byte> bytes)
    {
        var (v0, v1) = (_key0 ^ 0x736f6d6570736575UL, _key1 ^ 0x646f72616e646f6dUL);
        var (v2, v3) = (_key0 ^ 0x6c7967656e657261UL, _key1 ^ 0x7465646279746573UL);
        var last = (ulong)bytes.Length << 56;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            Take(BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        for (var i = 0; i < bytes.Length; i++)
        {
            last |= (ulong)bytes[i] << (8 * i);
        }

        Take(last);
        v2 ^= 0xff;
        for (var round = 0; round < 4; round++)
        {
            Round();
        }

        return v0 ^ v1 ^ v2 ^ v3;

        void Take(ulong word)
        {
            v3 ^= word;
            Round();
            Round();
            v0 ^= word;
        }

        void Round()
        {
            unchecked
            {
                v0 += v1;
                v2 += v3;
                v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
                v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
                v0 = BitOperations.RotateLeft(v0, 32);
                v2 += v1;
                v0 += v3;
                v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
                v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
                v2 = BitOperations.RotateLeft(v2, 32);
            }
        }
    }
}
