using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>A directory in memory, its names in ordinal order.</summary>
internal sealed class MemoryDirectory(MemoryFileSystem system, ulong inode, ulong created) : DirectoryNode, IMemoryNode
{
    private readonly SortedDictionary<string, Node> _entries = new(StringComparer.Ordinal);

    public MemoryNodeState State { get; } = new(system, inode, created);

    public bool IsRoot { get; init; }

    /// <summary>Null for a root, and for a directory that was removed while it was open.</summary>
    public MemoryDirectory? Parent { get; private set; }

    public IReadOnlyDictionary<string, Node> Entries => _entries;

    public override bool ReadOnly => State.System.ReadOnly;

    private bool IsRemoved => Parent is null && !IsRoot;

    public override Errno Stat(out FileStat stat)
    {
        stat = State.Stat(Type, 0);
        return Errno.Success;
    }

    public override Errno SetTimes(NewTimes times, ulong now) => State.Set(times, now);

    public override Errno Find(string name, out Node? node) =>
        _entries.TryGetValue(name, out node) ? Errno.Success : Errno.Noent;

    public override Errno List(out DirectoryEntry[] entries)
    {
        entries = new DirectoryEntry[_entries.Count];
        var at = 0;
        foreach (var (name, node) in _entries)
        {
            entries[at++] = new DirectoryEntry(name, ((IMemoryNode)node).State.Inode, node.Type);
        }
        return Errno.Success;
    }

    public override Errno CreateFile(string name, ulong now, out FileNode? file)
    {
        file = null;
        if (CanAdd(name) is var errno and not Errno.Success
            || (errno = State.System.Enter(out var inode)) != Errno.Success)
        {
            return errno;
        }
        Attach(name, file = new MemoryFile(State.System, inode, now));
        State.Touch(now);
        return Errno.Success;
    }

    public override Errno CreateDirectory(string name, ulong now)
    {
        if (CanAdd(name) is var errno and not Errno.Success)
        {
            return errno;
        }
        if (Depth() >= WasiLimits.Depth)
        {
            return Errno.Nametoolong;
        }
        if ((errno = State.System.Enter(out var inode)) == Errno.Success)
        {
            Attach(name, new MemoryDirectory(State.System, inode, now));
            State.Touch(now);
        }
        return errno;
    }

    public override Errno CreateLink(string name, string target, ulong now)
    {
        if (CanAdd(name) is var errno and not Errno.Success)
        {
            return errno;
        }
        var bytes = Encoding.UTF8.GetByteCount(target);
        if (State.System.Room(bytes) < bytes)
        {
            return Errno.Nospc;
        }
        if ((errno = State.System.Enter(out var inode)) == Errno.Success)
        {
            State.System.Take(bytes);
            Attach(name, new MemoryLink(State.System, inode, now, target));
            State.Touch(now);
        }
        return errno;
    }

    public override Errno RemoveFile(string name, ulong now)
    {
        if (ReadOnly)
        {
            return Errno.Rofs;
        }
        if (!_entries.TryGetValue(name, out var node))
        {
            return Errno.Noent;
        }
        if (node is MemoryDirectory)
        {
            return Errno.Isdir;
        }
        Detach(name, now);
        return Errno.Success;
    }

    public override Errno RemoveDirectory(string name, ulong now)
    {
        if (ReadOnly)
        {
            return Errno.Rofs;
        }
        if (!_entries.TryGetValue(name, out var node))
        {
            return Errno.Noent;
        }
        if (node is not MemoryDirectory directory)
        {
            return Errno.Notdir;
        }
        if (directory._entries.Count > 0)
        {
            return Errno.Notempty;
        }
        Detach(name, now);
        return Errno.Success;
    }

    public override Errno Rename(string name, DirectoryNode to, string newName, ulong now)
    {
        if (ReadOnly || to.ReadOnly)
        {
            return Errno.Rofs;
        }
        if (to is not MemoryDirectory target || target.State.System != State.System)
        {
            return Errno.Xdev;
        }
        if (!_entries.TryGetValue(name, out var node) || target.IsRemoved)
        {
            return Errno.Noent;
        }
        target._entries.TryGetValue(newName, out var replaced);
        if (replaced == node)
        {
            return Errno.Success;
        }
        if (node is MemoryDirectory moved)
        {
            for (var above = target; above is not null; above = above.Parent)
            {
                if (above == moved)
                {
                    return Errno.Inval;
                }
            }
            if (replaced is not null and not MemoryDirectory)
            {
                return Errno.Notdir;
            }
            if (replaced is MemoryDirectory { _entries.Count: > 0 })
            {
                return Errno.Notempty;
            }
            if (target.Depth() + moved.Height() > WasiLimits.Depth)
            {
                return Errno.Nametoolong;
            }
        }
        else if (replaced is MemoryDirectory)
        {
            return Errno.Isdir;
        }
        if (replaced is not null)
        {
            target.Detach(newName, now);
        }
        _entries.Remove(name);
        ((IMemoryNode)node).State.Names--;
        target.Attach(newName, node);
        State.Touch(now);
        target.State.Touch(now);
        ((IMemoryNode)node).State.Changed = now;
        return Errno.Success;
    }

    public override Errno Link(string name, DirectoryNode to, string newName, ulong now)
    {
        if (ReadOnly || to.ReadOnly)
        {
            return Errno.Rofs;
        }
        if (to is not MemoryDirectory target || target.State.System != State.System)
        {
            return Errno.Xdev;
        }
        if (!_entries.TryGetValue(name, out var node))
        {
            return Errno.Noent;
        }
        if (node is MemoryDirectory)
        {
            return Errno.Perm;
        }
        if (target.CanAdd(newName) is var errno and not Errno.Success)
        {
            return errno;
        }
        // A name takes memory like a node; there is one limit for both.
        if ((errno = State.System.EnterName()) != Errno.Success)
        {
            return errno;
        }
        target.Attach(newName, node);
        target.State.Touch(now);
        ((IMemoryNode)node).State.Changed = now;
        return Errno.Success;
    }

    public override void Acquire() => State.Open++;

    public override void Release()
    {
        State.Open--;
        if (State.IsGone && IsRemoved)
        {
            State.System.Leave();
        }
    }

    /// <summary>Names a node without asking whether that may be.</summary>
    public void Attach(string name, Node node)
    {
        _entries.Add(name, node);
        ((IMemoryNode)node).State.Names++;
        if (node is MemoryDirectory directory)
        {
            directory.Parent = this;
        }
    }

    /// <summary>How many directories are above it; 0 for a root.</summary>
    public int Depth()
    {
        var depth = 0;
        for (var above = Parent; above is not null; above = above.Parent)
        {
            depth++;
        }
        return depth;
    }

    // Directories are at most WasiLimits.Depth deep, so this does not go deeper.
    private int Height()
    {
        var height = 0;
        foreach (var node in _entries.Values)
        {
            height = node is MemoryDirectory directory ? Math.Max(height, directory.Height()) : height;
        }
        return height + 1;
    }

    private Errno CanAdd(string name) =>
        ReadOnly ? Errno.Rofs : IsRemoved ? Errno.Noent : _entries.ContainsKey(name) ? Errno.Exist : Errno.Success;

    private void Detach(string name, ulong now)
    {
        _entries.Remove(name, out var node);
        var state = ((IMemoryNode)node!).State;
        state.Names--;
        state.Changed = now;
        State.Touch(now);
        switch (node)
        {
            case MemoryFile file:
                if (state.Names > 0)
                {
                    State.System.Leave();
                }
                else
                {
                    file.FreeIfGone();
                }
                break;
            case MemoryDirectory directory:
                directory.Parent = null;
                if (state.IsGone)
                {
                    State.System.Leave();
                }
                break;
            case MemoryLink link:
                if (state.Names > 0)
                {
                    State.System.Leave();
                }
                else
                {
                    State.System.Take(-link.Length);
                    State.System.Leave();
                }
                break;
            default:
                break;
        }
    }
}
