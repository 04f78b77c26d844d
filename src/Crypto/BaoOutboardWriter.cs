using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace MeshLedger.Crypto;

/// <summary>
/// Hashes content of any length as it comes, and leaves its outboard (see <see cref="BaoTree"/>) in a stream, in memory
/// that does not grow with the content. Not safe for several threads at once.
/// </summary>
/// <remarks>
/// Pre-order needs the root first, which is known last. So the values of the groups, 32 bytes each, are put down at the
/// beginning of the outboard meanwhile, and the parents are made of them from right to left: the parents of the subtree
/// that begins with group f stand at byte 64 f or later, and overwrite no value left of it, which all stand before
/// byte 32 f.
/// </remarks>
public sealed class BaoOutboardWriter
{
    /// <summary>Groups whose values are at hand at once; their parents are 64 KiB.</summary>
    private const int BlockGroups = 1024;

    /// <summary>Groups that are hashed at once on one thread; on all cores it is a block.</summary>
    private const int SerialBatch = 64;

    private const int ContentBytes = 256 * 1024;

    private readonly Stream _outboard;
    private readonly int _groupLog;
    private readonly int _groupBytes;
    private readonly byte[] _content;
    private readonly byte[] _values = new byte[BlockGroups * 32];
    private byte[]? _batch;
    private int _contentLength;
    private int _valuesLength;
    private long _groups;
    private long _length;
    private bool _finished;

    /// <param name="outboard">Where the outboard comes to stand, from byte 0 on: read, written and sought in, cut to
    /// its length at the end, and left open. What is in it before <see cref="Finish"/> returns is no outboard.</param>
    /// <param name="groupLog">A group has 2^<paramref name="groupLog"/> chunks of 1024 bytes.</param>
    /// <exception cref="ArgumentException">The stream cannot do that, or there are no such groups.</exception>
    public BaoOutboardWriter(Stream outboard, int groupLog = BaoTree.BlobGroupLog)
    {
        if (!outboard.CanSeek || !outboard.CanRead || !outboard.CanWrite)
        {
            throw new ArgumentException("Expected a stream that can be read, written and sought in.", nameof(outboard));
        }

        _outboard = outboard;
        _groupLog = groupLog;
        _groupBytes = new BaoTree(0, groupLog).GroupBytes;
        _content = new byte[Math.Max(_groupBytes, ContentBytes)];
    }

    /// <summary>Adds content, on the caller's thread alone.</summary>
    public void Update(ReadOnlySpan<byte> content) => Update(content, false);

    /// <summary>Adds content, hashing it on all cores where there is enough of it: pieces of 1 MiB and more.</summary>
    public void UpdateParallel(ReadOnlySpan<byte> content) => Update(content, true);

    /// <summary>Writes the outboard of everything that was added, and ends the writer.</summary>
    /// <returns>The content's name and length.</returns>
    /// <exception cref="IOException">The outboard cannot be written.</exception>
    public (BlobHash Hash, long Length) Finish()
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        _finished = true;
        var rest = _content.AsSpan(0, _contentLength);
        var whole = rest.IsEmpty ? 0 : (rest.Length - 1) / _groupBytes * _groupBytes;
        AddGroups(rest[..whole], false);
        var last = rest[whole..];
        var alone = _groups == 0;
        Span<byte> value = stackalloc byte[32];
        Blake3Tree.Value(Blake3Mode.Plain, last, (ulong)_groups << _groupLog, alone).CopyTo(value);
        AddValues(value);
        if (!alone)
        {
            var parents = new byte[BaoTree.ParentBytes * (int)Math.Min(_groups - 1, BlockGroups - 1)];
            WriteSubtree(0, _groups, 0, parents).CopyTo(value);
        }

        Span<byte> header = stackalloc byte[BaoTree.HeaderBytes];
        BinaryPrimitives.WriteInt64LittleEndian(header, _length);
        _outboard.Position = 0;
        _outboard.Write(header);
        _outboard.SetLength(new BaoTree(_length, _groupLog).OutboardBytes);
        return (new BlobHash(value), _length);
    }

    private void Update(ReadOnlySpan<byte> content, bool parallel)
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        _length = checked(_length + content.Length);
        while (!content.IsEmpty)
        {
            // A full buffer is hashed only when more comes: what it ends with may be the last group, and the root.
            if (_contentLength == _content.Length)
            {
                AddGroups(_content, false);
                _contentLength = 0;
            }

            if (_contentLength == 0 && content.Length > _content.Length)
            {
                var whole = (content.Length - 1) / _groupBytes * _groupBytes;
                AddGroups(content[..whole], parallel);
                content = content[whole..];
            }

            var take = Math.Min(content.Length, _content.Length - _contentLength);
            content[..take].CopyTo(_content.AsSpan(_contentLength));
            _contentLength += take;
            content = content[take..];
        }
    }

    /// <summary>Whole groups that are not the root.</summary>
    private void AddGroups(ReadOnlySpan<byte> groups, bool parallel)
    {
        _batch ??= parallel ? new byte[BlockGroups * 32] : null;
        Span<byte> few = stackalloc byte[SerialBatch * 32];
        var values = parallel ? _batch : few;
        var batch = values.Length / 32 * _groupBytes;
        while (!groups.IsEmpty)
        {
            var take = Math.Min(batch, groups.Length);
            var some = values[..(take / _groupBytes * 32)];
            Blake3Tree.Values(
                Blake3Mode.Plain, groups[..take], (ulong)_groups << _groupLog, _groupLog, some, parallel);
            AddValues(some);
            groups = groups[take..];
        }
    }

    private void AddValues(ReadOnlySpan<byte> values)
    {
        while (!values.IsEmpty)
        {
            if (_valuesLength == _values.Length)
            {
                _outboard.Position = 32 * (_groups - BlockGroups);
                _outboard.Write(_values);
                _valuesLength = 0;
            }

            var take = Math.Min(values.Length, _values.Length - _valuesLength);
            values[..take].CopyTo(_values.AsSpan(_valuesLength));
            _valuesLength += take;
            _groups += take / 32;
            values = values[take..];
        }
    }

    private Vector256<byte> WriteSubtree(long first, long groups, long index, byte[] parents)
    {
        var isRoot = groups == _groups;
        if (groups <= BlockGroups)
        {
            // A subtree of one block or less begins with the block, since larger ones are cut at multiples of it.
            var values = _values.AsSpan(0, (int)groups * 32);
            if (first + groups < _groups)
            {
                _outboard.Position = 32 * first;
                _outboard.ReadExactly(values);
            }

            var preorder = parents.AsSpan(0, BaoTree.ParentBytes * ((int)groups - 1));
            var value = BaoParents.Build(values, preorder, isRoot);
            Write(index, preorder);
            return value;
        }

        Span<byte> own = stackalloc byte[BaoTree.ParentBytes];
        var left = BaoTree.LeftOf(groups);
        WriteSubtree(first + left, groups - left, index + left, parents).CopyTo(own[32..]);
        WriteSubtree(first, left, index + 1, parents).CopyTo(own);
        Write(index, own);
        return Blake3Tree.ParentValue(Blake3Mode.Plain, own, isRoot);
    }

    private void Write(long index, ReadOnlySpan<byte> parents)
    {
        _outboard.Position = BaoTree.HeaderBytes + (BaoTree.ParentBytes * index);
        _outboard.Write(parents);
    }
}
