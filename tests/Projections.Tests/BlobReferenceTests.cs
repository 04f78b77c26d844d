using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Projections.Tests;

/// <summary>Which checkpoints a job still needs.</summary>
public sealed class BlobReferenceTests : IAsyncLifetime
{
    private static readonly StreamId Job = StreamId.Parse("job-saved-0001");

    private readonly SigningKey _worker = SigningKey.Generate();
    private readonly SigningKey _other = SigningKey.Generate();
    private PostgresDatabase _database = null!;
    private PostgresEventStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        _store = new PostgresEventStore(_database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_last_of_each_worker_are_needed_until_the_job_has_ended(bool oneByOne)
    {
        LedgerEvent Saved(string state, long sequence) => new JobEvent.CheckpointRecorded(
            1, sequence, Hash(state), 1, new EngineName("e", "1"), null, null);
        (SigningKey, LedgerEvent)[] events =
        [
            (_worker, Saved("a", 1)), (_other, Saved("b", 1)), (_worker, Saved("c", 2)),
            (_worker, new JobEvent.PartialOutputProduced(1, 1, "log", 0, 9, Hash("c"), null, null)),
            (_worker, Saved("d", 3)), (_worker, Saved("f", 4)), (_worker, Saved("g", 5)), (_worker, Saved("f", 6)),
        ];
        await ToldAsync(oneByOne, events);
        Assert.Equal(Sorted(("b", _other), ("c", null), ("d", _worker), ("f", _worker), ("g", _worker)), await RowsAsync());
        await Open().RebuildAsync("blob_references", null, CancellationToken.None);
        Assert.Equal(Sorted(("b", _other), ("c", null), ("d", _worker), ("f", _worker), ("g", _worker)), await RowsAsync());

        await ToldAsync(
            oneByOne, (_other, Saved("e", 2)),
            (_worker, new JobEvent.Cancelled(1, "vm.execute", [], 1)));
        Assert.Equal(Sorted(("c", null)), await RowsAsync());
        await Open().RebuildAsync("blob_references", null, CancellationToken.None);
        Assert.Equal(Sorted(("c", null)), await RowsAsync());
    }

    private async Task ToldAsync(bool oneByOne, params (SigningKey By, LedgerEvent Body)[] events)
    {
        foreach (var (by, body) in events)
        {
            var author = new EventAuthor(by, TimeProvider.System);
            var signed = author.Sign([author.State(body, null, Job)]);
            await _store.AppendAsync(new AppendRequest(signed, new Dictionary<StreamId, long>()), CancellationToken.None);
            if (oneByOne)
            {
                await Open().CatchUpAsync("blob_references", CancellationToken.None);
            }
        }

        await Open().CatchUpAsync("blob_references", CancellationToken.None);
    }

    private static IEnumerable<string> Sorted(params (string State, SigningKey? Of)[] rows) =>
        rows.Select(row => $"{Hash(row.State)} {row.Of?.Did.ToString() ?? ""}").Order(StringComparer.Ordinal);

    private async Task<IEnumerable<string>> RowsAsync() =>
        (await _database.RowsAsync("SELECT hash || ' ' || checkpoint_of FROM blob_references")).Order(StringComparer.Ordinal);

    private static BlobHash Hash(string state) => Blake3.Hash(System.Text.Encoding.UTF8.GetBytes(state));

    private ProjectionSet Open() =>
        new(_store, _database.Source, TimeProvider.System, NullLogger<ProjectionSet>.Instance);
}
