using System.Formats.Tar;
using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Ledger.Bundles;
using Npgsql;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Jobs of a real node, as third parties check them: with our verb, and with the verifier of
/// examples/verify-bundle, which shares no code with it.</summary>
public sealed class BundleTests
{
    private const string Wasm = "hello-wasm-example-001";
    private const string Large = "large-echo-0001";

    [Fact]
    public async Task A_bundle_of_a_real_node_is_proven_by_two_verifiers_and_no_tampering_is()
    {
        await using var node = await TestNode.StartAsync();
        await RunJobsAsync(node);
        var (bundle, policy) = (Path.Combine(node.Home, "jobs.tar"), Path.Combine(node.Home, "policy.json"));
        using var written = await node.JsonAsync("export", Wasm, Large, "-o", bundle, "--blobs");

        // The program, and the output that is too large for its receipt.
        Assert.Equal(2, written.RootElement.GetProperty("blobs").GetInt32());
        Assert.Empty(written.RootElement.GetProperty("missing_blobs").EnumerateArray());
        using var keys = await node.JsonAsync("key", "show");
        var submitter = keys.RootElement.EnumerateArray().Single(key => key.GetProperty("key").GetString() == "submitter");
        var text = JsonSerializer.Serialize(new
        {
            logs = new[] { written.RootElement.GetProperty("log").GetString() },
            submitters = new[] { submitter.GetProperty("did").GetString() },
        });
        await File.WriteAllTextAsync(policy, text);

        // The node is down, and need not be there at all; for another export its database is started for the moment.
        Assert.Equal(0, await node.StopAsync());
        (await node.RunAsync("export", Large, "-o", Path.Combine(node.Home, "again.tar"))).With(0);
        (await VerifyAsync(node, Path.Combine(node.Home, "again.tar"), policy)).With(0);
        using var report = JsonDocument.Parse((await VerifyAsync(node, bundle, policy)).With(0));
        Assert.True(report.RootElement.GetProperty("proven").GetBoolean());
        var jobs = report.RootElement.GetProperty("jobs").EnumerateArray().ToList();
        Assert.Equal([Wasm, Large], jobs.Select(job => job.GetProperty("job_id").GetString()));
        Assert.All(jobs, job => Assert.True(job.GetProperty("receipts")[0].GetProperty("is_result").GetBoolean()));
        Assert.All(jobs, job => Assert.Empty(job.GetProperty("missing_blobs").EnumerateArray()));
        var said = (await Meshledger.RunAsync(["verify", "-", "--policy", policy], await File.ReadAllBytesAsync(bundle), [])).With(0);
        Assert.Contains($"JOB {Wasm}: completed", said, StringComparison.Ordinal);
        Assert.Contains("This claim was re-executed: no.", said, StringComparison.Ordinal);
        Assert.Contains("NOT PROVEN:", said, StringComparison.Ordinal);
        Assert.EndsWith("Bundle: proven.\n", said, StringComparison.Ordinal);
        Assert.Contains(Wasm + ": job_completed", (await SecondAsync(bundle, policy)).With(0), StringComparison.Ordinal);

        (await VerifyAsync(node, bundle, Path.Combine(node.Home, "absent.json"))).With(3);
        (await VerifyAsync(node, Path.Combine(node.Home, "absent.tar"), policy)).With(3);
        var original = await File.ReadAllBytesAsync(bundle);
        var tampered = Path.Combine(node.Home, "changed.tar");
        foreach (var (what, changed) in Tampered(original))
        {
            Assert.False(changed.AsSpan().SequenceEqual(original), what);
            var ours = await BundleVerifier.VerifyAsync(
                new MemoryStream(changed), BundlePolicy.Parse(Encoding.UTF8.GetBytes(text)), CancellationToken.None);
            await File.WriteAllBytesAsync(tampered, changed);
            var second = await SecondAsync(tampered, policy);
            Assert.True(!ours.IsProven && second.ExitCode == 4, $"{what}: {second.Output}{second.Errors}");
        }

        using var refused = JsonDocument.Parse((await VerifyAsync(node, tampered, policy)).With(4));
        Assert.Equal("not_a_bundle", refused.RootElement.GetProperty("faults")[0].GetProperty("kind").GetString());
        Assert.Contains("FAULT not_a_bundle: ", (await Meshledger.RunAsync("verify", tampered, "--policy", policy)).With(4), StringComparison.Ordinal);

        foreach (var changed in new[]
        {
            text.Replace("\"meshledger/", "\"meshledger.", StringComparison.Ordinal), "[]", "null", """{"logs":[]}""", "nothing",
            With("\"quorum\":1"), With("\"quorum\":-1"), With("\"quorum\":\"0\""), With("\"witnesses\":{}"), With("\"founder\":\"me\""),
            With("\"workers\":[\"z6Mk\"]"), With("\"submitters\":null"), With("\"more\":[]"), """{"logs":"KEY"}""", """{"logs":[1]}""",
            """{"logs":[[[[[]]]]]}""",
        })
        {
            await File.WriteAllTextAsync(policy, changed);
            (await VerifyAsync(node, bundle, policy)).With(2);
            var second = await SecondAsync(bundle, policy);
            second.With(2);
            Assert.DoesNotMatch(@"(is not a function|undefined|, and no *$)", second.Errors.Trim());
        }

        await File.WriteAllTextAsync(policy, "{\n \"logs\": not\n}");
        Assert.EndsWith(
            $"{policy} is no policy: expected one JSON value without comments or trailing commas (RFC 8259), found 'ot }}' at line 2, byte 11.",
            (await VerifyAsync(node, bundle, policy)).Errors.Split('\n')[0], StringComparison.Ordinal);
        foreach (var (file, by) in new[] { (bundle, "absent.json"), ("absent.tar", policy) })
        {
            await File.WriteAllTextAsync(policy, text);
            (await VerifyAsync(node, file, by)).With(3);
            (await SecondAsync(file, by)).With(3);
        }

        var nowhere = await node.RunAsync("export", Wasm, "-o", Path.Combine(node.Home, "nowhere", "b.tar"));
        nowhere.With(3);
        Assert.Equal($"meshledger: --file: there is no directory {Path.Combine(node.Home, "nowhere")}\n", nowhere.Errors);

        string With(string member) => text.TrimEnd()[..^1] + $",{member}}}";
    }

    [Fact]
    public async Task What_workers_attest_comes_out_as_a_file_and_by_one_statement_of_sql()
    {
        await using var node = await TestNode.StartAsync();
        await RunJobsAsync(node);
        var file = Path.Combine(node.Home, "jobs.intoto.jsonl");
        (await node.RunAsync("export", Wasm, Large, "-o", file, "--format", "intoto")).With(0);
        var lines = (await File.ReadAllTextAsync(file)).Split('\n')[..^1];
        Assert.Equal(2, lines.Length);
        var subjects = new List<string?>();
        foreach (var line in lines)
        {
            Assert.True(DsseEnvelope.TryParse(Encoding.UTF8.GetBytes(line), out var envelope));
            var statement = JsonElement.Parse(envelope!.Payload.Span);
            var worker = statement.GetProperty("predicate").GetProperty("runDetails").GetProperty("builder").GetProperty("id");
            Assert.True(envelope.IsSignedBy(Did.Parse(worker.GetString()!)));
            Assert.InRange(envelope.Payload.Length, 800, 2500);
            subjects.Add(statement.GetProperty("subject")[0].GetProperty("name").GetString());
        }

        Assert.Contains("result", subjects);
        await using var database = NpgsqlDataSource.Create(node.Socket);
        await using var command = database.CreateCommand(
            $"SELECT data->'attestation' FROM mt_events WHERE stream_id = 'job-{Wasm}' AND type = 'receipt_issued' "
            + "AND data->'attestation' <> 'null' ORDER BY version");
        var cut = (string)(await command.ExecuteScalarAsync())!;
        Assert.True(DsseEnvelope.TryParse(Encoding.UTF8.GetBytes(cut), out var same));
        Assert.Contains(lines, line => line == Encoding.UTF8.GetString(same!.ToBytes()));
    }

    [Fact]
    public async Task An_export_that_cannot_be_leaves_nothing_behind()
    {
        await using var node = await TestNode.StartAsync("--no-worker");
        node.Drop("job.json", TestNode.Echo("open-job-0001"));
        await node.UntilBiddingAsync("open-job-0001");
        var target = Path.Combine(node.Home, "out.tar");
        (await node.RunAsync("export", "no-such-job-0001", "-o", target)).With(3);
        (await node.RunAsync("export", "open-job-0001", "-o", node.Home)).With(2);
        (await node.RunAsync("export", "open-job-0001")).With(2);
        (await node.RunAsync("export", "short", "-o", target)).With(2);
        (await node.RunAsync("export", "open-job-0001", "-o", target, "--format", "intoto")).With(3);
        Assert.Empty(Directory.GetFiles(node.Home, "out.tar*"));

        // A job that is still open is told as far as it goes, and a blob that is not there is missed and said so.
        node.Drop("missing.json", await File.ReadAllBytesAsync(Path.Combine(Meshledger.Repository, "examples/jobs/run-wasm.json")));
        await node.UntilBiddingAsync("run-wasm-example-001");
        var done = (await node.RunAsync("export", "open-job-0001", "run-wasm-example-001", "-o", target, "--blobs"));
        done.With(0);
        Assert.Contains("is not here, and not in the bundle", done.Errors, StringComparison.Ordinal);
        Assert.Equal([target], Directory.GetFiles(node.Home, "out.tar*"));
        using var head = await node.JsonAsync("log", "head");
        var policy = Path.Combine(node.Home, "policy.json");
        await File.WriteAllTextAsync(
            policy, JsonSerializer.Serialize(new { logs = new[] { head.RootElement.GetProperty("key").GetString() } }));
        var said = (await Meshledger.RunAsync("verify", target, "--policy", policy)).With(0);
        Assert.Contains("show no end: it is bidding_open", said, StringComparison.Ordinal);
        (await SecondAsync(target, policy)).With(0);
    }

    [Fact]
    public async Task A_job_that_no_tree_head_has_is_not_exported()
    {
        await using var node = await TestNode.StartAsync("--no-worker");
        var head = Path.Combine(node.Data, "log", "checkpoint");
        await Meshledger.UntilAsync(() => File.Exists(head), "a first tree head");
        var first = await File.ReadAllBytesAsync(head);
        node.Drop("job.json", TestNode.Echo("unseen-job-0001"));
        await node.UntilBiddingAsync("unseen-job-0001");
        Assert.Equal(0, await node.StopAsync());

        // As after a crash before the next head.
        await File.WriteAllBytesAsync(head, first);
        var target = Path.Combine(node.Home, "out.tar");
        var refused = await node.RunAsync("export", "unseen-job-0001", "-o", target);
        refused.With(1);
        Assert.Contains(": a node (meshledger up) publishes it at its next start", refused.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(target));
        await node.StartAsync();
        await Meshledger.UntilAsync(() => !File.ReadAllBytes(head).AsSpan().SequenceEqual(first), "the latest tree head");
        (await node.RunAsync("export", "unseen-job-0001", "-o", target)).With(0);
    }

    private static async Task RunJobsAsync(TestNode node)
    {
        var examples = Path.Combine(Meshledger.Repository, "examples");
        (await node.RunAsync("blob", "add", Path.Combine(examples, "guests", "wasi", "args.wasm"))).With(0);
        node.Drop("wasm.json", await File.ReadAllBytesAsync(Path.Combine(examples, "jobs", "hello-wasm.json")));
        (await node.RunAsync("job", "wait", Wasm)).With(0);
        node.Drop("large.json", TestNode.Echo(Large, $"\"{new string('x', 70_000)}\""));
        (await node.RunAsync("job", "wait", Large)).With(0);
    }

    /// <summary>Our verb, with no data directory to look into.</summary>
    private static Task<CommandResult> VerifyAsync(TestNode node, string bundle, string policy) => Meshledger.RunAsync(
        "verify", bundle, "--policy", policy, "--output", "json", "--data", Path.Combine(node.Home, "nothing-here"));

    private static async Task<CommandResult> SecondAsync(string bundle, string policy)
    {
        var script = Path.Combine(Meshledger.Repository, "examples", "verify-bundle", "verify-bundle.mjs");
        return await Meshledger.RunAsync([script, bundle, policy], null, [], program: "node");
    }

    /// <summary>Each kind of tampering, by somebody who knows the format.</summary>
    private static IEnumerable<(string What, byte[] Changed)> Tampered(byte[] bundle)
    {
        var entries = new List<(string Name, byte[] Bytes)>();
        using var reader = new TarReader(new MemoryStream(bundle));
        while (reader.GetNextEntry() is { } entry)
        {
            using var bytes = new MemoryStream();
            entry.DataStream?.CopyTo(bytes);
            entries.Add((entry.Name, bytes.ToArray()));
        }

        string First(string folder) => entries.First(entry => entry.Name.StartsWith(folder, StringComparison.Ordinal)).Name;
        string Holding(string text, string folder) => entries.First(entry => entry.Name.StartsWith(folder, StringComparison.Ordinal)
            && Encoding.UTF8.GetString(entry.Bytes).Contains(text, StringComparison.Ordinal)).Name;
        byte[] Replace(string name, string old, string with) => Pack(entries.ConvertAll(entry => entry.Name == name
            ? (name, Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(entry.Bytes).Replace(old, with, StringComparison.Ordinal)))
            : entry));
        byte[] Without(string name) => Pack(entries.FindAll(entry => entry.Name != name));
        byte[] Plus(string name) => Pack([.. entries.Append((name, [1])).OrderBy(entry => entry.Item1, StringComparer.Ordinal)]);

        Assert.Equal(bundle, Pack(entries));
        var receipt = Holding("\"receipt_issued\"", "events/");
        yield return ("an output's text", Replace(receipt, "from a job file", "from a job pile"));
        yield return ("an exit code", Replace(receipt, "\"exit_code\":0", "\"exit_code\":1"));
        yield return ("who paid what", Replace(Holding("\"job_completed\"", "events/"), "\"paid\":5", "\"paid\":6"));
        yield return ("a document", Replace(Holding("good morning", "documents/"), "good morning", "good evening"));
        yield return ("an attestation", Replace(First("attestations/"), "\"payload\":\"e", "\"payload\":\"f"));
        yield return ("a role", Replace("keys.json", "\"submitter\"", "\"founder\""));
        yield return ("what the bundle says that it is", Replace("bundle.json", "/v1", "/v2"));
        yield return ("the size of the tree", Replace("checkpoint", "\n", "\n1"));
        yield return ("a place in the log", Replace(First("proofs/"), "index ", "index 1"));
        var receiptProof = receipt.Replace("events/", "proofs/", StringComparison.Ordinal).Replace(".json", ".tlog-proof", StringComparison.Ordinal);
        yield return ("no proof", Without(receiptProof));
        yield return ("no event", Without(receipt));
        yield return ("neither", Pack(entries.FindAll(entry => entry.Name != receipt && entry.Name != receiptProof)));
        yield return ("no blob", Without(First("blobs/")));
        yield return ("a blob's bytes", Pack(entries.ConvertAll(entry => entry.Name == First("blobs/")
            ? (entry.Name, [.. entry.Bytes[..^1], (byte)(entry.Bytes[^1] ^ 1)]) : entry)));
        yield return ("a path out of it", Plus("events/../../etc/passwd"));
        yield return ("a blob of nobody", Plus($"blobs/{Blake3.Hash([1])}"));
        yield return ("an entry twice", Pack([entries[0], .. entries]));
        yield return ("another order", Pack([.. entries.AsEnumerable().Reverse()]));
        yield return ("cut off", bundle[..^512]);
        yield return ("more behind it", [.. bundle, .. new byte[512]]);
        var link = bundle.ToArray();
        link[156] = (byte)'2';
        yield return ("a link", link);
    }

    private static byte[] Pack(IEnumerable<(string Name, byte[] Bytes)> entries)
    {
        using var archive = new MemoryStream();
        foreach (var (name, bytes) in entries)
        {
            archive.Write(Header(name, bytes.Length));
            archive.Write(bytes);
            archive.Write(new byte[-bytes.Length & 511]);
        }

        archive.Write(new byte[1024]);
        return archive.ToArray();
    }

    private static byte[] Header(string name, int size)
    {
        var header = new byte[512];
        foreach (var (at, text) in new[]
        {
            (0, name), (100, "0000644"), (108, "0000000"), (116, "0000000"), (124, Convert.ToString(size, 8).PadLeft(11, '0')),
            (136, "00000000000"), (148, "        "), (156, "0"), (257, "ustar"), (263, "00"), (329, "0000000"), (337, "0000000"),
        })
        {
            Encoding.ASCII.GetBytes(text, header.AsSpan(at));
        }

        Encoding.ASCII.GetBytes(Convert.ToString(header.Sum(value => value), 8).PadLeft(6, '0') + "\0 ", header.AsSpan(148));
        return header;
    }
}
