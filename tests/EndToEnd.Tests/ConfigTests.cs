using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>The file of <c>up --config</c>.</summary>
public sealed partial class ConfigTests
{
    private static string Documented => Json().Match(File.ReadAllText(
        Path.Combine(Meshledger.Repository, "src", "Tools", "README.md"))).Groups[1].Value;

    [Fact]
    public async Task The_documented_file_is_complete_and_is_read_as_it_stands()
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "node.json");
        await File.WriteAllTextAsync(file, Documented);
        var printed = (await node.RunAsync("up", "--config", file, "--print-config")).With(0);
        Assert.Equal(Sorted(JsonNode.Parse(Documented)), Sorted(JsonNode.Parse(printed)));

        var changed = (await node.RunAsync("up", "--config", file, "--print-config", "--base-price", "77", "--pool", "p")).With(0);
        Assert.Equal(77, (int)JsonNode.Parse(changed)!["worker"]!["base_price"]!);
        Assert.Equal("p", (string?)JsonNode.Parse(changed)!["worker"]!["pools"]![0]);
    }

    [Theory]
    [InlineData("""{"lease_second":1}""", "/lease_second: there is no such member; known here: attempt_grace_seconds, blobs, economy, lease_seconds")]
    [InlineData("""{"economy":{"per_submitter":{"jobs":1}}}""", "/economy/per_submitter/jobs: there is no such member; known here: jobs_per_minute, mana_per_day, open_jobs")]
    [InlineData("""{"economy":{"namespaces":{"team":{"open_jobs":-1}}}}""", "/economy/namespaces/team/open_jobs: expected an integer from 0")]
    [InlineData("""{"market":{"policy":"nicest"}}""", "/market/policy: expected one of weighted, cheapest")]
    [InlineData("""{"market":{"weights":{"price":0,"reputation":0,"resources":0,"latency":0}}}""", "/market/weights: expected at least one")]
    [InlineData("""{"worker":{"labels":{"zone":1}},"retry":{"max_losses":0}}""", "/worker/labels: expected an object whose values are texts")]
    [InlineData("""{"worker":{"labels":{"zone":1}},"retry":{"max_losses":0}}""", "/retry/max_losses: expected an integer from 1")]
    [InlineData("""{"log":{"witnesses":{"http://a":"witness.example/w1+1eadf073+BFDYWOCYXsx/YEGKrwzFq1h/QsJXCohAlanozKzQ9lRc","http://b":"witness.example/w1+1eadf073+BFDYWOCYXsx/YEGKrwzFq1h/QsJXCohAlanozKzQ9lRc"}}}""", "/log/witnesses: expected witnesses with keys of their own, found one key of http://a/ and http://b/")]
    [InlineData("""{"worker":1}""", "/worker: expected an object, found 1")]
    [InlineData("""{"worker":{},"worker":{}}""", "is no JSON")]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("{", "is no JSON")]
    public async Task What_is_wrong_in_a_file_is_told_with_its_place(string json, string expected)
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "node.json");
        await File.WriteAllTextAsync(file, json);
        var result = await node.RunAsync("up", "--config", file);
        result.With(2);
        Assert.Contains(expected, result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(node.Data));
    }

    [Fact]
    public async Task A_quota_of_the_file_refuses_by_its_name()
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "node.json");
        await File.WriteAllTextAsync(
            file,
            """
            {"economy":{"max_escrow":500,"namespaces":{"small":{"mana_per_day":150}}},"market":{"default_max_price":100},"wait_limit_seconds":1}
            """);
        node.Options = ["--config", file];
        await node.StartAsync();
        Assert.Contains("PRICE_LIMIT", await RefusedAsync("dear-job-0001", "\"market\":{\"max_price\":501},"), StringComparison.Ordinal);
        await SubmittedAsync("small-job-0001", "\"metadata\":{\"namespace\":\"small\"},");
        Assert.Contains(
            "QUOTA_MANA_PER_DAY: namespace small",
            await RefusedAsync("small-job-0002", "\"metadata\":{\"namespace\":\"small\"},"), StringComparison.Ordinal);
        await SubmittedAsync("other-job-0001", "");

        // The file's wait limit holds, too.
        node.Drop("gpu.json", Job("gpu-job-0001", "\"constraints\":{\"required_features\":[\"gpu\"]},"));
        Assert.Contains("NO_ELIGIBLE_WORKER", (await node.RunAsync("job", "wait", "gpu-job-0001")).With(1), StringComparison.Ordinal);

        Task<CommandResult> SubmitAsync(string id, string members)
        {
            var job = Path.Combine(node.Home, $"{id}.json");
            File.WriteAllText(job, Job(id, members));
            return node.RunAsync("job", "submit", job, "--wait");
        }

        async Task<string> RefusedAsync(string id, string members) => (await SubmitAsync(id, members)).With(1);
        async Task SubmittedAsync(string id, string members) => (await SubmitAsync(id, members)).With(0);
    }

    private static string Job(string id, string members) =>
        TestNode.Echo(id).Replace("\"payload\"", $"{members}\"payload\"", StringComparison.Ordinal);

    private static string Sorted(JsonNode? node) => node switch
    {
        JsonObject value => $"{{{string.Join(',', value.OrderBy(member => member.Key, StringComparer.Ordinal)
            .Select(member => $"{JsonSerializer.Serialize(member.Key)}:{Sorted(member.Value)}"))}}}",
        JsonArray list => $"[{string.Join(',', list.Select(Sorted))}]",
        _ => node?.ToJsonString() ?? "null",
    };

    [GeneratedRegex("^```json\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Json();
}
