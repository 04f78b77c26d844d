using System.Runtime.InteropServices;
using System.Text;
using MeshLedger.Crypto;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Ledger.Transparency;

// A log's directory:
//     checkpoint              the latest tree head, a signed note
//     tile/...                tiles and bundles of entries, as LogTile says
//     heads                   every tree head that was signed, a line each: time, space, base64 of the note, newline
//     key                     the log's key, as a line NAME+HEX+BASE64
//     keys                    every key that it had, where it was handed over, as LogKeys says
//     lock                    held (flock) by the process that writes
//     tmp/                    what is being written; left-overs are removed
// Checked by LogPublisherTests and LogCheckTests.

/// <summary>A log's directory, for who writes it. Each file gets its name once it is on disk, whole.</summary>
internal sealed partial class LogFiles(string root)
{
    public const string Checkpoint = "checkpoint";
    public const string Heads = "heads";
    public const string Key = "key";
    public const string Keys = "keys";

    private const int ReadOnlyDirectory = 0x10000 | 0x80000; // O_DIRECTORY | O_CLOEXEC
    private const uint StartWriting = 2; // SYNC_FILE_RANGE_WRITE
    private const int OpenAtOnce = 64;
    private const int Many = 16; // From so many on, the file system is asked once for all of them.
    private const int LongestLine = 2 * SignedNote.MaxBytes;

    private readonly HashSet<string> _unsynced = new(StringComparer.Ordinal);
    private long _number;

    public DirectoryLogSource Source { get; } = new(root);

    private string Temporary => Path.Combine(root, "tmp");

    /// <summary>Waits until no other process writes here, and keeps others out until disposed.</summary>
    public async Task<IDisposable> LockAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(root);
        while (true)
        {
            try
            {
                return new FileStream(
                    Path.Combine(root, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException taken) when (taken is not (FileNotFoundException or DirectoryNotFoundException)
                && File.Exists(Path.Combine(root, "lock")))
            {
                await Task.Delay(10, cancellationToken);
            }
        }
    }

    /// <summary>Makes what must be there, and removes what a process that ended left unfinished. Under the lock.</summary>
    public void Clean()
    {
        if (Directory.Exists(Temporary))
        {
            Directory.Delete(Temporary, recursive: true);
        }

        Directory.CreateDirectory(Temporary);
        SyncDirectory(root);
    }

    /// <summary>Puts a file in its place, replacing what is there. Durable after <see cref="Sync"/>.</summary>
    public void Write(string path, byte[] bytes) => Write([(path, bytes)]);

    /// <summary>Puts many files in their places: all are on their way to the disk before the first is waited for, and no file
    /// gets its name before its bytes are there.</summary>
    public void Write(IReadOnlyList<(string Path, byte[] Bytes)> files)
    {
        var first = _number;
        foreach (var some in files.Chunk(OpenAtOnce))
        {
            var handles = new List<SafeFileHandle>();
            try
            {
                foreach (var (_, bytes) in some)
                {
                    var handle = File.OpenHandle(
                        Path.Combine(Temporary, $"{++_number}"), FileMode.Create, FileAccess.Write, FileShare.None);
                    handles.Add(handle);
                    RandomAccess.Write(handle, bytes, 0);
                    _ = SyncFileRange(handle, 0, 0, StartWriting);
                }

                if (files.Count < Many)
                {
                    handles.ForEach(RandomAccess.FlushToDisk);
                }
            }
            finally
            {
                handles.ForEach(handle => handle.Dispose());
            }
        }

        if (files.Count >= Many)
        {
            SyncFileSystem();
        }

        foreach (var (path, _) in files)
        {
            Place(Path.Combine(Temporary, $"{++first}"), path);
        }
    }

    private void Place(string temporary, string path)
    {
        var target = Path.Combine(root, path);
        var directory = Path.GetDirectoryName(target)!;
        if (!Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory);
            for (var above = directory; above.Length > root.Length; above = Path.GetDirectoryName(above)!)
            {
                _unsynced.Add(Path.GetDirectoryName(above)!);
            }
        }

        File.Move(temporary, target, overwrite: true);
        _unsynced.Add(directory);
    }

    /// <summary>Puts a file in its place, unless these bytes stand there.</summary>
    public bool WriteIfOther(string path, byte[] bytes) => WriteIfOther([(path, bytes)]) == 1;

    /// <summary>Puts files in their places, but for those whose bytes stand there.</summary>
    /// <returns>How many were written.</returns>
    public int WriteIfOther(IEnumerable<(string Path, byte[] Bytes)> files)
    {
        var other = files.Where(one =>
        {
            var file = new FileInfo(Path.Combine(root, one.Path));
            return !file.Exists || file.Length != one.Bytes.Length
                || !File.ReadAllBytes(file.FullName).AsSpan().SequenceEqual(one.Bytes);
        }).ToList();
        Write(other);
        return other.Count;
    }

    /// <summary>Returns once all that was written is durable.</summary>
    public void Sync()
    {
        foreach (var directory in _unsynced)
        {
            SyncDirectory(directory);
        }

        _unsynced.Clear();
    }

    /// <summary>Removes the partial ones of a tile that is full and published.</summary>
    public void RemovePartials(LogTile tile)
    {
        var directory = Path.Combine(root, tile.Full.Path + ".p");
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>The last line of <c>heads</c>; null if there is none. A line that was cut off by a crash is not one: its
    /// head was never published.</summary>
    public string? LastHeadLine()
    {
        using var stream = OpenHeads(FileMode.OpenOrCreate);
        var end = WholeLines(stream);
        if (end == 0)
        {
            return null;
        }

        for (var length = 4096L; ; length *= 4)
        {
            var start = Math.Max(0, end - length);
            var bytes = new byte[end - start];
            stream.Position = start;
            stream.ReadExactly(bytes);
            var line = bytes.AsSpan(0, bytes.Length - 1).LastIndexOf((byte)'\n');
            if (line >= 0 || start == 0)
            {
                return Encoding.UTF8.GetString(bytes.AsSpan(line + 1, bytes.Length - line - 2));
            }

            if (length > LongestLine)
            {
                throw new IOException($"{Path.Combine(root, Heads)} has a line that is no tree head.");
            }
        }
    }

    /// <summary>Appends lines. Returns once they are durable.</summary>
    public void AppendHeads(string lines)
    {
        using var stream = OpenHeads(FileMode.OpenOrCreate);
        var end = WholeLines(stream);
        stream.SetLength(end);
        stream.Position = end;
        stream.Write(Encoding.UTF8.GetBytes(lines));
        stream.Flush(flushToDisk: true);
        SyncDirectory(root);
    }

    private FileStream OpenHeads(FileMode mode) =>
        new(Path.Combine(root, Heads), mode, FileAccess.ReadWrite, FileShare.ReadWrite, 0);

    /// <summary>Where the last whole line ends.</summary>
    private static long WholeLines(FileStream stream)
    {
        var end = stream.Length;
        var bytes = new byte[4096];
        while (end > 0)
        {
            var start = Math.Max(0, end - bytes.Length);
            stream.Position = start;
            var part = bytes.AsSpan(0, (int)(end - start));
            stream.ReadExactly(part);
            var newline = part.LastIndexOf((byte)'\n');
            if (newline >= 0)
            {
                return start + newline + 1;
            }

            end = start;
        }

        return 0;
    }

    private static void SyncDirectory(string path)
    {
        using var handle = new SafeFileHandle(Open(path, ReadOnlyDirectory), ownsHandle: true);
        if (handle.IsInvalid || Fsync(handle) != 0)
        {
            throw new IOException($"Cannot write the directory {path} to disk: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    /// <summary>Returns once everything that was written to the log's file system is on disk: one commit, where a flush of each
    /// file is one each.</summary>
    private void SyncFileSystem()
    {
        using var handle = new SafeFileHandle(Open(root, ReadOnlyDirectory), ownsHandle: true);
        if (handle.IsInvalid || SyncFs(handle) != 0)
        {
            throw new IOException($"Cannot write {root} to disk: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    private static partial int SyncFileRange(SafeFileHandle handle, long offset, long count, uint flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle handle);
}
