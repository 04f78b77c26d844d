using System.Text;
using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

public sealed class UpTests
{
    [Fact]
    public async Task A_dropped_file_becomes_a_result_and_a_history_that_audits_clean()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        node.Drop("any name.json", TestNode.Echo("first-job-0001", """{"say":"hello"}"""));
        var result = await node.ResultAsync("first-job-0001");
        Assert.Equal("completed", result.GetProperty("status").GetString());
        Assert.Equal("hello", result.GetProperty("data").GetProperty("echo").GetProperty("say").GetString());
        await Meshledger.UntilAsync(() => File.Exists(node.Done("any name.json")), "the file in done/");

        var history = (await node.RunAsync("job", "history", "first-job-0001", "--output", "jsonl")).With(0)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal("job_submitted", history[0].GetProperty("type").GetString());
        Assert.Equal("job_completed", history[^1].GetProperty("type").GetString());
        Assert.Equal(Enumerable.Range(1, history.Count), history.Select(line => line.GetProperty("version").GetInt32()));

        var before = (await node.RunAsync("job", "list", "--output", "json")).With(0);
        var accounts = (await node.RunAsync("account", "show", "--output", "json")).With(0);
        (await node.RunAsync("projections", "rebuild")).With(0);
        Assert.Equal(before, (await node.RunAsync("job", "list", "--output", "json")).With(0));
        Assert.Equal(accounts, (await node.RunAsync("account", "show", "--output", "json")).With(0));
        (await node.RunAsync("audit")).With(0);

        Assert.Equal(0, await node.StopAsync());
        Assert.Contains("PostgreSQL stopped", node.Errors, StringComparison.Ordinal);

        // Offline, the same answers.
        Assert.Contains("Audit: clean.", (await node.RunAsync("audit")).With(0), StringComparison.Ordinal);
        Assert.Equal(before, (await node.RunAsync("job", "list", "--output", "json")).With(0));
    }

    [Fact]
    public async Task What_is_no_job_ends_in_failed_with_its_reason_and_stops_nothing()
    {
        await using var node = await TestNode.StartAsync();
        node.Drop("no.json", "this is no JSON");
        node.Drop("binary.json", [0xFF, 0xFE, 0x00]);
        node.Drop("incomplete.json", """{"version":"1.0","job_id":"x"}""");
        node.Drop("large.json", Encoding.UTF8.GetBytes("\"" + new string('a', 2 << 20) + "\""));
        Directory.CreateDirectory(Path.Combine(node.Folder, "inbox", "directory.json"));
        node.Drop("good.json", TestNode.Echo("good-job-0001"));
        await node.ResultAsync("good-job-0001");
        foreach (var name in (string[])["no.json", "binary.json", "incomplete.json", "large.json", "directory.json"])
        {
            var error = node.Failed($"{name}.error.json");
            await Meshledger.UntilAsync(() => File.Exists(error), error);
            using var reason = JsonDocument.Parse(await File.ReadAllBytesAsync(error));
            Assert.NotEmpty(reason.RootElement.GetProperty("code").GetString()!);
        }
    }

    [Fact]
    public async Task A_second_node_on_one_data_directory_is_told_who_holds_it()
    {
        await using var node = await TestNode.StartAsync("--name", "holder", "--no-worker");
        var second = await node.RunAsync("up");
        second.With(1);
        Assert.Contains($"process {node.ProcessId} (node holder", second.Errors, StringComparison.Ordinal);
        Assert.Single(second.Errors.Trim().Split('\n'));
    }

    [Fact]
    public async Task Without_postgresql_one_line_says_what_to_install()
    {
        await using var node = TestNode.Create();
        var result = await Meshledger.RunAsync(
            ["up", "--data", node.Data], null, new() { ["MESHLEDGER_PG_BIN"] = "/nowhere" });
        result.With(1);
        Assert.Single(result.Errors.Trim().Split('\n'));
        Assert.Contains("apt-get install postgresql", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Jobs_that_were_submitted_while_no_node_ran_are_taken_up_by_the_next_start()
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "job.json");
        await File.WriteAllTextAsync(file, TestNode.Echo("early-job-0001"));
        var submitted = await node.RunAsync("job", "submit", file);
        submitted.With(0);
        Assert.Contains("next start", submitted.Errors, StringComparison.Ordinal);
        await node.StartAsync();
        (await node.RunAsync("job", "wait", "early-job-0001")).With(0);
    }

    [Fact]
    public async Task A_job_that_no_worker_can_run_says_what_it_waits_for()
    {
        await using var node = await TestNode.StartAsync("--worker-id", "small");
        node.Drop("picky.json", TestNode.Echo("picky-job-0001").Replace(
            "\"payload\"", "\"constraints\":{\"required_features\":[\"gpu\"]},\"payload\"", StringComparison.Ordinal));
        await node.UntilSaidAsync("Worker small does not meet: feature gpu", "job", "show", "picky-job-0001");
        (await node.RunAsync("job", "wait", "picky-job-0001", "--timeout", "0.2")).With(1);
    }
}
