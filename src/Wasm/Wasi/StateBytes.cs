using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>Writes a saved state: numbers little end first, texts as UTF-8 behind their length in 2 bytes.</summary>
internal sealed class StateWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

    public StateWriter U8(byte value)
    {
        _bytes.Write([value]);
        return this;
    }

    public StateWriter U16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.GetSpan(2), value);
        _bytes.Advance(2);
        return this;
    }

    public StateWriter U32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.GetSpan(4), value);
        _bytes.Advance(4);
        return this;
    }

    public StateWriter U64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.GetSpan(8), value);
        _bytes.Advance(8);
        return this;
    }

    public StateWriter Bytes(ReadOnlySpan<byte> value)
    {
        _bytes.Write(value);
        return this;
    }

    public StateWriter Text(string value) =>
        U16((ushort)Encoding.UTF8.GetByteCount(value)).Bytes(Encoding.UTF8.GetBytes(value));
}

/// <summary>Reads a saved state. All that is not as <see cref="StateWriter"/> wrote it is a <see
/// cref="FormatException"/>.</summary>
internal ref struct StateReader(ReadOnlySpan<byte> bytes)
{
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly int _length = bytes.Length;
    private ReadOnlySpan<byte> _left = bytes;

    public readonly bool AtEnd => _left.IsEmpty;

    public byte U8() => Bytes(1)[0];

    public ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    /// <summary>A number below 2^63.</summary>
    public long I64() =>
        U64() is var value && value <= long.MaxValue ? (long)value : throw Refuse("a number below 2^63");

    /// <summary>How many things follow, of which each takes so many bytes at least: more cannot be there.</summary>
    public int Count(int bytesEach)
    {
        var count = U32();
        return count <= _left.Length / bytesEach ? (int)count : throw Refuse("fewer entries");
    }

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count > _left.Length)
        {
            throw Refuse($"{count} more bytes");
        }
        var taken = _left[..count];
        _left = _left[count..];
        return taken;
    }

    public string Text()
    {
        var text = Bytes(U16());
        try
        {
            return Utf8.GetString(text);
        }
        catch (DecoderFallbackException)
        {
            throw Refuse("UTF-8");
        }
    }

    public readonly FormatException Refuse(string expected) =>
        new($"The saved state of WASI is damaged at byte {_length - _left.Length}: expected {expected}.");
}
