using System.Buffers.Binary;
using System.Numerics;
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

    private const int Rounds = 7;

    public static Vector256<byte> InitialValue { get; } = FromWords(
        [Iv0, Iv1, Iv2, Iv3, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]);

    /// <summary>The widest that this machine has.</summary>
    public static Blake3Degree Best { get; } =
        Lanes512.IsSupported ? Blake3Degree.Vector512
        : Lanes256.IsSupported ? Blake3Degree.Vector256
        : Lanes128.IsSupported ? Blake3Degree.Vector128
        : Blake3Degree.Portable;

    /// <summary>Which word of the block goes where in each round: the permutation of table 2, applied again and
    /// again.</summary>
    private static ReadOnlySpan<byte> Schedule =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8,
        3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1,
        10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6,
        12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4,
        9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7,
        11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13,
    ];

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

        // Arm has registers enough to do without rows.
        return degree != Blake3Degree.Portable && Sse41.IsSupported
            ? Blake3Rows<Sse41Rows>.Compress(chaining, ref block, counter, length, flags, out upper)
            : CompressPortable(chaining, ref block, counter, length, flags, out upper);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector256<byte> CompressPortable(
        Vector256<byte> chaining, ref byte block, ulong counter, uint length, uint flags, out Vector256<byte> upper)
    {
        Span<uint> words = stackalloc uint[16];
        MemoryMarshal.CreateReadOnlySpan(ref block, BlockBytes).CopyTo(MemoryMarshal.AsBytes(words));
        Span<uint> c = stackalloc uint[8];
        chaining.CopyTo(MemoryMarshal.AsBytes(c));
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(words, words);
            BinaryPrimitives.ReverseEndianness(c, c);
        }

        ref var m = ref MemoryMarshal.GetReference(words);
        ref var order = ref MemoryMarshal.GetReference(Schedule);
        uint v0 = c[0], v1 = c[1], v2 = c[2], v3 = c[3], v4 = c[4], v5 = c[5], v6 = c[6], v7 = c[7];
        uint v8 = Iv0, v9 = Iv1, v10 = Iv2, v11 = Iv3;
        uint v12 = (uint)counter, v13 = (uint)(counter >> 32), v14 = length, v15 = flags;
        for (var round = 0; round < Rounds; round++)
        {
            Mix(ref v0, ref v4, ref v8, ref v12, Word(ref m, ref order, 0), Word(ref m, ref order, 1));
            Mix(ref v1, ref v5, ref v9, ref v13, Word(ref m, ref order, 2), Word(ref m, ref order, 3));
            Mix(ref v2, ref v6, ref v10, ref v14, Word(ref m, ref order, 4), Word(ref m, ref order, 5));
            Mix(ref v3, ref v7, ref v11, ref v15, Word(ref m, ref order, 6), Word(ref m, ref order, 7));
            Mix(ref v0, ref v5, ref v10, ref v15, Word(ref m, ref order, 8), Word(ref m, ref order, 9));
            Mix(ref v1, ref v6, ref v11, ref v12, Word(ref m, ref order, 10), Word(ref m, ref order, 11));
            Mix(ref v2, ref v7, ref v8, ref v13, Word(ref m, ref order, 12), Word(ref m, ref order, 13));
            Mix(ref v3, ref v4, ref v9, ref v14, Word(ref m, ref order, 14), Word(ref m, ref order, 15));
            order = ref Unsafe.Add(ref order, 16);
        }

        upper = FromWords(
        [
            v8 ^ c[0], v9 ^ c[1], v10 ^ c[2], v11 ^ c[3], v12 ^ c[4], v13 ^ c[5], v14 ^ c[6], v15 ^ c[7],
        ]);
        return FromWords([v0 ^ v8, v1 ^ v9, v2 ^ v10, v3 ^ v11, v4 ^ v12, v5 ^ v13, v6 ^ v14, v7 ^ v15]);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Word(ref uint block, ref byte order, int index) =>
        Unsafe.Add(ref block, (nint)Unsafe.Add(ref order, index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(ref uint a, ref uint b, ref uint c, ref uint d, uint x, uint y)
    {
        a += b + x;
        d = BitOperations.RotateRight(d ^ a, 16);
        c += d;
        b = BitOperations.RotateRight(b ^ c, 12);
        a += b + y;
        d = BitOperations.RotateRight(d ^ a, 8);
        c += d;
        b = BitOperations.RotateRight(b ^ c, 7);
    }
}
