using System.Numerics;

namespace MeshLedger.Crypto;

// Bao (github.com/oconnor663/bao, docs/spec.md): the tree of BLAKE3 written out, so that a part of a blob can be
// verified against the blob's name. A tree over n groups has n leaves and n - 1 parents; the left subtree of n groups
// has the largest power of two below n. A parent is 64 bytes: the chaining values of its left and its right child.
//
// The outboard: the content's length, 8 bytes little-endian, then the parents in pre-order (a parent, its left
// subtree, its right subtree). With groupLog 0 a group is a chunk of 1 KiB and the outboard is the specification's;
// with groupLog 4, as blobs are kept, groups are 16 KiB, and the parents below a group are left out.
//
// Worked example, groupLog 0, three chunks c0 c1 c2 of 2049 zero bytes:
//   0108000000000000 | parent(c0c1, c2) | parent(c0, c1)          8 + 2 * 64 = 136 bytes
// Vector test: tests/Crypto.Tests/BaoVectorTests.cs, over tests/Crypto.Tests/vectors/bao.json.

/// <summary>
/// The shape of the tree over a content of <see cref="Length"/> bytes. Every length from 0 to
/// <see cref="long.MaxValue"/> has one, and nothing here overflows or allocates: a length that a peer claims may be
/// tried on it.
/// </summary>
public readonly record struct BaoTree
{
    /// <summary>Bytes of a parent: two chaining values.</summary>
    public const int ParentBytes = 64;

    /// <summary>Bytes of the length before the parents.</summary>
    public const int HeaderBytes = 8;

    /// <summary>The groups of blobs on disk: 16 chunks, 16 KiB.</summary>
    public const int BlobGroupLog = 4;

    /// <summary>The largest group: 1 MiB.</summary>
    public const int MaxGroupLog = 10;

    /// <param name="length">Bytes of content.</param>
    /// <param name="groupLog">A group has 2^<paramref name="groupLog"/> chunks of 1024 bytes; from 0 to
    /// <see cref="MaxGroupLog"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative, or there are no such groups.</exception>
    public BaoTree(long length, int groupLog = BlobGroupLog)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegative(groupLog);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(groupLog, MaxGroupLog);
        Length = length;
        GroupLog = groupLog;
    }

    /// <summary>Bytes of content.</summary>
    public long Length { get; }

    public int GroupLog { get; }

    /// <summary>Bytes of a group; the last one may have fewer.</summary>
    public int GroupBytes => Blake3Core.ChunkBytes << GroupLog;

    /// <summary>At least one: the empty content has one empty group.</summary>
    public long Groups => Length == 0 ? 1 : ((Length - 1) / GroupBytes) + 1;

    /// <summary>Bytes of the outboard, its length header included.</summary>
    public long OutboardBytes => HeaderBytes + (ParentBytes * (Groups - 1));

    /// <summary>Where group <paramref name="group"/> begins in the content.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such group.</exception>
    public long GroupOffset(long group)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(group);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(group, Groups);
        return group * GroupBytes;
    }

    /// <summary>Bytes of group <paramref name="group"/>: <see cref="GroupBytes"/>, or what is left at the
    /// end.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such group.</exception>
    public int GroupLength(long group) => (int)Math.Min(GroupBytes, Length - GroupOffset(group));

    /// <summary>Bytes of content under <paramref name="leaves"/> groups from <paramref name="first"/> on.</summary>
    internal long BytesOf(long first, long leaves) =>
        first + leaves >= Groups ? Length - GroupOffset(first) : leaves * GroupBytes;

    /// <summary>How many of <paramref name="leaves"/> (at least two) are in the left subtree.</summary>
    internal static long LeftOf(long leaves) => 1L << BitOperations.Log2((ulong)leaves - 1);
}
