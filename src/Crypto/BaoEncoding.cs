using System.Buffers.Binary;

namespace MeshLedger.Crypto;

/// <summary>
/// A content and the nodes of its tree at hand, for reading any part of it, or serving any part to a peer. Nobody
/// vouches for either: all that is handed out is verified against the content's name on the way. Safe for several
/// threads at once; what it opens is not.
/// </summary>
public sealed class BaoEncoding
{
    private readonly BlobHash _root;
    private readonly IByteSource _nodes;
    private readonly IByteSource _content;
    private readonly BaoTree? _claimed;

    private BaoEncoding(BlobHash root, IByteSource nodes, IByteSource content, BaoTree? claimed)
    {
        _root = root;
        _nodes = nodes;
        _content = content;
        _claimed = claimed;
    }

    /// <summary>A content and its outboard.</summary>
    /// <param name="tree">The content's length as it is claimed, and the size of the groups.</param>
    public static BaoEncoding Outboard(BlobHash root, BaoTree tree, IByteSource outboard, IByteSource content) =>
        new(root, outboard, content, tree);

    /// <summary>The combined encoding of the specification: nodes and chunks of 1 KiB in one.</summary>
    public static BaoEncoding Combined(BlobHash root, IByteSource combined) => new(root, combined, combined, null);

    /// <summary>
    /// The slice of <paramref name="count"/> bytes from <paramref name="offset"/> on, as the specification has it: with
    /// chunks of 1 KiB, whatever the groups here. Of all bytes it is the combined encoding. Reading it throws
    /// <see cref="BaoException"/> where the content or a node is damaged, after at most the bytes before.
    /// </summary>
    /// <param name="offset">May be past the end: the slice then proves where the end is.</param>
    /// <param name="count">May reach past the end. None count as one.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is negative.</exception>
    public Stream OpenSlice(long offset, long count) => Open(offset, count, true);

    /// <summary>
    /// The bytes of that range, verified. The end of the stream is the end of the range or, once that is verified, of
    /// the content. Reading throws <see cref="BaoException"/> where the content or a node is damaged, after the groups
    /// before.
    /// </summary>
    /// <inheritdoc cref="OpenSlice"/>
    public Stream OpenContent(long offset, long count) => Open(offset, count, false);

    private BaoEncodingStream Open(long offset, long count, bool slice)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return new BaoEncodingStream(this, offset, count, slice);
    }

    /// <summary>The tree that the length header claims.</summary>
    internal BaoTree ReadTree()
    {
        Span<byte> header = stackalloc byte[BaoTree.HeaderBytes];
        var complete = _nodes.Read(0, header) == header.Length;
        var length = BinaryPrimitives.ReadInt64LittleEndian(header);
        return !complete || length < 0 || (_claimed is { } claimed && claimed.Length != length)
            ? throw new BaoException(_root, new BaoFault(BaoPart.Nodes, 0))
            : _claimed ?? new BaoTree(length, 0);
    }

    internal BaoNode Root(BaoTree tree) => BaoNode.Root(tree.Groups, _root);

    internal void ReadParent(BaoNode node, Span<byte> parent, out BaoNode left, out BaoNode right)
    {
        var offset = node.OutboardOffset + InlineContent(node);
        if (_nodes.Read(offset, parent) != parent.Length || !node.TryOpen(parent, out left, out right))
        {
            throw new BaoException(_root, new BaoFault(BaoPart.Nodes, offset));
        }
    }

    /// <summary>Reads a group's bytes, not verified yet.</summary>
    internal void ReadGroup(BaoTree tree, BaoNode group, Span<byte> content)
    {
        var offset = _claimed is null ? group.OutboardOffset + InlineContent(group) : tree.GroupOffset(group.First);
        if (_content.Read(offset, content) != content.Length)
        {
            throw DamagedGroup(tree, group);
        }
    }

    internal BaoException DamagedGroup(BaoTree tree, BaoNode group) =>
        new(_root, new BaoFault(BaoPart.Content, tree.GroupOffset(group.First)));

    /// <summary>How much content comes before a node in the combined encoding; there is none in an outboard.</summary>
    private long InlineContent(BaoNode node) => _claimed is null ? node.First * Blake3Core.ChunkBytes : 0;
}
