using System.Buffers.Binary;
using System.Text;

namespace MeshLedger.Wasm.Binary;

/// <summary>Reads the primitive encodings (sections 5.1 and 5.2) from a range of a module's bytes, and says where it stands.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> module, int start, int end)
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _bytes = module[..end];

    /// <summary>Offset from the start of the module.</summary>
    public int Position { get; private set; } = start;

    public readonly int End => _bytes.Length;

    public readonly bool AtEnd => Position >= _bytes.Length;

    /// <summary>What is wrong when bytes are missing; inside sections it is another reason than outside.</summary>
    public string EndReason { get; init; } = "unexpected end of section or function";

    public readonly MalformedModuleException Malformed(string reason, string? detail = null) => new(reason, Position, detail);

    public byte Byte()
    {
        if (Position >= _bytes.Length)
        {
            throw Malformed(EndReason);
        }
        return _bytes[Position++];
    }

    public readonly byte Peek() => Position < _bytes.Length ? _bytes[Position] : throw Malformed(EndReason);

    public void Skip(int count) => Position += count;

    public ReadOnlySpan<byte> Bytes(uint count)
    {
        if (count > (uint)(_bytes.Length - Position))
        {
            throw Malformed("length out of bounds", $"{count} bytes announced, {_bytes.Length - Position} left");
        }
        var bytes = _bytes.Slice(Position, (int)count);
        Position += (int)count;
        return bytes;
    }

    public uint U32()
    {
        var first = Byte();
        if (first < 0x80)
        {
            return first;
        }
        var value = (uint)first & 0x7F;
        for (var shift = 7; ; shift += 7)
        {
            var next = Byte();
            if (shift == 28)
            {
                if ((next & 0x80) != 0)
                {
                    throw Malformed("integer representation too long");
                }
                return next < 0x10 ? value | ((uint)next << 28) : throw Malformed("integer too large");
            }
            value |= (uint)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }

    public int S32() => (int)Signed(32);

    /// <summary>A block type's index, or the negative number that a value type's byte is.</summary>
    public long S33() => Signed(33);

    public long S64() => Signed(64);

    public uint Fixed32()
    {
        if (_bytes.Length - Position < 4)
        {
            throw Malformed(EndReason);
        }
        var value = BinaryPrimitives.ReadUInt32LittleEndian(_bytes[Position..]);
        Position += 4;
        return value;
    }

    public ulong Fixed64()
    {
        if (_bytes.Length - Position < 8)
        {
            throw Malformed(EndReason);
        }
        var value = BinaryPrimitives.ReadUInt64LittleEndian(_bytes[Position..]);
        Position += 8;
        return value;
    }

    public string Name()
    {
        var bytes = Bytes(U32());
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Malformed("malformed UTF-8 encoding");
        }
    }

    /// <summary>How many elements a vector has, refused when not even a byte each is left, or when over a limit.</summary>
    public int Count(int limit, string what)
    {
        var count = U32();
        if (count > (uint)(_bytes.Length - Position))
        {
            throw Malformed(EndReason, $"{count} {what} announced, {_bytes.Length - Position} bytes left");
        }
        return count <= (uint)limit
            ? (int)count
            : throw new ModuleLimitException($"The module has {count} {what} at byte {Position}; {limit} are allowed.");
    }

    public ValueType ValueType()
    {
        var code = Byte();
        return code is >= 0x7B and <= 0x7F or 0x70 or 0x6F
            ? (ValueType)code
            : throw Malformed("malformed value type", $"0x{code:x2}");
    }

    public ValueType ReferenceType()
    {
        var code = Byte();
        return code is 0x70 or 0x6F ? (ValueType)code : throw Malformed("malformed reference type", $"0x{code:x2}");
    }

    private long Signed(int bits)
    {
        long value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = Byte();
            var left = bits - shift;
            if (left < 7 || (left == 7 && next >= 0x80))
            {
                if (next >= 0x80)
                {
                    throw Malformed("integer representation too long");
                }
                // What is beyond the type's bits must be copies of its sign.
                var beyond = (sbyte)(next << 1) >> left;
                if (left < 7 && beyond != 0 && beyond != -1)
                {
                    throw Malformed("integer too large");
                }
            }
            value |= (long)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                shift += 7;
                return shift < 64 && (next & 0x40) != 0 ? value | (-1L << shift) : value;
            }
        }
    }
}
