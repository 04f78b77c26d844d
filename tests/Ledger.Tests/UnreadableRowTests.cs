using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Audit;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Ledger.Tests;

/// <summary>Whatever stands in a row, the audit names it with its place, and who loads it is told that the history is
/// broken; nobody trips over it.</summary>
public sealed class UnreadableRowTests : IAsyncLifetime
{
    private readonly LedgerHistory _history = LedgerHistory.Of(jobs: 3);
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        await using var store = NewStore();
        await _history.AppendAsync(store, batch: 7);
        await _database.ExecuteAsync("ALTER TABLE mt_events DISABLE TRIGGER ALL");
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    public static TheoryData<string> Values =>
    [
        "timestamp = '0044-03-15 BC'", "timestamp = '4713-01-01 BC'", "timestamp = '10000-01-01'",
        "timestamp = '294276-12-31'", "timestamp = 'infinity'", "timestamp = '-infinity'",
        "data = 'null'", "data = '7'", "data = '[]'", "data = '\"x\"'", "data = '{}'", "data = '{\"a\":1e400}'",
        "data = '{\"attempt\":99999999999999999999}'", "data = ('{\"a\":' || repeat('[', 500) || repeat(']', 500) || '}')::jsonb",
        "data = jsonb_build_object('a', repeat('x', 9000000))",
        "headers = 'null'", "headers = '7'", "headers = '[]'", "headers = '{}'", "headers = '{\"sig\":{}}'",
        "headers = ('{\"by\":' || repeat('[', 500) || repeat(']', 500) || '}')::jsonb",
        "headers = jsonb_set(headers, '{time}', '\"9999-99-99T99:99:99.999999Z\"')",
        "headers = jsonb_set(headers, '{proof,index}', '99999999999999')",
        "headers = jsonb_set(headers, '{proof,path}', '{}')",
        "type = ''", "type = repeat('x', 500)", "type = '💥'", "stream_id = ''", "stream_id = NULL",
        "stream_id = repeat('s', 100000)", "stream_id = E'\\x01'", "causation_id = repeat('c', 100000)",
        "id = '00000000-0000-0000-0000-000000000000'", "id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "version = -9223372036854775808", "version = 9223372036854775807", "version = 0",
        "seq_id = -9223372036854775808", "seq_id = 9223372036854775807", "seq_id = 0", "seq_id = -5",
    ];

    [Theory]
    [MemberData(nameof(Values))]
    public async Task A_value_that_is_no_event_s_is_a_fault_with_its_place(string change)
    {
        await _database.ExecuteAsync($"UPDATE mt_events SET {change} WHERE seq_id = 12");
        var position = await _database.ScalarAsync<long>(
            "SELECT coalesce((SELECT seq_id FROM mt_events WHERE seq_id < 1 OR seq_id > 1000000), 12)");

        var report = await LedgerAudit.RunAsync(_database.Source, null, CancellationToken.None);

        Assert.Contains(report.Faults, fault => fault.Position == position && fault.Reason.Length > 0);
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Who_reads_it_is_told_that_the_history_is_broken_or_gets_what_was_signed(string change)
    {
        var stream = await _database.ScalarAsync<string>("SELECT stream_id FROM mt_events WHERE seq_id = 12");
        await _database.ExecuteAsync($"UPDATE mt_events SET {change} WHERE seq_id = 12");
        await using var store = NewStore();

        await TryAsync(() => store.LoadAsync(StreamId.Parse(stream), CancellationToken.None));
        await TryAsync(() => store.ReadAfterAsync(0, 100, CancellationToken.None));
        await TryAsync(() => store.ReadAfterAsync(long.MinValue, 100, CancellationToken.None));
        await TryAsync(() => store.LoadKindsAsync(["job", "account", "ledger", "node"], CancellationToken.None));
        await TryAsync(() => store.LoadTypesAsync([.. EventCodec.Kinds.Select(kind => kind.Type)], null, CancellationToken.None));
        await TryAsync(() => store.OpenStreamsAsync("job", [], CancellationToken.None));
        await TryAsync(async () =>
        {
            await foreach (var batch in store.FollowAsync(0, CancellationToken.None))
            {
                if (batch[^1].Position >= 12)
                {
                    break;
                }
            }
        });
    }

    [Fact]
    public async Task A_repeated_append_of_what_cannot_be_read_is_told_so()
    {
        await _database.ExecuteAsync("TRUNCATE mt_events, mt_streams, ml_event_ids");
        await using var store = NewStore();
        await _history.AppendAsync(store, batch: 7);
        await _database.ExecuteAsync("UPDATE mt_events SET timestamp = '0044-03-15 BC'");

        await Assert.ThrowsAsync<InvalidHistoryException>(() => _history.AppendAsync(store, batch: 7));

        await _database.ExecuteAsync("DELETE FROM mt_events");
        await Assert.ThrowsAsync<InvalidHistoryException>(() => _history.AppendAsync(store, batch: 7));
    }

    private static async Task TryAsync(Func<Task> read)
    {
        try
        {
            await read().WaitAsync(TimeSpan.FromSeconds(20));
        }
        catch (InvalidHistoryException broken)
        {
            Assert.Contains("meshledger audit", broken.Message, StringComparison.Ordinal);
        }
    }

    private PostgresEventStore NewStore() =>
        new(_database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
}
