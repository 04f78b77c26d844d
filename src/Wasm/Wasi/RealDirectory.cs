using System.Text;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// A directory of the host, reached by an open descriptor only. Every name is one component and is never followed
/// (O_NOFOLLOW), so that nobody who changes the directory meanwhile can lead the guest out of it. Linux only.
/// </summary>
internal sealed class RealDirectory(SafeFileHandle handle, bool writable) : DirectoryNode
{
    /// <summary>Names of one directory that a guest may list.</summary>
    private const int MostNames = 65_536;

    private int _holders;

    public override bool ReadOnly => !writable;

    /// <summary>Opens a configured directory; links in its own path are the configuration's business and are
    /// followed.</summary>
    public static RealDirectory Open(GuestDirectory directory)
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new PlatformNotSupportedException("Real directories are given to guests on Linux only.");
        }
        var opened = Libc.Open(directory.HostPath, Libc.Directory | Libc.CloseOnExec, 0);
        return opened < 0
            ? throw new DirectoryNotFoundException(
                $"The directory {directory.HostPath} cannot be opened: {Libc.LastError()}.")
            : new RealDirectory(new SafeFileHandle(opened, ownsHandle: true), directory.Writable);
    }

    public override Errno Stat(out FileStat stat) => Libc.Stat(handle, "", out stat);

    public override Errno SetTimes(NewTimes times, ulong now) =>
        writable ? Libc.SetTimes(handle, null, times) : Errno.Rofs;

    public override Errno Sync(bool dataOnly) => Libc.Check(Libc.Sync(handle));

    public override Errno Find(string name, out Node? node)
    {
        node = null;
        if (Libc.Stat(handle, name, out var stat) is var errno and not Errno.Success)
        {
            return errno;
        }
        switch (stat.Type)
        {
            case FileType.Directory:
                var opened = Libc.OpenAt(handle, name, Libc.Directory | Libc.NoFollow | Libc.CloseOnExec, 0);
                if (opened < 0)
                {
                    return Libc.LastError();
                }
                node = new RealDirectory(new SafeFileHandle(opened, ownsHandle: true), writable);
                return Errno.Success;
            case FileType.SymbolicLink:
                Span<byte> target = stackalloc byte[WasiLimits.PathBytes + 1];
                var length = (int)Libc.ReadLinkAt(handle, name, target, (nuint)target.Length);
                if (length < 0)
                {
                    return Libc.LastError();
                }
                node = new RealLink(handle, name, stat, Encoding.UTF8.GetString(target[..length]), writable);
                return length > WasiLimits.PathBytes ? Errno.Nametoolong : Errno.Success;
            default:
                node = new RealFile(handle, name, stat, writable);
                return Errno.Success;
        }
    }

    public override Errno List(out DirectoryEntry[] entries)
    {
        entries = [];
        if (Libc.List(handle, MostNames) is not { } all)
        {
            return Errno.Overflow;
        }
        all.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        entries = [.. all];
        return Errno.Success;
    }

    public override Errno CreateFile(string name, ulong now, out FileNode? file)
    {
        file = null;
        if (!writable)
        {
            return Errno.Rofs;
        }
        var flags = Libc.ReadWrite | Libc.Create | Libc.Exclusive | Libc.NoFollow | Libc.CloseOnExec;
        var opened = Libc.OpenAt(handle, name, flags, 0x1b6);
        if (opened < 0)
        {
            return Libc.LastError();
        }
        file = new RealFile(new SafeFileHandle(opened, ownsHandle: true), writable);
        return Errno.Success;
    }

    public override Errno CreateDirectory(string name, ulong now) =>
        writable ? Libc.Check(Libc.MakeDirectoryAt(handle, name, 0x1ff)) : Errno.Rofs;

    public override Errno CreateLink(string name, string target, ulong now) =>
        !writable ? Errno.Rofs
        // Not for the guest's sake, who could not follow it, but for whoever reads the directory afterwards.
        : target.StartsWith('/') || target.Split('/').Contains("..") ? Errno.Perm
        : Libc.Check(Libc.SymbolicLinkAt(target, handle, name));

    public override Errno RemoveFile(string name, ulong now) =>
        writable ? Libc.Check(Libc.UnlinkAt(handle, name, 0)) : Errno.Rofs;

    public override Errno RemoveDirectory(string name, ulong now) =>
        writable ? Libc.Check(Libc.UnlinkAt(handle, name, Libc.AtRemoveDirectory)) : Errno.Rofs;

    public override Errno Rename(string name, DirectoryNode to, string newName, ulong now) =>
        !writable || to.ReadOnly ? Errno.Rofs
        : to is RealDirectory target ? Libc.Check(Libc.RenameAt(handle, name, target.Handle, newName)) : Errno.Xdev;

    public override Errno Link(string name, DirectoryNode to, string newName, ulong now) =>
        !writable || to.ReadOnly ? Errno.Rofs
        : to is RealDirectory target ? Libc.Check(Libc.LinkAt(handle, name, target.Handle, newName, 0)) : Errno.Xdev;

    public override void Acquire() => _holders++;

    public override void Release()
    {
        if (--_holders == 0)
        {
            handle.Dispose();
        }
    }

    private SafeFileHandle Handle => handle;
}

/// <summary>A symbolic link of the host, as it was when it was looked up.</summary>
internal sealed class RealLink(SafeFileHandle directory, string name, FileStat found, string target, bool writable)
    : LinkNode
{
    public override string Target => target;

    public override Errno Stat(out FileStat stat)
    {
        stat = found;
        return Errno.Success;
    }

    public override Errno SetTimes(NewTimes times, ulong now) =>
        writable ? Libc.SetTimes(directory, name, times) : Errno.Rofs;
}
