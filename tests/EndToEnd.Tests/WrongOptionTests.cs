namespace MeshLedger.EndToEnd.Tests;

/// <summary>Whatever is typed, one line says which option is wrong and how; nothing was started or made by then.</summary>
public sealed class WrongOptionTests
{
    public static TheoryData<string[], int, string> Typed => new()
    {
        { ["up", "--postgres", "nonsense"], 2, "--postgres is no connection string: " },
        { ["up", "--postgres", "Port=x"], 2, "--postgres is no connection string: " },
        { ["audit", "--postgres", "Database=x"], 2, "--postgres is no connection string: " },
        { ["up", "--postgres", "Host=/nowhere;Username=x"], 1, "the database at /nowhere, port 5432 was not reached: " },
        { ["audit", "--postgres", "Host=/nowhere;Username=x"], 1, "the database at /nowhere, port 5432 was not reached: " },
        { ["up", "--folder", "FILE"], 2, "--folder: expected a directory, but FILE is a file." },
        { ["up", "--folder", "FILE/x"], 2, "--folder: FILE/x cannot be made, for FILE is a file." },
        { ["up", "--folder", ""], 2, "--folder: expected a value that is not empty." },
        { ["up", "--name", ""], 2, "--name: expected a value that is not empty." },
        { ["up", "--name", " "], 2, "--name: expected a value that is not empty." },
        { ["up", "--pool", ""], 2, "--pool: expected a value that is not empty." },
        { ["up", "--capability", "", "--pool", "x"], 2, "--capability: expected a value that is not empty." },
        { ["up", "--config", ""], 2, "--config: expected a value that is not empty." },
        { ["up", "--worker-id", new string('w', 5000)], 2, "--worker-id: expected at most 200 characters, found 5000." },
        { ["log", "verify", "/dev/zero"], 4, "/dev/zero is no proof: " },
        { ["up", "--config", "FILE"], 2, "FILE is no JSON: expected one JSON value" },
    };

    [Theory]
    [InlineData("query --output CSV", "--output: expected text, json, jsonl or csv, in lower case, found 'CSV'.")]
    [InlineData("audit --output x", "--output: expected text, json, jsonl or sarif, in lower case, found 'x'.")]
    [InlineData("job list --output x", "--output: expected text, json or jsonl, in lower case, found 'x'.")]
    [InlineData("audit --output csv", "--output: expected text, json, jsonl or sarif, found 'csv', which is for query and report alone.")]
    [InlineData("--output x audit", "--output: expected text, json or jsonl (of query and report also csv, of audit sarif), in lower case, found 'x'.")]
    public async Task The_formats_that_a_verb_writes_are_told(string typed, string expected)
    {
        await using var node = TestNode.Create();
        var result = await Meshledger.RunAsync([.. typed.Split(' '), "--data", node.Data]);
        result.With(2);
        Assert.Equal($"meshledger: {expected}", result.Errors.Split('\n')[0]);
    }

    [Theory]
    [InlineData("report jobs", "csv json jsonl text")]
    [InlineData("audit", "json jsonl sarif text")]
    [InlineData("job list", "json jsonl text")]
    public async Task The_formats_that_a_verb_writes_are_completed_and_in_its_help(string verb, string expected)
    {
        var line = $"meshledger {verb} --output ";
        var found = (await Meshledger.RunAsync($"[suggest:{line.Length}]", line)).With(0).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected, string.Join(' ', found.Order(StringComparer.Ordinal)));
        var help = (await Meshledger.RunAsync([.. verb.Split(' '), "--help"])).With(0);
        Assert.All(expected.Split(' '), format => Assert.Contains($"{format} is ", help.Replace("text for", "text is for", StringComparison.Ordinal), StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Typed))]
    public async Task One_line_names_it(string[] typed, int exitCode, string expected)
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "file");
        await File.WriteAllTextAsync(file, "{\n  \"a\": tru\n}\n");
        var result = await node.RunAsync(
            [.. typed.Select(word => word.Replace("FILE", file, StringComparison.Ordinal)), "--output", "text"]);
        result.With(exitCode);
        Assert.StartsWith(
            $"meshledger: {expected.Replace("FILE", file, StringComparison.Ordinal)}", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(node.Data, "postgres")));
    }

    [Theory]
    [InlineData("up", "", "--data: expected a value that is not empty.")]
    [InlineData("audit", "", "--data: expected a value that is not empty.")]
    [InlineData("job list", "", "--data: expected a value that is not empty.")]
    [InlineData("key show", "", "--data: expected a value that is not empty.")]
    [InlineData("up", "FILE", "--data: expected a directory, but FILE is a file.")]
    [InlineData("up", "FILE/x/y", "--data: FILE/x/y cannot be made, for FILE is a file.")]
    public async Task A_data_directory_that_cannot_be_one_is_refused(string verb, string data, string expected)
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "file");
        await File.WriteAllTextAsync(file, "");
        var result = await Meshledger.RunAsync(
            [.. verb.Split(' '), "--data", data.Replace("FILE", file, StringComparison.Ordinal)]);
        result.With(2);
        Assert.StartsWith(
            $"meshledger: {expected.Replace("FILE", file, StringComparison.Ordinal)}", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\n  \"lease_seconds\": tru\n}", "at line 2, byte 2")]
    [InlineData("{\"a\": 1,", "at line 1, byte 8.")]
    [InlineData("{\"worker\": {}, \"worker\": {} }", "a member stands twice in one object")]
    [InlineData("{\"economy\": {\"namespaces\": {\"\": {} } } }", "/economy/namespaces/: a namespace has a name")]
    [InlineData("{\"worker\": {\"labels\": {\"\": \"x\"} } }", "/worker/labels: expected an object")]
    public async Task A_file_s_fault_is_told_in_plain_words_with_its_place(string json, string expected)
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "node.json");
        await File.WriteAllTextAsync(file, json);
        var result = await node.RunAsync("up", "--config", file);
        result.With(2);
        Assert.Contains(expected, result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("isFinalBlock", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Parameters_that_are_no_json_are_told_with_their_place()
    {
        await using var node = TestNode.Create();
        var result = await node.RunAsync("aid", "request", "--tag", "x", "--parameters", "{\"a\": ");
        result.With(2);
        Assert.Contains("--parameters is no JSON: expected one JSON value", result.Errors, StringComparison.Ordinal);
        Assert.Contains("line 1, byte 7", result.Errors, StringComparison.Ordinal);
    }
}
