using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Wasm.Wasi;

/// <summary>
/// A file of the host: found by name in an open directory, or open. Only regular files are ever opened; to open a pipe
/// or a device can wait, or do something.
/// </summary>
internal sealed class RealFile : FileNode
{
    private readonly SafeFileHandle? _directory;
    private readonly string _name = "";
    private readonly SafeFileHandle? _file;
    private readonly FileStat _found;
    private readonly bool _writable;
    private int _holders;

    public RealFile(SafeFileHandle directory, string name, FileStat found, bool writable) =>
        (_directory, _name, _found, _writable) = (directory, name, found, writable);

    public RealFile(SafeFileHandle file, bool writable) => (_file, _writable) = (file, writable);

    public override FileType Type => _file is null ? _found.Type : FileType.RegularFile;

    public override Errno Open(bool write, out FileNode opened)
    {
        opened = this;
        if (_file is not null)
        {
            return Errno.Success;
        }
        if (write && !_writable)
        {
            return Errno.Rofs;
        }
        if (_found.Type != FileType.RegularFile)
        {
            return Errno.Notsup;
        }
        // Read beside write where that is allowed: which of them the guest may do is checked by its rights.
        var flags = Libc.NoFollow | Libc.CloseOnExec | Libc.NonBlocking;
        var descriptor = Libc.OpenAt(_directory!, _name, flags | (write ? Libc.ReadWrite : 0), 0);
        if (descriptor < 0 && write)
        {
            descriptor = Libc.OpenAt(_directory!, _name, flags | Libc.WriteOnly, 0);
        }
        if (descriptor < 0)
        {
            return Libc.LastError();
        }
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (Libc.Stat(handle, "", out var stat) != Errno.Success || stat.Type != FileType.RegularFile)
        {
            // It was exchanged since it was found.
            handle.Dispose();
            return Errno.Notsup;
        }
        opened = new RealFile(handle, _writable);
        return Errno.Success;
    }

    public override Errno Stat(out FileStat stat)
    {
        stat = _found;
        return _file is null ? Errno.Success : Libc.Stat(_file, "", out stat);
    }

    public override Errno SetTimes(NewTimes times, ulong now) =>
        !_writable ? Errno.Rofs
        : _file is null ? Libc.SetTimes(_directory!, _name, times) : Libc.SetTimes(_file, null, times);

    public override Errno Sync(bool dataOnly) =>
        _file is null ? Errno.Badf : Libc.Check(dataOnly ? Libc.SyncData(_file) : Libc.Sync(_file));

    public override Errno Read(long offset, Span<byte> to, out int count)
    {
        var result = _file is null ? 0 : Libc.Read(_file, to, (nuint)to.Length, offset);
        count = (int)Math.Max(result, 0);
        return result < 0 ? Libc.LastError() : Errno.Success;
    }

    public override Errno Write(long offset, ReadOnlySpan<byte> from, ulong now, out int count)
    {
        count = 0;
        if (!_writable || _file is null)
        {
            return Errno.Rofs;
        }
        var result = Libc.Write(_file, from, (nuint)from.Length, offset);
        count = (int)Math.Max(result, 0);
        return result < 0 ? Libc.LastError() : Errno.Success;
    }

    public override Errno SetSize(long size, ulong now) =>
        !_writable || _file is null ? Errno.Rofs : Libc.Check(Libc.SetSize(_file, size));

    public override void Acquire() => _holders++;

    public override void Release()
    {
        if (--_holders == 0)
        {
            _file?.Dispose();
        }
    }
}
