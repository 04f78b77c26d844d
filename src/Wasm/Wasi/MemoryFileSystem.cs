namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// Files, directories and links in memory, with what they may take in all. Inodes are numbered in the order of
/// creation, so that the same guest sees the same numbers everywhere.
/// </summary>
internal sealed class MemoryFileSystem(ulong device, long bytes, ulong created, bool readOnly)
{
    public ulong Device { get; } = device;

    /// <summary>What the nodes that are there from the start have as their times.</summary>
    public ulong Created { get; } = created;

    public bool ReadOnly { get; } = readOnly;

    public long BytesLimit { get; } = bytes;

    public long BytesUsed { get; private set; }

    public int Nodes { get; private set; }

    public ulong NextInode { get; private set; } = 1;

    /// <summary>How many of so many bytes there is room for.</summary>
    public long Room(long wanted) => Math.Min(wanted, BytesLimit - BytesUsed);

    public void Take(long count) => BytesUsed += count;

    /// <summary>Makes a number for another node, or says that there are too many.</summary>
    public Errno Enter(out ulong inode)
    {
        inode = NextInode;
        if (Nodes >= WasiLimits.Nodes && !ReadOnly)
        {
            return Errno.Nospc;
        }
        Nodes++;
        NextInode++;
        return Errno.Success;
    }

    /// <summary>Counts a further name of a node, which takes memory as a node does.</summary>
    public Errno EnterName()
    {
        if (Nodes >= WasiLimits.Nodes)
        {
            return Errno.Nospc;
        }
        Nodes++;
        return Errno.Success;
    }

    public void Leave() => Nodes--;

    /// <summary>Goes on counting from a saved state.</summary>
    public void Restore(int nodes, ulong nextInode) => (Nodes, NextInode) = (nodes, nextInode);

    public MemoryDirectory Root()
    {
        Enter(out var inode);
        return new MemoryDirectory(this, inode, Created) { IsRoot = true };
    }

    public MemoryDirectory AddDirectory(MemoryDirectory parent, string name)
    {
        Enter(out var inode);
        var directory = new MemoryDirectory(this, inode, Created);
        parent.Attach(name, directory);
        return directory;
    }
}

/// <summary>What the nodes in memory have in common: a number, times, and how often they are named and open.</summary>
internal sealed class MemoryNodeState(MemoryFileSystem system, ulong inode, ulong created)
{
    public MemoryFileSystem System { get; } = system;

    public ulong Inode { get; } = inode;

    public ulong Accessed { get; set; } = created;

    public ulong Modified { get; set; } = created;

    public ulong Changed { get; set; } = created;

    public int Names { get; set; }

    public int Open { get; set; }

    /// <summary>Neither named nor open: its bytes are free again.</summary>
    public bool IsGone => Names == 0 && Open == 0;

    public void Touch(ulong now) => (Modified, Changed) = (now, now);

    public Errno Set(NewTimes times, ulong now)
    {
        if (System.ReadOnly)
        {
            return Errno.Rofs;
        }
        (Accessed, Modified, Changed) = (times.Accessed ?? Accessed, times.Modified ?? Modified, now);
        return Errno.Success;
    }

    public FileStat Stat(FileType type, long size) =>
        new(System.Device, Inode, type, (ulong)Math.Max(Names, 1), (ulong)size, Accessed, Modified, Changed);
}

/// <summary>A node that its file system counts, saves and frees.</summary>
internal interface IMemoryNode
{
    MemoryNodeState State { get; }
}
