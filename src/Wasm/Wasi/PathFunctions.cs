using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>The path_* functions. Each path belongs to a directory that the guest has open, and cannot lead out of
/// it.</summary>
internal sealed class PathFunctions(WasiHost host)
{
    private const uint FollowLinks = 1;

    public Errno CreateDirectory(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        var errno = Walk(ref call, 0, 1, Rights.PathCreateDirectory, follow: false, out var walk);
        using (walk)
        {
            return errno != Errno.Success ? errno
                : walk!.Name is null || walk.Found is not null ? Errno.Exist
                : walk.Parent.CreateDirectory(walk.Name, now);
        }
    }

    public Errno FilestatGet(ref WasiCall call)
    {
        var errno = Walk(ref call, 0, 2, Rights.PathFilestatGet, call.U32(1) == FollowLinks, out var walk);
        using (walk)
        {
            return errno != Errno.Success ? errno
                : walk!.Found is not { } found ? Errno.Noent
                : (errno = found.Stat(out var stat)) != Errno.Success ? errno : call.Put(4, stat);
        }
    }

    public Errno FilestatSetTimes(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        if (!NewTimes.TryRead(call.U64(4), call.U64(5), call.U32(6), now, out var times))
        {
            return Errno.Inval;
        }
        var errno = Walk(ref call, 0, 2, Rights.PathFilestatSetTimes, call.U32(1) == FollowLinks, out var walk);
        using (walk)
        {
            return errno != Errno.Success ? errno : walk!.Found is { } found ? found.SetTimes(times, now) : Errno.Noent;
        }
    }

    public Errno Link(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        var errno = Walk(ref call, 0, 2, Rights.PathLinkSource, call.U32(1) == FollowLinks, out var from);
        using (from)
        {
            if (errno != Errno.Success)
            {
                return errno;
            }
            errno = Walk(ref call, 4, 5, Rights.PathLinkTarget, follow: false, out var to);
            using (to)
            {
                return errno != Errno.Success ? errno
                    : from!.Found is null ? Errno.Noent
                    : from.Name is null || from.Found is DirectoryNode ? Errno.Perm
                    : to!.Name is null || to.Found is not null ? Errno.Exist
                    : to.WantsDirectory ? Errno.Noent
                    : from.Parent.Link(from.Name, to.Parent, to.Name, now);
            }
        }
    }

    public Errno Open(ref WasiCall call)
    {
        var (open, rights, inheriting) = (call.U32(4), (Rights)call.U64(5), (Rights)call.U64(6));
        var flags = call.U32(7);
        if (open > (uint)OpenFlags.All || flags > (uint)DescriptorFlags.All)
        {
            return Errno.Inval;
        }
        if (!call.CanPut(8, 4))
        {
            return Errno.Fault;
        }
        var now = host.Clock.Real(call.FuelUsed);
        var request = new OpenRequest((OpenFlags)open, (DescriptorFlags)flags, rights, now);
        if (host.Descriptors.Find(call.U32(0)) is { } directory
            && request.Open.HasFlag(OpenFlags.Create) && !directory.May(Rights.PathCreateFile))
        {
            return Errno.Notcapable;
        }
        var follow = call.U32(1) == FollowLinks && !request.Open.HasFlag(OpenFlags.Exclusive);
        var errno = Walk(ref call, 0, 2, Rights.PathOpen, follow, out var walk);
        using (walk)
        {
            if (errno != Errno.Success)
            {
                return errno;
            }
            if (host.Descriptors.IsFull)
            {
                return Errno.Mfile;
            }
            if ((errno = Opened(walk!, request, out var node)) != Errno.Success)
            {
                return errno;
            }
            var most = host.Descriptors.Find(call.U32(0))!.Inheriting;
            var possible = node is DirectoryNode ? Rights.OfDirectory : Rights.OfFile;
            var descriptor = new Descriptor(node!, rights & most & possible, inheriting & most, request.Flags);
            host.Descriptors.TryAdd(descriptor, out var number);
            return call.Put(8, number);
        }
    }

    public Errno Readlink(ref WasiCall call)
    {
        var errno = Walk(ref call, 0, 1, Rights.PathReadlink, follow: false, out var walk);
        using (walk)
        {
            if (errno != Errno.Success || walk!.Found is not LinkNode link)
            {
                return errno != Errno.Success ? errno : walk!.Found is null ? Errno.Noent : Errno.Inval;
            }
            var target = Encoding.UTF8.GetBytes(link.Target);
            var length = Math.Min(call.U32(4), (uint)target.Length);
            if (!call.TryBytes(call.U32(3), length, out var to))
            {
                return Errno.Fault;
            }
            target.AsSpan(0, (int)length).CopyTo(to);
            return call.Put(5, length);
        }
    }

    public Errno RemoveDirectory(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        var errno = Walk(ref call, 0, 1, Rights.PathRemoveDirectory, follow: false, out var walk);
        using (walk)
        {
            return errno != Errno.Success ? errno : walk!.Name is null ? Errno.Inval
                : walk.Parent.RemoveDirectory(walk.Name, now);
        }
    }

    public Errno Rename(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        var errno = Walk(ref call, 0, 1, Rights.PathRenameSource, follow: false, out var from);
        using (from)
        {
            if (errno != Errno.Success)
            {
                return errno;
            }
            errno = Walk(ref call, 3, 4, Rights.PathRenameTarget, follow: false, out var to);
            using (to)
            {
                if (from!.Found is MemoryDirectory)
                {
                    // What lies below it is looked through for how deep it is.
                    call.Charge(64L * host.Memory.Nodes);
                }
                return errno != Errno.Success ? errno
                    : from.Name is null || to!.Name is null ? Errno.Busy
                    : from.Found is null ? Errno.Noent
                    : to.WantsDirectory && from.Found is not DirectoryNode ? Errno.Notdir
                    : from.Parent.Rename(from.Name, to.Parent, to.Name, now);
            }
        }
    }

    public Errno Symlink(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        if (call.Path(0, out var target) is var errno and not Errno.Success)
        {
            return errno;
        }
        errno = Walk(ref call, 2, 3, Rights.PathSymlink, follow: false, out var walk);
        using (walk)
        {
            return errno != Errno.Success ? errno
                // No path can follow it.
                : target.StartsWith('/') ? Errno.Perm
                : walk!.Name is null || walk.Found is not null ? Errno.Exist
                : walk.WantsDirectory ? Errno.Noent
                : walk.Parent.CreateLink(walk.Name, target, now);
        }
    }

    public Errno UnlinkFile(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        var errno = Walk(ref call, 0, 1, Rights.PathUnlinkFile, follow: false, out var walk);
        using (walk)
        {
            return errno != Errno.Success ? errno : walk!.Name is null ? Errno.Isdir
                : walk.Parent.RemoveFile(walk.Name, now);
        }
    }

    private readonly record struct OpenRequest(
        OpenFlags Open, DescriptorFlags Flags, Rights Rights, ulong Now)
    {
        public bool Has(OpenFlags flag) => (Open & flag) != 0;
    }

    /// <summary>Opens or creates what was walked to.</summary>
    private static Errno Opened(PathWalk walk, OpenRequest request, out Node? node)
    {
        node = null;
        switch (walk.Found)
        {
            case null when !request.Has(OpenFlags.Create):
                return Errno.Noent;
            case null when walk.WantsDirectory:
                return Errno.Isdir;
            case null when request.Has(OpenFlags.Directory):
                return Errno.Inval;
            case null:
                var errno = walk.Parent.CreateFile(walk.Name!, request.Now, out var created);
                node = created;
                return errno;
            case not null when request.Has(OpenFlags.Create) && request.Has(OpenFlags.Exclusive):
                return Errno.Exist;
            case LinkNode:
                return Errno.Loop;
            case DirectoryNode directory:
                node = directory;
                var writes = request.Rights.HasFlag(Rights.FdWrite) && !request.Has(OpenFlags.Directory);
                return writes || request.Has(OpenFlags.Truncate | OpenFlags.Create) ? Errno.Isdir : Errno.Success;
            case FileNode when request.Has(OpenFlags.Directory):
                return Errno.Notdir;
            case FileNode file:
                var truncates = request.Has(OpenFlags.Truncate);
                errno = file.Open(request.Rights.HasFlag(Rights.FdWrite) || truncates, out var opened);
                if (errno == Errno.Success && truncates && (errno = opened.SetSize(0, request.Now)) != Errno.Success)
                {
                    opened.Acquire();
                    opened.Release();
                }
                node = opened;
                return errno;
            default:
                return Errno.Notsup;
        }
    }

    private Errno Walk(
        ref WasiCall call, int descriptorSlot, int pathSlot, Rights needed, bool follow, out PathWalk? walk)
    {
        walk = null;
        if (host.Descriptors.Find(call.U32(descriptorSlot)) is not { } descriptor)
        {
            return Errno.Badf;
        }
        if (descriptor.Node is not DirectoryNode start)
        {
            return Errno.Notdir;
        }
        if (!descriptor.May(needed))
        {
            return Errno.Notcapable;
        }
        return call.Path(pathSlot, out var path) is var errno and not Errno.Success ? errno
            : PathWalk.Begin(start, path, follow, out walk);
    }
}
