namespace MeshLedger.Wasm.Wasi;

/// <summary>A file under /in: read by offset from whatever the job was given, never changed.</summary>
internal sealed class InputFile(MemoryFileSystem system, ulong inode, GuestInput input) : FileNode, IMemoryNode
{
    private Stream? _stream;

    public MemoryNodeState State { get; } = new(system, inode, system.Created);

    public override Errno Stat(out FileStat stat)
    {
        stat = State.Stat(Type, input.Length);
        return Errno.Success;
    }

    public override Errno Open(bool write, out FileNode opened)
    {
        opened = this;
        return write ? Errno.Rofs : Errno.Success;
    }

    public override Errno Read(long offset, Span<byte> to, out int count)
    {
        count = 0;
        var part = to[..(int)Math.Clamp(input.Length - offset, 0, to.Length)];
        if (part.IsEmpty)
        {
            return Errno.Success;
        }
        try
        {
            _stream ??= input.Open();
            if (_stream.Position != offset)
            {
                _stream.Position = offset;
            }
            _stream.ReadExactly(part);
        }
        catch (IOException error)
        {
            // Not an errno: the guest would go on with an answer that another run of the job would not get.
            throw new IOException($"The input {input.Path} could not be read: {error.Message}", error);
        }
        count = part.Length;
        return Errno.Success;
    }

    public override Errno Write(long offset, ReadOnlySpan<byte> from, ulong now, out int count)
    {
        count = 0;
        return Errno.Rofs;
    }

    public override Errno SetSize(long size, ulong now) => Errno.Rofs;

    public override Errno SetTimes(NewTimes times, ulong now) => Errno.Rofs;

    public override void Acquire() => State.Open++;

    public override void Release()
    {
        if (--State.Open == 0)
        {
            _stream?.Dispose();
            _stream = null;
        }
    }
}
