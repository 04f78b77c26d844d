using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Transports.Folder.Posix;

/// <summary>
/// An open directory. Everything is done relative to its descriptor with one name, never a path, and no link is
/// followed: whatever names and links stand in the folder, nothing outside of it can be reached.
/// </summary>
internal sealed unsafe class FolderDirectory : IDisposable
{
    private const int NameBuffer = EntryName.MaxBytes + 1;
    private readonly SafeFileHandle _handle;

    private FolderDirectory(SafeFileHandle handle, string path)
    {
        _handle = handle;
        Path = path;
    }

    /// <summary>For messages only.</summary>
    public string Path { get; }

    /// <summary>A path that names this very directory, also after it was moved.</summary>
    public string DescriptorPath => $"/proc/self/fd/{_handle.DangerousGetHandle()}";

    /// <summary>Opens by path, following links: the folder's root is the one place that is named from outside.</summary>
    public static FolderDirectory OpenRoot(string path)
    {
        fixed (byte* bytes = PathBytes(path))
        {
            var descriptor = Libc.OpenAt(
                Libc.AtCurrentDirectory, bytes, Libc.ReadOnly | Libc.Directory | Libc.CloseOnExec, 0);
            return descriptor >= 0
                ? new FolderDirectory(new SafeFileHandle(descriptor, ownsHandle: true), path)
                : throw new FolderIOException("open", path, Errno.Last);
        }
    }

    /// <summary>The status of what <paramref name="path"/> leads to, or null when it leads nowhere.</summary>
    public static FileStatus? StatusOfPath(string path)
    {
        fixed (byte* bytes = PathBytes(path))
        {
            Libc.StatxBuffer buffer;
            return Libc.Statx(Libc.AtCurrentDirectory, bytes, 0, Libc.StatxBasic, &buffer) == 0
                ? FileStatus.From(buffer)
                : null;
        }
    }

    /// <exception cref="FolderIOException">ENOTDIR or ELOOP when the name is a link or a file.</exception>
    public FolderDirectory Open(EntryName name)
    {
        var handle = OpenFile(name, Libc.ReadOnly | Libc.Directory, 0);
        return handle is not null
            ? new FolderDirectory(handle, PathOf(name))
            : throw new FolderIOException("open", PathOf(name), Errno.NoEntry);
    }

    public FolderDirectory OpenOrCreate(EntryName name)
    {
        var path = stackalloc byte[NameBuffer];
        name.WriteTerminated(new Span<byte>(path, NameBuffer));
        if (Libc.MakeDirectoryAt(_handle, path, 0x1FD) != 0 && Errno.Last != Errno.Exists)
        {
            throw new FolderIOException("create", PathOf(name), Errno.Last);
        }

        return Open(name);
    }

    /// <summary>Opens without following a link, waiting for a FIFO's writer, or taking a terminal. Null when there is
    /// no such entry.</summary>
    public SafeFileHandle? OpenFile(EntryName name, int flags, uint mode)
    {
        var path = stackalloc byte[NameBuffer];
        name.WriteTerminated(new Span<byte>(path, NameBuffer));
        var all = flags | Libc.NoFollow | Libc.NonBlocking | Libc.NoControllingTerminal | Libc.CloseOnExec;
        while (true)
        {
            var descriptor = Libc.OpenAt(_handle, path, all, mode);
            if (descriptor >= 0)
            {
                return new SafeFileHandle(descriptor, ownsHandle: true);
            }

            var error = Errno.Last;
            if (error != Errno.Interrupted)
            {
                return error == Errno.NoEntry ? null : throw new FolderIOException("open", PathOf(name), error);
            }
        }
    }

    /// <summary>The status of an entry, of a link itself; null when there is none.</summary>
    public FileStatus? Status(EntryName name)
    {
        var path = stackalloc byte[NameBuffer];
        name.WriteTerminated(new Span<byte>(path, NameBuffer));
        Libc.StatxBuffer buffer;
        if (Libc.Statx(_handle, path, Libc.AtNoFollow, Libc.StatxBasic, &buffer) == 0)
        {
            return FileStatus.From(buffer);
        }

        var error = Errno.Last;
        return error == Errno.NoEntry ? null : throw new FolderIOException("look at", PathOf(name), error);
    }

    /// <summary>The status of the directory itself.</summary>
    public FileStatus Status() => StatusOf(_handle, Path);

    public static FileStatus StatusOf(SafeFileHandle file, string path)
    {
        byte empty = 0;
        Libc.StatxBuffer buffer;
        return Libc.Statx(file, &empty, Libc.AtEmptyPath, Libc.StatxBasic, &buffer) == 0
            ? FileStatus.From(buffer)
            : throw new FolderIOException("look at", path, Errno.Last);
    }

    /// <summary>Every entry but "." and "..", in the file system's order, read in pieces: entries that are moved away
    /// meanwhile do not disturb it.</summary>
    public IEnumerable<EntryName> Names()
    {
        using var listing = OpenFile(EntryName.FromText("."), Libc.ReadOnly | Libc.Directory, 0)
            ?? throw new FolderIOException("list", Path, Errno.NoEntry);
        var buffer = new byte[64 * 1024];
        for (var filled = ReadEntries(listing, buffer); filled > 0; filled = ReadEntries(listing, buffer))
        {
            for (var at = 0; at < filled;)
            {
                // struct linux_dirent64: inode 8, offset 8, length of this entry 2, kind 1, name ended by NUL.
                var length = BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(at + 16));
                var name = buffer.AsSpan(at + 19, length - 19);
                name = name[..name.IndexOf((byte)0)];
                at += length;
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                {
                    yield return EntryName.FromBytes(name);
                }
            }
        }
    }

    /// <summary>Reads a regular file of at most <paramref name="maxBytes"/>; whatever else stands there is not opened.
    /// </summary>
    public FileReading Read(EntryName name, int maxBytes)
    {
        if (Status(name) is not { } status)
        {
            return new FileReading.Gone();
        }

        if (status.Kind != FileKind.Regular)
        {
            return new FileReading.NotAFile(status.Kind);
        }

        if (status.Size > (ulong)maxBytes)
        {
            return new FileReading.TooLarge(status.Size);
        }

        using var file = OpenFile(name, Libc.ReadOnly, 0);
        if (file is null)
        {
            return new FileReading.Gone();
        }

        // The entry may have been swapped between the look and the opening.
        var opened = StatusOf(file, PathOf(name));
        return opened.Kind == FileKind.Regular
            ? ReadAll(file, (int)Math.Min(opened.Size, (ulong)maxBytes), maxBytes, PathOf(name))
            : new FileReading.NotAFile(opened.Kind);
    }

    /// <summary>Writes a new file and returns once its bytes are on disk. A left-over of that name is replaced.</summary>
    public FileIdentity WriteDurably(EntryName name, ReadOnlySpan<byte> bytes)
    {
        Remove(name);
        using var file = OpenFile(name, Libc.ReadWrite | Libc.Create | Libc.Exclusive, 0x1B4)
            ?? throw new FolderIOException("create", PathOf(name), Errno.NoEntry);
        fixed (byte* start = bytes)
        {
            for (var written = 0; written < bytes.Length;)
            {
                var count = Libc.Write(file, start + written, (nuint)(bytes.Length - written));
                if (count < 0 && Errno.Last != Errno.Interrupted)
                {
                    throw new FolderIOException("write", PathOf(name), Errno.Last);
                }

                written += (int)Math.Max(count, 0);
            }
        }

        Flush(file, PathOf(name));
        return StatusOf(file, PathOf(name)).Identity;
    }

    /// <summary>Returns once the entries of this directory are on disk.</summary>
    public void Flush() => Flush(_handle, Path);

    public static void Flush(SafeFileHandle file, string path)
    {
        while (Libc.Flush(file) != 0)
        {
            var error = Errno.Last;
            if (error != Errno.Interrupted)
            {
                throw new FolderIOException("flush", path, error);
            }
        }
    }

    /// <summary>Removes a file or link; nothing happens when there is none.</summary>
    public void Remove(EntryName name)
    {
        var path = stackalloc byte[NameBuffer];
        name.WriteTerminated(new Span<byte>(path, NameBuffer));
        if (Libc.UnlinkAt(_handle, path, 0) != 0 && Errno.Last is var error && error != Errno.NoEntry)
        {
            throw new FolderIOException("remove", PathOf(name), error);
        }
    }

    /// <summary>Renames, replacing what stands at the target.</summary>
    public void Replace(EntryName from, FolderDirectory directory, EntryName to)
    {
        if (Rename(from, directory, to, 0) is var error && error != 0)
        {
            throw new FolderIOException("rename", $"{PathOf(from)} to {directory.PathOf(to)}", error);
        }
    }

    /// <summary>
    /// Renames so that at most one of all callers moves the file, and never over another file.
    /// <paramref name="identity"/> is the file that is meant: over NFS a rename that took place can be reported as
    /// failed, when the answer was lost and the repeated request found nothing; so a failure is believed only after a
    /// look at both ends.
    /// </summary>
    public MoveOutcome Move(
        EntryName from, FolderDirectory directory, EntryName to, FileIdentity identity, Renaming renaming)
    {
        var error = renaming.CanRefuseToReplace ? Rename(from, directory, to, Libc.RenameNoReplace) : Errno.Invalid;
        if (error is Errno.Invalid or Errno.NoSystemCall or Errno.NotSupported)
        {
            renaming.CanRefuseToReplace = false;
            error = RenameWithoutFlag(from, directory, to, identity, renaming.SoleWriter == directory);
        }

        if (error == 0)
        {
            return MoveOutcome.Moved;
        }

        // A file that was linked to both names is at both ends; then nothing was moved.
        if (Status(from)?.Identity != identity && directory.Status(to)?.Identity == identity)
        {
            return MoveOutcome.Moved;
        }

        return error switch
        {
            Errno.NoEntry when Status(from) is null && !directory.IsRemoved => MoveOutcome.SourceGone,
            Errno.Exists => MoveOutcome.TargetTaken,
            _ => throw new FolderIOException("rename", $"{PathOf(from)} to {directory.PathOf(to)}", error),
        };
    }

    public string PathOf(EntryName name) => $"{Path}/{name}";

    public void Dispose() => _handle.Dispose();

    // File systems such as NFS cannot refuse to replace. Where others write too, the target is first taken with an empty
    // file, which only one can create, and then replaced. Where nobody else writes, a look is enough, and leaves no
    // empty file behind when the process is killed in between. A directory cannot replace a file.
    private int RenameWithoutFlag(
        EntryName from, FolderDirectory directory, EntryName to, FileIdentity identity, bool soleWriter)
    {
        if (Status(from) is not { } source)
        {
            return Errno.NoEntry;
        }

        if (soleWriter || source.Kind == FileKind.Directory)
        {
            return directory.Status(to) is null ? Rename(from, directory, to, 0) : Errno.Exists;
        }

        FileIdentity reserved;
        try
        {
            using var reservation = directory.OpenFile(to, Libc.ReadWrite | Libc.Create | Libc.Exclusive, 0x1B4);
            if (reservation is null)
            {
                return Errno.NoEntry;
            }

            reserved = StatusOf(reservation, directory.PathOf(to)).Identity;
        }
        catch (FolderIOException failure)
        {
            return failure.Error;
        }

        var error = Rename(from, directory, to, 0);
        if (error != 0 && directory.Status(to)?.Identity is { } now && now != identity && now == reserved)
        {
            directory.Remove(to);
        }

        return error;
    }

    private int Rename(EntryName from, FolderDirectory directory, EntryName to, uint flags)
    {
        var fromPath = stackalloc byte[NameBuffer];
        var toPath = stackalloc byte[NameBuffer];
        from.WriteTerminated(new Span<byte>(fromPath, NameBuffer));
        to.WriteTerminated(new Span<byte>(toPath, NameBuffer));
        return Libc.RenameAt(_handle, fromPath, directory._handle, toPath, flags) == 0 ? 0 : Errno.Last;
    }

    // A directory that was removed while open has no "." any more.
    private bool IsRemoved => Status(EntryName.FromText(".")) is null;

    private int ReadEntries(SafeFileHandle listing, byte[] buffer)
    {
        fixed (byte* start = buffer)
        {
            var filled = Libc.ReadEntries(listing, start, (nuint)buffer.Length);
            return filled >= 0 ? (int)filled : throw new FolderIOException("list", Path, Errno.Last);
        }
    }

    private static FileReading ReadAll(SafeFileHandle file, int size, int maxBytes, string path)
    {
        // One byte more than the file has: a short read tells its end without a second call.
        var buffer = new byte[size + 1];
        for (var filled = 0; ;)
        {
            nint count;
            fixed (byte* start = buffer)
            {
                count = Libc.Read(file, start + filled, (nuint)(buffer.Length - filled));
            }

            if (count < 0)
            {
                if (Errno.Last == Errno.Interrupted)
                {
                    continue;
                }

                throw new FolderIOException("read", path, Errno.Last);
            }

            filled += (int)count;
            if (filled < buffer.Length)
            {
                return new FileReading.Content(buffer[..filled]);
            }

            if (filled > maxBytes)
            {
                return new FileReading.TooLarge((ulong)filled);
            }

            // It grew since the look at its size.
            Array.Resize(ref buffer, maxBytes + 1);
        }
    }

    private static byte[] PathBytes(string path) => [.. System.Text.Encoding.UTF8.GetBytes(path), 0];
}

/// <summary>How files are renamed on this file system.</summary>
/// <param name="soleWriter">The one directory that only this process moves files into.</param>
internal sealed class Renaming(FolderDirectory soleWriter)
{
    public FolderDirectory SoleWriter { get; } = soleWriter;

    /// <summary>Whether renames can refuse to replace; found out at the first one.</summary>
    public bool CanRefuseToReplace { get; set; } = true;
}
