using MeshLedger.Crypto;

namespace MeshLedger.Worker.Handlers;

/// <summary>Hashes what is written to it, and keeps nothing.</summary>
internal sealed class HashingStream : Stream
{
    private readonly Blake3Hasher _hasher = new();
    private long _length;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _length;

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException();
    }

    public BlobHash Finish() => _hasher.Finish();

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _hasher.Update(buffer);
        _length += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
