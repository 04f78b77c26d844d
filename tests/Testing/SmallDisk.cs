using System.Diagnostics;

namespace MeshLedger.Testing;

/// <summary>
/// A file system of a few megabytes in memory, which can really be full. It is mounted in a namespace of its own, which a
/// waiting process holds: the mount is reached through that process's root, and is gone when it ends, however the test
/// ends. Needs no privileges where user namespaces are allowed.
/// </summary>
public sealed class SmallDisk : IDisposable
{
    private const int NoSpace = 28;

    /// <summary>As root, the database runs as another user, to whom the mount and the way to it must belong.</summary>
    private const string Script =
        """
        set -e
        mount -t tmpfs -o "size=$2,mode=755" tmpfs "$1"
        if [ "$3" = 0 ]; then
            user=$(id -un postgres 2> /dev/null || echo nobody)
            chown "$user" "$1"
            exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups sh -c 'echo mounted; exec cat'
        fi
        echo mounted
        exec cat
        """;

    private readonly Process _holder;
    private readonly string _mountPoint;

    private SmallDisk(Process holder, string mountPoint)
    {
        _holder = holder;
        _mountPoint = mountPoint;
    }

    /// <summary>Its directory.</summary>
    public string Root => $"/proc/{_holder.Id}/root{_mountPoint}";

    private string Filler => Path.Combine(Root, "filler");

    /// <summary>Mounts one. Where that is forbidden the test is skipped, but fails in CI.</summary>
    public static SmallDisk Mount(int megabytes)
    {
        var mountPoint = Directory.CreateTempSubdirectory("ml-disk-").FullName;
        var root = Environment.UserName == "root";
        string[] namespaces = root ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
        var holder = Process.Start(new ProcessStartInfo(
            "unshare",
            [.. namespaces, "--propagation", "private", "sh", "-c", Script, "sh", mountPoint, $"{megabytes}m", root ? "0" : "1"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        if (holder.StandardOutput.ReadLine() == "mounted")
        {
            return new SmallDisk(holder, mountPoint);
        }

        var reason = holder.StandardError.ReadToEnd().Trim();
        holder.WaitForExit();
        holder.Dispose();
        Directory.Delete(mountPoint);
        var message = $"This test needs a disk that it can fill, and may not mount one: {reason}";
        throw new InvalidOperationException(
            Environment.GetEnvironmentVariable("CI") == "true" ? message : "$XunitDynamicSkip$" + message);
    }

    /// <summary>Fills it to the last byte.</summary>
    public void Fill()
    {
        using var file = new FileStream(Filler, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (var block = 1 << 20; block > 0;)
        {
            try
            {
                file.Write(new byte[block]);
            }
            catch (IOException exception) when (exception.HResult == NoSpace)
            {
                block /= 2;
            }
        }
    }

    /// <summary>Gives back what <see cref="Fill"/> took.</summary>
    public void Free() => File.Delete(Filler);

    public void Dispose()
    {
        _holder.StandardInput.Close();
        if (!_holder.WaitForExit(TimeSpan.FromSeconds(10)))
        {
            _holder.Kill();
            _holder.WaitForExit();
        }

        _holder.Dispose();
        Directory.Delete(_mountPoint);
    }
}
