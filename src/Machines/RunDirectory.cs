using System.Security.Cryptography;

namespace MeshLedger.Machines;

/// <summary>
/// The directory of one host process, with one below it for every machine. A lock on its file <c>.lock</c> tells that
/// the process lives; those that nobody holds are leftovers and are removed.
/// </summary>
internal sealed class RunDirectory : IDisposable
{
    private const UnixFileMode Private =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // QEMU's user may pass through to its own directory and the kernel, but not look around.
    private const UnixFileMode Passage = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>For files that QEMU's user reads and does not own.</summary>
    public const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
        | UnixFileMode.OtherRead;

    private readonly FileStream _lock;
    private readonly (int User, int Group)? _owner;

    private RunDirectory(string path, FileStream held, (int User, int Group)? owner)
    {
        Path = path;
        _lock = held;
        _owner = owner;
    }

    public string Path { get; }

    public static RunDirectory Claim(string root, string user)
    {
        root = System.IO.Path.GetFullPath(root);
        Directory.CreateDirectory(root, Passage);
        foreach (var leftover in Directory.EnumerateDirectories(root, "host-*"))
        {
            RemoveIfDead(leftover);
        }

        var path = System.IO.Path.Combine(root, "host-" + RandomNumberGenerator.GetHexString(16, lowercase: true));
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, Passage);
        var held = new FileStream(System.IO.Path.Combine(path, ".lock"), FileMode.CreateNew, FileAccess.Write,
            FileShare.None);
        return new RunDirectory(path, held, Linux.IsRoot ? Linux.FindUser(user) : null);
    }

    public string NewMachine()
    {
        var path = System.IO.Path.Combine(Path, "vm-" + RandomNumberGenerator.GetHexString(16, lowercase: true));
        Directory.CreateDirectory(path, Private);
        using (File.Create(System.IO.Path.Combine(path, "console.log")))
        {
        }

        if (_owner is var (user, group))
        {
            Linux.GiveTo(System.IO.Path.Combine(path, "console.log"), user, group);
            Linux.GiveTo(path, user, group);
        }

        return path;
    }

    public void Dispose()
    {
        Directory.Delete(Path, recursive: true);
        _lock.Dispose();
    }

    private static void RemoveIfDead(string path)
    {
        try
        {
            using (new FileStream(System.IO.Path.Combine(path, ".lock"), FileMode.Open, FileAccess.Write,
                FileShare.None))
            {
                Directory.Delete(path, recursive: true);
            }
        }
        catch (IOException)
        {
            // Its owner lives or is about to lock it, or another process is sweeping too.
        }
    }
}
