using System.Buffers.Binary;
using MeshLedger.Transports.Folder.Posix;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Transports.Folder;

/// <summary>
/// What the folder's thread sleeps on: the kernel's notices of files that were closed after writing or renamed into the
/// inbox, and wake-ups by timer and stop. FileSystemWatcher is no substitute, since it reports the creation of a file
/// and not the end of its writing.
/// </summary>
internal sealed unsafe class FolderWaiter : IDisposable
{
    private const uint CloseWrite = 0x8;
    private const uint MovedTo = 0x80;
    private const uint OnlyDirectory = 0x01000000;
    private const uint Overflow = 0x4000;
    private const int EventFdNonBlocking = Libc.NonBlocking | Libc.CloseOnExec;
    private readonly SafeFileHandle _wake;
    private readonly SafeFileHandle? _inotify;
    private readonly byte[] _buffer = new byte[64 * 1024];

    /// <exception cref="FolderIOException">Not even the wake-up descriptor could be made.</exception>
    public FolderWaiter(FolderDirectory inbox, bool useInotify)
    {
        var wake = Libc.EventFd(0, EventFdNonBlocking);
        _wake = wake >= 0
            ? new SafeFileHandle(wake, ownsHandle: true)
            : throw new FolderIOException("make a wake-up for", inbox.Path, Errno.Last);
        _inotify = useInotify ? Watch(inbox) : null;
    }

    public bool HasInotify => _inotify is not null;

    /// <summary>Why inotify is not in use although it was asked for.</summary>
    public string? Missing { get; private set; }

    /// <summary>Set when notices were lost; polling finds what they told.</summary>
    public bool Overflowed { get; private set; }

    /// <summary>Ends the current or the next wait. May be called from any thread, until disposal.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(_wake, (byte*)&one, sizeof(ulong));
    }

    /// <summary>Sleeps until there is a reason not to, then adds the names that were told.</summary>
    public void Wait(List<EntryName> names)
    {
        Overflowed = false;
        var entries = stackalloc Libc.PollEntry[2];
        entries[0] = new Libc.PollEntry { Descriptor = (int)_wake.DangerousGetHandle(), Wanted = Libc.PollIn };
        entries[1] = new Libc.PollEntry
        {
            Descriptor = _inotify is null ? -1 : (int)_inotify.DangerousGetHandle(),
            Wanted = Libc.PollIn,
        };
        _ = Libc.Poll(entries, 2, -1);
        if (entries[0].Happened != 0)
        {
            ulong count;
            _ = Libc.Read(_wake, (byte*)&count, sizeof(ulong));
        }

        if (_inotify is not null && entries[1].Happened != 0)
        {
            ReadNotices(_inotify, names);
        }
    }

    public void Dispose()
    {
        _inotify?.Dispose();
        _wake.Dispose();
    }

    private SafeFileHandle? Watch(FolderDirectory inbox)
    {
        var descriptor = Libc.InotifyInit(EventFdNonBlocking);
        if (descriptor < 0)
        {
            Missing = new FolderIOException("watch", inbox.Path, Errno.Last).Message;
            return null;
        }

        var inotify = new SafeFileHandle(descriptor, ownsHandle: true);
        fixed (byte* path = System.Text.Encoding.UTF8.GetBytes(inbox.DescriptorPath + '\0'))
        {
            if (Libc.InotifyAddWatch(inotify, path, CloseWrite | MovedTo | OnlyDirectory) >= 0)
            {
                return inotify;
            }
        }

        Missing = new FolderIOException("watch", inbox.Path, Errno.Last).Message;
        inotify.Dispose();
        return null;
    }

    private void ReadNotices(SafeFileHandle inotify, List<EntryName> names)
    {
        nint filled;
        fixed (byte* start = _buffer)
        {
            filled = Libc.Read(inotify, start, (nuint)_buffer.Length);
        }

        for (var at = 0; at < filled;)
        {
            // struct inotify_event: watch 4, mask 4, cookie 4, length of the name 4, name padded with NUL.
            var mask = BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(at + 4));
            var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(at + 12));
            var name = _buffer.AsSpan(at + 16, length);
            at += 16 + length;
            Overflowed |= (mask & Overflow) != 0;
            if (name.IndexOf((byte)0) is > 0 and var end)
            {
                names.Add(EntryName.FromBytes(name[..end]));
            }
        }
    }
}
