using System.Globalization;
using System.Runtime.InteropServices;

namespace MeshLedger.Machines;

/// <summary>User and group number.</summary>
internal readonly record struct UnixAccount(int User, int Group);

/// <summary>The few calls of Linux that .NET does not offer.</summary>
internal static partial class Linux
{
    private const int SigKill = 9;

    public static bool IsRoot { get; } = GetEffectiveUser() == 0;

    /// <summary>Ends a process and all of its group. The process must not have been reaped yet, else its number may
    /// be another's.</summary>
    public static void KillGroup(int leader)
    {
        // The group exists once setsid has run; before that there is only the one process.
        _ = Kill(-leader, SigKill);
        _ = Kill(leader, SigKill);
    }

    public static void GiveTo(string path, int user, int group)
    {
        if (ChangeOwner(path, (uint)user, (uint)group) != 0)
        {
            throw new IOException($"Cannot give {path} to user {user}: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    /// <summary>User and group number from /etc/passwd, or null.</summary>
    public static UnixAccount? FindUser(string name)
    {
        var fields = FindLine("/etc/passwd", name);
        return fields is [_, _, var user, var group, ..]
            ? new UnixAccount(
                int.Parse(user, CultureInfo.InvariantCulture), int.Parse(group, CultureInfo.InvariantCulture))
            : null;
    }

    /// <summary>True if this process's user namespace has all of these user and group numbers.</summary>
    public static bool HasAccounts(long first, long count) =>
        Covers("/proc/self/uid_map", first, count) && Covers("/proc/self/gid_map", first, count);

    public static int? FindGroup(string name) => FindLine("/etc/group", name) is [_, _, var group, ..]
        ? int.Parse(group, CultureInfo.InvariantCulture)
        : null;

    /// <summary>Peak resident set of a living process, or null if it is gone.</summary>
    public static long? PeakBytes(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(entry => entry.StartsWith("VmHWM:",
                StringComparison.Ordinal));
            return line is null ? null : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                CultureInfo.InvariantCulture) * 1024;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // Lines of: first number inside, first number outside, how many.
    private static bool Covers(string map, long first, long count) => File.ReadLines(map)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(fields => fields.Length == 3)
        .Select(fields => (Start: long.Parse(fields[0], CultureInfo.InvariantCulture),
            Count: long.Parse(fields[2], CultureInfo.InvariantCulture)))
        .Any(range => range.Start <= first && first + count <= range.Start + range.Count);

    private static string[]? FindLine(string table, string name) => File.ReadLines(table)
        .Select(line => line.Split(':')).FirstOrDefault(fields => fields[0] == name);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint user, uint group);
}
