using System.Buffers.Binary;

namespace MeshLedger.Crypto;

/// <summary>
/// Decodes an encoding of the specification (chunks of 1 KiB) as it arrives from someone whom nobody vouches for. The
/// streams opened here hand out verified bytes only. They throw <see cref="BaoException"/> at the first node or chunk
/// that is not right or not there, and end only where the range ends or, once the last chunk is verified, the content:
/// a length that is a lie is never seen. Memory does not depend on the length. The streams they read stay open, and are
/// read no further than to the end of the encoding.
/// </summary>
public static class BaoDecoder
{
    /// <summary>All of the content of a combined encoding.</summary>
    public static Stream Combined(BlobHash root, Stream combined) => Slice(root, combined, 0, long.MaxValue);

    /// <summary>All of the content beside an outboard.</summary>
    public static Stream Outboard(BlobHash root, Stream outboard, Stream content) =>
        new BaoDecoderStream(root, outboard, content, 0, long.MaxValue);

    /// <summary>The content of a slice, which must be of this very range.</summary>
    /// <param name="offset">May be past the end: the stream is then empty, and the end proved.</param>
    /// <param name="count">May reach past the end.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is negative.</exception>
    public static Stream Slice(BlobHash root, Stream slice, long offset, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return new BaoDecoderStream(root, slice, null, offset, count);
    }
}

/// <summary>Asks for what comes next, a node or up to 16 whole chunks with the nodes over them, and verifies
/// it.</summary>
internal sealed class BaoDecoderStream(BlobHash root, Stream nodes, Stream? content, long offset, long count)
    : ForwardStream
{
    private const int BatchLog = 4;
    private const int BatchChunks = 1 << BatchLog;
    private const int BatchParents = (BatchChunks - 1) * BaoTree.ParentBytes;

    private readonly BaoPath _path = new();
    private readonly byte[] _nodes = new byte[BatchParents + (BatchChunks * Blake3Core.ChunkBytes)];
    private readonly byte[] _content = new byte[BatchChunks * Blake3Core.ChunkBytes];
    private readonly byte[] _values = new byte[BatchChunks * 32];
    private readonly byte[] _parents = new byte[BatchParents];
    private BaoTree _tree;
    private BaoRange _range;
    private BaoNode _next;
    private Memory<byte> _ready;
    private BaoException? _fault;
    private long _nodesRead;
    private bool _started;
    private bool _asked;
    private bool _ended;

    public override int Read(Span<byte> buffer)
    {
        while (_ready.IsEmpty && !buffer.IsEmpty && Ask(out var nodeBytes, out var contentBytes))
        {
            var nodesCame = nodes.ReadAtLeast(_nodes.AsSpan(0, nodeBytes), nodeBytes, false);
            var contentCame = content?.ReadAtLeast(_content.AsSpan(0, contentBytes), contentBytes, false) ?? 0;
            Take(nodeBytes, nodesCame == nodeBytes, content is null || contentCame == contentBytes);
        }

        return HandOut(buffer);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_ready.IsEmpty && !buffer.IsEmpty && Ask(out var nodeBytes, out var contentBytes))
        {
            var nodesCame = await nodes
                .ReadAtLeastAsync(_nodes.AsMemory(0, nodeBytes), nodeBytes, false, cancellationToken)
                .ConfigureAwait(false);
            var contentCame = content is null ? 0 : await content
                .ReadAtLeastAsync(_content.AsMemory(0, contentBytes), contentBytes, false, cancellationToken)
                .ConfigureAwait(false);
            Take(nodeBytes, nodesCame == nodeBytes, content is null || contentCame == contentBytes);
        }

        return HandOut(buffer.Span);
    }

    private int HandOut(Span<byte> buffer)
    {
        var take = Math.Min(buffer.Length, _ready.Length);
        _ready.Span[..take].CopyTo(buffer);
        _ready = _ready[take..];
        return take;
    }

    /// <summary>How many bytes of each stream come next; false at the end.</summary>
    private bool Ask(out int nodeBytes, out int contentBytes)
    {
        (nodeBytes, contentBytes) = (BaoTree.HeaderBytes, 0);
        if (_fault is not null)
        {
            throw _fault;
        }

        if (_asked)
        {
            throw new IOException("An earlier read of this encoding failed or was cancelled; what it took is lost.");
        }

        if (!_started || _ended)
        {
            _asked = !_ended;
            return _asked;
        }

        do
        {
            if (_path.Count == 0)
            {
                _ended = true;
                return false;
            }

            _next = _path.Pop();
        }
        while (!_range.Touches(First(_next), Bytes(_next)));

        nodeBytes = BaoTree.ParentBytes;
        if (IsBatch(_next))
        {
            contentBytes = (int)Bytes(_next);
            nodeBytes = (BaoTree.ParentBytes * ((int)_next.Leaves - 1)) + (content is null ? contentBytes : 0);
        }

        _asked = true;
        return true;
    }

    private void Take(int nodeBytes, bool nodesComplete, bool contentComplete)
    {
        _asked = false;
        var at = _nodesRead;
        _nodesRead += nodeBytes;
        if (!nodesComplete)
        {
            throw Refuse(BaoPart.Nodes, at);
        }

        if (!_started)
        {
            Start();
        }
        else if (IsBatch(_next))
        {
            TakeBatch(at, contentComplete);
        }
        else if (_next.TryOpen(_nodes.AsSpan(0, BaoTree.ParentBytes), out var left, out var right))
        {
            _path.Push(right);
            _path.Push(left);
        }
        else
        {
            throw Refuse(BaoPart.Nodes, at);
        }
    }

    private void Start()
    {
        var length = BinaryPrimitives.ReadInt64LittleEndian(_nodes);
        if (length < 0)
        {
            throw Refuse(BaoPart.Nodes, 0);
        }

        _tree = new BaoTree(length, 0);
        _range = new BaoRange(offset, count, length);
        _path.Push(BaoNode.Root(_tree.Groups, root));
        _started = true;
    }

    private void TakeBatch(long at, bool contentComplete)
    {
        var bytes = _content.AsMemory(0, (int)Bytes(_next));
        var parents = _nodes.AsSpan(0, BaoTree.ParentBytes * ((int)_next.Leaves - 1));
        if (content is null)
        {
            Separate(_nodes, bytes.Span, _parents);
            _parents.AsSpan(0, parents.Length).CopyTo(parents);
        }

        var value = contentComplete
            ? BaoParents.OfContent(bytes.Span, (ulong)_next.First, _next.IsRoot, _values, _parents)
            : default;
        if (value != _next.Value)
        {
            throw Refuse(BaoPart.Content, First(_next));
        }

        // The content is right, and so are the parents made of it; those that came must be the same.
        if (!parents.SequenceEqual(_parents.AsSpan(0, parents.Length)))
        {
            throw Refuse(BaoPart.Nodes, at);
        }

        _ready = _range.Part(bytes, First(_next));
    }

    /// <summary>Takes chunks and parents, which come in one pre-order, apart. Returns how many bytes it took.</summary>
    private static int Separate(ReadOnlySpan<byte> encoded, Span<byte> content, Span<byte> parents)
    {
        if (content.Length <= Blake3Core.ChunkBytes)
        {
            encoded[..content.Length].CopyTo(content);
            return content.Length;
        }

        var left = (int)BaoTree.LeftOf(new BaoTree(content.Length, 0).Groups);
        var leftBytes = left * Blake3Core.ChunkBytes;
        encoded[..BaoTree.ParentBytes].CopyTo(parents);
        var taken = BaoTree.ParentBytes;
        taken += Separate(encoded[taken..], content[..leftBytes], parents[BaoTree.ParentBytes..]);
        return taken + Separate(encoded[taken..], content[leftBytes..], parents[(BaoTree.ParentBytes * left)..]);
    }

    private static long First(BaoNode node) => node.First * Blake3Core.ChunkBytes;

    private long Bytes(BaoNode node) => _tree.BytesOf(node.First, node.Leaves);

    /// <summary>A chunk, or a few that are all in the slice.</summary>
    private bool IsBatch(BaoNode node) =>
        node.IsLeaf || (node.Leaves <= BatchChunks && _range.Covers(First(node), Bytes(node)));

    private BaoException Refuse(BaoPart part, long at) => _fault = new BaoException(root, new BaoFault(part, at));
}
