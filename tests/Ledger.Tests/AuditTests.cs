using MeshLedger.Ledger.Audit;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Ledger.Tests;

public sealed class AuditTests : IAsyncLifetime
{
    private readonly LedgerHistory _history = LedgerHistory.Of(jobs: 20);
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync();
        await using var store = new PostgresEventStore(
            _database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        await _history.AppendAsync(store, batch: 7);
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task A_history_that_nobody_touched_is_clean()
    {
        var report = await AuditAsync();

        Assert.Empty(report.Faults);
        Assert.Equal(_history.Statements.Count, report.Events);
        Assert.Equal(_history.Node.Did, report.Founder);
        Assert.Equal(report.Granted + report.Regenerated, report.Balances + report.Escrow);
    }

    public static TheoryData<string, string> Changes => new()
    {
        { "UPDATE mt_events SET data = jsonb_set(data, '{attempt}', '2') WHERE seq_id = 30", "wrong_digest" },
        { "UPDATE mt_events SET data = data || '{\"more\":1}' WHERE seq_id = 30", "wrong_digest" },
        { "UPDATE mt_events SET type = 'bidding_closed' WHERE type = 'bidding_opened' AND seq_id < 40", "wrong_digest" },
        { "UPDATE mt_events SET id = gen_random_uuid() WHERE seq_id = 30", "wrong_event_id" },
        { "UPDATE mt_events SET version = 99 WHERE seq_id = 30", "wrong_version" },
        { "UPDATE mt_events SET headers = jsonb_set(headers, '{time}', '\"2026-11-21T01:02:03.000000Z\"') WHERE seq_id = 30", "wrong_digest" },
        { "UPDATE mt_events SET headers = headers - 'sig' WHERE seq_id = 30", "not_an_event" },
        { "UPDATE mt_events SET headers = jsonb_set(headers, '{proof,index}', '6') WHERE seq_id = 30", "bad_signature" },
        { "UPDATE mt_events SET headers = jsonb_set(headers, '{proof,size}', '8') WHERE headers #>> '{proof,index}' = '0'", "wrong_proof" },
        { "UPDATE mt_events SET headers = headers - 'proof' WHERE seq_id = 30", "bad_signature" },
        { "UPDATE mt_events SET headers = NULL WHERE seq_id = 30", "not_an_event" },
        { "UPDATE mt_events SET headers = jsonb_set(headers, '{cause}', 'null') WHERE seq_id = 30", "wrong_digest" },
        { "UPDATE mt_events SET causation_id = NULL WHERE seq_id = 30", "wrong_causation" },
        { "UPDATE mt_events SET stream_id = 'job-00000019' , version = 99 WHERE seq_id = 30", "wrong_digest" },
        { "DELETE FROM mt_events WHERE seq_id = 30", "wrong_position" },
        { "DELETE FROM mt_events WHERE seq_id = (SELECT max(seq_id) FROM mt_events)", "wrong_stream" },
        { "DELETE FROM mt_streams WHERE id = 'job-job-00000003'", "wrong_position" },
        { "UPDATE mt_streams SET version = version + 1 WHERE id = 'job-job-00000003'", "wrong_stream" },
        { "UPDATE mt_streams SET type = 'account' WHERE id = 'job-job-00000003'", "wrong_stream" },
        { "INSERT INTO mt_streams (id, type, version) VALUES ('job-forged-job', 'job', 1)", "wrong_stream" },
        { "UPDATE mt_streams SET is_archived = true WHERE id = 'job-job-00000003'", "wrong_stream" },
        { "UPDATE mt_events SET is_archived = true WHERE seq_id = 30", "wrong_layout" },
        { "UPDATE mt_events SET mt_dotnet_type = NULL WHERE seq_id = 30", "wrong_layout" },
        { "DELETE FROM ml_event_ids WHERE position = 30", "wrong_event_id" },
        { "SELECT setval('mt_events_sequence', 3)", "wrong_sequence" },
        { "SELECT setval('mt_events_sequence', 1000000)", "wrong_sequence" },
        { "UPDATE mt_events SET data = jsonb_set(data, '{amount}', '1') WHERE type = 'mana_paid' AND seq_id < 40", "wrong_digest" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_by_hand_is_found(string sql, string kind)
    {
        await _database.ExecuteAsync("ALTER TABLE mt_events DISABLE TRIGGER ALL");
        await _database.ExecuteAsync(sql);

        var report = await AuditAsync();

        Assert.Contains(report.Faults, fault => fault.Kind == kind);
    }

    [Fact]
    public async Task A_change_names_its_stream_version_and_position()
    {
        await _database.ExecuteAsync("UPDATE mt_events SET data = jsonb_set(data, '{document}', '\"{}\"') WHERE seq_id = 5");

        var report = await AuditAsync();

        var fault = report.Faults[0];
        Assert.Equal(("wrong_digest", "job-job-00000000", 1L, 5L), (fault.Kind, fault.Stream, fault.Version, fault.Position));
    }

    [Fact]
    public async Task An_append_that_is_under_way_is_no_fault()
    {
        // Where ml_append stands once it has moved the sequence and before it commits.
        await using var connection = await _database.Source.OpenConnectionAsync();
        await using var append = await connection.BeginTransactionAsync();
        await using var command = new Npgsql.NpgsqlCommand(
            "SELECT pg_advisory_xact_lock(7310579631243879525); SELECT setval('mt_events_sequence', 5000000)", connection);
        await command.ExecuteNonQueryAsync();

        var auditing = AuditAsync();
        while (await _database.ScalarAsync<long>("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 0)
        {
            Assert.False(auditing.IsCompleted);
        }

        command.CommandText = $"SELECT setval('mt_events_sequence', {_history.Statements.Count})";
        await command.ExecuteNonQueryAsync();
        await append.CommitAsync();

        Assert.Empty((await auditing).Faults);
    }

    private Task<AuditReport> AuditAsync() => LedgerAudit.RunAsync(_database.Source, null, CancellationToken.None);
}
