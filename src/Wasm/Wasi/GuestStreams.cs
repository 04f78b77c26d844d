namespace MeshLedger.Wasm.Wasi;

/// <summary>Standard input: read once from the start to the end.</summary>
internal sealed class InputStream(ReadOnlyMemory<byte> content) : FileNode
{
    public override FileType Type => FileType.Unknown;

    public override bool Seekable => false;

    public int Position { get; set; }

    public int Left => content.Length - Position;

    public int Length => content.Length;

    public override Errno Stat(out FileStat stat)
    {
        stat = new FileStat(0, 0, Type, 1, 0, 0, 0, 0);
        return Errno.Success;
    }

    public override Errno Read(long offset, Span<byte> to, out int count)
    {
        count = Math.Min(to.Length, Left);
        content.Span.Slice(Position, count).CopyTo(to);
        Position += count;
        return Errno.Success;
    }

    public override Errno Write(long offset, ReadOnlySpan<byte> from, ulong now, out int count)
    {
        count = 0;
        return Errno.Badf;
    }

    public override Errno SetSize(long size, ulong now) => Errno.Inval;
}

/// <summary>Standard output or error: kept up to a limit. The guest is not told of what is dropped; the caller
/// is.</summary>
internal sealed class OutputStream(long limit) : FileNode
{
    private byte[] _bytes = [];
    private int _length;

    public override FileType Type => FileType.Unknown;

    public override bool Seekable => false;

    public ReadOnlyMemory<byte> Content => _bytes.AsMemory(0, _length);

    public long Dropped { get; private set; }

    private int Limit { get; } = (int)Math.Clamp(limit, 0, Array.MaxLength);

    public override Errno Stat(out FileStat stat)
    {
        stat = new FileStat(0, 0, Type, 1, 0, 0, 0, 0);
        return Errno.Success;
    }

    public override Errno Read(long offset, Span<byte> to, out int count)
    {
        count = 0;
        return Errno.Badf;
    }

    public override Errno Write(long offset, ReadOnlySpan<byte> from, ulong now, out int count)
    {
        count = from.Length;
        var kept = Math.Min(from.Length, Limit - _length);
        if (_length + kept > _bytes.Length)
        {
            var room = Math.Max(_length + kept, Math.Min((long)_bytes.Length * 2, Limit));
            Array.Resize(ref _bytes, (int)Math.Min(Math.Max(room, 256), Math.Max(Limit, _length + kept)));
        }
        from[..kept].CopyTo(_bytes.AsSpan(_length));
        _length += kept;
        Dropped += from.Length - kept;
        return Errno.Success;
    }

    public override Errno SetSize(long size, ulong now) => Errno.Inval;

    /// <summary>Sets what was written before; false if it is more than may be kept.</summary>
    public bool Restore(ReadOnlySpan<byte> content, long dropped)
    {
        if (content.Length > Limit || dropped < 0)
        {
            return false;
        }
        (_bytes, _length, Dropped) = (content.ToArray(), content.Length, dropped);
        return true;
    }
}
