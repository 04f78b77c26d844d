namespace MeshLedger.Wasm.Wasi;

/// <summary>The fd_* functions that read, write and change what is open.</summary>
internal sealed class FileFunctions(WasiHost host)
{
    private const uint LastAdvice = 5;

    /// <summary>Bytes by which a file grows, holes included, that cost as much as one that is moved.</summary>
    private const long BytesPerByte = 512;

    public Errno Read(ref WasiCall call) => Transfer(ref call, write: false, at: null, resultSlot: 3);

    public Errno Pread(ref WasiCall call) => Transfer(ref call, write: false, at: call.U64(3), resultSlot: 4);

    public Errno Write(ref WasiCall call) => Transfer(ref call, write: true, at: null, resultSlot: 3);

    public Errno Pwrite(ref WasiCall call) => Transfer(ref call, write: true, at: call.U64(3), resultSlot: 4);

    public Errno Seek(ref WasiCall call)
    {
        if (File(ref call, Rights.None, out var descriptor, out var file) is var errno and not Errno.Success)
        {
            return errno;
        }
        var delta = (long)call.U64(1);
        var whence = call.U32(2);
        if (!file.Seekable)
        {
            return Errno.Spipe;
        }
        if (!descriptor.May(Rights.FdSeek) && !(whence == 1 && delta == 0 && descriptor.May(Rights.FdTell)))
        {
            return Errno.Notcapable;
        }
        if (whence > 2)
        {
            return Errno.Inval;
        }
        long origin = whence == 1 ? descriptor.Offset : 0;
        if (whence == 2)
        {
            if ((errno = file.Stat(out var stat)) != Errno.Success)
            {
                return errno;
            }
            origin = (long)stat.Size;
        }
        if (delta > 0 && origin > long.MaxValue - delta)
        {
            return Errno.Overflow;
        }
        if (origin + delta < 0)
        {
            return Errno.Inval;
        }
        if ((errno = call.Put(3, (ulong)(origin + delta))) == Errno.Success)
        {
            descriptor.Offset = origin + delta;
        }
        return errno;
    }

    public Errno Tell(ref WasiCall call) =>
        File(ref call, Rights.None, out var descriptor, out var file) is var errno and not Errno.Success ? errno
        : !file.Seekable ? Errno.Spipe
        : descriptor.May(Rights.FdTell) ? call.Put(1, (ulong)descriptor.Offset) : Errno.Notcapable;

    public Errno Advise(ref WasiCall call) =>
        Any(ref call, Rights.FdAdvise, out _) is var errno and not Errno.Success ? errno
        : call.U32(3) > LastAdvice ? Errno.Inval : Errno.Success;

    public Errno Allocate(ref WasiCall call)
    {
        if (File(ref call, Rights.FdAllocate, out _, out var file) is var errno and not Errno.Success)
        {
            return errno;
        }
        var (offset, length) = (call.U64(1), call.U64(2));
        if (length == 0 || offset > long.MaxValue || length > long.MaxValue)
        {
            return Errno.Inval;
        }
        if (offset + length > long.MaxValue)
        {
            return Errno.Fbig;
        }
        errno = file.Stat(out var stat);
        return errno != Errno.Success || stat.Size >= offset + length ? errno
            : SetSize(ref call, file, (long)(offset + length));
    }

    public Errno Sync(ref WasiCall call) =>
        Any(ref call, Rights.FdSync, out var descriptor) is var errno and not Errno.Success ? errno
        : descriptor.Node.Sync(dataOnly: false);

    public Errno Datasync(ref WasiCall call) =>
        Any(ref call, Rights.FdDatasync, out var descriptor) is var errno and not Errno.Success ? errno
        : descriptor.Node.Sync(dataOnly: true);

    public Errno FilestatGet(ref WasiCall call) =>
        Any(ref call, Rights.FdFilestatGet, out var descriptor) is var errno and not Errno.Success
        || (errno = descriptor.Node.Stat(out var stat)) != Errno.Success ? errno : call.Put(1, stat);

    public Errno FilestatSetSize(ref WasiCall call) =>
        File(ref call, Rights.FdFilestatSetSize, out _, out var file) is var errno and not Errno.Success ? errno
        : call.U64(1) > long.MaxValue ? Errno.Inval
        : SetSize(ref call, file, (long)call.U64(1));

    public Errno FilestatSetTimes(ref WasiCall call)
    {
        var now = host.Clock.Real(call.FuelUsed);
        return Any(ref call, Rights.FdFilestatSetTimes, out var descriptor) is var errno and not Errno.Success ? errno
            : !NewTimes.TryRead(call.U64(1), call.U64(2), call.U32(3), now, out var times) ? Errno.Inval
            : descriptor.Node.SetTimes(times, now);
    }

    /// <summary>Reads or writes all vectors in turn, until one is not done in full.</summary>
    private Errno Transfer(ref WasiCall call, bool write, ulong? at, int resultSlot)
    {
        if (host.Descriptors.Find(call.U32(0)) is not { } descriptor)
        {
            return Errno.Badf;
        }
        if (descriptor.Node is not FileNode file)
        {
            return write ? Errno.Badf : Errno.Isdir;
        }
        if (!descriptor.May(write ? Rights.FdWrite : Rights.FdRead))
        {
            return Errno.Badf;
        }
        if (at is not null && !file.Seekable)
        {
            return Errno.Spipe;
        }
        if (at > long.MaxValue)
        {
            return Errno.Inval;
        }
        var errno = call.CheckVectors(1);
        if (errno != Errno.Success || !call.CanPut(resultSlot, 4))
        {
            return errno != Errno.Success ? errno : Errno.Fault;
        }
        var offset = (long?)at ?? descriptor.Offset;
        if (write && at is null && file.Seekable && descriptor.Flags.HasFlag(DescriptorFlags.Append))
        {
            if ((errno = file.Stat(out var stat)) != Errno.Success)
            {
                return errno;
            }
            offset = (long)stat.Size;
        }
        var now = host.Clock.Real(call.FuelUsed);
        var length = LengthInMemory(file);
        var done = 0;
        for (uint i = 0; i < call.U32(2) && done < WasiLimits.TransferBytes; i++)
        {
            if ((errno = call.Vector(1, i, WasiLimits.TransferBytes - done, out var bytes)) != Errno.Success)
            {
                break;
            }
            var count = 0;
            errno = offset > long.MaxValue - bytes.Length ? Errno.Fbig
                : write ? file.Write(offset, bytes, now, out count) : file.Read(offset, bytes, out count);
            if (errno != Errno.Success)
            {
                break;
            }
            done += count;
            offset += file.Seekable ? count : 0;
            if (count < bytes.Length)
            {
                break;
            }
        }
        call.Charge(done + (8L * call.U32(2)) + ((LengthInMemory(file) - length) / BytesPerByte));
        if (errno != Errno.Success && done == 0)
        {
            return errno;
        }
        if (at is null)
        {
            descriptor.Offset = offset;
        }
        return call.Put(resultSlot, (uint)done);
    }

    private Errno SetSize(ref WasiCall call, FileNode file, long size)
    {
        var length = LengthInMemory(file);
        var errno = file.SetSize(size, host.Clock.Real(call.FuelUsed));
        call.Charge(Math.Abs(LengthInMemory(file) - length) / BytesPerByte);
        return errno;
    }

    private static long LengthInMemory(FileNode file) => file is MemoryFile memory ? memory.Length : 0;

    private Errno Any(ref WasiCall call, Rights needed, out Descriptor descriptor)
    {
        descriptor = host.Descriptors.Find(call.U32(0))!;
        return descriptor is null ? Errno.Badf : descriptor.May(needed) ? Errno.Success : Errno.Notcapable;
    }

    private Errno File(ref WasiCall call, Rights needed, out Descriptor descriptor, out FileNode file)
    {
        descriptor = host.Descriptors.Find(call.U32(0))!;
        file = (descriptor?.Node as FileNode)!;
        return descriptor is null ? Errno.Badf : file is null ? Errno.Isdir
            : descriptor.May(needed) ? Errno.Success : Errno.Notcapable;
    }
}
