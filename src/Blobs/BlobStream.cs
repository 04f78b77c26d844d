using System.Buffers.Binary;
using MeshLedger.Crypto;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Blobs;

/// <summary>
/// A blob's content, verified as it is read: group by group of 16 KiB against the outboard, and that against the name.
/// Damage is told by <see cref="BlobDamagedException"/> once all bytes before it were handed out; the blob is in
/// quarantine then. Not safe for several threads at once; any number of streams may be open.
/// </summary>
public sealed class BlobStream : Stream
{
    /// <summary>How much is read from disk and verified at once.</summary>
    internal const int WindowBytes = 256 * 1024;

    private readonly BlobStore _store;
    private readonly byte[] _window;
    private SafeFileHandle _content;
    private SafeFileHandle? _outboard;
    private BaoVerifier _verifier;
    private long _position;
    private long _windowStart;
    private int _windowLength;
    private bool _wasMended;

    private BlobStream(BlobStore store, BlobHash hash, SafeFileHandle content, long length)
    {
        _store = store;
        Hash = hash;
        _content = content;
        Length = length;
        _window = GC.AllocateUninitializedArray<byte>((int)Math.Min(WindowBytes, length));
        _verifier = null!;
    }

    internal static BlobStream Open(BlobStore store, BlobHash hash)
    {
        var path = store.Files.PathOf(hash);
        SafeFileHandle content;
        try
        {
            content = OpenFile(path);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BlobNotFoundException(hash);
        }

        var stream = new BlobStream(store, hash, content, RandomAccess.GetLength(content));
        try
        {
            stream.OpenOutboard();
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public BlobHash Hash { get; }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length { get; }

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty || _position >= Length)
        {
            return 0;
        }

        if (_position < _windowStart || _position >= _windowStart + _windowLength)
        {
            Fill(_position / BaoGroupBytes);
        }

        var count = Math.Min(buffer.Length, (int)(_windowStart + _windowLength - _position));
        _window.AsSpan((int)(_position - _windowStart), count).CopyTo(buffer);
        _position += count;
        return count;
    }

    /// <summary>The verified bytes from the position on, as many as are at hand; at least one but at the end. They stay
    /// until the next call of anything here. Moves the position past them.</summary>
    internal ReadOnlyMemory<byte> ReadWindow(long most)
    {
        if (_position >= Length)
        {
            return default;
        }

        if (_position < _windowStart || _position >= _windowStart + _windowLength)
        {
            Fill(_position / BaoGroupBytes);
        }

        var count = (int)Math.Min(most, _windowStart + _windowLength - _position);
        var found = _window.AsMemory((int)(_position - _windowStart), count);
        _position += count;
        return found;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => checked(_position + offset),
        _ => checked(Length + offset),
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>The content and the outboard, for a slice. Only while the stream is open.</summary>
    internal BaoEncoding Encoding => BaoEncoding.Outboard(Hash, _verifier.Tree, Nodes, ByteSource.Of(_content));

    /// <summary>The outboard, not verified. Only while the stream is open.</summary>
    internal IByteSource Nodes => _outboard is null ? ByteSource.Of(Header) : ByteSource.Of(_outboard);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _content.Dispose();
            _outboard?.Dispose();
        }

        base.Dispose(disposing);
    }

    private static int BaoGroupBytes => new BaoTree(0).GroupBytes;

    internal static SafeFileHandle OpenFile(string path) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    private void OpenOutboard()
    {
        var tree = new BaoTree(Length);
        _outboard?.Dispose();
        _outboard = null;
        if (tree.Groups > 1)
        {
            try
            {
                _outboard = OpenFile(_store.Files.OutboardOf(Hash));
            }
            catch (FileNotFoundException) when (!_wasMended)
            {
                Mend();
                return;
            }
            catch (FileNotFoundException)
            {
                // The blob was removed meanwhile.
                throw new BlobNotFoundException(Hash);
            }
        }

        _verifier = new BaoVerifier(Hash, tree, Nodes);
        if (Length == 0)
        {
            // Nobody will read it, so it is verified here.
            Fill(0);
        }
    }

    private byte[] Header
    {
        get
        {
            var header = new byte[BaoTree.HeaderBytes];
            BinaryPrimitives.WriteInt64LittleEndian(header, Length);
            return header;
        }
    }

    private void Fill(long group)
    {
        var start = group * BaoGroupBytes;
        var wanted = (int)Math.Min(_window.Length, Length - start);
        _windowLength = 0;
        var bytes = _window.AsSpan(0, wanted);
        var found = ByteSource.Of(_content).Read(start, bytes);
        bytes[found..].Clear();
        if (_verifier.Verify(group, bytes, out var fault))
        {
            (_windowStart, _windowLength) = (start, wanted);
            return;
        }

        if (fault.Part == BaoPart.Content && fault.Offset > start)
        {
            // What comes before it is right.
            (_windowStart, _windowLength) = (start, (int)(fault.Offset - start));
            return;
        }

        if (fault.Part == BaoPart.Nodes && !_wasMended)
        {
            Mend();
            Fill(group);
            return;
        }

        throw Damaged(fault.Part == BaoPart.Content ? fault.Offset : start);
    }

    /// <summary>Makes the outboard anew, if the content is what its name says.</summary>
    private void Mend()
    {
        _wasMended = true;
        using var temporary = _store.Files.NewTemporary();
        BlobHash hash;
        using (var outboard = new FileStream(temporary.Create("outboard"), FileAccess.ReadWrite, bufferSize: 0))
        {
            var writer = new BaoOutboardWriter(outboard);
            var buffer = GC.AllocateUninitializedArray<byte>(4 * WindowBytes);
            for (var at = 0L; at < Length;)
            {
                var count = RandomAccess.Read(_content, buffer, at);
                if (count == 0)
                {
                    break;
                }

                writer.UpdateParallel(buffer.AsSpan(0, count));
                at += count;
            }

            (hash, _) = writer.Finish();
            outboard.Flush(flushToDisk: true);
        }

        if (hash != Hash)
        {
            throw Damaged(FirstDamage());
        }

        _store.Files.ReplaceOutboard(Hash, Path.Combine(temporary.Path, "outboard"), _content);
        OpenOutboard();
    }

    /// <summary>Where the damage begins, as far as the outboard tells for the length that it has.</summary>
    private long FirstDamage()
    {
        Span<byte> header = stackalloc byte[BaoTree.HeaderBytes];
        if (_outboard is null || RandomAccess.Read(_outboard, header, 0) != header.Length
            || BinaryPrimitives.ReadInt64LittleEndian(header) is not (>= 0 and var length))
        {
            return 0;
        }

        var tree = new BaoTree(length);
        var verifier = new BaoVerifier(Hash, tree, ByteSource.Of(_outboard));
        var group = new byte[tree.GroupBytes];
        for (var i = 0L; i < tree.Groups; i++)
        {
            var bytes = group.AsSpan(0, tree.GroupLength(i));
            if (ByteSource.Of(_content).Read(tree.GroupOffset(i), bytes) < bytes.Length
                || !verifier.Verify(i, bytes, out _))
            {
                return tree.GroupOffset(i);
            }
        }

        // All that was promised is there, and more.
        return length;
    }

    private BlobDamagedException Damaged(long offset)
    {
        _store.Files.MoveToQuarantine(Hash, _content);
        _store.TellQuarantined(Hash);
        return new BlobDamagedException(Hash, offset);
    }
}
