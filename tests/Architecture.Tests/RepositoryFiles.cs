namespace MeshLedger.Architecture.Tests;

/// <summary>The tree that these tests read.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = FindRoot();

    public static string Source => Path.Combine(Root, "src");

    public static IEnumerable<string> Rooms => Directory.GetDirectories(Source).Select(Path.GetFileName)!;

    public static IEnumerable<string> CodeOf(string directory) =>
        Directory.EnumerateFiles(directory, "*.cs", SearchOption.AllDirectories).Where(IsOurs);

    /// <summary>Everything that people wrote, without what builds leave behind.</summary>
    public static IEnumerable<string> Texts() =>
        Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories)
            .Where(IsOurs)
            .Where(file => Path.GetExtension(file) is ".cs" or ".md" or ".sql" or ".sh" or ".csproj" or ".props" or ".c" or ".h");

    private static bool IsOurs(string file)
    {
        var parts = Path.GetRelativePath(Root, file).Split('/');
        return !parts.Any(part => part is "bin" or "obj" or ".git" or "artifacts");
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "MeshLedger.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException($"There is no MeshLedger.sln above {AppContext.BaseDirectory}.");
    }
}
