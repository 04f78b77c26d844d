using System.Security.Cryptography;
using System.Text;

namespace MeshLedger.Machines;

/// <summary>
/// The directory of one host process, with one below it for every machine. A lock on its file <c>.lock</c> tells that
/// the process lives; those that nobody holds are leftovers and are removed.
/// </summary>
internal sealed class RunDirectory : IDisposable
{
    internal const UnixFileMode Private =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // QEMU's user may pass through to its own directory and the kernel, but not look around.
    private const UnixFileMode Passage = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>For files that QEMU's user reads and does not own.</summary>
    internal const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
        | UnixFileMode.OtherRead;

    private readonly FileStream _lock;

    private RunDirectory(string path, FileStream held)
    {
        Path = path;
        _lock = held;
    }

    public string Path { get; }

    public static RunDirectory Claim(string root)
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
        return new RunDirectory(path, held);
    }

    /// <summary>A directory that nobody else sees into, until <see cref="MachineDirectory.GiveTo"/>.</summary>
    public MachineDirectory NewMachine()
    {
        var path = System.IO.Path.Combine(Path, "vm-" + RandomNumberGenerator.GetHexString(16, lowercase: true));
        Directory.CreateDirectory(path, Private);
        return new MachineDirectory(path);
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

/// <summary>
/// The directory of one machine. It belongs to the node, and QEMU's user may only pass through: it can make, replace
/// and remove nothing in it, and writes to the console's file alone. Disposing removes it.
/// </summary>
internal sealed class MachineDirectory : IDisposable
{
    private const int ConsoleBytes = 16 * 1024;

    // Held from before QEMU's user gets at it, so that it is the same file whatever becomes of its name.
    private readonly FileStream _console;

    public MachineDirectory(string path)
    {
        Path = path;
        _console = new FileStream(System.IO.Path.Combine(path, "console.log"), new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite,
        });
    }

    public string Path { get; }

    /// <summary>Creates a file that QEMU reads.</summary>
    public FileStream Create(string name)
    {
        var file = new FileStream(System.IO.Path.Combine(Path, name), FileMode.CreateNew, FileAccess.Write);

        // The directory is private; the file has to be readable whatever the umask is.
        File.SetUnixFileMode(file.SafeFileHandle, RunDirectory.Readable);
        return file;
    }

    /// <summary>Lets QEMU's user in, once everything is in place. Without an account, it is the node's own.</summary>
    public void GiveTo(UnixAccount? account)
    {
        if (account is { } user)
        {
            Linux.GiveTo(System.IO.Path.Combine(Path, "console.log"), user.User, user.Group);
            Linux.GiveTo(Path, 0, user.Group);
            File.SetUnixFileMode(Path, RunDirectory.Private | UnixFileMode.GroupExecute);
        }
    }

    /// <summary>The end of what the guest's kernel said.</summary>
    public string ReadConsole()
    {
        var bytes = new byte[ConsoleBytes];
        _console.Seek(-Math.Min(bytes.Length, _console.Length), SeekOrigin.End);
        var count = _console.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return Encoding.Latin1.GetString(bytes, 0, count);
    }

    public void Dispose()
    {
        _console.Dispose();
        Directory.Delete(Path, recursive: true);
    }
}
