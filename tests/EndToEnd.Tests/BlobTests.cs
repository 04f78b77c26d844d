using System.Text;
using System.Text.Json;
using MeshLedger.Blobs.Tests;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Blobs as those see them who type the verbs and run nodes.</summary>
public sealed class BlobTests
{
    [Fact]
    public async Task Blobs_are_added_found_tagged_collected_and_verified()
    {
        await using var node = TestNode.Create();
        var file = Path.Combine(node.Home, "data.bin");
        var content = new byte[300_000];
        new Random(1).NextBytes(content);
        await File.WriteAllBytesAsync(file, content);
        var hash = (await node.RunAsync(
            "blob", "add", file, "--tag", "kept/data:1", "--content-type", "application/x-test", "--custom", "a=b")).With(0).Trim();
        var other = (await node.RunAsync("blob", "add", Path.Combine(Meshledger.Repository, "LICENSE"))).With(0).Trim();
        Assert.Equal("300000 bytes\n", (await node.RunAsync("blob", "has", hash)).With(0));

        using (var info = await node.JsonAsync("blob", "info", hash))
        {
            var root = info.RootElement;
            Assert.Equal("complete", root.GetProperty("state").GetString());
            Assert.Equal("data.bin", root.GetProperty("name").GetString());
            Assert.Equal("b", root.GetProperty("custom").GetProperty("a").GetString());
            Assert.Equal("kept/data:1", root.GetProperty("tags")[0].GetString());
        }

        using (var list = await node.JsonAsync("blob", "list", "--tagged"))
        {
            Assert.Equal(hash, Assert.Single(list.RootElement.EnumerateArray()).GetProperty("hash").GetString());
        }

        var target = Path.Combine(node.Home, "copy.bin");
        (await node.RunAsync("blob", "get", hash, "-o", target)).With(0);
        Assert.Equal(content, await File.ReadAllBytesAsync(target));
        (await node.RunAsync("blob", "get", hash, "-o", target, "--offset", "100000", "--length", "7")).With(0);
        Assert.Equal(content[100_000..100_007], await File.ReadAllBytesAsync(target));

        Assert.Equal(other + "\n", (await node.RunAsync("blob", "gc", "--grace", "0", "--dry-run")).With(0));
        Assert.Equal(other + "\n", (await node.RunAsync("blob", "gc", "--grace", "0")).With(0));
        (await node.RunAsync("blob", "has", other)).With(3);
        (await node.RunAsync("blob", "verify", "--all")).With(0);
        var stored = Path.Combine(node.Data, "blobs", hash[..2], hash[2..]);
        content[200_000] ^= 1;
        await File.WriteAllBytesAsync(stored, content);
        var damaged = (await node.RunAsync("blob", "verify", "--all")).With(1);
        Assert.Contains($"Blob {hash} is damaged at byte 196608", damaged, StringComparison.Ordinal);
        Assert.Contains("quarantined", (await node.RunAsync("blob", "list")).With(0), StringComparison.Ordinal);
        (await node.RunAsync("blob", "get", hash)).With(3);
        (await node.RunAsync("blob", "untag", "kept/data:1")).With(0);
        (await node.RunAsync("blob", "untag", "kept/data:1")).With(3);
    }

    [Theory]
    [InlineData("blob", "get", "../../../etc/passwd")]
    [InlineData("blob", "info", "AF1349B9F5F9A1A6A0404DEA36DCC9499BCB25C9ADC112B7CC9A93CAE41F3262")]
    [InlineData("blob", "fetch", "/etc/passwd")]
    [InlineData("blob", "tag", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262", "no tag")]
    [InlineData("blob", "list", "--state", "lost")]
    [InlineData("blob", "verify")]
    [InlineData("up", "--listen", "nowhere")]
    [InlineData("up", "--peer", "ftp://x")]
    [InlineData("blob", "fetch", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262", "--peer", "nobody")]
    public async Task What_cannot_be_is_wrong_usage(params string[] arguments)
    {
        await using var node = TestNode.Create();
        (await node.RunAsync(arguments)).With(2);
    }

    /// <summary>Two nodes on one ledger: one has the blobs, the other the worker.</summary>
    [MachineFact]
    public async Task A_worker_takes_program_and_inputs_from_a_peer_once_and_outputs_are_found_from_anywhere()
    {
        await using var one = await TestNode.StartAsync("--name", "keeper", "--no-worker", "--listen", "127.0.0.1:0");
        await using var two = await TestNode.StartAsync(
            "--name", "runner", "--postgres", one.Socket, "--listen", "127.0.0.1:0", "--folder", one.Folder);
        var program = (await one.RunAsync(
            "blob", "add", Path.Combine(Meshledger.Repository, "examples", "guests", "cat.elf"))).With(0).Trim();
        var input = new byte[200_000];
        new Random(2).NextBytes(input);
        var hash = (await Meshledger.RunAsync(["blob", "add", "-", "--data", one.Data], input, [])).With(0).Trim();
        string Job(string id) => $$$$"""
            {"version":"1.0","job_id":"{{{{id}}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
             "operation":"vm.execute","payload":{"type":"vm.execute.v1","data":{"type":"BlobBinary","hash":"{{{{program}}}}",
             "format":"elf","args":["/in/one.bin"],"inputs":[{"path":"/in/one.bin","hash":"{{{{hash}}}}","size":200000}]}}}
            """;
        one.Drop("a.json", Job("input-job-0001"));
        one.Drop("b.json", Job("input-job-0002"));
        (await one.RunAsync("job", "wait", "input-job-0001", "input-job-0002")).With(0);

        using var outputs = await one.JsonAsync("job", "outputs", "input-job-0001", "--name", "stdout");
        var output = Assert.Single(outputs.RootElement.EnumerateArray());
        Assert.Equal((200_000, hash), (output.GetProperty("size").GetInt64(), output.GetProperty("blake3").GetString()));
        var target = Path.Combine(one.Home, "out.bin");
        (await one.RunAsync("blob", "get", hash, "-o", target)).With(0);
        Assert.Equal(input, await File.ReadAllBytesAsync(target));
        (await two.RunAsync("blob", "has", hash)).With(0);
        foreach (var blob in (string[])[program, hash])
        {
            Assert.Equal(2, two.Errors.Split($"Blob {blob} of ").Length);
        }

        // Referred to by jobs, so kept.
        Assert.Equal("", (await one.RunAsync("blob", "gc", "--grace", "0")).With(0));
        Assert.Contains("answers", (await one.RunAsync("blob", "peers")).With(0), StringComparison.Ordinal);
    }

    [MachineFact]
    public async Task A_hundred_jobs_fetch_their_program_once_and_a_hash_that_nobody_has_says_who_was_asked()
    {
        await using var one = await TestNode.StartAsync("--name", "keeper", "--no-worker", "--listen", "127.0.0.1:0");
        var url = await UrlAsync(one);
        await using var two = await TestNode.StartAsync("--name", "runner", "--peer", url, "--concurrency", "8");

        // It is no program, which each job finds out once it is there.
        var content = Encoding.ASCII.GetBytes(new string('x', 100_000));
        var hash = (await Meshledger.RunAsync(["blob", "add", "-", "--data", one.Data], content, [])).With(0).Trim();
        string Job(string id, string program) => $$$$"""
            {"version":"1.0","job_id":"{{{{id}}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
             "operation":"vm.execute","payload":{"type":"vm.execute.v1","data":{"type":"BlobBinary","hash":"{{{{program}}}}","format":"elf"}}}
            """;
        for (var i = 0; i < 100; i++)
        {
            two.Drop($"{i}.json", Job($"same-job-{i:000}", hash));
        }

        for (var i = 0; i < 100; i++)
        {
            var result = await two.ResultAsync($"same-job-{i:000}");
            Assert.Equal("NOT_EXECUTABLE", result.GetProperty("error").GetProperty("code").GetString());
        }

        Assert.Equal(2, two.Errors.Split($"Blob {hash} of ").Length);
        Assert.Single(Directory.GetFiles(Path.Combine(two.Data, "blobs", hash[..2]), hash[2..]));

        two.Drop("none.json", Job("nobody-job-0001", new string('f', 64)));
        var nobody = await two.ResultAsync("nobody-job-0001");
        Assert.Equal("BLOB_NOT_FOUND", nobody.GetProperty("error").GetProperty("code").GetString());
        Assert.Contains(
            $"{url} (it does not hold it)", nobody.GetProperty("error").GetProperty("message").GetString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_finds_its_copy_damaged_sends_none_of_it_and_fetches_it_again()
    {
        await using var two = await TestNode.StartAsync("--name", "two", "--no-worker", "--listen", "127.0.0.1:0");
        await using var one = await TestNode.StartAsync(
            "--name", "one", "--no-worker", "--listen", "127.0.0.1:0", "--peer", await UrlAsync(two));
        var content = new byte[100_000];
        new Random(5).NextBytes(content);
        var hash = (await Meshledger.RunAsync(["blob", "add", "-", "--data", one.Data], content, [])).With(0).Trim();
        (await Meshledger.RunAsync(["blob", "add", "-", "--data", two.Data], content, [])).With(0);
        var file = Path.Combine(one.Data, "blobs", hash[..2], hash[2..]);
        var damaged = content.ToArray();
        damaged[5] ^= 1;
        await File.WriteAllBytesAsync(file, damaged);
        using var http = new HttpClient { BaseAddress = new Uri(await UrlAsync(one)) };
        using var refused = await http.GetAsync(new Uri($"/v1/blobs/{hash}", UriKind.Relative));
        Assert.Equal(System.Net.HttpStatusCode.NotFound, refused.StatusCode);
        await Meshledger.UntilAsync(
            () => one.Errors.Contains($"Blob {hash}, which was damaged here, was fetched again.", StringComparison.Ordinal), "a healed blob");
        Assert.Equal(content, await http.GetByteArrayAsync(new Uri($"/v1/blobs/{hash}", UriKind.Relative)));
    }

    /// <summary>Two nodes that hold the blob, one that fetches, and one that lies to it.</summary>
    [Fact]
    public async Task A_node_that_lies_is_named_and_the_blob_comes_from_the_others()
    {
        var content = new byte[20_000_000];
        new Random(4).NextBytes(content);
        var config = "{\"blobs\":{\"send_bytes_per_second\":10000000}}";
        await using var one = TestNode.Create("--name", "one", "--no-worker", "--listen", "127.0.0.1:0");
        var slow = Path.Combine(one.Home, "slow.json");
        await File.WriteAllTextAsync(slow, config);
        one.Options = [.. one.Options, "--config", slow];
        await one.StartAsync();
        await using var two = await TestNode.StartAsync(
            "--name", "two", "--no-worker", "--listen", "127.0.0.1:0", "--postgres", one.Socket, "--config", slow);
        await using var third = await TestNode.StartAsync("--name", "three", "--no-worker", "--postgres", one.Socket);
        var hash = (await Meshledger.RunAsync(["blob", "add", "-", "--data", one.Data], content, [])).With(0).Trim();
        (await Meshledger.RunAsync(["blob", "add", "-", "--data", two.Data], content, [])).With(0);
        foreach (var lie in (Lie[])[Lie.WrongBytesLate, Lie.WrongSize, Lie.NoEnd, Lie.Stall])
        {
            await using var liar = new LyingPeer(lie, content);
            using var fetched = await third.JsonAsync(
                "blob", "fetch", hash, "--peer", liar.Url, "--postgres", one.Socket);
            var given = fetched.RootElement.GetProperty("given_up").EnumerateArray().ToList();
            if (lie != Lie.Stall)
            {
                // Who stalls loses the range, and may never be asked again; so may an honest one on a busy machine.
                Assert.Contains(
                    given, one => one.GetProperty("peer").GetString() == liar.Url && one.GetProperty("is_lie").GetBoolean());
                Assert.DoesNotContain(
                    given, one => one.GetProperty("peer").GetString() != liar.Url && one.GetProperty("is_lie").GetBoolean());
            }

            Assert.True(liar.Requests > 0);
            var target = Path.Combine(third.Home, "fetched");
            (await third.RunAsync("blob", "get", hash, "-o", target)).With(0);
            Assert.Equal(content, await File.ReadAllBytesAsync(target));
            File.Delete(Path.Combine(third.Data, "blobs", hash[..2], hash[2..]));
        }
    }

    [Fact]
    public async Task Blobs_go_to_nodes_that_allow_it_and_come_from_those_that_have_them()
    {
        await using var one = await TestNode.StartAsync("--name", "keeper", "--no-worker", "--listen", "127.0.0.1:0");
        var url = await UrlAsync(one);
        await using var stranger = TestNode.Create();
        var key = Path.Combine(stranger.Home, "writer.key");
        (await stranger.RunAsync("key", "new", key)).With(0);
        var hash = (await stranger.RunAsync("blob", "add", Path.Combine(Meshledger.Repository, "LICENSE"))).With(0).Trim();
        var refused = await stranger.RunAsync("blob", "push", hash, "--to", url, "--key", key);
        refused.With(1);
        Assert.Contains("may not add blobs here", refused.Errors, StringComparison.Ordinal);
        (await one.RunAsync("blob", "has", hash)).With(3);

        // Its own submitter may.
        (await stranger.RunAsync(
            "blob", "push", hash, "--to", url, "--key", Path.Combine(one.Data, "keys", "submitter.key"))).With(0);
        (await one.RunAsync("blob", "has", hash)).With(0);

        await using var third = TestNode.Create();
        Assert.Contains(url, (await third.RunAsync("blob", "fetch", hash, "--peer", url)).With(0), StringComparison.Ordinal);
        Assert.Equal(
            await File.ReadAllTextAsync(Path.Combine(Meshledger.Repository, "LICENSE")),
            (await third.RunAsync("blob", "get", hash)).With(0));
        (await third.RunAsync("blob", "fetch", new string('f', 64), "--peer", url)).With(3);
    }

    private static async Task<string> UrlAsync(TestNode node)
    {
        using var record = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(node.Data, "node.json")));
        return record.RootElement.GetProperty("blobs_url").GetString()!;
    }
}
