namespace MeshLedger.Wasm.Wasi;

/// <summary>Anything that a descriptor can stand for.</summary>
internal abstract class Node
{
    public abstract FileType Type { get; }

    public abstract Errno Stat(out FileStat stat);

    public virtual Errno SetTimes(NewTimes times, ulong now) => Errno.Notsup;

    public virtual Errno Sync(bool dataOnly) => Errno.Success;

    /// <summary>A descriptor has begun to stand for it.</summary>
    public virtual void Acquire()
    {
    }

    /// <summary>A descriptor, or the walk that found it, needs it no more.</summary>
    public virtual void Release()
    {
    }
}

/// <summary>What has bytes. Offsets are below 2^63.</summary>
internal abstract class FileNode : Node
{
    public override FileType Type => FileType.RegularFile;

    /// <summary>False for what goes by without being asked: it has a position of its own, and offsets mean
    /// nothing.</summary>
    public virtual bool Seekable => true;

    /// <summary>Gives what is to be read and written: the node itself, unless the host has to open something for
    /// it.</summary>
    public virtual Errno Open(bool write, out FileNode opened)
    {
        opened = this;
        return Errno.Success;
    }

    /// <summary>Reads up to the end of the file; 0 is the end.</summary>
    public abstract Errno Read(long offset, Span<byte> to, out int count);

    /// <summary>Writes as much as there is room for, at least a byte unless there are none to write.</summary>
    public abstract Errno Write(long offset, ReadOnlySpan<byte> from, ulong now, out int count);

    public abstract Errno SetSize(long size, ulong now);
}

/// <summary>What refers to another path, relative to the directory that it is in.</summary>
internal abstract class LinkNode : Node
{
    public override FileType Type => FileType.SymbolicLink;

    public abstract string Target { get; }
}

/// <summary>One line of a directory.</summary>
internal readonly record struct DirectoryEntry(string Name, ulong Inode, FileType Type);

/// <summary>
/// What has names. A name is one component that is neither "." nor ".."; nothing here follows links or goes up.
/// </summary>
internal abstract class DirectoryNode : Node
{
    public override FileType Type => FileType.Directory;

    /// <summary>True if nothing below it may be changed: opening for writing is refused before anything is looked
    /// up.</summary>
    public abstract bool ReadOnly { get; }

    /// <summary>The node with a name, or <see cref="Errno.Noent"/>.</summary>
    public abstract Errno Find(string name, out Node? node);

    /// <summary>All names, in ordinal order.</summary>
    public abstract Errno List(out DirectoryEntry[] entries);

    /// <summary>Creates a file that must not be there yet, and opens it.</summary>
    public abstract Errno CreateFile(string name, ulong now, out FileNode? file);

    public abstract Errno CreateDirectory(string name, ulong now);

    public abstract Errno CreateLink(string name, string target, ulong now);

    public abstract Errno RemoveFile(string name, ulong now);

    public abstract Errno RemoveDirectory(string name, ulong now);

    /// <summary>Gives what has a name another, replacing what had that one.</summary>
    public abstract Errno Rename(string name, DirectoryNode to, string newName, ulong now);

    /// <summary>Gives a file another name beside its own.</summary>
    public abstract Errno Link(string name, DirectoryNode to, string newName, ulong now);
}
