using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Wasm;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Worker.Tests.Handlers;

/// <summary>Real programs, compiled from examples/guests/wasi.</summary>
public sealed class WasmHandlerTests : IDisposable
{
    private static readonly string Guests = FindGuests();

    private readonly string _root = Directory.CreateTempSubdirectory("meshledger-wasm-").FullName;
    private readonly BlobStore _blobs;
    private readonly BlobFetcher _fetcher;

    public WasmHandlerTests()
    {
        _blobs = BlobStore.Open(Path.Combine(_root, "blobs"), new BlobStoreOptions(), TimeProvider.System);
        _fetcher = new BlobFetcher(
            _blobs, PeerList.None, new FetchOptions(), TimeProvider.System, NullLogger<BlobFetcher>.Instance);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Arguments_and_variables_come_in_the_order_of_the_document()
    {
        var result = await RunAsync("args", ", \"args\": [\"one\", \"two\"], \"env\": {\"Z\": \"1\", \"HOME\": \"/in\"}");
        Assert.Null(result.Error);
        Assert.Equal(
            "argv[0] = program\nargv[1] = one\nargv[2] = two\nZ=1\nHOME=/in\nHOME is /in\n", Given.Text(result, "stdout"));
        Assert.Equal((0, "meshledger-wasm", 1), (result.ExitCode, result.EngineName, result.Guest!.FuelTable));
        Assert.Equal(Blake3.Hash(await File.ReadAllBytesAsync(Path.Combine(Guests, "args.wasm"))), result.Program);
    }

    [Fact]
    public async Task Inputs_are_files_that_the_guest_can_read_and_standard_input_is_there()
    {
        var content = new byte[700_001];
        new Random(3).NextBytes(content);
        var one = await _blobs.AddBytesAsync(content, CancellationToken.None);
        var result = await RunAsync("cat", $$"""
            , "args": ["/in/a/one.bin"], "inputs": [{"path": "/in/a/one.bin", "hash": "{{one}}", "size": 700001}]
            """);
        Assert.Null(result.Error);
        Assert.Equal(content, result.Outputs[0].Bytes.ToArray());
        Assert.Equal("/in/a/one.bin: 700001 bytes\n", Given.Text(result, "stderr"));
        Assert.Equal("in\n", Given.Text(await RunAsync("cat", ", \"stdin\": \"in\\n\""), "stdout"));

        var absent = await RunAsync("cat", $$""", "inputs": [{"path": "/in/x", "hash": "{{Blake3.Hash("absent"u8)}}"}]""");
        Assert.Equal(("BLOB_NOT_FOUND", true), (absent.Error!.Code, absent.Error.Recoverable));
    }

    [Fact]
    public async Task A_directory_of_the_worker_is_there_for_who_asks_and_nothing_beside_it()
    {
        var directory = Directory.CreateDirectory(Path.Combine(_root, "shared"));
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, "facts.txt"), "facts\n");
        await File.WriteAllTextAsync(Path.Combine(_root, "secret.txt"), "secret\n");
        File.CreateSymbolicLink(Path.Combine(directory.FullName, "out"), Path.Combine(_root, "secret.txt"));
        var handler = new HandlerTable(
            new HandlerOptions { Blobs = _fetcher, WasmDirectories = [new("/data", directory.FullName, Writable: false)] },
            TimeProvider.System)["vm.execute"];
        var program = await AddAsync("cat");

        var asked = await Job(program, ", \"directories\": [\"/data\"], \"args\": [\"/data/facts.txt\"]").RunAsync(handler);
        Assert.Equal("facts\n", Given.Text(asked, "stdout"));
        foreach (var path in (string[])["/data/../secret.txt", "/data/out", "/secret.txt"])
        {
            var outside = await Job(program, $", \"directories\": [\"/data\"], \"args\": [\"{path}\"]").RunAsync(handler);
            Assert.Equal(("GUEST_FAILED", ""), (outside.Error!.Code, Given.Text(outside, "stdout")));
        }

        Assert.Equal("GUEST_FAILED", (await Job(program, ", \"args\": [\"/data/facts.txt\"]").RunAsync(handler)).Error!.Code);
        var absent = await Job(program, ", \"directories\": [\"/other\"]").RunAsync(handler);
        Assert.Equal(("DIRECTORY_UNAVAILABLE", true), (absent.Error!.Code, absent.Error.Recoverable));
    }

    [Fact]
    public async Task What_lies_under_out_is_an_output_and_what_should_and_does_not_is_named()
    {
        var result = await RunAsync("primes", ", \"args\": [\"1000\"], \"files\": [\"/out/primes.txt\"]");
        Assert.Null(result.Error);
        Assert.Equal(["stdout", "stderr", "files/out/primes.txt"], result.Outputs.Select(output => output.Name));
        Assert.StartsWith("168 ", Given.Text(result, "files/out/primes.txt"), StringComparison.Ordinal);
        Assert.Contains("168 primes below 1000", Given.Text(result, "stdout"), StringComparison.Ordinal);

        var missing = await RunAsync("primes", ", \"args\": [\"1000\"], \"files\": [\"/out/a\", \"/out/primes.txt\", \"/out/b\"]");
        Assert.Equal(
            ("OUTPUT_MISSING", "The program ended well, but did not write /out/a, /out/b."),
            (missing.Error!.Code, missing.Error.Message));
        Assert.Equal(3, missing.Outputs.Count);
    }

    [Fact]
    public async Task Outputs_end_at_their_cap_and_say_so()
    {
        var result = await RunAsync("primes", ", \"args\": [\"1000\"], \"limits\": {\"output_bytes\": 5}");
        Assert.Null(result.Error);
        Assert.Equal(
            [("stdout", 5, true), ("stderr", 0, false), ("files/out/primes.txt", 5, true)],
            result.Outputs.Select(output => (output.Name, output.Bytes.Length, output.Truncated)));
    }

    [Fact]
    public async Task What_an_entry_gives_is_an_output_and_stands_in_the_account()
    {
        var result = await RunAsync("run", "");
        Assert.Null(result.Error);
        Assert.Equal("\"35669673\"", Given.Text(result, "result"));
        Assert.Equal("35669673", result.Guest!.Result);
        Assert.Equal("NOT_EXECUTABLE", (await RunAsync("run", ", \"entry\": \"main\"")).Error!.Code);
    }

    [Theory]
    [InlineData("sha256", "")]
    [InlineData("clock", "")]
    [InlineData("random", "")]
    [InlineData("files", "")]
    [InlineData("nbody", ", \"args\": [\"1000\"]")]
    [InlineData("ends", ", \"args\": [\"trap\"]")]
    [InlineData("ends", ", \"args\": [\"loop\"], \"limits\": {\"fuel\": 3000000}")]
    [InlineData("ends", ", \"args\": [\"recurse\"], \"limits\": {\"call_depth\": 200}")]
    public async Task Whoever_runs_a_document_gets_the_same_in_either_tier(string program, string more)
    {
        var first = await RunAsync(program, more);
        var again = await RunAsync(program, more);
        var other = await RunAsync(program, more, Tier.Interpreter);
        Assert.Equal((GuestAccount.CompiledTier, GuestAccount.InterpretedTier), (first.Guest!.Tier, other.Guest!.Tier));
        foreach (var result in (OperationResult[])[again, other])
        {
            Assert.Equal(first.Error, result.Error);
            Assert.Equal(first.ExitCode, result.ExitCode);
            Assert.Equal(
                first.Outputs.Select(output => (output.Name, Blake3.Hash(output.Bytes.Span), output.Truncated)),
                result.Outputs.Select(output => (output.Name, Blake3.Hash(output.Bytes.Span), output.Truncated)));
            Assert.Equal(first.Guest with { Tier = "" }, result.Guest! with { Tier = "" });
        }
    }

    [Fact]
    public async Task Random_numbers_follow_from_the_document_or_from_the_seed_that_it_names()
    {
        var seed = $", \"seed\": \"{new string('5', 64)}\"";
        var (plain, seeded) = (await StateAsync(""), await StateAsync(seed));
        Assert.NotEqual(plain, seeded);
        Assert.NotEqual(plain, await StateAsync(", \"args\": []"));
        Assert.Equal(seeded, await StateAsync(seed + ", \"args\": []"));

        async Task<BlobHash?> StateAsync(string more) => (await RunAsync("random", more)).Guest!.StateDigest;
    }

    [Theory]
    [InlineData("[\"trap\"]", "", "GUEST_TRAPPED", "The program trapped: unreachable, in func[")]
    [InlineData("[\"divide\", \"0\"]", "", "GUEST_TRAPPED", "integer divide by zero")]
    [InlineData("[\"memory\"]", "", "GUEST_TRAPPED", "out of bounds memory access")]
    [InlineData("[\"recurse\"]", "\"call_depth\": 50", "CALL_DEPTH_EXCEEDED", "went deeper than 50 units")]
    [InlineData("[\"exit\", \"3\"]", "", "GUEST_FAILED", "The program exited with code 3.")]
    [InlineData("[\"loop\"]", "\"fuel\": 1000000", "OUT_OF_FUEL", "used up its fuel of 1000000 units")]
    [InlineData("[\"loop\"]", "\"seconds\": 1", "TIMEOUT", "ran for longer than the 1 s that it has")]
    [InlineData("[\"return\"]", "\"memory_pages\": 1", "NOT_EXECUTABLE", "The module cannot run: ")]
    public async Task What_stops_a_program_has_a_code_and_its_reason(string args, string limits, string code, string said)
    {
        var result = await RunAsync("ends", $", \"args\": {args}, \"limits\": {{{limits}}}");
        Assert.Equal(code, result.Error!.Code);
        Assert.Contains(said, result.Error.Message, StringComparison.Ordinal);
        Assert.Equal(code == "TIMEOUT", result.Error.Recoverable);
    }

    [Fact]
    public async Task Bytes_that_are_no_module_are_told_apart()
    {
        var script = await _blobs.AddBytesAsync("#!/bin/sh\n"u8.ToArray(), CancellationToken.None);
        var result = await Job(script, "").RunAsync(Handler(Tier.Compiled));
        Assert.Equal("NOT_EXECUTABLE", result.Error!.Code);
        Assert.StartsWith("The module cannot run: magic header not detected", result.Error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pri\nes.txt")]
    [InlineData("pri\u202e.txt")]
    public async Task A_file_that_no_output_can_be_called_after_fails_the_run_and_says_so(string name)
    {
        var bytes = await File.ReadAllBytesAsync(Path.Combine(Guests, "primes.wasm"));
        System.Text.Encoding.UTF8.GetBytes($"/out/{name}").CopyTo(bytes, bytes.AsSpan().IndexOf("/out/primes.txt"u8));
        var program = await _blobs.AddBytesAsync(bytes, CancellationToken.None);
        var result = await Job(program, ", \"args\": [\"1000\"]").RunAsync(Handler(Tier.Compiled));
        Assert.Equal("WRONG_OUTPUT_NAME", result.Error!.Code);
        Assert.Contains("without controls", result.Error.Message, StringComparison.Ordinal);
        Assert.Equal(["stdout", "stderr"], result.Outputs.Select(output => output.Name));
    }

    [Fact]
    public async Task What_a_program_writes_is_heard_while_it_runs_and_cancelling_ends_it()
    {
        var given = Job(await AddAsync("ends"), ", \"args\": [\"loop\"]");
        using var cancelling = new CancellationTokenSource();
        var context = new OperationContext(given.Document, _ => { }) { Output = (_, _) => cancelling.Cancel() };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Handler(Tier.Compiled).RunAsync(context, cancelling.Token));
    }

    [Fact]
    public async Task A_run_that_goes_on_from_a_checkpoint_in_the_other_tier_ends_as_if_nothing_had_been()
    {
        const string more = ", \"args\": [\"300000\"], \"checkpoint\": {\"every_fuel\": 5000000}";
        var program = await AddAsync("primes");
        var whole = await Job(program, more).RunAsync(Handler(Tier.Compiled));
        Assert.Null(whole.Error);

        var told = new List<JobEvent.CheckpointRecorded>();
        var first = await Job(program, more, Saving(told)).RunAsync(Handler(Tier.Compiled));
        Assert.Equal(whole.Guest! with { Checkpoints = first.Guest!.Checkpoints }, first.Guest);
        Assert.True(told.Count > 3);
        Assert.All(told.Index(), one => Assert.InRange(one.Item.Fuel!.Value, 5_000_000 * (one.Index + 1), 5_000_000 * (one.Index + 2)));

        // Of the last nobody has the state, and what is there of the one before it is another's.
        var (tier, from) = (Tier.Interpreter, told[^3]);
        var saver = SigningKey.Generate().Did;
        JobEvent.CheckpointRecorded[] saved =
            [told[^1] with { State = Blake3.Hash("lost"u8) }, told[^2] with { State = program }, from];
        var given = Job(program, more, Saving([], [.. saved.Select(one => new SavedState(saver, one))]));
        var resumed = await given.RunAsync(Handler(tier));
        Assert.Null(resumed.Error);
        Assert.Equal(
            whole.Guest with { Tier = GuestAccount.InterpretedTier, Checkpoints = 0, ResumedFrom = null },
            resumed.Guest! with { Checkpoints = 0, ResumedFrom = null });
        Assert.Equal((from.Attempt, from.Sequence, from.State),
            (resumed.Guest!.ResumedFrom!.Attempt, resumed.Guest.ResumedFrom.Sequence, resumed.Guest.ResumedFrom.State));
        Assert.Equal(
            whole.Outputs.Select(output => Blake3.Hash(output.Bytes.Span)),
            resumed.Outputs.Select(output => Blake3.Hash(output.Bytes.Span)));
        Assert.Equal(Given.Text(whole, "stdout"), given.Heard("stdout"));
        var going = given.Progress.Single(step => step.Message.StartsWith("Going on from", StringComparison.Ordinal)).Message;
        Assert.StartsWith($"Going on from checkpoint {from.Sequence} of attempt 2, by {saver}: ", going, StringComparison.Ordinal);
        Assert.All(told.TakeLast(2), one => Assert.Contains(
            $"checkpoint {one.Sequence} of attempt 2 is of no use: ", going, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_checkpoint_that_is_of_no_use_is_told_and_the_run_begins_at_the_beginning(bool isThere)
    {
        const string more = ", \"args\": [\"1000\"], \"checkpoint\": {\"every_seconds\": 60}";
        var bytes = "no state at all"u8.ToArray();
        var state = isThere ? await _blobs.AddBytesAsync(bytes, CancellationToken.None) : Blake3.Hash(bytes);
        var saved = new SavedState(
            SigningKey.Generate().Did,
            new JobEvent.CheckpointRecorded(1, 4, state, bytes.Length, new EngineName("e", "1"), 5, null));
        var given = Job(await AddAsync("primes"), more, Saving([], saved));
        var result = await given.RunAsync(Handler(Tier.Compiled));
        Assert.Null(result.Error);
        Assert.Null(result.Guest!.ResumedFrom);
        Assert.Contains(given.Progress, step => step.Message.StartsWith(
            "Beginning at the beginning: checkpoint 4 of attempt 1 is of no use: ", StringComparison.Ordinal));
    }

    private Checkpoints Saving(List<JobEvent.CheckpointRecorded> told, params SavedState[] saved)
    {
        var document = Given.Job("vm.execute", "vm.execute.v1", "{}").Document;
        var assigned = new WorkerNotice.Assigned(
            document.JobId, 2, Digest.OfBytes([1]),
            JobSubmission.Create(document, SigningKey.Generate().Did, "folder", 10, 100), null, (0, 0))
        {
            Saved = saved,
        };
        return new Checkpoints(assigned, _blobs, checkpoint =>
        {
            told.Add(checkpoint);
            return Task.FromResult<Refusal?>(null);
        }, NullLogger.Instance);
    }

    private IOperationHandler Handler(Tier tier) => new HandlerTable(
        new HandlerOptions { Blobs = _fetcher, WasmTier = tier }, TimeProvider.System)["vm.execute"];

    private async Task<OperationResult> RunAsync(string program, string more, Tier tier = Tier.Compiled) =>
        await Job(await AddAsync(program), more).RunAsync(Handler(tier));

    private static Given Job(BlobHash program, string more, Checkpoints? checkpoints = null) => Given.Job(
        "vm.execute", "vm.execute.v1",
        $$"""{"type": "BlobBinary", "hash": "{{program}}", "format": "wasm"{{more}} }""", checkpoints: checkpoints);

    private async Task<BlobHash> AddAsync(string program) => await _blobs.AddBytesAsync(
        await File.ReadAllBytesAsync(Path.Combine(Guests, $"{program}.wasm")), CancellationToken.None);

    private static string FindGuests()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "MeshLedger.sln")))
        {
            at = at.Parent!;
        }

        return Path.Combine(at.FullName, "examples", "guests", "wasi");
    }
}
