using System.Text;

namespace MeshLedger.Wasm.Wasi;

/// <summary>The directories and files of /in, built from the paths of the inputs.</summary>
internal static class InputTree
{
    public static MemoryDirectory Build(IEnumerable<GuestInput> inputs, MemoryFileSystem system)
    {
        var root = system.Root();
        // In ordinal order, so that the same inputs have the same numbers however they were listed.
        foreach (var input in inputs.OrderBy(input => input.Path, StringComparer.Ordinal))
        {
            var names = input.Path.Split('/');
            if (names.Length > WasiLimits.Depth || input.Length < 0 || !names.All(IsName))
            {
                throw new ArgumentException($"'{input.Path}' is not a relative path of plain names.", nameof(inputs));
            }
            var parent = root;
            foreach (var name in names[..^1])
            {
                parent = parent.Find(name, out var found) == Errno.Noent ? system.AddDirectory(parent, name)
                    : found as MemoryDirectory
                    ?? throw new ArgumentException($"'{input.Path}' lies below another input.", nameof(inputs));
            }
            if (parent.Find(names[^1], out _) != Errno.Noent)
            {
                throw new ArgumentException($"'{input.Path}' is there twice.", nameof(inputs));
            }
            system.Enter(out var inode);
            parent.Attach(names[^1], new InputFile(system, inode, input));
        }
        return root;
    }

    public static bool IsName(string name) =>
        name.Length > 0 && name is not ("." or "..") && !name.Contains('/', StringComparison.Ordinal)
        && !name.Contains('\0', StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(name) <= WasiLimits.NameBytes;
}
