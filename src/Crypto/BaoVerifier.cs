using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>
/// Verifies groups of a content, in any order, against the content's name, by an outboard that nobody vouches for. It
/// remembers the verified way to where it was last, so that the next group costs one parent. One a thread: not safe for
/// several threads at once.
/// </summary>
/// <remarks>The length is a claim too. It is proved by the first success of a range that holds the last group: any
/// other length makes the last group's own bytes, or a parent on the way to it, wrong.</remarks>
public sealed class BaoVerifier
{
    private const int WindowParents = 127;
    private const int SerialBatch = 64;
    private const int ParallelBatch = 1024;

    private readonly IByteSource _outboard;
    private readonly BaoNode _root;
    private readonly (BaoNode Left, BaoNode Right)[] _way = new (BaoNode, BaoNode)[54];
    private readonly byte[] _window = new byte[WindowParents * BaoTree.ParentBytes];
    private byte[]? _values;
    private int _depth;
    private long _windowStart;
    private int _windowLength;
    private bool _lengthRead;

    /// <param name="root">The content's name.</param>
    /// <param name="tree">The claimed length, and the size of the groups.</param>
    /// <param name="outboard">The outboard, its length header first. It is read when a group asks for it.</param>
    public BaoVerifier(BlobHash root, BaoTree tree, IByteSource outboard)
    {
        Tree = tree;
        _outboard = outboard;
        _root = BaoNode.Root(tree.Groups, root);
    }

    public BaoTree Tree { get; }

    /// <summary>
    /// True if <paramref name="content"/> is that of the groups from <paramref name="firstGroup"/> on. Otherwise
    /// <paramref name="fault"/> says which node of the outboard, or which group of the content, is not right first;
    /// all groups before it are verified.
    /// </summary>
    /// <param name="content">One or more groups, each of its whole length.</param>
    /// <param name="parallel">Hash on all cores where there is enough to hash, from 1 MiB on.</param>
    /// <exception cref="ArgumentException">The content does not end where a group ends.</exception>
    /// <exception cref="IOException">The outboard cannot be read.</exception>
    public bool Verify(long firstGroup, ReadOnlySpan<byte> content, out BaoFault fault, bool parallel = false)
    {
        var groups = GroupsOf(firstGroup, content.Length);
        if (!ReadLength(out fault))
        {
            return false;
        }

        _values ??= parallel ? new byte[32 * ParallelBatch] : null;
        Span<byte> few = stackalloc byte[32 * SerialBatch];
        var values = parallel ? _values : few;
        for (var done = 0; done < groups; done += values.Length / 32)
        {
            var first = firstGroup + done;
            var some = Math.Min(values.Length / 32, groups - done);
            var rest = content[(done * Tree.GroupBytes)..];
            var bytes = rest[..Math.Min(rest.Length, some * Tree.GroupBytes)];
            Values(first, bytes, values[..(32 * some)], parallel);
            for (var i = 0; i < some; i++)
            {
                if (!TryDescend(first + i, out var leaf, out fault))
                {
                    return false;
                }

                if (leaf.Value != Vector256.Create<byte>(values.Slice(32 * i, 32)))
                {
                    fault = new BaoFault(BaoPart.Content, Tree.GroupOffset(first + i));
                    return false;
                }
            }
        }

        return true;
    }

    private int GroupsOf(long firstGroup, int length)
    {
        var offset = Tree.GroupOffset(firstGroup);
        var whole = length % Tree.GroupBytes == 0 && (length > 0 || Tree.Length == 0);
        return (length == Tree.Length - offset || whole) && length <= Tree.Length - offset
            ? Math.Max(1, (int)(((long)length + Tree.GroupBytes - 1) / Tree.GroupBytes))
            : throw new ArgumentException(
                $"Expected whole groups of the {Tree.Length} bytes from byte {offset} on, found {length} bytes.",
                nameof(length));
    }

    private void Values(long firstGroup, ReadOnlySpan<byte> content, Span<byte> values, bool parallel)
    {
        var chunk = (ulong)firstGroup << Tree.GroupLog;
        var whole = Tree.Groups == 1 ? 0 : content.Length / Tree.GroupBytes * Tree.GroupBytes;
        var wholeValues = whole / Tree.GroupBytes * 32;
        Blake3Tree.Values(Blake3Mode.Plain, content[..whole], chunk, Tree.GroupLog, values[..wholeValues], parallel);
        if (wholeValues < values.Length)
        {
            chunk += (ulong)(whole / Blake3Core.ChunkBytes);
            Blake3Tree.Value(Blake3Mode.Plain, content[whole..], chunk, Tree.Groups == 1).CopyTo(values[wholeValues..]);
        }
    }

    /// <summary>The leaf of <paramref name="group"/>, its value verified, from the last way's deepest node above
    /// it.</summary>
    private bool TryDescend(long group, out BaoNode leaf, out BaoFault fault)
    {
        while (_depth > 0 && !IsUnder(_way[_depth - 1], group))
        {
            _depth--;
        }

        fault = default;
        leaf = _depth == 0 ? _root : Child(_way[_depth - 1], group);
        while (!leaf.IsLeaf)
        {
            if (!leaf.TryOpen(ReadParent(leaf), out var left, out var right))
            {
                _windowLength = 0;
                fault = new BaoFault(BaoPart.Nodes, leaf.OutboardOffset);
                return false;
            }

            _way[_depth++] = (left, right);
            leaf = Child((left, right), group);
        }

        return true;
    }

    private static bool IsUnder((BaoNode Left, BaoNode Right) pair, long group) =>
        group >= pair.Left.First && group - pair.Right.First < pair.Right.Leaves;

    private static BaoNode Child((BaoNode Left, BaoNode Right) pair, long group) =>
        group < pair.Right.First ? pair.Left : pair.Right;

    /// <summary>All parents of a small subtree are read at once. Missing bytes are zero, which no node is.</summary>
    private ReadOnlySpan<byte> ReadParent(BaoNode node)
    {
        var offset = node.OutboardOffset;
        var at = offset - _windowStart;
        if (at < 0 || at + BaoTree.ParentBytes > _windowLength)
        {
            var parents = node.Leaves - 1 <= WindowParents ? (int)node.Leaves - 1 : 1;
            var window = _window.AsSpan(0, BaoTree.ParentBytes * parents);
            window[_outboard.Read(offset, window)..].Clear();
            (_windowStart, _windowLength, at) = (offset, window.Length, 0);
        }

        return _window.AsSpan((int)at, BaoTree.ParentBytes);
    }

    private bool ReadLength(out BaoFault fault)
    {
        Span<byte> header = stackalloc byte[BaoTree.HeaderBytes];
        _lengthRead = _lengthRead || (_outboard.Read(0, header) == header.Length
            && BinaryPrimitives.ReadInt64LittleEndian(header) == Tree.Length);
        fault = _lengthRead ? default : new BaoFault(BaoPart.Nodes, 0);
        return _lengthRead;
    }
}
