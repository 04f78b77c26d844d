using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Machines;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Worker.Tests.Handlers;

public sealed class VmExecuteHandlerTests : IAsyncLifetime, IAsyncDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("meshledger-execute-").FullName;
    private MicroVmHost _machines = null!;
    private BlobStore _blobs = null!;
    private BlobFetcher _fetcher = null!;
    private IOperationHandler _handler = null!;

    public Task InitializeAsync()
    {
        try
        {
            _machines = MicroVmHost.Find(
                MicroVmHostOptions.FromEnvironment(Path.Combine(_root, "run")) with { Accelerator = "tcg" },
                TimeProvider.System, NullLogger.Instance);
        }
        catch (MachinesUnavailableException missing) when (Environment.GetEnvironmentVariable("CI") != "true")
        {
            throw new InvalidOperationException("$XunitDynamicSkip$" + missing.Message);
        }

        _blobs = BlobStore.Open(Path.Combine(_root, "blobs"), new BlobStoreOptions(), TimeProvider.System);
        _fetcher = new BlobFetcher(
            _blobs, PeerList.None, new FetchOptions(), TimeProvider.System, NullLogger<BlobFetcher>.Instance);
        _handler = new HandlerTable(new HandlerOptions { Machines = _machines, Blobs = _fetcher },
            TimeProvider.System)["vm.execute"];
        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _machines.DisposeAsync();
        if (Directory.Exists(_root))
        {
            Directory.Delete(_root, recursive: true);
        }
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [Fact]
    public async Task A_blob_runs_and_its_outputs_come_back()
    {
        var hash = await AddAsync("hello");
        var given = Given.Job("vm.execute", "vm.execute.v1", $$"""
            {"type": "BlobBinary", "hash": "{{hash}}", "size": {{_blobs.SizeOf(hash)}}, "format": "elf",
             "args": ["0", "-v"], "env": {"A": "b"}, "stdin": {"base64": "AP8K"}, "files": ["/report.txt"],
             "limits": {"vcpus": 2, "memory_mb": 128, "output_bytes": 1000} }
            """);

        var result = await given.RunAsync(_handler);

        Assert.Null(result.Error);
        Assert.Equal((0, hash), (result.ExitCode, result.Program));
        Assert.Equal(_machines.KernelSha256, result.KernelSha256);
        Assert.Equal(["stdout", "stderr", "files/report.txt"], result.Outputs.Select(output => output.Name));
        Assert.Equal([.. "hello\narg 0\narg -v\nenv A=b\n"u8, 0, 255, 10], result.Outputs[0].Bytes.ToArray());
        Assert.Equal("hello, stderr\n", Given.Text(result, "stderr"));
        Assert.Equal(Given.Text(result, "stdout"), given.Heard("stdout"));
        Assert.Equal("hello, stderr\n", given.Heard("stderr"));
        Assert.Equal("file written by the guest\n", Given.Text(result, "files/report.txt"));
        Assert.Equal(["validation", "blob", "boot", "execution", "complete"], given.Progress.Select(step => step.Phase));
    }

    [Fact]
    public async Task Inputs_are_files_that_the_guest_can_read()
    {
        var program = await AddAsync("cat");
        var content = new byte[70_001];
        new Random(3).NextBytes(content);
        var (one, two) = (
            await _blobs.AddBytesAsync(content, CancellationToken.None),
            await _blobs.AddBytesAsync("two\n"u8.ToArray(), CancellationToken.None));
        var result = await RunAsync(program, $$"""
            , "args": ["/in/a/one.bin", "/in/two", "/in/empty"], "inputs": [
              {"path": "/in/a/one.bin", "hash": "{{one}}", "size": 70001}, {"path": "/in/two", "hash": "{{two}}"},
              {"path": "/in/empty", "hash": "{{await _blobs.AddBytesAsync(Array.Empty<byte>(), CancellationToken.None)}}"}]
            """);
        Assert.Null(result.Error);
        Assert.Equal(content.Concat("two\n"u8.ToArray()), result.Outputs[0].Bytes.ToArray());

        var absent = Blake3.Hash("absent"u8);
        var missing = await RunAsync(program, $$""", "inputs": [{"path": "/x", "hash": "{{absent}}"}]""");
        Assert.Equal("BLOB_NOT_FOUND", missing.Error!.Code);
        Assert.Contains($"{absent}", missing.Error.Message, StringComparison.Ordinal);
        var sized = await RunAsync(program, $$""", "inputs": [{"path": "/x", "hash": "{{two}}", "size": 5}]""");
        Assert.Equal("BLOB_SIZE_MISMATCH", sized.Error!.Code);

        var name = one.ToString();
        await File.AppendAllTextAsync(Path.Combine(_root, "blobs", name[..2], name[2..]), "x");
        var damaged = await RunAsync(program, $$""", "inputs": [{"path": "/x", "hash": "{{one}}"}]""");
        Assert.Equal("BLOB_DAMAGED", damaged.Error!.Code);
    }

    [Theory]
    [InlineData("""{"path": "relative", "hash": "HASH"}""", "/inputs/0/path")]
    [InlineData("""{"path": "/../etc/passwd", "hash": "HASH"}""", "/inputs/0/path")]
    [InlineData("""{"path": "/a//b", "hash": "HASH"}""", "/inputs/0/path")]
    [InlineData("""{"path": "/a/", "hash": "HASH"}""", "/inputs/0/path")]
    [InlineData("""{"path": "/a\u0000b", "hash": "HASH"}""", "/inputs/0/path")]
    [InlineData("""{"path": "/program", "hash": "HASH"}""", "/inputs/0/path")]
    [InlineData("""{"path": "/proc/1/mem", "hash": "HASH"}""", "/inputs/0/path")]
    [InlineData("""{"path": "/a", "hash": "HASH"}, {"path": "/a/b", "hash": "HASH"}""", "/inputs/1/path")]
    [InlineData("""{"path": "/a/b", "hash": "HASH"}, {"path": "/a", "hash": "HASH"}""", "/inputs/1/path")]
    [InlineData("""{"path": "/a", "hash": "../../etc/passwd"}""", "/inputs/0/hash")]
    [InlineData("""{"path": "/a"}""", "/inputs/0/hash")]
    [InlineData("""{"path": "/a", "hash": "HASH", "size": -1}""", "/inputs/0/size")]
    [InlineData("5", "/inputs/0")]
    public async Task What_cannot_be_an_input_is_named(string inputs, string place)
    {
        var hash = new string('e', 64);
        var result = await RunAsync(
            Blake3.Hash("program"u8), $$""", "inputs": [{{inputs.Replace("HASH", hash, StringComparison.Ordinal)}}]""");
        Assert.Equal("VALIDATION_ERROR", result.Error!.Code);
        Assert.Contains($"/payload/data{place}", result.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exit_code_other_than_0_is_never_success()
    {
        var result = await RunAsync(await AddAsync("hello"), ", \"args\": [\"3\"]");

        Assert.Equal("GUEST_FAILED", result.Error!.Code);
        Assert.Equal("The program ended with exit code 3.", result.Error.Message);
        Assert.Equal(3, result.ExitCode);
        Assert.StartsWith("hello\n", Given.Text(result, "stdout"), StringComparison.Ordinal);
    }

    [Fact]
    public void All_files_that_are_missing_are_named_up_to_five()
    {
        var files = Enumerable.Range(1, 7).Select(i => new MicroVmFile($"/{i}", null, "it is not there")).ToList();

        Assert.Equal("/1 is missing: it is not there", VmExecuteHandler.Missing(files[..1]));
        Assert.Equal("/1 is missing: it is not there; /2 is missing: it is not there", VmExecuteHandler.Missing(files[..2]));
        Assert.EndsWith("/5 is missing: it is not there; and 2 more", VmExecuteHandler.Missing(files), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_the_program_did_not_write_is_a_failure()
    {
        var result = await RunAsync(await AddAsync("hello"), ", \"files\": [\"/report.txt\", \"/absent\"]");

        Assert.Equal("OUTPUT_MISSING", result.Error!.Code);
        Assert.Contains("/absent is missing", result.Error.Message, StringComparison.Ordinal);
        Assert.Equal("file written by the guest\n", Given.Text(result, "files/report.txt"));
    }

    [Fact]
    public async Task The_documents_time_limit_ends_the_machine()
    {
        var result = await RunAsync(await AddAsync("spin"), "", timeoutSeconds: 3);

        // How far the guest came by then depends on how busy the computer is.
        Assert.Equal(("TIMEOUT", "Job exceeded timeout of 3 s"), (result.Error!.Code, result.Error.Message));
        Assert.Equal(["stdout", "stderr"], result.Outputs.Select(output => output.Name));
    }

    [Fact]
    public async Task A_blob_that_is_absent_damaged_of_another_size_or_no_program_is_told_apart()
    {
        var absent = Blake3.Hash("absent"u8);
        Assert.Equal(("BLOB_NOT_FOUND", true), Told(await RunAsync(absent), absent));

        var hash = await AddAsync("hello");
        var sized = await RunAsync(hash, ", \"size\": 12");
        Assert.Equal(("BLOB_SIZE_MISMATCH", false), Told(sized, hash));
        Assert.Contains("the document says 12", sized.Error!.Message, StringComparison.Ordinal);

        var name = hash.ToString();
        var path = Path.Combine(_root, "blobs", name[..2], name[2..]);
        await File.AppendAllTextAsync(path, "x");
        Assert.Equal(("BLOB_DAMAGED", true), Told(await RunAsync(hash), hash));

        var script = await _blobs.AddBytesAsync("#!/bin/sh\n"u8.ToArray(), CancellationToken.None);
        Assert.Equal("NOT_EXECUTABLE", (await RunAsync(script)).Error!.Code);
    }

    [Fact]
    public async Task Every_fault_of_the_payload_is_named_at_once()
    {
        var result = await Given.Job("vm.execute", "vm.execute.v2", """
            {"type": "NixExpression", "hash": "ABC", "size": 0, "format": "pe", "args": ["ok", 1, "a\u0000b"],
             "env": {"A=B": "c", "D": 5}, "stdin": {"base64": "?"}, "files": ["relative", "/a/../b", "/x", "/x"],
             "limits": {"vcpus": 0, "memory_mb": 1.5, "output_bytes": 1e99}}
            """).RunAsync(_handler);

        Assert.Equal(("VALIDATION_ERROR", "validation", false),
            (result.Error!.Code, result.Error.Phase, result.Error.Recoverable));
        string[] pointers =
        [
            "/type", "/data/type", "/data/hash", "/data/size", "/data/format", "/data/args/1", "/data/args/1",
            "/data/env/A=B", "/data/env/D", "/data/stdin/base64", "/data/files/0", "/data/files/1", "/data/files/3",
            "/data/limits/vcpus", "/data/limits/memory_mb", "/data/limits/output_bytes",
        ];
        Assert.All(pointers, pointer =>
            Assert.Contains($"/payload{pointer}: expected", result.Error.Message, StringComparison.Ordinal));
        Assert.Empty(result.Outputs);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    public async Task Data_of_another_shape_is_a_fault_and_no_exception(string data)
    {
        var result = await Given.Job("vm.execute", "vm.execute.v1", data).RunAsync(_handler);
        Assert.Equal("VALIDATION_ERROR", result.Error!.Code);
    }

    [Theory]
    [InlineData("""
        , "size": 3145728, "files": ["/a", "/b"], "stdin": "x",
        "limits": {"vcpus": 3, "memory_mb": 512, "output_bytes": 1048576}
        """, 3, 704, 8)]
    [InlineData(", \"size\": 100", 1, 448, 3)]
    [InlineData("", 1, 448, 67)]
    [InlineData(", \"limits\": {\"vcpus\": 99}", 1, 448, 3)]
    public void It_takes_what_its_limits_say_and_what_QEMU_needs(string more, long cores, long memoryMb, long storageMb)
    {
        var given = Given.Job("vm.execute", "vm.execute.v1",
            $$"""{"type": "BlobBinary", "hash": "{{new string('a', 64)}}", "format": "elf"{{more}} }""");
        Assert.Equal(new HandlerNeeds(cores, memoryMb, storageMb), _handler.Needs(given.Document));
    }

    [Fact]
    public async Task Cancelling_ends_the_machine_and_throws()
    {
        var hash = await AddAsync("spin");
        using var cancelling = new CancellationTokenSource();
        var given = Given.Job("vm.execute", "vm.execute.v1",
            $$"""{"type": "BlobBinary", "hash": "{{hash}}", "format": "elf"}""");
        var context = new OperationContext(given.Document, _ => { }) { Output = (_, _) => cancelling.Cancel() };

        // The program never ends, and writes one line.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _handler.RunAsync(context, cancelling.Token));
        Assert.Empty(Directory.GetDirectories(_root, "vm-*", SearchOption.AllDirectories));
    }

    [Fact]
    public void The_table_offers_machines_only_where_there_are_some()
    {
        var without = new HandlerTable(new HandlerOptions { Blobs = _fetcher }, TimeProvider.System);
        Assert.Equal(["guestkit.inspect", "system.echo", "system.sleep", "test.echo", "vm.execute"], without.Operations);
        Assert.Equal(["vm.execute.wasm"], without["vm.execute"].Capabilities);
        var with = new HandlerTable(new HandlerOptions { Blobs = _fetcher, Machines = _machines }, TimeProvider.System);
        Assert.Equal(["guestkit.inspect", "system.echo", "system.sleep", "test.echo", "vm.execute"],
            with.Operations);
        Assert.Equal(["vm.execute.elf", "vm.execute.wasm"], with["vm.execute"].Capabilities);
    }

    private static (string Code, bool Recoverable) Told(OperationResult result, BlobHash hash)
    {
        Assert.Contains(hash.ToString(), result.Error!.Message, StringComparison.Ordinal);
        return (result.Error.Code, result.Error.Recoverable);
    }

    private async Task<BlobHash> AddAsync(string guest) => (await _blobs.AddFileAsync(
        Path.Combine(AppContext.BaseDirectory, "guests", guest + ".elf"), BlobAddition.Plain, CancellationToken.None)).Hash;

    private Task<OperationResult> RunAsync(BlobHash hash, string more = "", long timeoutSeconds = 60) =>
        Given.Job("vm.execute", "vm.execute.v1",
            $$"""{"type": "BlobBinary", "hash": "{{hash}}", "format": "elf"{{more}} }""", timeoutSeconds)
            .RunAsync(_handler);
}
