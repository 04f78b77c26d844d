using System.Buffers.Binary;
using System.Security.Cryptography;

namespace MeshLedger.Wasm.Snapshots;

/// <summary>Writes numbers and bytes and hashes what it wrote.</summary>
internal sealed class HashedWriter(Stream to) : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _count;

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > _buffer.Length - _count)
        {
            Flush();
        }
        if (bytes.Length > _buffer.Length)
        {
            _hash.AppendData(bytes);
            to.Write(bytes);
            return;
        }
        bytes.CopyTo(_buffer.AsSpan(_count));
        _count += bytes.Length;
    }

    public void Byte(byte value) => Bytes([value]);

    public void U32(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        Bytes(bytes);
    }

    public void U64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Bytes(bytes);
    }

    /// <summary>Writes the hash of everything so far; the last thing to be written.</summary>
    public void Finish()
    {
        Flush();
        to.Write(_hash.GetHashAndReset());
    }

    public void Flush()
    {
        _hash.AppendData(_buffer, 0, _count);
        to.Write(_buffer, 0, _count);
        _count = 0;
    }

    public void Dispose() => _hash.Dispose();
}

/// <summary>Reads what <see cref="HashedWriter"/> wrote. Throws <see cref="FormatException"/> where bytes are missing.</summary>
internal sealed class HashedReader(Stream from) : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly BufferedStream _from = new(from, 64 << 10);

    public void Bytes(Span<byte> bytes)
    {
        if (_from.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
        {
            throw new FormatException("The snapshot ends too early.");
        }
        _hash.AppendData(bytes);
    }

    public byte Byte()
    {
        Span<byte> bytes = stackalloc byte[1];
        Bytes(bytes);
        return bytes[0];
    }

    public uint U32()
    {
        Span<byte> bytes = stackalloc byte[4];
        Bytes(bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    public ulong U64()
    {
        Span<byte> bytes = stackalloc byte[8];
        Bytes(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>A number that must be what this module and these limits allow.</summary>
    public int Count(long most, string what)
    {
        var count = U32();
        return count <= most ? (int)count : throw new FormatException($"The snapshot has {count} {what}; {most} are possible.");
    }

    public void Exactly(int expected, string what)
    {
        var count = U32();
        if (count != (uint)expected)
        {
            throw new FormatException($"The snapshot has {count} {what}, the module {expected}.");
        }
    }

    /// <summary>Bytes whose number comes from outside: taken as they come, not as they are announced.</summary>
    public byte[] Block(int count)
    {
        using var bytes = new MemoryStream();
        Span<byte> chunk = new byte[Math.Min(count, 64 << 10)];
        while (count > 0)
        {
            var part = chunk[..Math.Min(count, chunk.Length)];
            Bytes(part);
            bytes.Write(part);
            count -= part.Length;
        }
        return bytes.ToArray();
    }

    /// <summary>Compares the hash that follows with that of everything before, and sees that nothing follows it.</summary>
    public void Finish()
    {
        var expected = _hash.GetHashAndReset();
        Span<byte> found = stackalloc byte[SnapshotFormat.HashBytes];
        Bytes(found);
        if (!found.SequenceEqual(expected))
        {
            throw new FormatException("The snapshot is damaged: its hash is another.");
        }
        if (_from.ReadByte() >= 0)
        {
            throw new FormatException("The snapshot goes on after its end.");
        }
    }

    public void Dispose() => _hash.Dispose();
}
