namespace MeshLedger.Machines;

/// <summary>A file that a guest is given.</summary>
/// <param name="Path">Where it is in the guest; see <see cref="Fault"/>.</param>
/// <param name="Size">In bytes, at most <see cref="MaxBytes"/>.</param>
/// <param name="Open">Opens its content, which has just that size. What it throws ends the run.</param>
public sealed record MicroVmInput(string Path, long Size, Func<Stream> Open)
{
    /// <summary>The most files.</summary>
    public const int MaxCount = 64;

    /// <summary>The largest file: what a guest's first file system can hold.</summary>
    public const long MaxBytes = uint.MaxValue;

    private const int MaxNameBytes = 255;
    private const int MaxPathBytes = 1024;

    // What init and the kernel put there.
    private static readonly string[] Taken = ["/program", "/proc", "/dev"];

    /// <summary>The first path that is none for an input, and what was expected; null if all are right.</summary>
    public static (int Index, string Expected)? Fault(IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        for (var i = 0; i < paths.Count; i++)
        {
            var path = paths[i];
            var names = path.Split('/');
            if (names.Length < 2 || names[0].Length > 0 || System.Text.Encoding.UTF8.GetByteCount(path) > MaxPathBytes
                || path.Any(char.IsControl) || names.Skip(1).Any(name => name is "" or "." or ".."
                    || System.Text.Encoding.UTF8.GetByteCount(name) > MaxNameBytes))
            {
                return (i, $"an absolute path of at most {MaxPathBytes} bytes without empty names, '.', '..' and controls");
            }

            if (Taken.Any(taken => path == taken || path.StartsWith(taken + "/", StringComparison.Ordinal)) || path == "/tmp")
            {
                return (i, "a path that is not /program, /tmp, or in /proc or /dev");
            }

            if (paths.Take(i).Any(other => path == other || path.StartsWith(other + "/", StringComparison.Ordinal)
                || other.StartsWith(path + "/", StringComparison.Ordinal)))
            {
                return (i, "a path that is no other input's, nor in one, nor above one");
            }
        }

        return paths.Count > MaxCount ? (MaxCount, $"at most {MaxCount} inputs") : null;
    }
}
