using System.Diagnostics;
using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>A log whose key is handed over or lost, and one that others witness.</summary>
public sealed class LogKeyTests
{
    [Fact]
    public async Task A_key_is_handed_over_while_the_node_runs_and_old_proofs_still_verify()
    {
        await using var node = await TestNode.StartAsync();
        var old = await KeyAsync(node);
        node.Drop("a.json", TestNode.Echo("before-job-0001"));
        (await node.RunAsync("job", "wait", "before-job-0001")).With(0);
        (await node.RunAsync("log", "prove", "1", "-o", node.Home)).With(0);
        var proof = Path.Combine(node.Home, "1.tlog-proof");

        (await node.RunAsync("log", "rotate", "--lost")).With(1);
        using var rotated = await node.JsonAsync("log", "rotate");
        var next = rotated.RootElement.GetProperty("to").GetString()!;
        Assert.Equal(old, rotated.RootElement.GetProperty("from").GetString());
        node.Drop("b.json", TestNode.Echo("after-job-0001"));
        (await node.RunAsync("job", "wait", "after-job-0001")).With(0);
        (await node.RunAsync("log", "prove", "after-job-0001", "-o", node.Home)).With(0);
        Assert.Equal(next, await KeyAsync(node));
        (await node.RunAsync("log", "fsck")).With(0);
        (await node.RunAsync("audit")).With(0);

        // Somebody else, who was told the first key alone, and somebody who was told the second one.
        var elsewhere = Path.Combine(node.Home, "nothing-here");
        var keys = Path.Combine(node.Data, "log", "keys");
        var later = Directory.EnumerateFiles(node.Home, "*.tlog-proof").First(file => file != proof);
        (await Meshledger.RunAsync("log", "verify", proof, "--key", old, "--data", elsewhere)).With(0);
        (await Meshledger.RunAsync("log", "verify", later, "--key", old, "--data", elsewhere)).With(4);
        (await Meshledger.RunAsync("log", "verify", later, "--key", old, "--keys", keys, "--data", elsewhere)).With(0);
        (await Meshledger.RunAsync("log", "verify", proof, "--key", next, "--keys", keys, "--data", elsewhere)).With(0);

        // A bundle brings the hand-over along.
        var (bundle, policy) = (Path.Combine(node.Home, "after.tar"), Path.Combine(node.Home, "policy.json"));
        (await node.RunAsync("export", "after-job-0001", "-o", bundle)).With(0);
        foreach (var key in new[] { old, next })
        {
            await File.WriteAllTextAsync(policy, $$"""{"logs":["{{key}}"]}""");
            (await Meshledger.RunAsync("verify", bundle, "--policy", policy)).With(0);
            var script = Path.Combine(Meshledger.Repository, "examples", "verify-bundle", "verify-bundle.mjs");
            (await Meshledger.RunAsync([script, bundle, policy], null, [], program: "node")).With(0);
        }

        // The old private key is put aside; the next start has the new one.
        Assert.Single(Directory.EnumerateFiles(Path.Combine(node.Data, "keys"), "log-*.retired"));
        Assert.Equal(0, await node.StopAsync());
        await node.StartAsync();
        node.Drop("c.json", TestNode.Echo("again-job-0001"));
        (await node.RunAsync("job", "wait", "again-job-0001")).With(0);
        (await node.RunAsync("log", "prove", "again-job-0001", "-o", node.Home)).With(0);
        (await node.RunAsync("log", "fsck", "--key", old)).With(0);
    }

    [Fact]
    public async Task A_lost_key_stops_the_node_until_the_loss_is_recorded()
    {
        await using var node = await TestNode.StartAsync("--no-worker");
        var old = await KeyAsync(node);
        (await node.RunAsync("log", "prove", "1", "-o", node.Home)).With(0);
        Assert.Equal(0, await node.StopAsync());
        File.Delete(Path.Combine(node.Data, "keys", "log.key"));
        var missing = await node.RunAsync("log", "rotate");
        missing.With(3);
        Assert.Contains($"there is no {Path.Combine(node.Data, "keys", "log.key")}", missing.Errors, StringComparison.Ordinal);
        var refused = await node.RunAsync("up", "--no-worker");
        refused.With(1);
        Assert.Contains("meshledger log rotate --lost", refused.Errors, StringComparison.Ordinal);
        (await node.RunAsync("log", "rotate", "--lost")).With(0);
        await node.StartAsync();
        var next = await KeyAsync(node, not: old);
        (await node.RunAsync("log", "fsck", "--key", next)).With(0);

        // Who was told the old key alone cannot know whose word the new one is; what it signed is as good as ever.
        (await node.RunAsync("log", "fsck", "--key", old)).With(4);
        (await node.RunAsync("log", "verify", Path.Combine(node.Home, "1.tlog-proof"), "--key", old)).With(0);
        var (bundle, policy) = (Path.Combine(node.Home, "lost.tar"), Path.Combine(node.Home, "policy.json"));
        node.Drop("late.json", TestNode.Echo("late-job-0001"));
        await node.UntilBiddingAsync("late-job-0001");
        (await node.RunAsync("export", "late-job-0001", "-o", bundle)).With(0);
        foreach (var (key, code) in new[] { (old, 4), (next, 0) })
        {
            await File.WriteAllTextAsync(policy, $$"""{"logs":["{{key}}"]}""");
            (await Meshledger.RunAsync("verify", bundle, "--policy", policy)).With(code);
        }
    }

    [Fact]
    public async Task A_witness_cosigns_what_a_node_publishes_and_a_quorum_that_is_missing_holds_it_back()
    {
        await using var node = await TestNode.StartAsync("--no-worker");
        var key = await KeyAsync(node);
        Assert.Equal(0, await node.StopAsync());
        var home = Path.Combine(node.Home, "witness");
        var (witness, url, name) = await WitnessAsync(home, key, "127.0.0.1:0");
        var config = Path.Combine(node.Home, "node.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(new
        {
            log = new { interval_ms = 50, quorum = 1, witnesses = new Dictionary<string, string> { [url] = name } },
        }));
        node.Options = ["--no-worker", "--config", config];
        try
        {
            await node.StartAsync();
            await ProveAsync(node, "first-job-0001", name);

            // A start that knows nothing of the witness's size asks it.
            Assert.Equal(0, await node.StopAsync());
            await node.StartAsync();
            await ProveAsync(node, "second-job-0001", name);
        }
        finally
        {
            await EndAsync(witness);
        }

        // Nothing is published while it is away, nothing is lost, and all of it is published once it is back.
        var published = await File.ReadAllTextAsync(Path.Combine(node.Data, "log", "checkpoint"));
        node.Drop("third.json", TestNode.Echo("third-job-0001"));
        await node.UntilBiddingAsync("third-job-0001");
        await Meshledger.UntilAsync(
            () => node.Errors.Contains("0 cosignatures of the 1 that it needs", StringComparison.Ordinal), "a missed quorum");
        Assert.Equal(published, await File.ReadAllTextAsync(Path.Combine(node.Data, "log", "checkpoint")));

        // Who asks for a proof meanwhile is told that he waits, and gets it.
        using var waiting = Process.Start(Meshledger.Start(
            ["log", "prove", "third-job-0001", "-o", node.Home, "--data", node.Data], []))!;
        Assert.StartsWith(
            "waiting for the log to publish position ", await waiting.StandardError.ReadLineAsync(), StringComparison.Ordinal);

        // The key in a file does as well as the key.
        var (again, _, _) = await WitnessAsync(home, Path.Combine(node.Data, "log", "key"), new Uri(url).Authority);
        try
        {
            await waiting.WaitForExitAsync();
            Assert.True(waiting.ExitCode == 0, await waiting.StandardError.ReadToEndAsync());
            await ProveAsync(node, "fourth-job-0001", name);
        }
        finally
        {
            await EndAsync(again);
        }

        (await node.RunAsync("log", "fsck")).With(0);

        // A node that stops with events that are not published says so, and so does whoever wants a proof of them.
        node.Drop("fifth.json", TestNode.Echo("fifth-job-0001"));
        await node.UntilBiddingAsync("fifth-job-0001");
        await Meshledger.UntilAsync(
            () => node.Errors.Split("0 cosignatures of the 1 that it needs").Length > 2, "another missed quorum");
        Assert.Equal(0, await node.StopAsync());
        Assert.Contains("The node stops, and the log is published up to ", node.Errors, StringComparison.Ordinal);
        var unpublished = await node.RunAsync("log", "prove", "fifth-job-0001", "-o", node.Home);
        unpublished.With(1);
        Assert.Contains("The log is signed up to ", unpublished.Errors, StringComparison.Ordinal);
    }

    private static async Task ProveAsync(TestNode node, string job, string witness)
    {
        node.Drop($"{job}.json", TestNode.Echo(job));
        await node.UntilBiddingAsync(job);
        using var limit = new CancellationTokenSource(Meshledger.Patience);
        string file;
        while (true)
        {
            // A witness that was away is left alone for some seconds.
            var proven = await node.RunAsync("log", "prove", job, "-o", node.Home, "--output", "json");
            if (proven.ExitCode == 0)
            {
                using var written = JsonDocument.Parse(proven.Output);
                file = written.RootElement[0].GetProperty("file").GetString()!;
                break;
            }

            Assert.False(limit.IsCancellationRequested, proven.Errors);
        }

        using var verified = await node.JsonAsync("log", "verify", file, "--witness", witness, "--quorum", "1");
        var cosignature = Assert.Single(verified.RootElement.GetProperty("cosignatures").EnumerateArray());
        Assert.True(cosignature.GetProperty("verified").GetBoolean());
        (await node.RunAsync("log", "verify", file, "--witness", witness, "--quorum", "2")).With(4);
        var alias = new NoteKey("alias.example", NoteKeyType.Cosignature, NoteKey.Parse(witness).Key).ToString();
        var twice = await node.RunAsync("log", "verify", file, "--witness", witness, "--witness", alias, "--quorum", "2");
        twice.With(2);
        Assert.Contains("alias.example has the public key of", twice.Errors, StringComparison.Ordinal);
        (await node.RunAsync("log", "verify", file, "--quorum", "1")).With(4);
        Assert.Contains("was not checked", (await node.RunAsync("log", "verify", file)).With(0), StringComparison.Ordinal);
    }

    /// <summary>The key of the published head.</summary>
    private static async Task<string> KeyAsync(TestNode node, string? not = null)
    {
        using var limit = new CancellationTokenSource(Meshledger.Patience);
        while (true)
        {
            var shown = await node.RunAsync("log", "head", "--output", "json");
            if (shown.ExitCode == 0)
            {
                using var head = JsonDocument.Parse(shown.Output);
                if (head.RootElement.GetProperty("key").GetString() is { } key && key != not)
                {
                    return key;
                }
            }

            Assert.False(limit.IsCancellationRequested, $"There is no such head: {shown.Output}{shown.Errors}");
        }
    }

    private static async Task<(Process Process, string Url, string Key)> WitnessAsync(string home, string log, string address)
    {
        var process = Process.Start(Meshledger.Start(
            ["witness", "--name", "witness.example/w1", "--log", log, "--listen", address, "--data", home, "--output", "json"], []))!;
        process.BeginErrorReadLine();
        var text = "";
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            text += line;
            if (line == "}" || (line.StartsWith('{') && line.EndsWith('}')))
            {
                break;
            }
        }

        using var told = JsonDocument.Parse(text);
        return (process, told.RootElement.GetProperty("url").GetString()!, told.RootElement.GetProperty("key").GetString()!);
    }

    private static async Task EndAsync(Process process)
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
