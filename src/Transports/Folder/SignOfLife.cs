using System.Security.Cryptography;
using System.Text;
using MeshLedger.Transports.Folder.Posix;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Transports.Folder;

/// <summary>
/// <c>claimed/NODE/.alive</c>: shows the other nodes that this one lives. Its content changes with each beat, for
/// example <c>6f1c9a40d2e3b758 42</c>: a random word of this start and a count. Others compare what they read, never
/// times, so neither clocks nor attribute caches matter. A lock on the file keeps a second process out that was
/// started under the same node id.
/// </summary>
internal sealed unsafe class SignOfLife : IDisposable
{
    public static readonly EntryName FileName = EntryName.FromText(".alive");

    private readonly FolderDirectory _own;
    private readonly SafeFileHandle _file;
    private readonly string _start = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private long _count;

    private SignOfLife(FolderDirectory own, SafeFileHandle file)
    {
        _own = own;
        _file = file;
    }

    /// <exception cref="FolderIOException">EAGAIN: another process runs this node id.</exception>
    public static SignOfLife Take(FolderDirectory own)
    {
        var path = own.PathOf(FileName);
        var file = own.OpenFile(FileName, Libc.ReadWrite | Libc.Create, 0x1B4)
            ?? throw new FolderIOException("create", path, Errno.NoEntry);
        if (Libc.Lock(file, Libc.LockExclusive | Libc.LockNonBlocking) != 0)
        {
            var error = Errno.Last;
            file.Dispose();
            throw new FolderIOException("lock (does another process run under this node id?)", path, error);
        }

        return new SignOfLife(own, file);
    }

    /// <summary>Gives a sign of life, and returns the file server's time at this moment, in
    /// nanoseconds since 1970.</summary>
    public long Beat()
    {
        var content = Encoding.ASCII.GetBytes($"{_start} {++_count:d19}\n");
        fixed (byte* start = content)
        {
            if (Libc.WriteAt(_file, start, (nuint)content.Length, 0) != content.Length)
            {
                throw new FolderIOException("write", _own.PathOf(FileName), Errno.Last);
            }
        }

        FolderDirectory.Flush(_file, _own.PathOf(FileName));
        return FolderDirectory.StatusOf(_file, _own.PathOf(FileName)).Modified;
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>Which other nodes have given no sign of life for how long, by this node's monotonic clock.</summary>
internal sealed class OtherNodes(FolderPlaces places, EntryName self, TimeSpan takeoverAfter, TimeProvider time)
{
    private const int MaxSignBytes = 256;
    private Dictionary<EntryName, (string Sign, long Since)> _seen = [];

    /// <summary>Looks at each node's sign and returns those whose stood still for the whole period.</summary>
    public IReadOnlyList<(EntryName Node, TimeSpan Silence)> Silent()
    {
        var now = time.GetTimestamp();
        var seen = new Dictionary<EntryName, (string Sign, long Since)>();
        var silent = new List<(EntryName, TimeSpan)>();
        foreach (var node in places.Claimed.Names())
        {
            if (node == self || node.IsHidden || places.Claimed.Status(node)?.Kind != FileKind.Directory)
            {
                continue;
            }

            var sign = SignOf(node);
            var since = _seen.TryGetValue(node, out var before) && before.Sign == sign ? before.Since : now;
            seen[node] = (sign, since);
            var silence = time.GetElapsedTime(since, now);
            if (silence >= takeoverAfter)
            {
                silent.Add((node, silence));
            }
        }

        _seen = seen;
        return silent;
    }

    // A node that was killed before its first beat has no sign; it counts as one that stands still.
    private string SignOf(EntryName node)
    {
        using var directory = places.Claimed.Open(node);
        return directory.Read(SignOfLife.FileName, MaxSignBytes) is FileReading.Content content
            ? Encoding.Latin1.GetString(content.Bytes)
            : "";
    }
}
