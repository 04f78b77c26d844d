using System.Buffers.Binary;

namespace MeshLedger.Crypto;

/// <summary>
/// A range of an encoding, group after group: the verified content, or the slice with the nodes above it.
/// </summary>
internal sealed class BaoEncodingStream(BaoEncoding encoding, long offset, long count, bool slice) : ForwardStream
{
    private readonly BaoPath _path = new();
    private BaoTree _tree;
    private BaoRange _range;
    private byte[] _content = [];
    private byte[] _slice = [];
    private byte[] _values = [];
    private byte[] _parents = [];
    private Memory<byte> _ready;
    private int _sliceLength;
    private bool _started;

    public override int Read(Span<byte> buffer)
    {
        while (_ready.IsEmpty && !buffer.IsEmpty)
        {
            if (!_started)
            {
                Start();
            }
            else if (_path.Count == 0)
            {
                return 0;
            }
            else
            {
                Step(_path.Peek());
            }
        }

        var take = Math.Min(buffer.Length, _ready.Length);
        _ready.Span[..take].CopyTo(buffer);
        _ready = _ready[take..];
        return take;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    private void Start()
    {
        _tree = encoding.ReadTree();
        _range = new BaoRange(offset, count, _tree.Length);
        var bytes = (int)Math.Min(_tree.GroupBytes, _tree.Length);
        var chunks = (int)new BaoTree(bytes, 0).Groups;
        _content = new byte[bytes];
        if (slice)
        {
            _values = new byte[32 * chunks];
            _parents = new byte[BaoTree.ParentBytes * (chunks - 1)];
            _slice = new byte[bytes + _parents.Length + BaoTree.ParentBytes];
            BinaryPrimitives.WriteInt64LittleEndian(_slice, _tree.Length);
            _ready = _slice.AsMemory(0, BaoTree.HeaderBytes);
        }

        _path.Push(encoding.Root(_tree));
        _started = true;
    }

    /// <summary>Leaves the node on the path until it is dealt with: reading again after a fault is the same
    /// fault.</summary>
    private void Step(BaoNode node)
    {
        var first = _tree.GroupOffset(node.First);
        if (!_range.Touches(first, _tree.BytesOf(node.First, node.Leaves)))
        {
            _path.Pop();
            return;
        }

        if (!node.IsLeaf)
        {
            Span<byte> parent = stackalloc byte[BaoTree.ParentBytes];
            encoding.ReadParent(node, parent, out var left, out var right);
            _path.Pop();
            _path.Push(right);
            _path.Push(left);
            if (slice)
            {
                parent.CopyTo(_slice);
                _ready = _slice.AsMemory(0, BaoTree.ParentBytes);
            }

            return;
        }

        var content = _content.AsMemory(0, _tree.GroupLength(node.First));
        encoding.ReadGroup(_tree, node, content.Span);
        var chunk = (ulong)node.First << _tree.GroupLog;
        var value = slice
            ? BaoParents.OfContent(content.Span, chunk, node.IsRoot, _values, _parents)
            : Blake3Tree.Value(Blake3Mode.Plain, content.Span, chunk, node.IsRoot);
        if (value != node.Value)
        {
            throw encoding.DamagedGroup(_tree, node);
        }

        _path.Pop();
        if (!slice)
        {
            _ready = _range.Part(content, first);
            return;
        }

        _sliceLength = 0;
        AddToSlice(content.Span, first, _parents);
        _ready = _slice.AsMemory(0, _sliceLength);
    }

    /// <summary>What the slice has of a verified subtree: its parents in pre-order, and its chunks between
    /// them.</summary>
    private void AddToSlice(ReadOnlySpan<byte> content, long first, ReadOnlySpan<byte> parents)
    {
        if (!_range.Touches(first, content.Length))
        {
            return;
        }

        if (content.Length <= Blake3Core.ChunkBytes)
        {
            Append(content);
            return;
        }

        var left = (int)BaoTree.LeftOf(new BaoTree(content.Length, 0).Groups);
        var leftBytes = left * Blake3Core.ChunkBytes;
        Append(parents[..BaoTree.ParentBytes]);
        AddToSlice(content[..leftBytes], first, parents[BaoTree.ParentBytes..]);
        AddToSlice(content[leftBytes..], first + leftBytes, parents[(BaoTree.ParentBytes * left)..]);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_slice.AsSpan(_sliceLength));
        _sliceLength += bytes.Length;
    }
}
