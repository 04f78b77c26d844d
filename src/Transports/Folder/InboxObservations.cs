using MeshLedger.Transports.Folder.Posix;

namespace MeshLedger.Transports.Folder;

/// <summary>
/// Decides by looking alone which files are complete: those that stood still for the grace period. Either two looks
/// that far apart on this node's monotonic clock saw the same, or the file server's own clock, read from the sign of
/// life that was just written there, says that nothing touched it for that long. The two clocks are never compared.
/// Owned by the folder's thread.
/// </summary>
internal sealed class InboxObservations(TimeSpan grace, TimeProvider time)
{
    // Bounds what one look remembers; more files than this wait until these are gone.
    private const int MaxRemembered = 100_000;
    private readonly long _graceNanoseconds = grace.Ticks * 100;
    private Dictionary<EntryName, (FileStatus Status, long Since)> _seen = [];

    /// <summary>Looks through the inbox, and yields what is complete while it goes on looking.</summary>
    /// <param name="inbox">The inbox.</param>
    /// <param name="serverNow">The file server's time; one that lies behind only makes it slower.</param>
    public IEnumerable<(EntryName Name, FileStatus Status)> Complete(FolderDirectory inbox, long serverNow)
    {
        var seen = new Dictionary<EntryName, (FileStatus Status, long Since)>();
        foreach (var name in inbox.Names())
        {
            if (!name.IsJob || inbox.Status(name) is not { } status)
            {
                continue;
            }

            var now = time.GetTimestamp();
            var since = _seen.TryGetValue(name, out var before) && before.Status == status ? before.Since : now;
            if (serverNow - status.LastTouched >= _graceNanoseconds || time.GetElapsedTime(since, now) >= grace)
            {
                yield return (name, status);
            }

            seen[name] = (status, since);
            if (seen.Count == MaxRemembered)
            {
                break;
            }
        }

        _seen = seen;
    }
}
