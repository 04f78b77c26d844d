using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using MeshLedger.EndToEnd.Tests;

namespace MeshLedger.Observability.Tests;

public sealed partial class LogTests
{
    private static readonly string Source = Path.Combine(Meshledger.Repository, "src");

    [Fact]
    public void Every_log_event_has_an_id_of_its_own_in_the_range_of_its_room()
    {
        var ranges = Range().Matches(File.ReadAllText(Path.Combine(Source, "Observability", "README.md")))
            .ToDictionary(match => match.Groups[1].Value, match => (Number(match.Groups[2]), Number(match.Groups[3])));
        var ids = new Dictionary<int, string>();
        foreach (var file in Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories))
        {
            var place = Path.GetRelativePath(Source, file);
            var room = place.Split('/')[0];
            var text = File.ReadAllText(file);
            foreach (Match message in Message().Matches(text))
            {
                var id = Number(message.Groups[1]);
                Assert.True(ids.TryAdd(id, place), $"{id} is in {place} and in {ids.GetValueOrDefault(id)}.");
                Assert.True(
                    ranges.TryGetValue(room, out var range),
                    $"{place}: give {room} a range in the table of src/Observability/README.md.");
                Assert.True(id >= range.Item1 && id <= range.Item2, $"{id} in {place} is not from {range}.");
            }

            Assert.Equal(Mention().Count(text), Message().Count(text));
        }

        Assert.NotEmpty(ids);
    }

    [Fact]
    public async Task Logs_can_be_one_JSON_object_a_line()
    {
        await using var node = TestNode.Create();
        node.Drop("bad.json", "this is no JSON");
        node.Options = ["--log-format", "json", "--name", "alpha"];
        await node.StartAsync();
        await Meshledger.UntilAsync(() => File.Exists(node.Failed("bad.json.error.json")), "a refusal");
        Assert.Equal(0, await node.StopAsync());
        var lines = node.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.All(lines, line => Assert.Equal(
            ["time", "level", "event_id", "category", "message", "fields"], line.EnumerateObject().Select(
                member => member.Name)));
        JsonElement Of(int id) => lines.Single(line => line.GetProperty("event_id").GetInt32() == id);
        var ready = Of(9001).GetProperty("fields");
        Assert.Equal("alpha", ready.GetProperty("name").GetString());
        Assert.Equal(JsonValueKind.Number, ready.GetProperty("process_id").ValueKind);
        Assert.Equal("warning", Of(4006).GetProperty("level").GetString());
        Assert.Equal("INVALID_DOCUMENT", Of(4006).GetProperty("fields").GetProperty("code").GetString());
    }

    private static int Number(Group group) => int.Parse(group.ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\| ([A-Z][A-Za-z]+) \| (\d+) to (\d+) \|", RegexOptions.Multiline)]
    private static partial Regex Range();

    [GeneratedRegex(@"\[LoggerMessage\(\s*(\d+),")]
    private static partial Regex Message();

    [GeneratedRegex(@"\[LoggerMessage\b")]
    private static partial Regex Mention();
}
