using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Wasm;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Worker.Tests;

/// <summary>Documents run again: what must be the same, and when nothing follows from it.</summary>
public sealed class RerunTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("meshledger-rerun-").FullName;
    private readonly BlobStore _blobs;
    private readonly BlobFetcher _fetcher;

    public RerunTests()
    {
        _blobs = BlobStore.Open(Path.Combine(_root, "blobs"), new BlobStoreOptions(), TimeProvider.System);
        _fetcher = new BlobFetcher(
            _blobs, PeerList.None, new FetchOptions(), TimeProvider.System, NullLogger<BlobFetcher>.Instance);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_run_finds_every_checkpoint_again_that_another_tier_recorded()
    {
        var document = Document(await AddAsync("primes"), """, "args": ["200000"], "checkpoint": {"every_fuel": 5000000}""");
        var told = new List<JobEvent.CheckpointRecorded>();
        var context = new OperationContext(document, _ => { }) { Checkpoints = Saving(document, told) };
        var result = await Table(Tier.Interpreter)["vm.execute"].RunAsync(context, CancellationToken.None);
        Assert.InRange(told.Count, 3, 1000);

        var rerun = await RerunAsync(document, [.. told.Select(saved => saved.Fuel!.Value), long.MaxValue], Tier.Compiled);
        Assert.Equal(
            told.Select(saved => new FoundState(saved.Fuel!.Value, saved.State, saved.Size)),
            rerun.States.OrderBy(pair => pair.Key).Select(pair => pair.Value));
        Assert.Equal((result.Guest!.Fuel, result.Guest.StateDigest), (rerun.Claims.Fuel, rerun.Claims.StateDigest));
        Assert.True(rerun.IsDeterministic);

        // Nothing of it was kept, and nobody was told.
        Assert.Equal(0, rerun.Result.Guest!.Checkpoints);
    }

    [Fact]
    public async Task A_run_from_the_beginning_finds_the_checkpoints_of_one_that_went_on_from_another_s()
    {
        var document = Document(await AddAsync("primes"), """, "args": ["200000"], "checkpoint": {"every_fuel": 5000000}""");
        var (first, then) = (new List<JobEvent.CheckpointRecorded>(), new List<JobEvent.CheckpointRecorded>());
        await Table(Tier.Compiled)["vm.execute"].RunAsync(
            new OperationContext(document, _ => { }) { Checkpoints = Saving(document, first) }, CancellationToken.None);
        var saved = new SavedState(SigningKey.Generate().Did, first[1]);
        var result = await Table(Tier.Interpreter)["vm.execute"].RunAsync(
            new OperationContext(document, _ => { }) { Checkpoints = Saving(document, then, saved) }, CancellationToken.None);
        Assert.Equal(saved.Name, result.Guest!.ResumedFrom);

        var rerun = await RerunAsync(
            document, [.. first.Take(2).Concat(then).Select(one => one.Fuel!.Value).Distinct().Order()], Tier.Adaptive);
        Assert.All(
            first.Take(2).Concat(then),
            one => Assert.Equal(new FoundState(one.Fuel!.Value, one.State, one.Size), rerun.States[one.Fuel.Value]));
        Assert.Equal((result.Guest.Fuel, result.Guest.StateDigest), (rerun.Claims.Fuel, rerun.Claims.StateDigest));
    }

    [Fact]
    public async Task A_mark_where_nothing_stands_still_gives_the_place_after_it()
    {
        var document = Document(await AddAsync("primes"), """, "args": ["20000"]""");
        var honest = await RerunAsync(document, [1_000_000], Tier.Compiled);
        var place = honest.States[1_000_000];

        // Whatever marks a liar puts beside it, those of others are found where they are.
        var rerun = await RerunAsync(document, [0, 1, place.Fuel - 1, place.Fuel, place.Fuel + 1], Tier.Interpreter);
        Assert.Equal(place, rerun.States[place.Fuel]);
        Assert.InRange(rerun.States[0].Fuel, 1, 1_000);
        Assert.NotEqual(place, rerun.States[place.Fuel + 1]);
    }

    [Fact]
    public async Task A_rerun_has_the_claims_of_the_receipt_of_that_run()
    {
        var document = Document(await AddAsync("ends"), """, "args": ["exit", "7"]""");
        var rerun = await RerunAsync(document, [], Tier.Adaptive);
        Assert.Equal(("GUEST_FAILED", 7), (rerun.Claims.Error, rerun.Claims.ExitCode));
        Assert.Null(rerun.WhyIncomparable(Receipt(rerun)));
        Assert.Null(rerun.WhyIncomparable(Receipt(rerun) with { Engine = new EngineName("meshledger-wasm", "9.9.9") }));
        Assert.Contains("says nothing of the program", Why(rerun, new JobError("TIMEOUT", "late", "execution", true)), StringComparison.Ordinal);
        Assert.Contains("BLOB_NOT_FOUND", Why(rerun, new JobError("BLOB_NOT_FOUND", "none", "blob", true)), StringComparison.Ordinal);
        var engine = Receipt(rerun) with { Engine = new EngineName("other-wasm", "1") };
        Assert.Contains("other-wasm", rerun.WhyIncomparable(engine), StringComparison.Ordinal);
        var table = Receipt(rerun) with
        {
            Engine = new EngineName("meshledger-wasm", "9.9.9"),
            Guest = rerun.Result.Guest! with { FuelTable = 2 },
        };
        Assert.Contains("fuel by table 2", rerun.WhyIncomparable(table), StringComparison.Ordinal);
        Assert.Null(rerun.WhyIncomparable(table with { Engine = rerun.Engine }));
    }

    [Fact]
    public async Task What_depends_on_the_worker_proves_nothing()
    {
        var program = await AddAsync("cat");
        Assert.False(new Rerunner(Table(Tier.Compiled)).IsDeterministic(Submission(Document(program, """, "directories": ["/data"]"""))));
        Assert.True(new Rerunner(Table(Tier.Compiled)).IsDeterministic(Submission(Document(program, ""))));
        var late = await RerunAsync(Document(await AddAsync("ends"), """, "args": ["loop"], "limits": {"seconds": 1}"""), [], Tier.Compiled);
        Assert.Contains("TIMEOUT", late.WhyIncomparable(Receipt(late) with { Error = null }), StringComparison.Ordinal);
        var absent = await RerunAsync(Document(Blake3.Hash("absent"u8), ""), [], Tier.Compiled);
        Assert.Equal(("blob", "BLOB_NOT_FOUND"), (absent.Result.Error!.Phase, absent.Result.Error.Code));
        Assert.Contains(Blake3.Hash("absent"u8).ToString(), absent.Result.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_stops_it_is_not_told_that_the_program_took_too_long()
    {
        var document = Document(await AddAsync("ends"), """, "args": ["loop"]""");
        using var stop = new CancellationTokenSource();
        var running = new Rerunner(Table(Tier.Compiled)).RunAsync(Submission(document), [], progress =>
        {
            if (progress.Phase == "execution")
            {
                stop.Cancel();
            }
        }, stop.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    private static string? Why(Rerun rerun, JobError error) => rerun.WhyIncomparable(Receipt(rerun) with { Error = error });

    /// <summary>What the worker of this run would have said, but for times.</summary>
    private static Receipt Receipt(Rerun rerun) => new()
    {
        Error = rerun.Result.Error is { } error ? new JobError(error.Code, error.Message, error.Phase, error.Recoverable) : null,
        Engine = rerun.Engine,
        ExitCode = rerun.Result.ExitCode,
        StartedAt = DateTimeOffset.UnixEpoch,
        FinishedAt = DateTimeOffset.UnixEpoch,
        DurationUs = 1,
        Guest = rerun.Result.Guest,
    };

    private Task<Rerun> RerunAsync(JobDocument document, IReadOnlyList<long> marks, Tier tier) =>
        new Rerunner(Table(tier)).RunAsync(Submission(document), marks, _ => { }, CancellationToken.None);

    private HandlerTable Table(Tier tier) =>
        new(new HandlerOptions { Blobs = _fetcher, WasmTier = tier }, TimeProvider.System);

    private Checkpoints Saving(JobDocument document, List<JobEvent.CheckpointRecorded> told, SavedState? saved = null) => new(
        new WorkerNotice.Assigned(document.JobId, 1, Digest.OfBytes([1]), Submission(document), null, (0, 0)) { Saved = saved is null ? [] : [saved] }, _blobs,
        checkpoint =>
        {
            told.Add(checkpoint);
            return Task.FromResult<Domain.Events.Refusal?>(null);
        }, NullLogger.Instance);

    private static JobEvent.Submitted Submission(JobDocument document) =>
        JobSubmission.Create(document, SigningKey.Generate().Did, "folder", 10, 100);

    private static JobDocument Document(BlobHash program, string more) => JobDocumentReader.Read(Encoding.UTF8.GetBytes(
        $$$"""
        {"version":"1.0","job_id":"rerun-0001","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation","operation":"vm.execute",
         "payload":{"type":"vm.execute.v1","data":{"type":"BlobBinary","hash":"{{{program}}}","format":"wasm"{{{more}}} } } }
        """)).Document!;

    private async Task<BlobHash> AddAsync(string program)
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "MeshLedger.sln")))
        {
            at = at.Parent!;
        }

        return await _blobs.AddBytesAsync(
            await File.ReadAllBytesAsync(Path.Combine(at.FullName, "examples", "guests", "wasi", $"{program}.wasm")),
            CancellationToken.None);
    }
}
