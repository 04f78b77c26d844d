using System.Buffers.Binary;
using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>The fd_* functions about descriptors themselves and the names in directories; and sock_*, of which there
/// are none.</summary>
internal sealed class DescriptorFunctions(WasiHost host)
{
    private const int FdstatBytes = 24;
    private const int DirentBytes = 24;

    public Errno Close(ref WasiCall call) => host.Descriptors.Close(call.U32(0));

    public Errno Renumber(ref WasiCall call) => host.Descriptors.Renumber(call.U32(0), call.U32(1));

    public Errno FdstatGet(ref WasiCall call)
    {
        if (host.Descriptors.Find(call.U32(0)) is not { } descriptor)
        {
            return Errno.Badf;
        }
        if (!call.TryBytes(call.U32(1), FdstatBytes, out var to))
        {
            return Errno.Fault;
        }
        to.Clear();
        to[0] = (byte)descriptor.Node.Type;
        BinaryPrimitives.WriteUInt16LittleEndian(to[2..], (ushort)descriptor.Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], (ulong)descriptor.Rights);
        BinaryPrimitives.WriteUInt64LittleEndian(to[16..], (ulong)descriptor.Inheriting);
        return Errno.Success;
    }

    public Errno FdstatSetFlags(ref WasiCall call)
    {
        if (host.Descriptors.Find(call.U32(0)) is not { } descriptor)
        {
            return Errno.Badf;
        }
        if (!descriptor.May(Rights.FdFdstatSetFlags))
        {
            return Errno.Notcapable;
        }
        if (call.U32(1) > (uint)DescriptorFlags.All)
        {
            return Errno.Inval;
        }
        descriptor.Flags = (DescriptorFlags)call.U32(1);
        return Errno.Success;
    }

    /// <summary>Rights can be given up, never gained.</summary>
    public Errno FdstatSetRights(ref WasiCall call)
    {
        if (host.Descriptors.Find(call.U32(0)) is not { } descriptor)
        {
            return Errno.Badf;
        }
        var (rights, inheriting) = ((Rights)call.U64(1), (Rights)call.U64(2));
        if (!descriptor.May(rights) || (descriptor.Inheriting & inheriting) != inheriting)
        {
            return Errno.Notcapable;
        }
        (descriptor.Rights, descriptor.Inheriting) = (rights, inheriting);
        return Errno.Success;
    }

    public Errno PrestatGet(ref WasiCall call)
    {
        if (host.Descriptors.Find(call.U32(0))?.Preopen is not { } index)
        {
            return Errno.Badf;
        }
        // The tag of a directory is 0, the length of its name follows at 4.
        return call.Put(1, (ulong)Encoding.UTF8.GetByteCount(host.Preopens[index].Name) << 32);
    }

    public Errno PrestatDirName(ref WasiCall call)
    {
        if (host.Descriptors.Find(call.U32(0))?.Preopen is not { } index)
        {
            return Errno.Badf;
        }
        var name = Encoding.UTF8.GetBytes(host.Preopens[index].Name);
        if (call.U32(2) < name.Length)
        {
            return Errno.Nametoolong;
        }
        if (!call.TryBytes(call.U32(1), (uint)name.Length, out var to))
        {
            return Errno.Fault;
        }
        name.CopyTo(to);
        return Errno.Success;
    }

    /// <summary>
    /// Gives as many entries as there is room for, the last one cut off; a cookie is the number of an entry. The names
    /// are those that were there when reading began at cookie 0.
    /// </summary>
    public Errno Readdir(ref WasiCall call)
    {
        if (host.Descriptors.Find(call.U32(0)) is not { } descriptor)
        {
            return Errno.Badf;
        }
        if (descriptor.Node is not DirectoryNode directory)
        {
            return Errno.Notdir;
        }
        if (!descriptor.May(Rights.FdReaddir))
        {
            return Errno.Notcapable;
        }
        var length = Math.Min(call.U32(2), WasiLimits.TransferBytes);
        if (!call.TryBytes(call.U32(1), length, out var to) || !call.CanPut(4, 4))
        {
            return Errno.Fault;
        }
        var cookie = call.U64(3);
        if (cookie == 0 || descriptor.Listing is null)
        {
            if (directory.List(out var names) is var errno and not Errno.Success
                || (errno = directory.Stat(out var self)) != Errno.Success)
            {
                return errno;
            }
            call.Charge(names.Length * 64L);
            DirectoryEntry[] entries =
                [new(".", self.Inode, FileType.Directory), new("..", self.Inode, FileType.Directory), .. names];
            if (!host.Descriptors.SetListing(descriptor, entries))
            {
                return Errno.Nomem;
            }
        }
        var left = to;
        for (var i = cookie; i < (ulong)descriptor.Listing!.Length && !left.IsEmpty; i++)
        {
            var taken = Entry(descriptor.Listing[(int)i], i + 1, left);
            left = left[taken..];
        }
        var used = to.Length - left.Length;
        call.Charge(used);
        if (cookie >= (ulong)descriptor.Listing.Length)
        {
            // The end was seen.
            host.Descriptors.SetListing(descriptor, null);
        }
        return call.Put(4, (uint)used);
    }

    public Errno NoSocket(ref WasiCall call) => host.Descriptors.Find(call.U32(0)) is null ? Errno.Badf : Errno.Notsock;

    private static int Entry(DirectoryEntry entry, ulong next, Span<byte> to)
    {
        Span<byte> bytes = stackalloc byte[DirentBytes + WasiLimits.NameBytes];
        bytes.Clear();
        // A real directory may hold a longer name than the guest can say; it is cut off.
        var name = Encoding.UTF8.GetBytes(entry.Name).AsSpan();
        name = name[..Math.Min(name.Length, WasiLimits.NameBytes)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, next);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], entry.Inode);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], (uint)name.Length);
        bytes[20] = (byte)entry.Type;
        name.CopyTo(bytes[DirentBytes..]);
        var taken = Math.Min(to.Length, DirentBytes + name.Length);
        bytes[..taken].CopyTo(to);
        return taken;
    }
}
