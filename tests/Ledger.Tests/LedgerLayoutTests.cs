using MeshLedger.Ledger.Audit;
using MeshLedger.Testing;

namespace MeshLedger.Ledger.Tests;

/// <summary>Holds schemas/postgres/layout.txt to what the migrations make. With MESHLEDGER_WRITE_SNAPSHOTS=1 the file is
/// written anew, to be looked at before it is committed.</summary>
public sealed class LedgerLayoutTests : IAsyncLifetime
{
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync() => _database = await PostgresDatabase.CreateAsync();

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task The_layout_is_what_the_migrations_make()
    {
        await using var connection = await _database.Source.OpenConnectionAsync();
        var found = await LedgerLayout.ReadAsync(connection, CancellationToken.None);
        if (Environment.GetEnvironmentVariable("MESHLEDGER_WRITE_SNAPSHOTS") == "1")
        {
            File.WriteAllText(Path.Combine(Root(), "schemas", "postgres", "layout.txt"), string.Join('\n', found) + "\n");
            return;
        }

        Assert.Equal(found, LedgerLayout.Expected);
    }

    public static TheoryData<string, string> Changes => new()
    {
        { "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER spy BEFORE INSERT ON mt_events FOR EACH ROW EXECUTE FUNCTION f()", "trigger spy on mt_events" },
        { "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER spy BEFORE INSERT ON ml_event_ids FOR EACH ROW EXECUTE FUNCTION f()", "trigger spy on ml_event_ids" },
        { "CREATE RULE gone AS ON DELETE TO mt_streams DO INSTEAD NOTHING", "rule gone on mt_streams" },
        { "ALTER TABLE mt_events ENABLE ROW LEVEL SECURITY", "table mt_events: expected ordinary, permanent; found ordinary, permanent, row security" },
        { "CREATE POLICY few ON mt_events USING (seq_id > 3)", "policy few on mt_events" },
        { "DROP FUNCTION ml_append", "function ml_append" },
        { "DO $do$ BEGIN EXECUTE replace(pg_get_functiondef('ml_append'::regproc), '<> s.version', '< s.version'); END $do$", "source sha256" },
        { "ALTER FUNCTION ml_append SECURITY DEFINER", "security definer" },
        { "ALTER FUNCTION ml_append RESET enable_seqscan", "function ml_append" },
        { "CREATE FUNCTION ml_append(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function ml_append(integer) is none of MeshLedger's" },
        { "DROP INDEX pk_mt_events_stream_and_version", "index pk_mt_events_stream_and_version on mt_events is missing" },
        { "CREATE UNIQUE INDEX once ON mt_events (type)", "index once on mt_events is none of MeshLedger's" },
        { "ALTER TABLE ml_event_ids DROP CONSTRAINT an_event_id_is_appended_once", "constraint an_event_id_is_appended_once on ml_event_ids is missing" },
        { "ALTER TABLE mt_events DROP CONSTRAINT fkey_mt_events_stream_id", "constraint fkey_mt_events_stream_id on mt_events is missing" },
        { "ALTER TABLE mt_events ADD CHECK (seq_id < 100)", "CHECK (seq_id < 100)" },
        { "ALTER TABLE mt_events DISABLE TRIGGER ALL", "fkey_mt_events_stream_id on mt_events: expected" },
        { "ALTER TABLE mt_events ALTER COLUMN data TYPE json", "column mt_events.data: expected jsonb NOT NULL; found json NOT NULL" },
        { "ALTER TABLE mt_events DROP COLUMN bdata", "column mt_events.bdata is missing: expected bytea" },
        { "ALTER TABLE mt_events DROP COLUMN causation_id", "column mt_events.causation_id is missing" },
        { "ALTER TABLE mt_events ALTER COLUMN data DROP NOT NULL; UPDATE mt_events SET data = NULL", "column mt_events.data: expected" },
        { "ALTER TABLE mt_events ALTER COLUMN version TYPE text", "column mt_events.version: expected" },
        { "ALTER TABLE mt_events ALTER COLUMN timestamp TYPE text", "column mt_events.timestamp: expected" },
        { "ALTER TABLE mt_streams ALTER COLUMN version TYPE text", "column mt_streams.version: expected" },
        { "ALTER TABLE mt_streams ALTER COLUMN version SET DEFAULT 1", "bigint NOT NULL DEFAULT 1" },
        { "ALTER TABLE mt_streams RENAME COLUMN version TO v", "column mt_streams.v is none of MeshLedger's" },
        { "ALTER TABLE mt_events ADD COLUMN more int GENERATED ALWAYS AS (version) STORED", "column mt_events.more" },
        { "DROP TABLE ml_event_ids", "table ml_event_ids is missing" },
        { "DROP TABLE mt_events CASCADE", "table mt_events is missing" },
        { "ALTER SEQUENCE mt_events_sequence INCREMENT BY 2", "sequence mt_events_sequence: expected" },
        { "ALTER SEQUENCE mt_events_sequence RENAME TO other", "sequence mt_events_sequence is missing" },
        { "ALTER TABLE mt_streams RENAME TO streams; CREATE VIEW mt_streams AS SELECT * FROM streams", "table mt_streams: expected" },
        { "CREATE TABLE more () INHERITS (mt_events)", "inherited" },
        { "ALTER TABLE ml_log_heads DROP CONSTRAINT a_size_has_one_tree_head", "constraint a_size_has_one_tree_head on ml_log_heads is missing" },
        { "DROP TABLE ml_log_heads", "table ml_log_heads is missing" },
        { "ALTER TABLE ml_log_heads ALTER COLUMN note TYPE bytea USING NULL", "column ml_log_heads.note" },
        { "ALTER TABLE ml_log_heads DROP CONSTRAINT a_tree_head_has_entries, ALTER COLUMN size TYPE text", "column ml_log_heads.size" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task What_was_changed_under_the_ledger_is_named(string sql, string named)
    {
        await _database.ExecuteAsync(
            "INSERT INTO mt_streams (id, type, version) VALUES ('ledger', 'ledger', 1);"
            + "INSERT INTO mt_events (seq_id, id, stream_id, version, data, type) "
            + "VALUES (1, gen_random_uuid(), 'ledger', 1, '{}', 'ledger_founded')");
        await _database.ExecuteAsync(sql);

        var report = await LedgerAudit.RunAsync(_database.Source, null, CancellationToken.None);

        Assert.Contains(report.Faults, fault =>
            fault.Kind == "wrong_layout" && fault.Reason.Contains(named, StringComparison.Ordinal));
    }

    private static string Root()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "MeshLedger.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException("The tests run outside the repository.");
    }
}
