using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>WebAssembly programs on their whole way: the same result whoever runs them, how, and in how many pieces.</summary>
public sealed class WasmJobTests
{
    private const string Keeper = "keeper";
    private const string First = "first";
    private const string Second = "second";

    private static readonly string Seed = new('7', 64);

    [Fact]
    public async Task A_job_that_its_worker_did_not_survive_goes_on_from_its_last_checkpoint_and_ends_as_if_nothing_had_been()
    {
        var config = await ConfigAsync("""{"lease_seconds": 3}""");
        await using var keeper = await TestNode.StartAsync(
            "--name", Keeper, "--no-worker", "--listen", "127.0.0.1:0", "--config", config);
        await using var first = Worker(keeper, First, config);
        await using var second = Worker(keeper, Second, config);
        await first.StartAsync();
        await second.StartAsync();
        var program = await AddAsync(keeper, "primes.wasm");

        keeper.Drop("whole.json", Primes("primes-whole", program));
        var whole = Receipt(await keeper.ResultAsync("primes-whole"));
        Assert.Equal(JsonValueKind.Undefined, Member(whole.Guest, "resumed_from").ValueKind);

        keeper.Drop("cut.json", Primes("primes-cut", program));
        var (victim, sequence) = await UntilSavedAsync(keeper, "primes-cut", atLeast: 2);
        await (victim == First ? first : second).KillAsync();
        var cut = Receipt(await keeper.ResultAsync("primes-cut"));

        // What both say is the same to the last bit; where the second began, and by whom it was brought there, stands there.
        Assert.Equal(whole.Outputs, cut.Outputs);
        foreach (var member in (string[])["fuel", "fuel_table", "state_digest"])
        {
            Assert.Equal(whole.Guest.GetProperty(member).ToString(), cut.Guest.GetProperty(member).ToString());
        }

        Assert.True(cut.Guest.TryGetProperty("resumed_from", out var from), (await keeper.RunAsync("job", "history", "primes-cut")).Output);
        Assert.Equal(1, from.GetProperty("attempt").GetInt32());
        Assert.InRange(from.GetProperty("sequence").GetInt64(), sequence, long.MaxValue);
        using var shown = await keeper.JsonAsync("job", "show", "primes-cut");
        Assert.Equal(2, shown.RootElement.GetProperty("attempt").GetInt32());
        Assert.Equal(1, shown.RootElement.GetProperty("attempts_lost").GetInt32());
        var resumed = shown.RootElement.GetProperty("receipt").GetProperty("guest").GetProperty("resumed_from");
        Assert.Equal(victim, resumed.GetProperty("worker_id").GetString());
        Assert.NotEqual(victim, shown.RootElement.GetProperty("worker_id").GetString());
        (await keeper.RunAsync("audit")).With(0);

        // Nobody goes on from any of its states any more.
        var survivor = victim == First ? second : first;
        Assert.Contains(
            from.GetProperty("state").GetString()!, (await survivor.RunAsync("blob", "gc", "--postgres", keeper.Socket)).With(0),
            StringComparison.Ordinal);
        File.Delete(config);
    }

    [Fact]
    public async Task Workers_of_both_tiers_agree_to_the_last_bit()
    {
        var compiled = await ConfigAsync("""{"worker": {"wasm_tier": "compiled"}}""");
        var config = await ConfigAsync("""{"worker": {"wasm_tier": "interpreter"}}""");
        await using var first = await TestNode.StartAsync("--name", First, "--listen", "127.0.0.1:0", "--config", compiled);
        await using var second = TestNode.Create(
            "--name", Second, "--listen", "127.0.0.1:0", "--postgres", first.Socket, "--config", config);
        await second.StartAsync();
        File.Delete(compiled);
        var program = await AddAsync(first, "sha256.wasm");
        var number = await AddAsync(first, "run.wasm");

        first.Drop("both.json", Job("both-tiers", program, "", market: "\"market\":{\"replicas\":2},"));
        first.Drop("number.json", Job("both-numbers", number, "", market: "\"market\":{\"replicas\":2},"));
        first.Drop("again.json", Job("number-again", number, ""));
        var both = await first.ResultAsync("both-tiers");
        Assert.Equal("completed", both.GetProperty("status").GetString());
        var numbers = await first.ResultAsync("both-numbers");
        Assert.Equal("35669673", numbers.GetProperty("data").GetString());
        var (one, other) = (Receipt(numbers), Receipt(await first.ResultAsync("number-again")));
        Assert.Equal((one.Guest.GetProperty("fuel").GetInt64(), one.Guest.GetProperty("state_digest").GetString()),
            (other.Guest.GetProperty("fuel").GetInt64(), other.Guest.GetProperty("state_digest").GetString()));

        using var shown = await first.JsonAsync("job", "show", "both-tiers");
        Assert.Equal(
            ["agreed", "agreed"],
            shown.RootElement.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("result").GetString()));
        var history = (await first.RunAsync("job", "history", "both-tiers", "--output", "jsonl")).With(0);
        Assert.Contains("\"compiled\"", history, StringComparison.Ordinal);
        Assert.Contains("\"interpreter\"", history, StringComparison.Ordinal);
        (await first.RunAsync("audit")).With(0);
        File.Delete(config);
    }

    [Fact]
    public async Task What_stops_a_program_is_the_job_s_error()
    {
        await using var node = await TestNode.StartAsync();
        var ends = await AddAsync(node, "ends.wasm");
        var elf = (await node.RunAsync("blob", "add", Path.Combine(Meshledger.Repository, "examples", "guests", "hello.elf"))).With(0).Split()[0];
        (string Name, string Program, string More, string Code, string Said)[] cases =
        [
            ("trap", ends, ", \"args\": [\"trap\"]", "GUEST_TRAPPED", "unreachable, in "),
            ("deep", ends, ", \"args\": [\"recurse\"], \"limits\": {\"call_depth\": 100}", "CALL_DEPTH_EXCEEDED", "<recurse>"),
            ("exit", ends, ", \"args\": [\"exit\", \"7\"]", "GUEST_FAILED", "exited with code 7"),
            ("fuel", ends, ", \"args\": [\"loop\"], \"limits\": {\"fuel\": 5000000}", "OUT_OF_FUEL", "its fuel of 5000000 units"),
            ("time", ends, ", \"args\": [\"loop\"], \"limits\": {\"seconds\": 1}", "TIMEOUT", "longer than the 1 s that it has"),
            ("none", elf, "", "NOT_EXECUTABLE", "The module cannot run: "),
            ("wrong", ends, ", \"limits\": {\"fule\": 1}", "VALIDATION_ERROR", "/payload/data/limits/fule: expected none but fuel"),
        ];
        foreach (var (name, program, more, _, _) in cases)
        {
            node.Drop($"{name}.json", Job($"wasm-ends-{name}", program, more));
        }

        foreach (var (name, _, _, code, said) in cases)
        {
            var result = await node.ResultAsync($"wasm-ends-{name}");
            var error = result.GetProperty("error");
            Assert.Equal((name, code), (name, error.GetProperty("code").GetString()));
            Assert.Contains(said, error.GetProperty("message").GetString()!, StringComparison.Ordinal);
        }

        (await node.RunAsync("audit")).With(0);
    }

    private static TestNode Worker(TestNode keeper, string name, string config) => TestNode.Create(
        "--name", name, "--listen", "127.0.0.1:0", "--postgres", keeper.Socket, "--config", config);

    private static async Task<string> ConfigAsync(string json)
    {
        var path = Path.Combine(Path.GetTempPath(), $"ml-wasm-{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(path, json);
        return path;
    }

    private static async Task<string> AddAsync(TestNode node, string program)
    {
        var path = Path.Combine(Meshledger.Repository, "examples", "guests", "wasi", program);
        return (await node.RunAsync("blob", "add", path)).With(0).Split()[0];
    }

    private static string Primes(string id, string program) => Job(
        id, program,
        $$""", "args": ["60000000"], "files": ["/out/primes.txt"], "seed": "{{Seed}}", "checkpoint": {"every_seconds": 1}""");

    private static string Job(string id, string program, string more, string market = "") =>
        $$$"""
        {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
         "operation":"vm.execute",{{{market}}}
         "payload":{"type":"vm.execute.v1","data":{"type":"BlobBinary","hash":"{{{program}}}","format":"wasm"{{{more}}} } }}
        """;

    /// <summary>Waits until a job has saved its state so often; says who runs it, and the last one's number.</summary>
    private static async Task<(string Worker, long Sequence)> UntilSavedAsync(TestNode node, string job, long atLeast)
    {
        using var limit = new CancellationTokenSource(Meshledger.Patience);
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            var result = await node.RunAsync("job", "show", job, "--output", "json");
            if (result.ExitCode != 0)
            {
                continue;
            }

            using var shown = JsonDocument.Parse(result.Output);
            var run = shown.RootElement.GetProperty("runs").EnumerateArray().FirstOrDefault();
            if (run.ValueKind == JsonValueKind.Object && run.GetProperty("checkpoint") is { ValueKind: JsonValueKind.Object } saved
                && saved.GetProperty("sequence").GetInt64() is var sequence && sequence >= atLeast
                && (await node.RunAsync("blob", "has", saved.GetProperty("state").GetString()!)).ExitCode == 0)
            {
                // Another node has a copy by now: what only the dead one had would be gone with it.
                return (run.GetProperty("worker_id").GetString()!, sequence);
            }

            Assert.Equal("executing", shown.RootElement.GetProperty("status").GetString() switch
            {
                "completed" or "failed" => $"over before it was saved so often: {result.Output}",
                _ => "executing",
            });
        }
    }

    private static (string Outputs, JsonElement Guest) Receipt(JsonElement result)
    {
        Assert.True(result.GetProperty("status").GetString() == "completed", result.ToString());
        return (
            string.Join('\n', result.GetProperty("outputs").GetProperty("artifacts").EnumerateArray().Select(one => one.ToString())),
            result.GetProperty("receipt").GetProperty("guest"));
    }

    private static JsonElement Member(JsonElement owner, string name) =>
        owner.TryGetProperty(name, out var member) ? member : default;
}
