using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Worker.Tests.Handlers;

/// <summary>What a document may say of a WebAssembly program, and what is said of one that says something else.</summary>
public sealed class WasmPayloadTests : IDisposable
{
    private static readonly string Hash = new('a', 64);

    private readonly string _root = Directory.CreateTempSubdirectory("meshledger-payload-").FullName;
    private readonly IOperationHandler _handler;

    public WasmPayloadTests()
    {
        var blobs = BlobStore.Open(Path.Combine(_root, "blobs"), new BlobStoreOptions(), TimeProvider.System);
        var fetcher = new BlobFetcher(
            blobs, PeerList.None, new FetchOptions(), TimeProvider.System, NullLogger<BlobFetcher>.Instance);
        _handler = new HandlerTable(new HandlerOptions { Blobs = fetcher }, TimeProvider.System)["vm.execute"];
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void All_of_it_is_read()
    {
        var payload = Read($$"""
            , "size": 7, "args": ["1", "two"], "env": {"Z": "1", "A": "2"}, "stdin": "in", "entry": "main",
            "inputs": [{"path": "/in/a/b", "hash": "{{Hash}}", "size": 3}], "files": ["/out/x"],
            "limits": {"fuel": 9007199254740991, "memory_pages": 17, "table_entries": 5, "call_depth": 100, "seconds": 2,
                "scratch_mb": 1, "output_bytes": 10},
            "seed": "{{new string('0', 62)}}ff", "epoch": "2026-11-21T01:02:03.5Z", "checkpoint": {"every_seconds": 30}
            """, out var faults);
        Assert.Equal("", faults);
        Assert.NotNull(payload);
        Assert.Equal((7, "main", 9_007_199_254_740_991, 17, 2), (payload.Size, payload.Entry, payload.Fuel, payload.MemoryPages, payload.MemoryMb));
        Assert.Equal((5, 100, 2, 1, 10), (payload.TableEntries, payload.CallDepth, payload.Seconds, payload.ScratchMb, payload.OutputBytes));
        Assert.Equal(["1", "two"], payload.Arguments);
        Assert.Equal(["Z", "A"], payload.Environment.Keys);
        Assert.Equal("in", Encoding.UTF8.GetString(payload.Stdin.Span));
        Assert.Equal("/in/a/b", Assert.Single(payload.Inputs).Path);
        Assert.Equal(["/out/x"], payload.Files);
        Assert.Equal([.. new byte[31], 255], payload.Seed);
        Assert.Equal(new DateTimeOffset(2026, 11, 21, 1, 2, 3, 500, TimeSpan.Zero), payload.Epoch);
        Assert.Equal((TimeSpan.FromSeconds(30), null), (payload.CheckpointInterval, payload.CheckpointFuel));
        Assert.True(payload.HasCheckpoints);
    }

    [Fact]
    public void What_is_left_out_has_a_default()
    {
        var payload = Read("", out _);
        Assert.NotNull(payload);
        Assert.Equal((null, null, 4096, 256, null), (payload.Entry, payload.Fuel, payload.MemoryPages, payload.MemoryMb, payload.Seconds));
        Assert.Equal((null, null, false), (payload.Seed, payload.Epoch, payload.HasCheckpoints));
    }

    [Theory]
    [InlineData(", \"limts\": {}", "/limts: expected none but type, format, hash")]
    [InlineData(", \"vcpus\": 1", "/vcpus: expected none but")]
    [InlineData(", \"limits\": {\"vcpus\": 1}", "/limits/vcpus: expected none but fuel, memory_mb")]
    [InlineData(", \"limits\": {\"fuel\": 0}", "/limits/fuel: expected a whole number from 1")]
    [InlineData(", \"limits\": {\"fuel\": 9007199254740992}", "/limits/fuel: ")]
    [InlineData(", \"limits\": {\"memory_mb\": 4097}", "/limits/memory_mb: expected a whole number from 1 to 4096")]
    [InlineData(", \"limits\": {\"memory_mb\": 1, \"memory_pages\": 1}", "/limits: expected either memory_mb or memory_pages")]
    [InlineData(", \"limits\": {\"memory_pages\": 65537}", "/limits/memory_pages: ")]
    [InlineData(", \"limits\": {\"call_depth\": 1000000}", "/limits/call_depth: ")]
    [InlineData(", \"limits\": {\"table_entries\": -1}", "/limits/table_entries: ")]
    [InlineData(", \"limits\": {\"seconds\": 0.5}", "/limits/seconds: ")]
    [InlineData(", \"limits\": {\"scratch_mb\": 5000}", "/limits/scratch_mb: ")]
    [InlineData(", \"seed\": \"ABC\"", "/seed: expected 64 lowercase hexadecimal characters")]
    [InlineData(", \"seed\": 5", "/seed: expected a string")]
    [InlineData(", \"epoch\": \"yesterday\"", "/epoch: expected a time")]
    [InlineData(", \"epoch\": \"1969-12-31T23:59:59Z\"", "/epoch: expected a time from 1970 on")]
    [InlineData(", \"entry\": \"\"", "/entry: expected the name of an exported function")]
    [InlineData(", \"checkpoint\": {}", "/checkpoint: expected either every_seconds or every_fuel, found neither")]
    [InlineData(", \"checkpoint\": {\"every_seconds\": 1, \"every_fuel\": 1000000}", "/checkpoint: expected either every_seconds or every_fuel, found both")]
    [InlineData(", \"checkpoint\": {\"every_seconds\": 0}", "/checkpoint/every_seconds: ")]
    [InlineData(", \"checkpoint\": {\"every_fuel\": 999}", "/checkpoint/every_fuel: ")]
    [InlineData(", \"checkpoint\": {\"every\": 1}", "/checkpoint/every: expected none but")]
    [InlineData(", \"checkpoint\": 5", "/checkpoint: expected an object")]
    [InlineData(", \"inputs\": [{\"path\": \"/data\", \"hash\": \"HASH\"}]", "/inputs/0/path: expected a path under /in/")]
    [InlineData(", \"inputs\": [{\"path\": \"/in/../x\", \"hash\": \"HASH\"}]", "/inputs/0/path: ")]
    [InlineData(", \"inputs\": [{\"path\": \"/in/a\", \"hash\": \"HASH\", \"mode\": 1}]", "/inputs/0/mode: expected none but")]
    [InlineData(", \"inputs\": [5]", "/inputs/0: expected an object")]
    [InlineData(", \"files\": [\"/tmp/x\"]", "/files/0: expected a path under /out/")]
    [InlineData(", \"files\": [\"/out/x\\u001b[2J\"]", "/files/0: expected a path that an output can be called after")]
    public async Task What_cannot_be_is_named_with_its_place_and_what_was_expected(string more, string said)
    {
        Read(more.Replace("HASH", Hash, StringComparison.Ordinal), out var faults);
        Assert.Contains($"/payload/data{said}", faults, StringComparison.Ordinal);

        // And so the job's error says it.
        var result = await Job(more.Replace("HASH", Hash, StringComparison.Ordinal)).RunAsync(_handler);
        Assert.Equal(("VALIDATION_ERROR", faults), (result.Error!.Code, result.Error.Message));
    }

    [Fact]
    public void It_takes_its_memory_its_files_its_output_and_its_code_and_room_for_its_state_if_that_is_saved()
    {
        Assert.Equal(
            new HandlerNeeds(1, 64 + 8 + 512 + 16 + 2, 1 + 1 + 16),
            _handler.Needs(Job(", \"size\": 1048576, \"limits\": {\"memory_mb\": 512, \"scratch_mb\": 16}").Document));
        Assert.Equal(
            new HandlerNeeds(1, 64 + 8 + 512 + 16 + 2, 1 + 1 + 16 + 512 + 16 + 2),
            _handler.Needs(Job(
                ", \"size\": 1048576, \"limits\": {\"memory_mb\": 512, \"scratch_mb\": 16}, \"checkpoint\": {\"every_seconds\": 5}").Document));
        Assert.True(_handler.Needs(Job(", \"limits\": 5").Document).MemoryMb > 256);
    }

    [Fact]
    public void The_seed_follows_from_the_document()
    {
        var (one, two) = (Job("").Document.Sha256, Job(" ").Document.Sha256);
        Assert.Equal(WasmHandler.SeedOf(one), WasmHandler.SeedOf(one));
        Assert.Equal(32, WasmHandler.SeedOf(one).Length);
        Assert.NotEqual(WasmHandler.SeedOf(one), WasmHandler.SeedOf(two));
    }

    private static Given Job(string more) => Given.Job(
        "vm.execute", "vm.execute.v1", $$"""{"type": "BlobBinary", "hash": "{{Hash}}", "format": "wasm"{{more}} }""");

    private static WasmPayload? Read(string more, out string faults)
    {
        var reader = new PayloadReader();
        var payload = WasmPayload.Read(Job(more).Document, reader);
        faults = string.Join("; ", reader.Faults);
        Assert.Equal(faults.Length == 0, payload is not null);
        return payload;
    }
}
