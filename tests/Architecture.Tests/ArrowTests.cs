using System.Xml.Linq;

namespace MeshLedger.Architecture.Tests;

/// <summary>Which room may know which. An arrow that is not here is a decision to be made here first.</summary>
public sealed class ArrowTests
{
    // 2026-11-21: Node is a room of its own: the application service between transports, workers and the ledger.
    // It works through Domain's ports alone, so it is tested without a database and knows no SQL.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Crypto"] = [],
        ["Wasm"] = [],
        ["Domain"] = ["Crypto"],
        ["Blobs"] = ["Crypto"],
        ["Ledger"] = ["Domain"],
        ["Projections"] = ["Domain"],
        ["Transports"] = ["Domain"],
        ["Node"] = ["Domain"],
        ["Observability"] = ["Domain"],
        ["Machines"] = ["Blobs"],
        ["Worker"] = ["Machines", "Wasm", "Blobs", "Domain"],
        ["Dashboard"] = ["Projections"],
        ["Tools"] =
        [
            "Crypto", "Domain", "Ledger", "Node", "Projections", "Blobs", "Wasm", "Machines", "Transports", "Worker",
            "Dashboard", "Observability",
        ],
    };

    // Packages that would bring I/O or a database where the rules say there is none.
    private static readonly Dictionary<string, string[]> Packages = new()
    {
        ["Crypto"] = ["SimpleBase"],
        ["Domain"] = ["FluentValidation"],
        ["Wasm"] = [],
    };

    public static TheoryData<string> Rooms => [.. RepositoryFiles.Rooms];

    [Theory]
    [MemberData(nameof(Rooms))]
    public void A_room_references_only_the_rooms_that_it_may(string room)
    {
        Assert.True(Allowed.ContainsKey(room), $"src/{room} is no room of this house: add it to the table with its reason.");
        var found = References(room, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path)!);
        Assert.Empty(found.Except(Allowed[room]).Select(other => $"{room} -> {other}"));
    }

    [Theory]
    [MemberData(nameof(Rooms))]
    public void A_pure_room_has_no_package_that_does_input_or_output(string room)
    {
        if (Packages.TryGetValue(room, out var allowed))
        {
            Assert.Empty(References(room, "PackageReference").Except(allowed));
        }
    }

    [Fact]
    public void The_domain_names_no_database_and_does_no_input_or_output()
    {
        string[] forbidden =
        [
            "Npgsql", "System.IO.File", "File.Open", "File.Read", "File.Write", "FileStream", "Directory.", "System.Net",
            "HttpClient", "Process.Start", "Console.", "Environment.",
        ];
        Assert.Empty(
            from file in RepositoryFiles.CodeOf(Path.Combine(RepositoryFiles.Source, "Domain"))
            from line in File.ReadLines(file)
            from word in forbidden
            where line.Contains(word, StringComparison.Ordinal)
                && !line.TrimStart().StartsWith("//", StringComparison.Ordinal)
            select $"{Path.GetFileName(file)}: {line.Trim()}");
    }

    [Fact]
    public void Only_ports_mention_tasks_in_the_domain()
    {
        Assert.Empty(
            from file in RepositoryFiles.CodeOf(Path.Combine(RepositoryFiles.Source, "Domain"))
            where !file.Contains("/Ports/", StringComparison.Ordinal)
            from line in File.ReadLines(file)
            where line.Contains(" Task", StringComparison.Ordinal) && line.Contains("await ", StringComparison.Ordinal)
            select $"{Path.GetFileName(file)}: {line.Trim()}");
    }

    private static IEnumerable<string> References(string room, string kind) =>
        from project in Directory.EnumerateFiles(Path.Combine(RepositoryFiles.Source, room), "*.csproj")
        from element in XDocument.Load(project).Descendants(kind)
        select element.Attribute("Include")!.Value;
}
