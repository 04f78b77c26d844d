using System.Net;
using System.Text;
using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>The transparency log of a node, as outsiders meet it.</summary>
public sealed class LogTests
{
    [Fact]
    public async Task A_job_is_proven_with_files_alone_and_a_changed_proof_is_refused()
    {
        await using var node = await TestNode.StartAsync();
        node.Drop("job.json", TestNode.Echo("proven-job-0001"));
        (await node.RunAsync("job", "wait", "proven-job-0001")).With(0);
        var proofs = Path.Combine(node.Home, "proofs");
        using var written = await node.JsonAsync("log", "prove", "proven-job-0001", "-o", proofs);
        var files = written.RootElement.EnumerateArray().Select(row => row.GetProperty("file").GetString()!).ToList();
        Assert.Contains("receipt_issued", written.RootElement.EnumerateArray().Select(row => row.GetProperty("type").GetString()));
        using var head = await node.JsonAsync("log", "head");
        var key = head.RootElement.GetProperty("key").GetString()!;
        var text = await node.RunAsync("log", "head");
        Assert.Equal(head.RootElement.GetProperty("note").GetString(), text.With(0));
        Assert.Contains($"Signed by the log's key: {key}", text.Errors, StringComparison.Ordinal);

        // Somebody else, who has nothing but the file and the key.
        var elsewhere = Path.Combine(node.Home, "nothing-here");
        foreach (var file in files)
        {
            using var shown = JsonDocument.Parse((await Meshledger.RunAsync(
                "log", "verify", file, "--key", key, "--data", elsewhere, "--output", "json")).With(0));
            Assert.Equal("job-proven-job-0001", shown.RootElement.GetProperty("stream").GetString());
        }

        string[] members;
        using (var good = await node.JsonAsync("log", "verify", files[0]))
        {
            Assert.True(good.RootElement.GetProperty("valid").GetBoolean());
            Assert.Equal(JsonValueKind.Null, good.RootElement.GetProperty("reason").ValueKind);
            members = [.. good.RootElement.EnumerateObject().Select(member => member.Name)];
        }

        var proof = await File.ReadAllTextAsync(files[0]);
        foreach (var changed in (string[])
            [
                proof.Replace("index ", "index 1", StringComparison.Ordinal),
                proof.Replace(proof.Split('\n')[3], Convert.ToBase64String(new byte[32]), StringComparison.Ordinal),
                proof.Replace("\n\nmeshledger/", "\n\nmeshledgen/", StringComparison.Ordinal), "nothing",
            ])
        {
            Assert.NotEqual(proof, changed);
            await File.WriteAllTextAsync(files[0], changed);
            var refused = await node.RunAsync("log", "verify", files[0], "--output", "json");
            using var bad = JsonDocument.Parse(refused.With(4));
            Assert.Equal(members, bad.RootElement.EnumerateObject().Select(member => member.Name));
            Assert.False(bad.RootElement.GetProperty("valid").GetBoolean());
            Assert.Contains(bad.RootElement.GetProperty("reason").GetString()!, refused.Errors, StringComparison.Ordinal);
            var told = await node.RunAsync("log", "verify", files[0]);
            Assert.Equal("", told.With(4));
            Assert.NotEqual("", told.Errors);
        }

        (await node.RunAsync("log", "verify", Path.Combine(node.Home, "absent.tlog-proof"))).With(3);
        (await node.RunAsync("log", "verify", files[1], "--key", "nonsense")).With(2);
        (await node.RunAsync("log", "prove", "no-such-job-0001")).With(3);
        (await node.RunAsync("log", "prove", "1", "-o", proofs)).With(0);
        (await Meshledger.RunAsync("log", "head", "--data", elsewhere)).With(3);
    }

    [Fact]
    public async Task Tree_heads_that_somebody_kept_are_consistent_with_the_log_and_a_forged_one_is_not()
    {
        await using var node = await TestNode.StartAsync("--no-worker");
        (await node.RunAsync("log", "prove", "1", "-o", node.Home)).With(0);
        var kept = Path.Combine(node.Home, "kept");
        File.Copy(Path.Combine(node.Data, "log", "checkpoint"), kept);
        node.Drop("job.json", TestNode.Echo("later-job-0001"));
        await node.UntilBiddingAsync("later-job-0001");
        (await node.RunAsync("log", "prove", "later-job-0001", "-o", node.Home)).With(0);
        using var heads = await node.JsonAsync("log", "heads");
        var sizes = heads.RootElement.EnumerateArray().Select(head => head.GetProperty("size").GetInt64()).ToList();
        Assert.Equal(sizes.Distinct().Order(), sizes);
        Assert.InRange(sizes.Count, 2, 100);
        using var shown = await node.JsonAsync("log", "consistency", kept, $"{sizes[^1]}");
        Assert.True(shown.RootElement.GetProperty("consistent").GetBoolean());
        (await node.RunAsync("log", "consistency", $"{sizes[^1]}", "1")).With(2);
        (await node.RunAsync("log", "consistency", "1", "999999")).With(1);
        await File.WriteAllTextAsync(kept, (await File.ReadAllTextAsync(kept)).Replace("\n" + sizes[0] + "\n", "\n1\n", StringComparison.Ordinal) + "x");
        using var forged = JsonDocument.Parse(
            (await node.RunAsync("log", "consistency", kept, $"{sizes[^1]}", "--output", "json")).With(4));
        Assert.Equal(
            shown.RootElement.EnumerateObject().Select(member => member.Name),
            forged.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.False(forged.RootElement.GetProperty("consistent").GetBoolean());
        Assert.Contains("is no tree head that", forged.RootElement.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_is_served_with_cache_headers_and_checked_over_http_and_nothing_else_is()
    {
        await using var node = await TestNode.StartAsync("--listen", "127.0.0.1:0");
        for (var i = 0; i < 25; i++)
        {
            node.Drop($"job-{i}.json", TestNode.Echo($"served-job-{i:D4}"));
        }

        using var record = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(node.Data, "node.json")));
        var url = record.RootElement.GetProperty("blobs_url").GetString() + "/log";
        await Meshledger.UntilAsync(() => SizeOf(node) > 256, "a head over a full tile");
        using var client = new HttpClient();
        Assert.Equal(TimeSpan.FromSeconds(1), (await client.GetAsync(new Uri(url + "/checkpoint"))).Headers.CacheControl!.MaxAge);
        var full = await client.GetAsync(new Uri(url + "/tile/0/000"));
        Assert.Contains("immutable", full.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.Equal(8192, full.Content.Headers.ContentLength);
        foreach (var absent in (string[])["/lock", "/tmp/1", "/tile/0/999", "/tile/0/000.p/256", "/tile/..%2f..%2fkeys/log.key", "/../keys/log.key"])
        {
            Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(new Uri(url + absent))).StatusCode);
        }

        using var checkedLog = await node.JsonAsync("log", "fsck", "--url", url);
        Assert.True(checkedLog.RootElement.GetProperty("clean").GetBoolean());
        Assert.InRange(checkedLog.RootElement.GetProperty("entries").GetInt64(), 257, 10_000);
        (await node.RunAsync("log", "fsck", "--url", url, "--repair")).With(2);
        (await node.RunAsync("log", "fsck", "--url", "ftp://x")).With(2);
    }

    [Fact]
    public async Task A_damaged_tile_is_found_and_repaired_while_the_node_runs()
    {
        await using var node = await TestNode.StartAsync();
        (await node.RunAsync("log", "prove", "2", "-o", node.Home)).With(0);
        var tile = Directory.EnumerateFiles(Path.Combine(node.Data, "log", "tile", "0", "000.p")).First();
        var bytes = await File.ReadAllBytesAsync(tile);
        bytes[0] ^= 1;
        await File.WriteAllBytesAsync(tile, bytes);
        Assert.Contains("FAULT", (await node.RunAsync("log", "fsck")).With(4), StringComparison.Ordinal);
        (await node.RunAsync("log", "fsck", "--repair")).With(0);
        (await node.RunAsync("log", "fsck")).With(0);
    }

    [Fact]
    public async Task A_node_that_is_killed_at_any_moment_leaves_a_log_that_checks_clean_and_goes_on()
    {
        await using var node = TestNode.Create();
        var config = Path.Combine(node.Home, "node.json");
        await File.WriteAllTextAsync(config, """{"log":{"interval_ms":10}}""");
        node.Options = ["--config", config];
        var jobs = 0;
        for (var round = 0; round < 4; round++)
        {
            await node.StartAsync();
            var before = SizeOf(node);
            for (var i = 0; i < 40; i++, jobs++)
            {
                node.Drop($"job-{jobs}.json", TestNode.Echo($"killed-job-{jobs:D4}"));
            }

            await Meshledger.UntilAsync(() => SizeOf(node) > before + 60 + (round * 17), "some heads");
            await node.KillAsync();
            (await node.RunAsync("log", "fsck")).With(0);
        }

        await node.StartAsync();
        await Meshledger.UntilAsync(
            () => Directory.EnumerateFiles(Path.Combine(node.Folder, "done")).Count() == jobs, "all files in done/");
        Assert.Equal(0, await node.StopAsync());
        (await node.RunAsync("log", "fsck")).With(0);
        (await node.RunAsync("audit")).With(0);
        using var heads = await node.JsonAsync("log", "heads");
        var sizes = heads.RootElement.EnumerateArray().Select(head => head.GetProperty("size").GetInt64()).ToList();
        Assert.Equal(sizes.Distinct().Order(), sizes);

        // What was appended before the end is in the log at the end.
        Assert.Equal(sizes[^1], SizeOf(node));
    }

    [Fact]
    public async Task Two_nodes_publish_one_log_without_ever_signing_two_heads_of_one_size()
    {
        await using var first = TestNode.Create("--name", "first");
        var config = Path.Combine(first.Home, "node.json");
        await File.WriteAllTextAsync(
            config, JsonSerializer.Serialize(new { log = new { interval_ms = 10, directory = Path.Combine(first.Home, "log") } }));
        first.Options = ["--name", "first", "--config", config];
        await first.StartAsync();
        await using var second = TestNode.Create(
            "--name", "second", "--postgres", first.Socket, "--folder", first.Folder, "--config", config);
        Directory.CreateDirectory(Path.Combine(second.Data, "keys"));
        File.SetUnixFileMode(
            Path.Combine(second.Data, "keys"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Copy(Path.Combine(first.Data, "keys", "log.key"), Path.Combine(second.Data, "keys", "log.key"));
        await second.StartAsync();
        for (var i = 0; i < 60; i++)
        {
            first.Drop($"job-{i}.json", TestNode.Echo($"raced-job-{i:D4}"));
        }

        await Meshledger.UntilAsync(
            () => Directory.Exists(Path.Combine(first.Folder, "done"))
                && Directory.EnumerateFiles(Path.Combine(first.Folder, "done")).Count() == 60, "all files in done/");
        Assert.Equal(0, await second.StopAsync());
        (await first.RunAsync("log", "fsck", "--directory", Path.Combine(first.Home, "log"))).With(0);
    }

    private static long SizeOf(TestNode node)
    {
        var file = Path.Combine(node.Data, "log", "checkpoint");
        return File.Exists(file)
            ? long.Parse(Encoding.UTF8.GetString(File.ReadAllBytes(file)).Split('\n')[1], System.Globalization.CultureInfo.InvariantCulture)
            : 0;
    }
}
