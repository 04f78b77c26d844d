using System.Diagnostics;
using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>What can be seen of a job while it runs, and done about it.</summary>
public sealed class LiveJobTests
{
    [Fact]
    public async Task A_running_job_is_cancelled_and_its_worker_is_free_at_once()
    {
        await using var node = await TestNode.StartAsync("--concurrency", "1");
        node.Drop("long.json", Sleep("long-job-0001", 600));
        await StartedAsync(node, "long-job-0001");
        var why = (await node.RunAsync("job", "why", "long-job-0001")).With(0);
        Assert.Contains("has run it for", why, StringComparison.Ordinal);
        Assert.Contains("fails at its time limit, in", why, StringComparison.Ordinal);
        foreach (var job in (string[])["long-job-0001", "unknown-job-0001"])
        {
            var watched = await node.RunAsync("job", "watch", job, "--timeout", "0.5");
            watched.With(1);
            Assert.Equal($"meshledger: job {job} had not ended after 0.5 s\n", watched.Errors);
        }

        Assert.Contains(
            "cancelled, 100 mana came back",
            (await node.RunAsync("job", "cancel", "long-job-0001", "--reason", "enough")).With(0), StringComparison.Ordinal);
        node.Drop("next.json", TestNode.Echo("next-job-0001"));
        (await node.RunAsync("job", "wait", "next-job-0001")).With(0);
        await Meshledger.UntilAsync(() => node.Errors.Contains("stopped, for it is over", StringComparison.Ordinal), "a stopped attempt");
        (await node.RunAsync("audit")).With(0);
    }

    [MachineFact]
    public async Task The_guest_of_a_cancelled_job_is_gone()
    {
        await using var node = await TestNode.StartAsync();
        var program = Path.Combine(node.Home, "pause.elf");
        await File.WriteAllBytesAsync(program, Pause());
        var hash = (await node.RunAsync("blob", "add", program)).With(0).Trim();
        node.Drop("guest.json", $$$$"""
            {"version":"1.0","job_id":"guest-job-0001","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation","operation":"vm.execute","payload":{"type":"vm.execute.v1","data":{"type":"BlobBinary","hash":"{{{{hash}}}}","format":"elf"}}}
            """);
        var machines = Path.Combine(node.Data, "machines");
        // The node tries out KVM with a guest of its own: the job's is there once the job runs.
        await StartedAsync(node, "guest-job-0001");
        await Meshledger.UntilAsync(() => Guests(machines) > 0, "a guest");
        Assert.Contains("cancelled", (await node.RunAsync("job", "cancel", "guest-job-0001")).With(0), StringComparison.Ordinal);
        await Meshledger.UntilAsync(() => Guests(machines) == 0, "no guest");
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public async Task What_a_job_writes_is_seen_while_it_runs_and_none_of_it_twice()
    {
        await using var node = await TestNode.StartAsync();
        using var logs = Follow(node, "job", "logs", "talking-job-0001", "--follow", "--raw");
        using var watch = Follow(node, "job", "watch", "talking-job-0001", "--output", "jsonl");
        node.Drop("talk.json", Sleep("talking-job-0001", 15, ",\"output_interval_ms\":700"));
        Assert.Contains(" ms", (await logs.StandardOutput.ReadLineAsync())!, StringComparison.Ordinal);
        using (var state = await node.JsonAsync("job", "show", "talking-job-0001"))
        {
            Assert.Equal("executing", state.RootElement.GetProperty("status").GetString());
        }

        using (var early = await node.JsonAsync("job", "outputs", "talking-job-0001", "--name", "stdout"))
        {
            var output = Assert.Single(early.RootElement.EnumerateArray());
            Assert.False(output.GetProperty("final").GetBoolean());
            Assert.StartsWith("1 ", output.GetProperty("text").GetString(), StringComparison.Ordinal);
        }

        var rest = await logs.StandardOutput.ReadToEndAsync();
        await logs.WaitForExitAsync();
        Assert.Equal(0, logs.ExitCode);
        var whole = (await node.RunAsync("job", "outputs", "talking-job-0001", "--name", "stdout", "--raw")).With(0);
        Assert.EndsWith(rest, whole, StringComparison.Ordinal);
        Assert.Equal(whole.Split('\n').Length, rest.Split('\n').Length + 1);

        var events = (await watch.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement).ToList();
        await watch.WaitForExitAsync();
        Assert.Equal(0, watch.ExitCode);
        Assert.Equal(Enumerable.Range(1, events.Count), events.Select(line => line.GetProperty("version").GetInt32()));
        Assert.Contains(events, line => line.GetProperty("type").GetString() == "partial_output_produced");
    }

    [Fact]
    public async Task A_drained_worker_finishes_what_it_has()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        // Long enough for a busy machine to start two commands meanwhile.
        node.Drop("a.json", Sleep("kept-job-0001", 20));
        await StartedAsync(node, "kept-job-0001");
        Assert.Contains("finishes kept-job-0001", (await node.RunAsync("worker", "drain", "alpha")).With(0), StringComparison.Ordinal);
        node.Drop("b.json", TestNode.Echo("later-job-0001"));
        (await node.RunAsync("job", "wait", "kept-job-0001")).With(0);
        (await node.RunAsync("job", "wait", "later-job-0001", "--timeout", "1")).With(1);
    }

    [Fact]
    public async Task A_failed_attempt_is_told_with_the_time_of_the_next()
    {
        await using var node = TestNode.Create();
        var config = Path.Combine(node.Home, "node.json");
        await File.WriteAllTextAsync(config, """{"retry":{"first_delay_ms":600000,"max_delay_ms":600000}}""");
        node.Options = ["--config", config];
        await node.StartAsync();
        node.Drop("a.json", Sleep(
            "retried-job-0001", 0, ",\"fail\":{\"code\":\"NO_LUCK\",\"message\":\"not today\",\"recoverable\":true}").Replace(
            "\"payload\"", "\"execution\":{\"max_attempts\":3},\"payload\"", StringComparison.Ordinal));
        using var watch = Follow(node, "job", "watch", "retried-job-0001");
        while (await watch.StandardOutput.ReadLineAsync() is { } line && !line.Contains("attempt_ended", StringComparison.Ordinal))
        {
        }

        using var why = await node.JsonAsync("job", "why", "retried-job-0001");
        Assert.Equal("retrying", why.RootElement.GetProperty("status").GetString());
        Assert.Equal(
            "Attempt 1 came to nothing: NO_LUCK: not today",
            Assert.Single(why.RootElement.GetProperty("reasons").EnumerateArray()).GetString());
        Assert.StartsWith(
            "Bidding on attempt 2 opens at", why.RootElement.GetProperty("next")[0].GetString(), StringComparison.Ordinal);
        (await node.RunAsync("job", "cancel", "retried-job-0001")).With(0);
        await watch.WaitForExitAsync();
        Assert.Equal(1, watch.ExitCode);
    }

    private static int Guests(string machines) => Directory.Exists(machines)
        ? Directory.EnumerateDirectories(machines, "host-*").Sum(host => Directory.EnumerateDirectories(host, "vm-*").Count())
        : 0;

    /// <summary>A program that waits for ever: pause(), again and again.</summary>
    private static byte[] Pause()
    {
        byte[] code = [0xB8, 34, 0, 0, 0, 0x0F, 0x05, 0xEB, 0xF7];
        const ulong Base = 0x400000;
        var elf = new MemoryStream();
        using var writer = new BinaryWriter(elf);
        writer.Write([0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, .. new byte[9]]);
        writer.Write((ushort)2);
        writer.Write((ushort)62);
        writer.Write(1u);
        writer.Write(Base + 120);
        writer.Write(64UL);
        writer.Write(0UL);
        writer.Write(0u);
        foreach (var half in (ushort[])[64, 56, 1, 0, 0, 0])
        {
            writer.Write(half);
        }

        var size = (ulong)(120 + code.Length);
        writer.Write(1u);
        writer.Write(5u);
        foreach (var word in (ulong[])[0, Base, Base, size, size, 0x1000])
        {
            writer.Write(word);
        }

        writer.Write(code);
        return elf.ToArray();
    }

    private static async Task StartedAsync(TestNode node, string job)
    {
        using var watch = Follow(node, "job", "watch", job);
        while (await watch.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.Contains("execution_started", StringComparison.Ordinal))
            {
                watch.Kill();
                await watch.WaitForExitAsync();
                return;
            }
        }

        Assert.Fail($"{job} never started.");
    }

    private static Process Follow(TestNode node, params string[] arguments)
    {
        var process = Process.Start(Meshledger.Start([.. arguments, "--data", node.Data], []))!;
        process.BeginErrorReadLine();
        return process;
    }

    private static string Sleep(string id, int seconds, string members = "") =>
        $$$$"""
        {"version":"1.0","job_id":"{{{{id}}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation","operation":"system.sleep","payload":{"type":"system.sleep.v1","data":{"seconds":{{{{seconds}}}}{{{{members}}}}}}}
        """;
}
