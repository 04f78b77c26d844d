namespace MeshLedger.Architecture.Tests;

/// <summary>What keeps the tree readable.</summary>
public sealed class TidinessTests
{
    private const int MostLines = 400;

    [Fact]
    public void No_source_file_is_longer_than_400_lines() => Assert.Empty(
        from file in RepositoryFiles.CodeOf(RepositoryFiles.Source)
        let lines = File.ReadLines(file).Count()
        where lines > MostLines
        select $"{Path.GetRelativePath(RepositoryFiles.Root, file)}: {lines} lines");

    [Fact]
    public void Every_room_has_a_page_of_its_own() => Assert.Empty(
        RepositoryFiles.Rooms.Where(room => !File.Exists(Path.Combine(RepositoryFiles.Source, room, "README.md")))
            .Select(room => $"src/{room}/README.md is missing"));

    [Fact]
    public void Nothing_is_left_to_be_done_later()
    {
        // Written in two parts, so that this file does not find itself.
        string[] marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"];
        Assert.Empty(
            from file in RepositoryFiles.Texts()
            from line in File.ReadLines(file)
            from mark in marks
            where line.Contains(mark, StringComparison.Ordinal)
            select $"{Path.GetRelativePath(RepositoryFiles.Root, file)}: {line.Trim()}");
    }

    [Fact]
    public void No_file_uses_regions() => Assert.Empty(
        from file in RepositoryFiles.CodeOf(RepositoryFiles.Source)
        from line in File.ReadLines(file)
        where line.TrimStart().StartsWith("#region", StringComparison.Ordinal)
        select Path.GetRelativePath(RepositoryFiles.Root, file));

    [Fact]
    public void A_file_stands_in_the_namespace_of_its_folder() => Assert.Empty(
        from file in RepositoryFiles.CodeOf(RepositoryFiles.Source)
        let folder = Path.GetRelativePath(RepositoryFiles.Source, Path.GetDirectoryName(file)!).Replace('/', '.')
        let declared = File.ReadLines(file).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal))
        where declared is not null && declared != $"namespace MeshLedger.{folder};"
            && declared != "namespace Microsoft.Extensions.DependencyInjection;"
        select $"{Path.GetRelativePath(RepositoryFiles.Root, file)}: {declared}");
}
