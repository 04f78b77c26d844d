using System.Security.Cryptography;
using System.Text.RegularExpressions;
using MeshLedger.Domain;
using MeshLedger.Domain.Documents;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Every snippet of README.md is run, or is a quote of what a test runs.</summary>
public sealed partial class ReadmeTests
{
    private static string Readme => File.ReadAllText(Path.Combine(Meshledger.Repository, "README.md"));

    [Fact]
    public void Every_snippet_is_of_a_kind_that_is_checked() =>
        Assert.Empty(Snippet().Matches(Readme).Select(match => match.Groups[1].Value).Except(["sh", "json", "csharp"]));

    [Fact]
    public void Job_files_are_quoted_as_they_are()
    {
        var examples = new[] { "jobs", "checkpoint" }
            .SelectMany(folder => Directory.GetFiles(Path.Combine(Meshledger.Repository, "examples", folder), "*.json"))
            .Select(File.ReadAllText).ToList();
        Assert.All(Snippets("json"), snippet => Assert.Contains(snippet, examples));
    }

    [MachineFact]
    public async Task The_commands_do_what_they_say()
    {
        await using var node = await TestNode.StartAsync();
        var program = Path.GetDirectoryName(Meshledger.Program);
        foreach (var snippet in Snippets("sh"))
        {
            var result = await Meshledger.RunAsync(
                ["-euo", "pipefail", "-c", $"PATH=\"{program}:$PATH\"\n{snippet}"], null,
                new() { ["MESHLEDGER_DATA"] = node.Data }, program: "/bin/bash");
            result.With(0);
        }
    }

    [Fact]
    public void Code_is_quoted_from_the_test_that_runs_it()
    {
        var source = File.ReadAllText(
            Path.Combine(Meshledger.Repository, "tests", "EndToEnd.Tests", "ReadmeTests.cs"));
        Assert.All(Snippets("csharp"), snippet => Assert.Contains(Squeeze(snippet), Squeeze(source), StringComparison.Ordinal));
    }

    [Fact]
    public void A_document_that_is_built_is_one_that_is_read()
    {
        var ids = new UlidFactory(TimeProvider.System, RandomNumberGenerator.Fill);
        var document = JobDocumentBuilder.For("system.echo", "system.echo.v1")
            .WithData(new { message = "built in C#" })
            .WithMaxPrice(20)
            .WithTimeout(TimeSpan.FromSeconds(30))
            .Build(TimeProvider.System, ids);
        Assert.True(JobDocumentReader.Read(document.Bytes).IsValid);
    }

    [Fact]
    public void The_scripts_that_it_names_are_there()
    {
        foreach (Match script in Script().Matches(Readme))
        {
            var file = Path.Combine(Meshledger.Repository, script.Value);
            Assert.True(File.GetUnixFileMode(file).HasFlag(UnixFileMode.UserExecute), file);
        }
    }

    private static IEnumerable<string> Snippets(string language) => Snippet().Matches(Readme)
        .Where(match => match.Groups[1].Value == language).Select(match => match.Groups[2].Value);

    private static string Squeeze(string code) => Space().Replace(code, " ").Trim();

    [GeneratedRegex("^```([a-z]+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Snippet();

    [GeneratedRegex("eng/[a-z]+\\.sh")]
    private static partial Regex Script();

    [GeneratedRegex("\\s+")]
    private static partial Regex Space();
}
