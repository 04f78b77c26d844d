using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>
/// The compression function of BLAKE3 (specification, section 2.2), for one block and for eight chunks side by side.
/// </summary>
internal static class Blake3Core
{
    public const int BlockBytes = 64;
    public const int ChunkBytes = 1024;
    public const int Lanes = 8;

    public const uint ChunkStart = 1;
    public const uint ChunkEnd = 2;
    public const uint Parent = 4;
    public const uint Root = 8;
    public const uint KeyedHash = 16;
    public const uint DeriveKeyContext = 32;
    public const uint DeriveKeyMaterial = 64;

    private const int Rounds = 7;

    private static readonly uint[] Iv =
    [
        0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
    ];

    public static ReadOnlySpan<uint> InitialValue => Iv;

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

    /// <summary>Reads a block; bytes that are missing at its end are zero.</summary>
    public static void LoadBlock(scoped ReadOnlySpan<byte> bytes, Span<uint> words)
    {
        scoped Span<byte> padded = stackalloc byte[BlockBytes];
        if (bytes.Length < BlockBytes)
        {
            padded.Clear();
            bytes.CopyTo(padded);
            bytes = padded;
        }

        for (var i = 0; i < 16; i++)
        {
            words[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 * i)..]);
        }
    }

    /// <summary>Writes all 16 words of the output; the first eight are the chaining value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compress(
        ReadOnlySpan<uint> chaining, ReadOnlySpan<uint> block, ulong counter, uint length, uint flags, Span<uint> output)
    {
        ref var m = ref MemoryMarshal.GetReference(block[..16]);
        ref var order = ref MemoryMarshal.GetReference(Schedule);
        var iv = InitialValue;
        uint v0 = chaining[0], v1 = chaining[1], v2 = chaining[2], v3 = chaining[3];
        uint v4 = chaining[4], v5 = chaining[5], v6 = chaining[6], v7 = chaining[7];
        uint v8 = iv[0], v9 = iv[1], v10 = iv[2], v11 = iv[3];
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

        // The chaining value is read before it is written: callers pass one span for both.
        uint c0 = chaining[0], c1 = chaining[1], c2 = chaining[2], c3 = chaining[3];
        uint c4 = chaining[4], c5 = chaining[5], c6 = chaining[6], c7 = chaining[7];
        output[15] = v15 ^ c7;
        output[14] = v14 ^ c6;
        output[13] = v13 ^ c5;
        output[12] = v12 ^ c4;
        output[11] = v11 ^ c3;
        output[10] = v10 ^ c2;
        output[9] = v9 ^ c1;
        output[8] = v8 ^ c0;
        output[7] = v7 ^ v15;
        output[6] = v6 ^ v14;
        output[5] = v5 ^ v13;
        output[4] = v4 ^ v12;
        output[3] = v3 ^ v11;
        output[2] = v2 ^ v10;
        output[1] = v1 ^ v9;
        output[0] = v0 ^ v8;
    }

    /// <summary>
    /// The chaining values of eight whole chunks that follow each other, of which none is the root, one after another
    /// in <paramref name="chainingValues"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void HashEightChunks(
        ReadOnlySpan<byte> input, ReadOnlySpan<uint> key, ulong counter, uint flags, Span<uint> chainingValues)
    {
        Span<Vector256<uint>> m = stackalloc Vector256<uint>[16];
        Span<Vector256<uint>> v = stackalloc Vector256<uint>[16];
        Span<Vector256<uint>> chaining = stackalloc Vector256<uint>[8];
        Span<uint> low = stackalloc uint[Lanes];
        Span<uint> high = stackalloc uint[Lanes];
        for (var lane = 0; lane < Lanes; lane++)
        {
            low[lane] = (uint)(counter + (uint)lane);
            high[lane] = (uint)((counter + (uint)lane) >> 32);
            chaining[lane] = Vector256.Create(key[lane]);
        }

        for (var block = 0; block < ChunkBytes / BlockBytes; block++)
        {
            var edge = (block == 0 ? ChunkStart : 0) | (block == (ChunkBytes / BlockBytes) - 1 ? ChunkEnd : 0);
            Transpose(input[(block * BlockBytes)..], m);
            for (var i = 0; i < 8; i++)
            {
                v[i] = chaining[i];
            }

            for (var i = 0; i < 4; i++)
            {
                v[8 + i] = Vector256.Create(InitialValue[i]);
            }

            v[12] = Vector256.Create<uint>(low);
            v[13] = Vector256.Create<uint>(high);
            v[14] = Vector256.Create((uint)BlockBytes);
            v[15] = Vector256.Create(flags | edge);
            MixLanes(v, m);
            for (var i = 0; i < 8; i++)
            {
                chaining[i] = v[i] ^ v[i + 8];
            }
        }

        for (var lane = 0; lane < Lanes; lane++)
        {
            for (var word = 0; word < 8; word++)
            {
                chainingValues[(lane * 8) + word] = chaining[word].GetElement(lane);
            }
        }
    }

    private static void Transpose(ReadOnlySpan<byte> input, Span<Vector256<uint>> words)
    {
        Span<uint> column = stackalloc uint[Lanes];
        for (var word = 0; word < 16; word++)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                column[lane] = BinaryPrimitives.ReadUInt32LittleEndian(input[((lane * ChunkBytes) + (4 * word))..]);
            }

            words[word] = Vector256.Create<uint>(column);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MixLanes(Span<Vector256<uint>> state, ReadOnlySpan<Vector256<uint>> block)
    {
        ref var m = ref MemoryMarshal.GetReference(block[..16]);
        ref var order = ref MemoryMarshal.GetReference(Schedule);
        Vector256<uint> v0 = state[0], v1 = state[1], v2 = state[2], v3 = state[3];
        Vector256<uint> v4 = state[4], v5 = state[5], v6 = state[6], v7 = state[7];
        Vector256<uint> v8 = state[8], v9 = state[9], v10 = state[10], v11 = state[11];
        Vector256<uint> v12 = state[12], v13 = state[13], v14 = state[14], v15 = state[15];
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

        state[0] = v0;
        state[1] = v1;
        state[2] = v2;
        state[3] = v3;
        state[4] = v4;
        state[5] = v5;
        state[6] = v6;
        state[7] = v7;
        state[8] = v8;
        state[9] = v9;
        state[10] = v10;
        state[11] = v11;
        state[12] = v12;
        state[13] = v13;
        state[14] = v14;
        state[15] = v15;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Word<T>(ref T block, ref byte order, int index) =>
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(
        ref Vector256<uint> a, ref Vector256<uint> b, ref Vector256<uint> c, ref Vector256<uint> d,
        Vector256<uint> x, Vector256<uint> y)
    {
        a += b + x;
        d ^= a;
        d = (d >>> 16) | (d << 16);
        c += d;
        b ^= c;
        b = (b >>> 12) | (b << 20);
        a += b + y;
        d ^= a;
        d = (d >>> 8) | (d << 24);
        c += d;
        b ^= c;
        b = (b >>> 7) | (b << 25);
    }
}
