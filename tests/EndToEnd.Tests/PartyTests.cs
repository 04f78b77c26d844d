using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Workers' standings, federations, mutual aid and reputation, as the command shows and changes them.</summary>
public sealed class PartyTests
{
    [Fact]
    public async Task A_drained_worker_takes_no_more_until_it_is_resumed_and_a_retired_one_never()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        Assert.Contains("alpha: draining", (await node.RunAsync("worker", "drain", "alpha", "--reason", "kernel")).With(0), StringComparison.Ordinal);
        Assert.Contains("draining already", (await node.RunAsync("worker", "drain", "alpha")).With(0), StringComparison.Ordinal);
        node.Drop("a.json", TestNode.Echo("drained-job-0001"));
        await node.UntilBiddingAsync("drained-job-0001");
        await node.UntilSaidAsync("not one that is draining", "job", "why", "drained-job-0001");
        (await node.RunAsync("worker", "resume", "alpha")).With(0);
        (await node.RunAsync("job", "wait", "drained-job-0001")).With(0);

        using (var shown = await node.JsonAsync("worker", "show", "alpha"))
        {
            Assert.Equal("active", shown.RootElement.GetProperty("standing").GetString());
            Assert.True(shown.RootElement.GetProperty("live").GetBoolean());
            Assert.Contains(
                shown.RootElement.GetProperty("reputations").EnumerateArray(),
                score => score.GetProperty("operation").GetString() == "system.echo" && score.GetProperty("points").GetInt64() == 10);
        }

        (await node.RunAsync("worker", "show", "nobody")).With(3);
        (await node.RunAsync("worker", "retire", "alpha")).With(0);
        (await node.RunAsync("worker", "resume", "alpha")).With(1);
        Assert.Equal(0, await node.StopAsync());
        var again = await node.RunAsync("up");
        again.With(1);
        Assert.Contains("has retired and does not come back", again.Errors, StringComparison.Ordinal);
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public async Task A_node_has_several_workers_that_its_submitter_vouches_for()
    {
        await using var node = await TestNode.StartAsync("--name", "farm", "--workers", "3", "--owner", "submitter");
        using var listed = await node.JsonAsync("worker", "list");
        Assert.Equal(
            ["farm", "farm-2", "farm-3"],
            listed.RootElement.EnumerateArray().Select(worker => worker.GetProperty("worker_id").GetString()));
        using var keys = await node.JsonAsync("key", "show");
        var submitter = keys.RootElement.EnumerateArray()
            .Single(key => key.GetProperty("key").GetString() == "submitter").GetProperty("did").GetString();
        Assert.Equal(
            Environment.ProcessorCount,
            listed.RootElement.EnumerateArray().Sum(worker => worker.GetProperty("resources").GetProperty("cpu_cores").GetInt64()));
        Assert.All(listed.RootElement.EnumerateArray(), worker => Assert.Equal(submitter, worker.GetProperty("owner").GetString()));
        await node.UntilSaidAsync("\"vouched\": true", "worker", "show", "farm-3", "--output", "json");

        // Another start changes nothing about that.
        await node.StopAsync();
        await node.StartAsync();
        using var after = await node.JsonAsync("worker", "show", "farm-3");
        Assert.True(after.RootElement.GetProperty("vouched").GetBoolean());
        (await node.RunAsync("worker", "drain", "farm-2")).With(0);
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public async Task A_federation_s_grant_lets_a_worker_run_a_job_and_its_revocation_does_not()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        var early = await node.RunAsync("federation", "grant", "hospitals", "alpha");
        early.With(3);
        Assert.Contains("To found it: meshledger federation found hospitals", early.Errors, StringComparison.Ordinal);
        (await node.RunAsync("federation", "found", "hospitals")).With(0);
        (await node.RunAsync("federation", "found", "hospitals")).With(1);
        node.Drop("a.json", Trusted("trusted-job-0001"));
        await node.UntilBiddingAsync("trusted-job-0001");
        await node.UntilSaidAsync("trust scope hospitals/medical", "job", "why", "trusted-job-0001");
        (await node.RunAsync("federation", "grant", "hospitals", "alpha", "--scope", "eu")).With(0);
        (await node.RunAsync("job", "wait", "trusted-job-0001", "--timeout", "0.5")).With(1);
        Assert.Contains(
            "trusted with eu, medical",
            (await node.RunAsync("federation", "grant", "hospitals", "alpha", "--scope", "medical", "--scope", "eu")).With(0),
            StringComparison.Ordinal);
        (await node.RunAsync("job", "wait", "trusted-job-0001")).With(0);

        Assert.Equal(
            "alpha: no longer a member of hospitals\n",
            (await node.RunAsync("federation", "revoke", "hospitals", "alpha", "--reason", "left")).With(0));
        var twice = await node.RunAsync("federation", "revoke", "hospitals", "alpha");
        twice.With(3);
        Assert.Equal("meshledger: alpha is no member of federation hospitals.\n", twice.Errors);
        node.Drop("b.json", Trusted("trusted-job-0002"));
        await node.UntilBiddingAsync("trusted-job-0002");
        using var listed = await node.JsonAsync("federation", "list");
        Assert.Equal(0, Assert.Single(listed.RootElement.EnumerateArray()).GetProperty("members").GetInt32());
        (await node.RunAsync("federation", "show", "nobody")).With(3);
        (await node.RunAsync("federation", "show", "Not a name")).With(2);

        await using var elsewhere = TestNode.Create();
        var foreign = await elsewhere.RunAsync("federation", "grant", "hospitals", "alpha", "--postgres", node.Socket);
        foreign.With(3);
        Assert.Contains("federation hospitals was founded elsewhere", foreign.Errors, StringComparison.Ordinal);

        // Somebody else's key does not speak for it.
        var key = Path.Combine(node.Home, "other.key");
        (await node.RunAsync("key", "new", key)).With(0);
        var other = await node.RunAsync("federation", "grant", "hospitals", "alpha", "--key", key);
        other.With(1);
        Assert.Contains("NOT_THE_FEDERATION", other.Errors, StringComparison.Ordinal);
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public async Task A_request_for_aid_is_answered_by_the_template_that_fits()
    {
        await using var node = await TestNode.StartAsync();
        var early = (await node.RunAsync("aid", "request", "--tag", "greeting", "--parameters", """{"to":"Ada"}""")).With(0).Trim();
        Assert.Equal("", (await node.RunAsync("aid", "matches")).With(0));
        var file = Path.Combine(node.Home, "greet.json");
        await File.WriteAllTextAsync(file, """{"version":"1.0","kind":"VMOperation","operation":"nonsense","payload":{}}""");
        var wrong = await node.RunAsync("aid", "template", "add", file, "--name", "wrong", "--tag", "greeting");
        wrong.With(1);
        Assert.Contains("/operation", wrong.Errors, StringComparison.Ordinal);
        await File.WriteAllTextAsync(
            file,
            """{"version":"1.0","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{"hello":"","to":"you"}}}""");
        var template = (await node.RunAsync("aid", "template", "add", file, "--name", "greet", "--tag", "greeting", "--tag", "en")).With(0).Trim();
        (await node.RunAsync("job", "wait", early)).With(0);
        Assert.Contains("Ada", (await node.RunAsync("job", "outputs", early)).With(0), StringComparison.Ordinal);

        // The answer is told with the request; its parameters may stand in a file.
        var parameters = Path.Combine(node.Home, "parameters.json");
        await File.WriteAllTextAsync(parameters, """{"to":"Grace"}""");
        var prompt = await node.RunAsync("aid", "request", "--tag", "greeting", "--parameters", $"@{parameters}");
        var answered = prompt.With(0).Trim();
        Assert.Equal($"Template greet answers: meshledger job show {answered}\n", prompt.Errors);
        (await node.RunAsync("job", "wait", answered)).With(0);
        Assert.Contains("Grace", (await node.RunAsync("job", "outputs", answered)).With(0), StringComparison.Ordinal);

        Assert.Equal($"{template}: withdrawn\n", (await node.RunAsync("aid", "template", "withdraw", template)).With(0));
        Assert.Equal($"{template}: withdrawn already\n", (await node.RunAsync("aid", "template", "withdraw", template)).With(0));
        (await node.RunAsync("aid", "template", "withdraw", "aid-01KAJ3ZK7M3Q8X4T6V2N9B5CDE")).With(3);
        (await node.RunAsync("aid", "template", "withdraw", "nonsense")).With(2);
        var alone = await node.RunAsync("aid", "request", "--tag", "greeting");
        var late = alone.With(0).Trim();
        Assert.Contains("No template shares a tag yet", alone.Errors, StringComparison.Ordinal);
        using var listed = await node.JsonAsync("aid", "list");
        var states = listed.RootElement.EnumerateArray().ToDictionary(
            row => row.GetProperty("id").GetString()!, row => row.GetProperty("state").GetString());
        Assert.Equal(
            new Dictionary<string, string?>
            {
                [early] = "answered", [answered] = "answered", [template] = "withdrawn", [late] = "open",
            },
            states);
        Assert.Contains("pool", (await node.RunAsync("account", "list")).With(0), StringComparison.Ordinal);
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public async Task Reputation_is_told_now_and_as_of_any_position()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        node.Drop("a.json", TestNode.Echo("first-job-0001"));
        (await node.RunAsync("job", "wait", "first-job-0001")).With(0);
        node.Drop("b.json", TestNode.Echo("second-job-0001"));
        (await node.RunAsync("job", "wait", "second-job-0001")).With(0);
        var end = (await node.RunAsync("job", "history", "first-job-0001", "--output", "jsonl")).With(0)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .Last().GetProperty("position").GetInt64();
        Assert.Equal(20, await PointsAsync(node));
        Assert.Equal(10, await PointsAsync(node, "--as-of", $"{end}"));
        Assert.Null(await PointsAsync(node, "--as-of", $"{end - 1}"));
        (await node.RunAsync("reputation", "show", "alpha", "--as-of", "1000000")).With(3);
        using var listed = await node.JsonAsync("reputation", "list");
        Assert.Equal(20, Assert.Single(listed.RootElement.EnumerateArray()).GetProperty("points").GetInt64());
    }

    [Fact]
    public async Task A_job_that_asks_for_reputation_runs_once_a_worker_has_earned_it()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        node.Drop("a.json", TestNode.Echo("choosy-job-0001").Replace(
            "\"payload\"", "\"market\":{\"min_reputation\":10},\"payload\"", StringComparison.Ordinal));
        await node.UntilBiddingAsync("choosy-job-0001");
        await node.UntilSaidAsync("reputation 10, not 0", "job", "why", "choosy-job-0001");
        node.Drop("b.json", TestNode.Echo("earning-job-0001"));
        (await node.RunAsync("job", "wait", "choosy-job-0001", "earning-job-0001")).With(0);
    }

    private static async Task<long?> PointsAsync(TestNode node, params string[] options)
    {
        using var shown = await node.JsonAsync(["reputation", "show", "alpha", .. options]);
        var scores = shown.RootElement.GetProperty("reputations").EnumerateArray().ToList();
        return scores.Count == 0 ? null : scores[0].GetProperty("points").GetInt64();
    }

    private static string Trusted(string id) => TestNode.Echo(id).Replace(
        "\"payload\"", "\"market\":{\"trust_scope\":\"hospitals/medical\"},\"payload\"", StringComparison.Ordinal);
}
