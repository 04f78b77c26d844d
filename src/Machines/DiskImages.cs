using System.ComponentModel;
using System.Runtime.InteropServices;

namespace MeshLedger.Machines;

/// <summary>What qemu-img says of a disk image, or why it says nothing.</summary>
/// <param name="Json">Its own JSON, at most 1 MiB.</param>
/// <param name="Fault">One line, without a final stop.</param>
public sealed record ImageInfo(ReadOnlyMemory<byte>? Json, string? Fault);

/// <summary>Facts about a disk image as a whole, read by an unprivileged qemu-img. Nothing in the image runs, and
/// files that the image names are not opened.</summary>
public static partial class DiskImages
{
    private const string QemuImg = "/usr/bin/qemu-img";
    private const long AddressSpaceBytes = 2L << 30;
    private const int MaxJsonBytes = 1 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>True if qemu-img is here; else: apt-get install qemu-utils.</summary>
    public static bool CanRead => File.Exists(QemuImg);

    /// <summary>
    /// The path without links, if it is a regular file in one of <paramref name="directories"/>; else null. What is
    /// outside and what is absent look the same.
    /// </summary>
    public static string? Locate(string path, IReadOnlyList<string> directories)
    {
        ArgumentNullException.ThrowIfNull(directories);
        if (!Path.IsPathRooted(path) || path.Split('/').Contains("..") || RealPath(path) is not { } real
            || !directories.Any(directory => RealPath(directory) is { } root
                && real.StartsWith(root.TrimEnd('/') + "/", StringComparison.Ordinal)))
        {
            return null;
        }

        // Of what is no regular file, only the kinds that Unix adds pass Exists; a device or a pipe has no length.
        return File.Exists(real) && (File.GetAttributes(real) & FileAttributes.Device) == 0 ? real : null;
    }

    /// <summary>Asks qemu-img.</summary>
    public static async Task<ImageInfo> ReadAsync(
        string path, string format, string user, TimeProvider time, CancellationToken cancellationToken)
    {
        var confinement = new Confinement(QemuImg,
            ["info", "--output=json", "-f", format, "--", path], "/")
        {
            Account = !Linux.IsRoot ? null
                : Linux.FindUser(user) ?? throw new InvalidOperationException($"There is no user '{user}'."),
            AddressSpaceBytes = AddressSpaceBytes,
            FileBytes = 0,
        };
        using var limit = new CancellationTokenSource(Limit, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await using var process = await ConfinedProcess.StartAsync(confinement);
            await using var registration = ending.Token.Register(process.Kill);
            var json = new byte[MaxJsonBytes];
            var length = await process.Stdout.ReadAtLeastAsync(json, json.Length, false, CancellationToken.None);
            if (length == json.Length)
            {
                process.Kill();
            }

            var (exitCode, stderr) = await process.WaitAsync(CancellationToken.None);
            cancellationToken.ThrowIfCancellationRequested();
            return exitCode == 0
                ? new ImageInfo(json.AsMemory(0, length), null)
                : new ImageInfo(null, limit.IsCancellationRequested
                    ? $"qemu-img took longer than {Limit.TotalSeconds:0} s"
                    : $"qemu-img: {stderr.Split('\n')[0].Trim()}");
        }
        catch (Win32Exception failure)
        {
            return new ImageInfo(null, $"qemu-img did not start: {failure.Message}");
        }
    }

    private static unsafe string? RealPath(string path)
    {
        var resolved = stackalloc byte[4096];
        return ResolvePath(path, resolved) == null ? null : Marshal.PtrToStringUTF8((nint)resolved);
    }

    [LibraryImport("libc", EntryPoint = "realpath", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial byte* ResolvePath(string path, byte* resolved);
}
