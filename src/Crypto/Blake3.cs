using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;

namespace MeshLedger.Crypto;

// BLAKE3, the hash that names blobs (github.com/BLAKE3-team/BLAKE3-specs): a binary tree over chunks of 1024 bytes.
// Worked example: the hash of no bytes is af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262.
// Vector test: tests/Crypto.Tests/Blake3Tests.cs, over tests/Crypto.Tests/vectors/blake3.json.

/// <summary>BLAKE3 of bytes that are at hand. For streams see <see cref="Blake3Hasher"/>.</summary>
public static class Blake3
{
    /// <summary>The name of a blob with this content. Allocates nothing.</summary>
    public static BlobHash Hash(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[BlobHash.Size];
        var state = new Blake3State(Blake3Core.InitialValue, 0);
        state.Update(content);
        state.Finish(hash);
        return new BlobHash(hash);
    }
}

/// <summary>
/// BLAKE3 of bytes that come in pieces. Finishing does not end the hasher: more may be added, and finishing again
/// covers all of it. Not safe for several threads at once.
/// </summary>
public sealed class Blake3Hasher
{
    private Blake3State _state;

    /// <summary>The plain hash.</summary>
    public Blake3Hasher()
        : this(Blake3Core.InitialValue, 0)
    {
    }

    private Blake3Hasher(ReadOnlySpan<uint> key, uint flags)
    {
        _state = new Blake3State(key, flags);
    }

    /// <summary>A message authentication code. The key has 32 bytes.</summary>
    /// <exception cref="ArgumentException">The key has another length.</exception>
    public static Blake3Hasher Keyed(ReadOnlySpan<byte> key)
    {
        if (key.Length != 32)
        {
            throw new ArgumentException($"Expected a key of 32 bytes, found {key.Length}.", nameof(key));
        }

        Span<uint> words = stackalloc uint[16];
        Blake3Core.LoadBlock(key, words);
        return new Blake3Hasher(words[..8], Blake3Core.KeyedHash);
    }

    /// <summary>Derives keys from the key material that is added, for one purpose: <paramref name="context"/> is a
    /// constant of the program that no other purpose uses.</summary>
    public static Blake3Hasher DeriveKey(string context)
    {
        var purpose = new Blake3State(Blake3Core.InitialValue, Blake3Core.DeriveKeyContext);
        purpose.Update(Encoding.UTF8.GetBytes(context));
        Span<byte> key = stackalloc byte[32];
        purpose.Finish(key);
        Span<uint> words = stackalloc uint[16];
        Blake3Core.LoadBlock(key, words);
        return new Blake3Hasher(words[..8], Blake3Core.DeriveKeyMaterial);
    }

    public void Update(ReadOnlySpan<byte> bytes) => _state.Update(bytes);

    /// <summary>Fills <paramref name="output"/>, of any length: a shorter output is the beginning of a longer one.</summary>
    public void Finish(Span<byte> output) => _state.Finish(output);

    /// <summary>The 32 bytes of everything so far, as the name of a blob.</summary>
    public BlobHash Finish()
    {
        Span<byte> hash = stackalloc byte[BlobHash.Size];
        _state.Finish(hash);
        return new BlobHash(hash);
    }
}

/// <summary>What a hash in the making is: the open chunk, and the roots of the complete subtrees to its left.</summary>
internal struct Blake3State
{
    private readonly uint _flags;
    private Words8 _key;
    private Words8 _chaining;
    private Block _block;
    private int _blockLength;
    private int _blocksDone;
    private ulong _chunk;
    private Subtrees _subtrees;
    private int _depth;

    public Blake3State(ReadOnlySpan<uint> key, uint flags)
    {
        _flags = flags;
        key.CopyTo(_key);
        key.CopyTo(_chaining);
    }

    private readonly int ChunkLength => (_blocksDone * Blake3Core.BlockBytes) + _blockLength;

    public void Update(ReadOnlySpan<byte> input)
    {
        Span<uint> values = stackalloc uint[8 * Blake3Core.Lanes];
        while (!input.IsEmpty)
        {
            // A full chunk is closed only when more comes: the last one may be the root.
            if (ChunkLength == Blake3Core.ChunkBytes)
            {
                CloseChunk();
            }

            const int eight = Blake3Core.Lanes * Blake3Core.ChunkBytes;
            while (ChunkLength == 0 && input.Length > eight && Vector256.IsHardwareAccelerated)
            {
                Blake3Core.HashEightChunks(input, _key, _chunk, _flags, values);
                for (var lane = 0; lane < Blake3Core.Lanes; lane++)
                {
                    Push(values.Slice(lane * 8, 8));
                }

                input = input[eight..];
            }

            var take = Math.Min(Blake3Core.ChunkBytes - ChunkLength, input.Length);
            FillChunk(input[..take]);
            input = input[take..];
        }
    }

    public readonly void Finish(Span<byte> output)
    {
        // The open chunk and then each subtree to its left become the right child of the next parent; the last node
        // is the root, and its output is as long as is asked for.
        Span<uint> chaining = stackalloc uint[8];
        Span<uint> block = stackalloc uint[16];
        Span<uint> node = stackalloc uint[16];
        ((ReadOnlySpan<uint>)_chaining).CopyTo(chaining);
        Blake3Core.LoadBlock(((ReadOnlySpan<byte>)_block)[.._blockLength], block);
        var length = (uint)_blockLength;
        var flags = _flags | Blake3Core.ChunkEnd | (_blocksDone == 0 ? Blake3Core.ChunkStart : 0);
        var counter = _chunk;
        for (var level = _depth - 1; level >= 0; level--)
        {
            Blake3Core.Compress(chaining, block, counter, length, flags, node);
            ((ReadOnlySpan<uint>)_subtrees).Slice(level * 8, 8).CopyTo(block);
            node[..8].CopyTo(block[8..]);
            ((ReadOnlySpan<uint>)_key).CopyTo(chaining);
            length = Blake3Core.BlockBytes;
            flags = _flags | Blake3Core.Parent;
            counter = 0;
        }

        Span<byte> bytes = stackalloc byte[64];
        for (var at = 0; at < output.Length; at += 64)
        {
            Blake3Core.Compress(chaining, block, (uint)(at / 64), length, flags | Blake3Core.Root, node);
            if (!BitConverter.IsLittleEndian)
            {
                System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(node, node);
            }

            MemoryMarshal.AsBytes(node).CopyTo(bytes);
            bytes[..Math.Min(64, output.Length - at)].CopyTo(output[at..]);
        }
    }

    private void FillChunk(ReadOnlySpan<byte> input)
    {
        Span<uint> words = stackalloc uint[16];
        while (!input.IsEmpty)
        {
            if (_blockLength == Blake3Core.BlockBytes)
            {
                Blake3Core.LoadBlock(_block, words);
                CompressBlock(words);
            }

            // Whole blocks that are followed by more of the chunk need no copy.
            while (_blockLength == 0 && input.Length > Blake3Core.BlockBytes)
            {
                Blake3Core.LoadBlock(input[..Blake3Core.BlockBytes], words);
                CompressBlock(words);
                input = input[Blake3Core.BlockBytes..];
            }

            var take = Math.Min(Blake3Core.BlockBytes - _blockLength, input.Length);
            input[..take].CopyTo(((Span<byte>)_block)[_blockLength..]);
            _blockLength += take;
            input = input[take..];
        }
    }

    private void CompressBlock(ReadOnlySpan<uint> words)
    {
        Span<uint> node = stackalloc uint[16];
        var flags = _flags | (_blocksDone == 0 ? Blake3Core.ChunkStart : 0);
        Blake3Core.Compress(_chaining, words, _chunk, Blake3Core.BlockBytes, flags, node);
        node[..8].CopyTo(_chaining);
        _blocksDone++;
        _blockLength = 0;
    }

    private void CloseChunk()
    {
        Span<uint> words = stackalloc uint[16];
        Span<uint> node = stackalloc uint[16];
        Blake3Core.LoadBlock(((ReadOnlySpan<byte>)_block)[.._blockLength], words);
        var flags = _flags | Blake3Core.ChunkEnd | (_blocksDone == 0 ? Blake3Core.ChunkStart : 0);
        Blake3Core.Compress(_chaining, words, _chunk, (uint)_blockLength, flags, node);
        Push(node[..8]);
        ((ReadOnlySpan<uint>)_key).CopyTo(_chaining);
        _blocksDone = 0;
        _blockLength = 0;
    }

    /// <summary>Adds the chaining value of chunk <see cref="_chunk"/>, joining every pair of complete subtrees of one
    /// size: as many joins as the new number of chunks has trailing zero bits.</summary>
    private void Push(ReadOnlySpan<uint> chainingValue)
    {
        _chunk++;
        Span<uint> block = stackalloc uint[16];
        Span<uint> node = stackalloc uint[16];
        chainingValue.CopyTo(node);
        Span<uint> subtrees = _subtrees;
        for (var joins = BitOperations.TrailingZeroCount(_chunk); joins > 0; joins--)
        {
            _depth--;
            subtrees.Slice(_depth * 8, 8).CopyTo(block);
            node[..8].CopyTo(block[8..]);
            Blake3Core.Compress(_key, block, 0, Blake3Core.BlockBytes, _flags | Blake3Core.Parent, node);
        }

        node[..8].CopyTo(subtrees[(_depth * 8)..]);
        _depth++;
    }

    [InlineArray(8)]
    private struct Words8
    {
        private uint _word;
    }

    [InlineArray(Blake3Core.BlockBytes)]
    private struct Block
    {
        private byte _byte;
    }

    /// <summary>54 levels: a tree over 2^64 bytes has no more.</summary>
    [InlineArray(8 * 54)]
    private struct Subtrees
    {
        private uint _word;
    }
}
