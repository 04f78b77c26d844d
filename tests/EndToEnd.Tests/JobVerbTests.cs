using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>What can be asked and done about a job, beside submitting it and waiting for it.</summary>
public sealed class JobVerbTests
{
    [Fact]
    public async Task A_job_that_nobody_can_run_says_why_and_is_cancelled_by_its_submitter_alone()
    {
        await using var node = await TestNode.StartAsync("--worker-id", "small");
        node.Drop("a.json", Job("picky-job-0001", "\"constraints\":{\"required_features\":[\"gpu\"]},"));
        node.Drop("b.json", Job("fixed-job-0001", "\"constraints\":{\"required_features\":[\"gpu\"]},\"execution\":{\"cancellable\":false},"));
        await node.UntilBiddingAsync("picky-job-0001", "fixed-job-0001");
        await node.UntilSaidAsync("The only live worker could not run it", "job", "why", "picky-job-0001");
        using (var why = await node.JsonAsync("job", "why", "picky-job-0001"))
        {
            Assert.Equal("bidding_open", why.RootElement.GetProperty("status").GetString());
            var worker = Assert.Single(why.RootElement.GetProperty("workers").EnumerateArray());
            Assert.Equal("small", worker.GetProperty("worker_id").GetString());
            Assert.False(worker.GetProperty("could_run").GetBoolean());
            Assert.Equal("feature gpu", Assert.Single(worker.GetProperty("lacks").EnumerateArray()).GetString());
            Assert.Equal(3600, why.RootElement.GetProperty("wait_limit_seconds").GetInt64());
            Assert.NotEqual(0, why.RootElement.GetProperty("next").GetArrayLength());
        }

        var text = (await node.RunAsync("job", "why", "picky-job-0001")).With(0);
        Assert.Contains("The only live worker could not run it", text, StringComparison.Ordinal);
        Assert.Contains("Bidding stays open until a worker that could run it is alive", text, StringComparison.Ordinal);
        Assert.Contains("NO_ELIGIBLE_WORKER", text, StringComparison.Ordinal);

        await using var stranger = TestNode.Create();
        Directory.CreateDirectory(Path.Combine(stranger.Data, "keys"));
        (await stranger.RunAsync("key", "new", Path.Combine(stranger.Data, "keys", "submitter.key"))).With(0);
        var strange = await stranger.RunAsync("job", "cancel", "picky-job-0001", "--postgres", node.Socket);
        strange.With(1);
        Assert.Contains("NOT_THE_SUBMITTER", strange.Errors, StringComparison.Ordinal);
        var firm = await node.RunAsync("job", "cancel", "fixed-job-0001");
        firm.With(1);
        Assert.Contains("NOT_CANCELLABLE", firm.Errors, StringComparison.Ordinal);
        (await node.RunAsync("job", "cancel", "nobody-knows-0001")).With(3);

        var cancelled = (await node.RunAsync("job", "cancel", "picky-job-0001", "--reason", "no \u001b[31mgpu")).With(0);
        Assert.Contains("cancelled, 100 mana came back", cancelled, StringComparison.Ordinal);
        Assert.Contains("had ended already: cancelled", (await node.RunAsync("job", "cancel", "picky-job-0001")).With(0), StringComparison.Ordinal);
        var ended = (await node.RunAsync("job", "why", "picky-job-0001")).With(0);
        Assert.Contains("Its submitter cancelled it: no \\x1B[31mgpu", ended, StringComparison.Ordinal);
        Assert.Contains("cancelled", (await node.RunAsync("job", "list", "--status", "cancelled")).With(0), StringComparison.Ordinal);
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public async Task Cancelling_works_while_no_node_runs_and_the_next_start_ends_the_job()
    {
        await using var node = await TestNode.StartAsync("--no-worker");
        node.Drop("a.json", TestNode.Echo("alone-job-0001"));
        await node.UntilBiddingAsync("alone-job-0001");
        await node.StopAsync();
        Assert.Contains("a node ends it next", (await node.RunAsync("job", "cancel", "alone-job-0001")).With(0), StringComparison.Ordinal);
        Assert.Contains("This node founded the ledger as", node.Errors, StringComparison.Ordinal);
        await node.StartAsync();
        Assert.Contains("This node continues the ledger as", node.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("founded", node.Errors, StringComparison.Ordinal);
        Assert.Contains("cancelled", (await node.RunAsync("job", "wait", "alone-job-0001")).With(1), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_job_is_run_again_once_without_what_would_end_it_again()
    {
        await using var node = await TestNode.StartAsync();
        node.Drop("late.json", Job(
            "late-job-0001",
            "\"execution\":{\"deadline\":\"2001-01-01T00:00:00Z\",\"idempotency_key\":\"once\"},\"metadata\":{\"namespace\":\"team\"},\"x_unknown\":1.50,"));
        (await node.RunAsync("job", "wait", "late-job-0001")).With(1);
        var listed = (await node.RunAsync("job", "dead", "list", "--code", "DEADLINE_EXCEEDED", "--namespace", "team")).With(0);
        Assert.Contains("late-job-0001", listed, StringComparison.Ordinal);
        Assert.Equal("", (await node.RunAsync("job", "dead", "list", "--operation", "vm.execute")).With(0));

        using (var ended = await node.JsonAsync("job", "list"))
        {
            // Nothing is held any more, and the words of an attempt that is over are not shown.
            var job = Assert.Single(ended.RootElement.EnumerateArray());
            Assert.Equal(0, job.GetProperty("escrow").GetInt64());
            Assert.Equal(JsonValueKind.Null, job.GetProperty("phase").ValueKind);
        }

        (await node.RunAsync("job", "dead", "redrive")).With(2);
        var redriven = await node.RunAsync("job", "dead", "redrive", "--all", "--namespace", "team", "--wait");
        redriven.With(0);
        Assert.Contains("left out its deadline", redriven.Errors, StringComparison.Ordinal);
        Assert.Contains("left out its idempotency_key", redriven.Errors, StringComparison.Ordinal);
        var history = (await node.RunAsync("job", "history", "late-job-0001-r1", "--output", "jsonl")).With(0);
        using var submitted = JsonDocument.Parse(history.Split('\n')[0]);
        using var document = JsonDocument.Parse(submitted.RootElement.GetProperty("data").GetProperty("document").GetString()!);
        Assert.Equal(
            "late-job-0001",
            document.RootElement.GetProperty("metadata").GetProperty("annotations").GetProperty("meshledger.redrive_of").GetString());
        Assert.Equal("1.50", document.RootElement.GetProperty("x_unknown").GetRawText());

        Assert.Equal("", (await node.RunAsync("job", "dead", "list")).With(0));
        var again = await node.RunAsync("job", "dead", "redrive", "late-job-0001");
        again.With(1);
        Assert.Contains("run again as late-job-0001-r1", again.Errors, StringComparison.Ordinal);
        Assert.Contains("late-job-0001-r2", (await node.RunAsync("job", "dead", "redrive", "late-job-0001", "--force")).With(0), StringComparison.Ordinal);
        (await node.RunAsync("job", "dead", "redrive", "late-job-0001-r1")).With(1);
        (await node.RunAsync("job", "dead", "redrive", "nobody-knows-0001")).With(3);
    }

    [MachineFact]
    public async Task A_program_s_outputs_are_told_byte_for_byte()
    {
        await using var node = await TestNode.StartAsync();
        (await node.RunAsync("blob", "add", Path.Combine(Meshledger.Repository, "examples", "guests", "hello.elf"))).With(0);
        node.Drop("hello.json", await File.ReadAllTextAsync(
            Path.Combine(Meshledger.Repository, "examples", "jobs", "hello-vm.json")));
        const string Id = "hello-vm-example-001";
        var watched = (await node.RunAsync("job", "watch", Id, "--output", "json")).With(0)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal("job_submitted", watched[0].GetProperty("type").GetString());
        Assert.Equal("completed", watched[^1].GetProperty("status").GetString());
        Assert.Equal(Enumerable.Range(1, watched.Count), watched.Select(line => line.GetProperty("version").GetInt32()));
        Assert.Contains("job_completed", (await node.RunAsync("job", "watch", Id)).With(0), StringComparison.Ordinal);

        var raw = (await node.RunAsync("job", "outputs", Id, "--name", "files/report.txt", "--raw")).With(0);
        Assert.Equal("file written by the guest\n", raw);
        (await node.RunAsync("job", "outputs", Id, "--raw")).With(2);
        (await node.RunAsync("job", "outputs", Id, "--name", "nothing")).With(3);
        var logs = await node.RunAsync("job", "logs", Id, "--raw");
        Assert.StartsWith("hello\narg from a job file\n", logs.With(0).Replace("arg 0\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal("hello, stderr\n", logs.Errors);
        Assert.Contains("stderr: hello, stderr\n", (await node.RunAsync("job", "logs", Id, "--follow")).With(0), StringComparison.Ordinal);
        using var outputs = await node.JsonAsync("job", "outputs", Id);
        Assert.Equal(
            ["files/report.txt", "stderr", "stdout"],
            outputs.RootElement.EnumerateArray().Select(output => output.GetProperty("name").GetString()).Order());
        Assert.All(outputs.RootElement.EnumerateArray(), output => Assert.True(output.GetProperty("final").GetBoolean()));
    }

    [Theory]
    [InlineData("watch")]
    [InlineData("logs")]
    [InlineData("outputs")]
    [InlineData("why")]
    public async Task An_unknown_job_ends_with_3(string verb)
    {
        await using var node = await TestNode.StartAsync("--no-worker");
        var result = await node.RunAsync("job", verb, "nobody-knows-0001");
        result.With(3);
        Assert.Contains("no job nobody-knows-0001", result.Errors, StringComparison.Ordinal);
    }

    private static string Job(string id, string members) =>
        TestNode.Echo(id).Replace("\"payload\"", $"{members}\"payload\"", StringComparison.Ordinal);
}
