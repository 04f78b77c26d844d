using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MeshLedger.Crypto;

/// <summary>How wide the hardware is: how many blocks are compressed side by side at most.</summary>
internal enum Blake3Degree
{
    Portable = 1,
    Vector128 = 4,
    Vector256 = 8,
    Vector512 = 16,
}

/// <summary>Key and flags of one of the three modes, and what to compute it with.</summary>
/// <param name="Key">Eight words, little-endian.</param>
internal readonly record struct Blake3Mode(Vector256<byte> Key, uint Flags, Blake3Degree Degree)
{
    /// <summary>The plain hash.</summary>
    public static Blake3Mode Plain { get; } = PlainBy(Blake3Core.Best);

    public static Blake3Mode PlainBy(Blake3Degree degree) => new(Blake3Core.InitialValue, 0, degree);
}

/// <summary>The compression function of BLAKE3 (specification, section 2.2), of one block, wherever it runs.</summary>
internal static class Blake3Core
{
    public const int BlockBytes = 64;
    public const int ChunkBytes = 1024;

    public const uint ChunkStart = 1;
    public const uint ChunkEnd = 2;
    public const uint Parent = 4;
    public const uint Root = 8;
    public const uint KeyedHash = 16;
    public const uint DeriveKeyContext = 32;
    public const uint DeriveKeyMaterial = 64;

    public const uint Iv0 = 0x6A09E667;
    public const uint Iv1 = 0xBB67AE85;
    public const uint Iv2 = 0x3C6EF372;
    public const uint Iv3 = 0xA54FF53A;

    public static Vector256<byte> InitialValue { get; } = FromWords(
        [Iv0, Iv1, Iv2, Iv3, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]);

    /// <summary>The widest that this machine has.</summary>
    public static Blake3Degree Best { get; } =
        Lanes512.IsSupported ? Blake3Degree.Vector512
        : Lanes256.IsSupported ? Blake3Degree.Vector256
        : Lanes128.IsSupported ? Blake3Degree.Vector128
        : Blake3Degree.Portable;

    /// <summary>
    /// Compresses the 64 bytes from <paramref name="block"/> on. Returns the first half of the output, the chaining
    /// value; <paramref name="upper"/> is the second.
    /// </summary>
    public static Vector256<byte> Compress(
        Blake3Degree degree, Vector256<byte> chaining, ref byte block, ulong counter, uint length, uint flags,
        out Vector256<byte> upper)
    {
        if (degree == Blake3Degree.Vector512)
        {
            return Blake3Rows<Avx512Rows>.Compress(chaining, ref block, counter, length, flags, out upper);
        }

        // Arm has registers enough for the 16 words as they are.
        return degree != Blake3Degree.Portable && Sse41.IsSupported
            ? Blake3Rows<Sse41Rows>.Compress(chaining, ref block, counter, length, flags, out upper)
            : CompressPortable(chaining, ref block, counter, length, flags, out upper);
    }

    [SkipLocalsInit]
    private static unsafe Vector256<byte> CompressPortable(
        Vector256<byte> chaining, ref byte block, ulong counter, uint length, uint flags, out Vector256<byte> upper)
    {
        var m = stackalloc uint[16];
        var v = stackalloc uint[16];
        var c = stackalloc uint[8];
        Words(ref block, new Span<uint>(m, 16));
        chaining.Store((byte*)c);
        Words(ref *(byte*)c, new Span<uint>(c, 8));
        new Span<uint>(c, 8).CopyTo(new Span<uint>(v, 8));
        (v[8], v[9], v[10], v[11]) = (Iv0, Iv1, Iv2, Iv3);
        (v[12], v[13], v[14], v[15]) = ((uint)counter, (uint)(counter >> 32), length, flags);
        Blake3Rounds<uint, Quarter32>.Mix(v, m);
        for (var word = 0; word < 8; word++)
        {
            v[word] ^= v[word + 8];
            v[word + 8] ^= c[word];
        }

        upper = FromWords(new ReadOnlySpan<uint>(v + 8, 8));
        return FromWords(new ReadOnlySpan<uint>(v, 8));
    }

    private static void Words(ref byte bytes, Span<uint> words)
    {
        MemoryMarshal.CreateReadOnlySpan(ref bytes, 4 * words.Length).CopyTo(MemoryMarshal.AsBytes(words));
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(words, words);
        }
    }

    private static Vector256<byte> FromWords(ReadOnlySpan<uint> words)
    {
        Span<uint> little = stackalloc uint[8];
        words.CopyTo(little);
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(little, little);
        }

        return Vector256.Create<uint>(little).AsByte();
    }
}
