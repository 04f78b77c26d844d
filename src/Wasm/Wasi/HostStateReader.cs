namespace MeshLedger.Wasm.Wasi;

/// <summary>Puts a saved state into a host that was just made. Trusts nothing: see <see cref="HostState"/> for what is
/// expected.</summary>
internal static class HostStateReader
{
    private const int LeastNodeBytes = 8 + 1 + 24 + 2;
    private const int LeastDescriptorBytes = 4 + 1 + 8 + 8 + 2 + 8 + 8 + 2 + 4;

    /// <summary>Throws <see cref="FormatException"/> for a state that is damaged or of other options; the host is of no
    /// use then.</summary>
    public static void Restore(WasiHost host, ReadOnlySpan<byte> saved)
    {
        var from = new StateReader(saved);
        if (!from.Bytes(4).SequenceEqual("MLWH"u8) || from.U32() != HostState.Version)
        {
            throw new FormatException($"This is no saved state of WASI of version {HostState.Version}.");
        }
        if (!from.Bytes(32).SequenceEqual(HostState.DigestOf(host.Options)))
        {
            throw new FormatException("The saved state is of a guest with other options.");
        }
        if (!host.Clock.Restore(from.U64()))
        {
            throw from.Refuse("a shorter sleep");
        }
        host.Random.Position = from.U64();
        var position = from.I64();
        host.Input.Position = position <= host.Input.Length ? (int)position : throw from.Refuse("a place in stdin");
        foreach (var stream in new[] { host.Output, host.Error })
        {
            var dropped = from.I64();
            if (!stream.Restore(from.Bytes(from.Count(1)), dropped))
            {
                throw from.Refuse("a stream within its limit");
            }
        }
        var nodes = Nodes(ref from, host);
        Descriptors(ref from, host, nodes);
        if (!from.AtEnd)
        {
            throw from.Refuse("the end");
        }
        if (nodes.Values.Any(node => node.State.IsGone && node is not MemoryDirectory { IsRoot: true }))
        {
            throw from.Refuse("each node to be named or open");
        }
    }

    private static Dictionary<ulong, IMemoryNode> Nodes(ref StateReader from, WasiHost host)
    {
        var nextInode = from.U64();
        var count = from.Count(LeastNodeBytes);
        var nodes = new Dictionary<ulong, IMemoryNode>
        {
            [host.Scratch.State.Inode] = host.Scratch,
            [host.Outputs.State.Inode] = host.Outputs,
        };
        var entries = new List<(MemoryDirectory Directory, string Name, ulong Inode)>();
        ulong last = 0;
        for (var i = 0; i < count; i++)
        {
            var inode = from.U64();
            if (inode <= last || inode >= nextInode || (i < 2 && inode != (ulong)i + 1))
            {
                throw from.Refuse("the next inode");
            }
            last = inode;
            Node(ref from, host, nodes, inode, entries);
        }
        var extra = Attach(ref from, nodes, entries);
        if (count < 2 || count + extra > WasiLimits.Nodes)
        {
            throw from.Refuse("a number of files within the limit");
        }
        host.Memory.Restore(count + extra, nextInode);
        return nodes;
    }

    private static void Node(
        ref StateReader from, WasiHost host, Dictionary<ulong, IMemoryNode> nodes, ulong inode,
        List<(MemoryDirectory, string, ulong)> entries)
    {
        var type = (FileType)from.U8();
        var (accessed, modified, changed) = (from.U64(), from.U64(), from.U64());
        nodes.TryGetValue(inode, out var node);
        if (node is not null && type != FileType.Directory)
        {
            throw from.Refuse("a directory");
        }
        switch (type)
        {
            case FileType.Directory:
                var directory = node as MemoryDirectory ?? new MemoryDirectory(host.Memory, inode, changed);
                node = directory;
                var count = from.Count(2 + 8);
                string? before = null;
                for (var i = 0; i < count; i++)
                {
                    var name = from.Text();
                    if (!InputTree.IsName(name) || string.CompareOrdinal(before, name) >= 0)
                    {
                        throw from.Refuse("the next name");
                    }
                    before = name;
                    entries.Add((directory, name, from.U64()));
                }
                break;
            case FileType.RegularFile:
                node = File(ref from, new MemoryFile(host.Memory, inode, changed));
                break;
            case FileType.SymbolicLink:
                var link = new MemoryLink(host.Memory, inode, changed, from.Text());
                if (link.Length is 0 or > WasiLimits.PathBytes || link.Target.StartsWith('/')
                    || link.Target.Contains('\0', StringComparison.Ordinal)
                    || host.Memory.Room(link.Length) < link.Length)
                {
                    throw from.Refuse("a link's target within the limit");
                }
                host.Memory.Take(link.Length);
                node = link;
                break;
            default:
                throw from.Refuse("the type of a node");
        }
        (node.State.Accessed, node.State.Modified, node.State.Changed) = (accessed, modified, changed);
        nodes[inode] = node;
    }

    private static MemoryFile File(ref StateReader from, MemoryFile file)
    {
        if (file.SetSize(from.I64(), 0) != Errno.Success)
        {
            throw from.Refuse("a file for which there is room");
        }
        var chunks = from.Count(4 + 1);
        long next = 0;
        for (var i = 0; i < chunks; i++)
        {
            var index = from.U32();
            if (index < next || index >= file.ChunkCount)
            {
                throw from.Refuse("the next chunk");
            }
            next = index + 1L;
            var offset = index * (long)MemoryFile.ChunkBytes;
            var bytes = from.Bytes((int)Math.Min(MemoryFile.ChunkBytes, file.Length - offset));
            if (!bytes.ContainsAnyExcept((byte)0))
            {
                throw from.Refuse("a chunk that is not zero");
            }
            file.Write(offset, bytes, 0, out _);
        }
        return file;
    }

    /// <summary>Gives the nodes their names. Returns how many more names than one each the files have.</summary>
    private static int Attach(
        ref StateReader from, Dictionary<ulong, IMemoryNode> nodes,
        List<(MemoryDirectory Directory, string Name, ulong Inode)> entries)
    {
        var extra = 0;
        foreach (var (directory, name, inode) in entries)
        {
            if (!nodes.TryGetValue(inode, out var node) || node is MemoryDirectory { IsRoot: true }
                || (node is MemoryDirectory && node.State.Names > 0))
            {
                throw from.Refuse($"the name '{name}' to have a node of its own");
            }
            extra += node.State.Names > 0 ? 1 : 0;
            directory.Attach(name, (Node)node);
        }
        foreach (var node in nodes.Values)
        {
            // A directory in a cycle has no end above it, and one that was removed no entries.
            var above = node as MemoryDirectory;
            for (var depth = 0; above?.Parent is not null; above = above.Parent)
            {
                if (++depth > WasiLimits.Depth)
                {
                    throw from.Refuse("directories within the limit of depth");
                }
            }
            if (above is { IsRoot: false, Entries.Count: > 0 })
            {
                throw from.Refuse("a removed directory to be empty");
            }
        }
        return extra;
    }

    private static void Descriptors(ref StateReader from, WasiHost host, Dictionary<ulong, IMemoryNode> nodes)
    {
        host.Descriptors.Dispose();
        var inputs = new Dictionary<ulong, Node>();
        Collect(host.Inputs, inputs);
        var count = from.Count(LeastDescriptorBytes);
        long last = -1;
        for (var i = 0; i < count; i++)
        {
            var number = from.U32();
            if (number <= last || number >= WasiLimits.Descriptors)
            {
                throw from.Refuse("the next descriptor");
            }
            last = number;
            var (kind, inode) = (from.U8(), from.U64());
            Node? node = kind switch
            {
                0 when inode == 0 => host.Input,
                1 when inode == 0 => host.Output,
                2 when inode == 0 => host.Error,
                3 => nodes.GetValueOrDefault(inode) as Node,
                4 => inputs.GetValueOrDefault(inode),
                5 when inode is >= 3 && inode < (ulong)host.Preopens.Length => host.Preopens[inode].Node,
                _ => null,
            };
            var (offset, flags) = (from.I64(), from.U16());
            var (rights, inheriting, preopen) = ((Rights)from.U64(), (Rights)from.U64(), from.U16());
            if (node is null or LinkNode || flags > (ushort)DescriptorFlags.All || (rights & ~Rights.All) != 0
                || (preopen > 0 && (preopen > host.Preopens.Length || host.Preopens[preopen - 1].Node != node)))
            {
                throw from.Refuse("a descriptor of something that is there");
            }
            var descriptor = new Descriptor(node, rights, inheriting, (DescriptorFlags)flags)
            {
                Offset = offset,
                Preopen = preopen == 0 ? null : preopen - 1,
            };
            host.Descriptors.Put(number, descriptor);
            if (!host.Descriptors.SetListing(descriptor, Listing(ref from)))
            {
                throw from.Refuse("fewer names");
            }
        }
    }

    private static DirectoryEntry[]? Listing(ref StateReader from)
    {
        var names = from.U32();
        if (names == 0)
        {
            return null;
        }
        if (names - 1 > WasiLimits.ListedNames)
        {
            throw from.Refuse("fewer names");
        }
        var listing = new List<DirectoryEntry>();
        for (var i = 1; i < names; i++)
        {
            listing.Add(new DirectoryEntry(from.Text(), from.U64(), (FileType)from.U8()));
        }
        return [.. listing];
    }

    private static void Collect(MemoryDirectory directory, Dictionary<ulong, Node> found)
    {
        found.Add(directory.State.Inode, directory);
        foreach (var node in directory.Entries.Values)
        {
            if (node is MemoryDirectory below)
            {
                Collect(below, found);
            }
            else
            {
                found.Add(((IMemoryNode)node).State.Inode, node);
            }
        }
    }
}
