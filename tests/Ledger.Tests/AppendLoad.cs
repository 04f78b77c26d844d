using System.Collections.Concurrent;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger.Audit;
using MeshLedger.Testing;
using Npgsql;

namespace MeshLedger.Ledger.Tests;

/// <summary>Writers that append whole jobs of a legal history while something goes wrong, and the check afterwards that
/// what was acknowledged is there, once.</summary>
internal sealed class AppendLoad
{
    private const int Writers = 4;
    private static readonly Dictionary<StreamId, long> Anywhere = [];

    private readonly ConcurrentQueue<SignedEvent[]> _jobs = new();
    private readonly ConcurrentBag<RecordedEvent> _acknowledged = [];
    private readonly SignedEvent[] _founding;
    private readonly SignedEvent[] _all;

    public AppendLoad(int jobs)
    {
        _all = LedgerHistory.Of(jobs).Sign(200);
        var starts = _all.Index().Where(pair => pair.Item.Statement.Body is JobEvent.Submitted).Select(pair => pair.Index).ToList();
        _founding = _all[..starts[0]];
        foreach (var (start, end) in starts.Zip(starts.Skip(1).Append(_all.Length)))
        {
            _jobs.Enqueue(_all[start..end]);
        }
    }

    public int Acknowledged => _acknowledged.Count;

    /// <summary>Appends until there are no more jobs; every append must be answered well.</summary>
    public async Task RunAsync(IEventStore store)
    {
        await AppendAsync(store, _founding);
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(async () =>
        {
            while (_jobs.TryDequeue(out var job))
            {
                await AppendAsync(store, job);
            }
        })));
    }

    /// <summary>Every event that was acknowledged is in the log once, where its author was told; there is nothing else,
    /// and the audit finds no fault.</summary>
    public async Task CheckAsync(NpgsqlDataSource database)
    {
        Assert.Equal(_all.Length, _acknowledged.Count);
        var rows = new Dictionary<long, (Guid Id, long Version)>();
        await using (var command = database.CreateCommand("SELECT seq_id, id, version FROM mt_events"))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                rows.Add(reader.GetInt64(0), (reader.GetGuid(1), reader.GetInt64(2)));
            }
        }

        Assert.Equal(_all.Length, rows.Count);
        Assert.All(_acknowledged, recorded =>
            Assert.Equal((recorded.Statement.Id.Value, recorded.Version), rows[recorded.Position]));

        // The jobs stand in another order than they were told in, and assignments name positions.
        Assert.DoesNotContain(
            (await LedgerAudit.RunAsync(database, null, CancellationToken.None)).Faults,
            fault => fault.Kind != "wrong_reputation");
    }

    private async Task AppendAsync(IEventStore store, SignedEvent[] events)
    {
        var outcome = await store.AppendAsync(new AppendRequest(events, Anywhere), CancellationToken.None);
        foreach (var recorded in Assert.IsType<AppendOutcome.Appended>(outcome).Events)
        {
            _acknowledged.Add(recorded);
        }
    }
}
