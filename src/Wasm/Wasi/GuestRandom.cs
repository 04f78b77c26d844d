using System.Buffers.Binary;
using System.Security.Cryptography;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// Random numbers from a seed: block i, counted from 0, is SHA-256 over the seed and i as 8 bytes, little end first;
/// the stream is the blocks one after another. With a seed of 32 zero bytes it begins 2c34ce1df23b838c. Checked by
/// GuestRandomTests.
/// </summary>
internal sealed class GuestRandom(ReadOnlyMemory<byte> seed)
{
    private const int BlockBytes = 32;

    /// <summary>Bytes given so far.</summary>
    public ulong Position { get; set; }

    public void Fill(Span<byte> bytes)
    {
        Span<byte> input = stackalloc byte[seed.Length + 8];
        Span<byte> block = stackalloc byte[BlockBytes];
        seed.Span.CopyTo(input);
        while (!bytes.IsEmpty)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(input[seed.Length..], Position / BlockBytes);
            SHA256.HashData(input, block);
            var rest = block[(int)(Position % BlockBytes)..];
            var part = rest[..Math.Min(rest.Length, bytes.Length)];
            part.CopyTo(bytes);
            bytes = bytes[part.Length..];
            Position += (ulong)part.Length;
        }
    }
}
