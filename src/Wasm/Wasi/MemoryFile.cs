namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// A file in memory, in chunks of 4 KiB of which those that were never written are not there. It counts with its
/// length, holes included.
/// </summary>
internal sealed class MemoryFile(MemoryFileSystem system, ulong inode, ulong created) : FileNode, IMemoryNode
{
    public const int ChunkBytes = 4_096;

    private byte[]?[] _chunks = [];

    public MemoryNodeState State { get; } = new(system, inode, created);

    public long Length { get; private set; }

    public int ChunkCount => (int)((Length + ChunkBytes - 1) / ChunkBytes);

    public override Errno Stat(out FileStat stat)
    {
        stat = State.Stat(Type, Length);
        return Errno.Success;
    }

    public override Errno SetTimes(NewTimes times, ulong now) => State.Set(times, now);

    public override Errno Read(long offset, Span<byte> to, out int count)
    {
        count = (int)Math.Clamp(Length - offset, 0, to.Length);
        for (var done = 0; done < count;)
        {
            var (index, at) = Math.DivRem(offset + done, ChunkBytes);
            var part = to[done..Math.Min(count, done + ChunkBytes - (int)at)];
            if (_chunks[index] is { } chunk)
            {
                chunk.AsSpan((int)at, part.Length).CopyTo(part);
            }
            else
            {
                part.Clear();
            }
            done += part.Length;
        }
        return Errno.Success;
    }

    public override Errno Write(long offset, ReadOnlySpan<byte> from, ulong now, out int count)
    {
        count = 0;
        if (from.IsEmpty)
        {
            return Errno.Success;
        }
        if (offset > long.MaxValue - from.Length)
        {
            return Errno.Fbig;
        }
        var grown = Math.Max(offset + from.Length - Length, 0);
        var missing = grown - State.System.Room(grown);
        if (missing >= from.Length)
        {
            return Errno.Nospc;
        }
        count = from.Length - (int)missing;
        Resize(Math.Max(Length, offset + count));
        for (var done = 0; done < count;)
        {
            var (index, at) = Math.DivRem(offset + done, ChunkBytes);
            var part = from[done..Math.Min(count, done + ChunkBytes - (int)at)];
            part.CopyTo((_chunks[index] ??= new byte[ChunkBytes]).AsSpan((int)at));
            done += part.Length;
        }
        State.Touch(now);
        return Errno.Success;
    }

    public override Errno SetSize(long size, ulong now)
    {
        var grown = Math.Max(size - Length, 0);
        if (State.System.Room(grown) < grown)
        {
            return Errno.Nospc;
        }
        Resize(size);
        State.Touch(now);
        return Errno.Success;
    }

    public override void Acquire() => State.Open++;

    public override void Release()
    {
        State.Open--;
        FreeIfGone();
    }

    public void FreeIfGone()
    {
        if (State.IsGone)
        {
            Resize(0);
            State.System.Leave();
        }
    }

    public byte[] Content()
    {
        var content = new byte[Length];
        Read(0, content, out _);
        return content;
    }

    /// <summary>The bytes of a chunk that are part of the file, empty where all are zero.</summary>
    public ReadOnlySpan<byte> Chunk(int index)
    {
        if (_chunks[index] is not { } chunk)
        {
            return default;
        }
        var bytes = chunk.AsSpan(0, (int)Math.Min(ChunkBytes, Length - ((long)index * ChunkBytes)));
        return bytes.ContainsAnyExcept((byte)0) ? bytes : default;
    }

    private void Resize(long size)
    {
        State.System.Take(size - Length);
        var chunks = (int)((size + ChunkBytes - 1) / ChunkBytes);
        if (chunks > _chunks.Length)
        {
            Array.Resize(ref _chunks, Math.Max(chunks, Math.Min(_chunks.Length * 2, Array.MaxLength / 16)));
        }
        else if (size < Length)
        {
            _chunks.AsSpan(chunks).Clear();
            if (chunks > 0 && size % ChunkBytes != 0)
            {
                // What lies behind the end must be zero when the file grows again.
                _chunks[chunks - 1]?.AsSpan((int)(size % ChunkBytes)).Clear();
            }
            if (chunks * 4 < _chunks.Length)
            {
                Array.Resize(ref _chunks, chunks);
            }
        }
        Length = size;
    }
}

/// <summary>A symbolic link in memory. Its target counts like a file's bytes.</summary>
internal sealed class MemoryLink(MemoryFileSystem system, ulong inode, ulong created, string target)
    : LinkNode, IMemoryNode
{
    public MemoryNodeState State { get; } = new(system, inode, created);

    public override string Target { get; } = target;

    public int Length { get; } = System.Text.Encoding.UTF8.GetByteCount(target);

    public override Errno Stat(out FileStat stat)
    {
        stat = State.Stat(Type, Length);
        return Errno.Success;
    }

    public override Errno SetTimes(NewTimes times, ulong now) => State.Set(times, now);
}
