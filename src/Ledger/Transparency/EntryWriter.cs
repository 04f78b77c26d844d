using System.Buffers.Text;
using System.Globalization;
using System.Text;
using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Transparency;

/// <summary>Writes an entry's bytes one after the other: there are as many entries as events, and each is hashed.</summary>
internal ref struct EntryWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;
    private int _length;

    public void Bytes(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer[_length..]);
        _length += bytes.Length;
    }

    public void Text(string ascii) => _length += Encoding.ASCII.GetBytes(ascii, _buffer[_length..]);

    public void Number(long number)
    {
        number.TryFormat(_buffer[_length..], out var written, default, CultureInfo.InvariantCulture);
        _length += written;
    }

    public void Hex(Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        digest.CopyTo(bytes);
        Convert.TryToHexStringLower(bytes, _buffer[_length..], out var written);
        _length += written;
    }

    public void Base64Of(Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        digest.CopyTo(bytes);
        Base64Of(bytes);
    }

    public void Base64Of(scoped ReadOnlySpan<byte> bytes)
    {
        Base64.EncodeToUtf8(bytes, _buffer[_length..], out _, out var written);
        _length += written;
    }

    public readonly byte[] ToArray() => _buffer[.._length].ToArray();
}
