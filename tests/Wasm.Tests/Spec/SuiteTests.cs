using MeshLedger.Wasm.Spec;

namespace MeshLedger.Wasm.Tests.Spec;

/// <summary>The official suite where its folder is there, and always the project's own files of the same form.</summary>
public sealed class SuiteTests
{
    public static TheoryData<Tier, string> OwnFiles => Files(Path.Combine(AppContext.BaseDirectory, "spec"));

    [Theory]
    [MemberData(nameof(OwnFiles))]
    public void A_file_of_the_projects_own_suite_passes(Tier tier, string path) => Passes(path, tier);

    [Theory]
    [InlineData(Tier.Compiled)]
    [InlineData(Tier.Interpreter)]
    public void The_official_suite_passes_where_it_is_there(Tier tier)
    {
        foreach (var path in Official() is { } folder ? Directory.EnumerateFiles(folder, "*.json") : [])
        {
            Passes(path, tier);
        }
    }

    private static void Passes(string path, Tier tier)
    {
        var result = SpecFile.Run(path, tier);
        Assert.True(result.Failures.Count == 0, $"{result}\n{string.Join('\n', result.Failures)}");
        Assert.True(result.Passed + result.Skipped > 0);
    }

    private static TheoryData<Tier, string> Files(string folder)
    {
        var data = new TheoryData<Tier, string>();
        foreach (var path in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
        {
            data.Add(Tier.Compiled, path);
            data.Add(Tier.Interpreter, path);
        }
        return data;
    }

    // Beside the repository, as the developers have it.
    internal static string? Official()
    {
        var directory = AppContext.BaseDirectory;
        while (directory is not null && !File.Exists(Path.Combine(directory, "MeshLedger.sln")))
        {
            directory = Path.GetDirectoryName(directory);
        }
        var folder = directory is null ? null : Path.Combine(directory, "..", "shared", "wasm-spec");
        return Directory.Exists(folder) ? folder : null;
    }
}
