using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Worker.Tests;

/// <summary>What an attempt keeps of its states, and when it tells the ledger.</summary>
public sealed class CheckpointTests : IDisposable
{
    private static readonly EngineName Engine = new("engine", "1");

    private readonly string _root = Directory.CreateTempSubdirectory("meshledger-checkpoints-").FullName;
    private readonly BlobStore _blobs;
    private readonly List<JobEvent.CheckpointRecorded> _told = [];
    private TaskCompletionSource<Refusal?> _answer = new();

    public CheckpointTests() =>
        _blobs = BlobStore.Open(Path.Combine(_root, "blobs"), new BlobStoreOptions(), TimeProvider.System);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_state_is_in_the_store_before_the_ledger_hears_of_it()
    {
        var checkpoints = Open(null, 0);
        var state = new byte[20 << 20];
        new Random(5).NextBytes(state);
        Assert.Null(checkpoints.Record(stream => stream.Write(state), 77, Engine, CancellationToken.None));
        var told = Assert.Single(_told);
        Assert.Equal(
            new JobEvent.CheckpointRecorded(3, 1, Blake3.Hash(state), state.Length, Engine, 77, null), told);
        Assert.Equal(state, await _blobs.ReadAsync(told.State, CancellationToken.None));
        Assert.Equal(1, checkpoints.Count);
    }

    [Fact]
    public async Task Only_the_ledger_keeps_a_state_that_it_has_heard_of()
    {
        var checkpoints = Open(null, 0);
        checkpoints.Record(stream => stream.Write("one"u8), 1, Engine, CancellationToken.None);
        Assert.Empty((await _blobs.Collector.CollectAsync(CancellationToken.None)).Removed);

        // Nothing else is recorded while the answer is awaited.
        Assert.Null(checkpoints.Record(stream => stream.Write("two"u8), 2, Engine, CancellationToken.None));
        Assert.Single(_told);
        _answer.SetResult(null);
        Assert.Equal([Blake3.Hash("one"u8)], (await _blobs.Collector.CollectAsync(CancellationToken.None)).Removed);

        _answer = new TaskCompletionSource<Refusal?>();
        checkpoints.Record(stream => stream.Write("two"u8), 2, Engine, CancellationToken.None);
        Assert.Equal([1, 2], _told.Select(told => told.Sequence));
    }

    [Fact]
    public void A_run_that_goes_on_counts_on_and_says_from_where_it_came()
    {
        var worker = SigningKey.Generate().Did;
        var saved = new SavedState(
            worker, new JobEvent.CheckpointRecorded(2, 9, Blake3.Hash("nine"u8), 4, Engine, 900, null));
        var checkpoints = Open(saved, 4);
        Assert.Null(checkpoints.ResumedFrom);
        checkpoints.Resumed(saved);
        checkpoints.Record(stream => stream.Write("five"u8), 1_000, Engine, CancellationToken.None);
        Assert.Equal((5, new CheckpointName(2, 9, worker, Blake3.Hash("nine"u8))), (_told[0].Sequence, _told[0].ResumedFrom));
        Assert.Equal((5, _told[0].ResumedFrom), (checkpoints.Count, checkpoints.ResumedFrom));
    }

    [Fact]
    public void A_state_that_cannot_be_kept_is_no_fault_of_the_guest_s()
    {
        var small = BlobStore.Open(
            Path.Combine(_root, "small"), new BlobStoreOptions { MaxBlobBytes = 1 << 20 }, TimeProvider.System);
        var checkpoints = new Checkpoints(Assigned(null, 0), small, Post, NullLogger.Instance);
        var why = checkpoints.Record(stream =>
        {
            for (var i = 0; i < 64; i++)
            {
                stream.Write(new byte[1 << 20]);
            }
        }, 1, Engine, CancellationToken.None);
        Assert.Contains("1048576", why, StringComparison.Ordinal);
        Assert.Empty(_told);
        Assert.Equal(0, checkpoints.Count);
    }

    private Checkpoints Open(SavedState? saved, long count) =>
        new(Assigned(saved, count), _blobs, Post, NullLogger.Instance);

    private Task<Refusal?> Post(JobEvent.CheckpointRecorded checkpoint)
    {
        _told.Add(checkpoint);
        return _answer.Task;
    }

    private static WorkerNotice.Assigned Assigned(SavedState? saved, long count)
    {
        var document = JobDocumentReader.Read("""
            {"version":"1.0","job_id":"saved-0001","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
             "operation":"system.echo","payload":{"type":"system.echo.v1","data":1}}
            """u8.ToArray()).Document!;
        return new WorkerNotice.Assigned(
            document.JobId, 3, Digest.OfBytes([1]),
            JobSubmission.Create(document, SigningKey.Generate().Did, "folder", 10, 100), null, (0, 0))
        {
            Saved = saved is null ? [] : [saved],
            Checkpoints = count,
        };
    }
}
