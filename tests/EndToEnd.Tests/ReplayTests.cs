using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Jobs and ledgers as they were, and jobs that are run again.</summary>
public sealed class ReplayTests
{
    [Fact]
    public async Task A_job_that_is_run_again_checkpoint_by_checkpoint_is_found_right()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        var program = await AddAsync(node, "primes.wasm");
        node.Drop("primes.json", Primes("replayed-0001", program, 1_500_000));
        await node.ResultAsync("replayed-0001");

        using (var found = await FindAsync(node, 0, "replayed-0001", "--keep", Path.Combine(node.Home, "kept")))
        {
            var receipt = Single(found);
            Assert.Equal("verified", receipt.GetProperty("finding").GetString());
            Assert.Equal("node alpha", receipt.GetProperty("role").GetString());
            Assert.True(receipt.GetProperty("appended").GetBoolean());
            Assert.Equal(found.RootElement.GetProperty("checkpoints").GetInt64(), receipt.GetProperty("checkpoints").GetInt64());
            Assert.InRange(receipt.GetProperty("checkpoints").GetInt64(), 1, 1000);
        }

        Assert.NotEmpty(await File.ReadAllTextAsync(Path.Combine(node.Home, "kept", "files", "out", "primes.txt")));

        // Said once; by others than whose receipt it is; and never needed a running node.
        using (var again = await FindAsync(node, 0, "replayed-0001"))
        {
            Assert.True(Single(again).GetProperty("said_before").GetBoolean());
        }

        var own = await node.RunAsync("replay", "replayed-0001", "--execute", "--key", Path.Combine(node.Data, "keys", "worker.key"));
        own.With(1);
        Assert.Contains("OWN_RECEIPT", own.Errors, StringComparison.Ordinal);
        Assert.Contains("verified", (await node.RunAsync("job", "show", "replayed-0001")).With(0), StringComparison.Ordinal);

        Assert.Equal(0, await node.StopAsync());
        await node.StartAsync();
        Assert.Contains(
            "completed", (await node.RunAsync("job", "list", "--output", "jsonl")).With(0), StringComparison.Ordinal);
        node.Drop("echo.json", TestNode.Echo("replayed-0002", "1"));
        await node.ResultAsync("replayed-0002");
        Assert.Equal(0, await node.StopAsync());
        using (var echo = await FindAsync(node, 0, "replayed-0002"))
        {
            Assert.Equal("verified", Single(echo).GetProperty("finding").GetString());
        }

        (await node.RunAsync("audit")).With(0);

        // What is not there any more is named.
        Directory.Delete(Path.Combine(node.Data, "blobs", program[..2]), recursive: true);
        var missing = await node.RunAsync("replay", "replayed-0001", "--execute");
        missing.With(3);
        Assert.Contains(program, missing.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_that_lies_is_disputed_and_the_interval_is_named_in_which_its_run_parts_from_the_program_s()
    {
        await using var keeper = await TestNode.StartAsync("--name", "keeper", "--no-worker");
        var program = await AddAsync(keeper, "primes.wasm");
        await using var liar = await LyingWorker.JoinAsync(keeper);
        (string Job, Func<JobEvent, JobEvent> Lie, string[] Differs, string Parting)[] lies =
        [
            ("liar-output", Receipts(receipt => receipt with
            {
                Outputs = ValueList.From(receipt.Outputs.Select(
                    output => output.Name == "files/out/primes.txt" ? Output(output.Name, "there are no primes\n") : output)),
            }), ["output files/out/primes.txt"], " and the end"),
            ("liar-fuel0", Receipts(receipt => receipt with { Guest = receipt.Guest! with { Fuel = receipt.Guest.Fuel * 2 } }),
                ["fuel"], " and the end"),
            ("liar-state", body => body is JobEvent.CheckpointRecorded { Sequence: >= 2 } saved
                ? saved with { State = Blake3.Hash(Encoding.UTF8.GetBytes($"not so {saved.Sequence}")) }
                : Receipts(receipt => receipt with
                {
                    Guest = receipt.Guest! with { StateDigest = Blake3.Hash("nor so"u8) },
                })(body),
                ["state_digest", "checkpoint 2 of attempt 1"],
                "between checkpoint 1 of attempt 1 (fuel "),
        ];
        foreach (var (job, lie, _, _) in lies)
        {
            liar.LieAbout(job, lie);
            // Of the last one, the ledger has to take in two checkpoints while it runs, however slow it is.
            keeper.Drop($"{job}.json", Primes(job, program, job == "liar-state" ? 25_000_000 : 100_000));
        }

        foreach (var (job, _, differs, parting) in lies)
        {
            Assert.Equal("completed", (await keeper.ResultAsync(job)).GetProperty("status").GetString());
            using var found = await FindAsync(keeper, 4, job);
            var receipt = Single(found);
            Assert.Equal("disputed", receipt.GetProperty("finding").GetString());
            Assert.True(receipt.GetProperty("appended").GetBoolean());
            Assert.Equal(
                differs, receipt.GetProperty("differences").EnumerateArray().Select(one => one.GetProperty("what").GetString()));
            Assert.Contains(parting, receipt.GetProperty("parting").GetString(), StringComparison.Ordinal);
        }

        var shown = (await keeper.RunAsync("job", "show", "liar-state")).With(0);
        Assert.Contains("disputed", shown, StringComparison.Ordinal);
        Assert.Contains(") and checkpoint 2 of attempt 1 (fuel ", shown, StringComparison.Ordinal);
        (await keeper.RunAsync("audit")).With(0);
        using var state = await keeper.JsonAsync("state", "jobs");
        Assert.Equal(3, state.RootElement.GetProperty("findings").GetProperty("disputed").GetInt64());

        // The liar was paid as everybody is: what a dispute is to cost is nobody's to say yet.
        Assert.Equal(3, Figure(state, "jobs", "status", "completed", "jobs"));
    }

    [Fact]
    public async Task A_job_and_the_ledger_are_shown_as_they_were_at_any_event()
    {
        await using var node = await TestNode.StartAsync("--name", "alpha");
        node.Drop("echo.json", TestNode.Echo("as-it-was-0001", "\"hello\""));
        await node.ResultAsync("as-it-was-0001");
        using var whole = await node.JsonAsync("replay", "as-it-was-0001");
        var events = whole.RootElement.GetProperty("events").EnumerateArray().ToList();
        Assert.All(events, one => Assert.True(one.GetProperty("legal").GetBoolean()));
        Assert.Equal(["job_submitted", "bidding_opened", "bid_placed"], events.Take(3).Select(one => one.GetProperty("type").GetString()));
        Assert.Equal("submitter", events[0].GetProperty("role").GetString());
        Assert.Equal("node alpha", events[1].GetProperty("role").GetString());
        Assert.Equal("worker alpha", events[2].GetProperty("role").GetString());

        // A version, a position and a time name the same point.
        var (position, appended) = (events[3].GetProperty("position").GetInt64(), events[^1].GetProperty("appended_at").GetString()!);
        foreach (var point in (string[])["v3", "version:3", $"position:{position - 1}"])
        {
            using var then = await node.JsonAsync("replay", "as-it-was-0001", "--at", point);
            Assert.Equal(3, then.RootElement.GetProperty("events").GetArrayLength());
            Assert.Equal("bidding_open", then.RootElement.GetProperty("state").GetProperty("status").GetString());
        }

        using var last = await node.JsonAsync("replay", "as-it-was-0001", "--at", appended);
        Assert.Equal(events.Count, last.RootElement.GetProperty("version").GetInt32());
        Assert.Contains("was not there", (await node.RunAsync("replay", "as-it-was-0001", "--at", "2001-01-01")).Errors, StringComparison.Ordinal);
        using var changed = await node.JsonAsync("replay", "as-it-was-0001", "--diff", "v3", appended);
        Assert.Contains(changed.RootElement.EnumerateArray(), row => row.GetProperty("member").GetString() == "status"
            && row.GetProperty("before").GetString() == "bidding_open" && row.GetProperty("after").GetString() == "completed");
        Assert.Contains("legal: a node of the ledger may say it", (await node.RunAsync("replay", "as-it-was-0001")).With(0), StringComparison.Ordinal);
        (await node.RunAsync("replay", "nobody-knows-0001")).With(3);
        (await node.RunAsync("replay", "as-it-was-0001", "--at", "v900")).With(3);

        // What was held for it while it ran is nobody's any more.
        using var before = await node.JsonAsync("state", "accounts", "jobs", "--at", $"position:{position}");
        using var after = await node.JsonAsync("state", "--at", appended);
        Assert.Equal(100, Figure(before, "accounts", "name", "submitter", "escrow"));
        Assert.Equal(0, Figure(after, "accounts", "name", "submitter", "escrow"));
        Assert.Equal(0, Figure(before, "jobs", "status", "completed", "jobs"));
        Assert.Equal(1, Figure(after, "jobs", "status", "completed", "jobs"));
        Assert.Equal(10, Figure(after, "reputation", "operation", "system.echo", "points"));
        Assert.Equal("alpha", after.RootElement.GetProperty("workers")[0].GetProperty("worker_id").GetString());
        using var empty = await node.JsonAsync("state", "--at", "2001-01-01T00:00:00Z");
        Assert.Equal(0, empty.RootElement.GetProperty("position").GetInt64());
        (await node.RunAsync("state", "--at", "position:999999")).With(3);
    }

    private static Func<JobEvent, JobEvent> Receipts(Func<Receipt, Receipt> change) => body =>
        body is JobEvent.ReceiptIssued issued ? issued with { Receipt = change(issued.Receipt) } : body;

    private static ReceiptOutput Output(string name, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return new ReceiptOutput(name, bytes.Length, Blake3.Hash(bytes), Digest.OfBytes(bytes), false, text, null);
    }

    private static async Task<JsonDocument> FindAsync(TestNode node, int exitCode, string job, params string[] more) =>
        JsonDocument.Parse((await node.RunAsync(["replay", job, "--execute", "--output", "json", .. more])).With(exitCode));

    private static JsonElement Single(JsonDocument found) =>
        Assert.Single(found.RootElement.GetProperty("receipts").EnumerateArray());

    private static long Figure(JsonDocument state, string part, string member, string value, string figure) =>
        Assert.Single(state.RootElement.GetProperty(part).EnumerateArray(), row => row.GetProperty(member).GetString() == value)
            .GetProperty(figure).GetInt64();

    private static async Task<string> AddAsync(TestNode node, string program)
    {
        var path = Path.Combine(Meshledger.Repository, "examples", "guests", "wasi", program);
        return (await node.RunAsync("blob", "add", path)).With(0).Split()[0];
    }

    private static string Primes(string id, string program, int count) =>
        $$$"""
        {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation","operation":"vm.execute",
         "payload":{"type":"vm.execute.v1","data":{"type":"BlobBinary","hash":"{{{program}}}","format":"wasm","args":["{{{count}}}"],
         "files":["/out/primes.txt"],"limits":{"memory_mb":16},"checkpoint":{"every_fuel":5000000} } } }
        """;
}
