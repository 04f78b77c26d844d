using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Ledger.Tests;

/// <summary>The tables as a Marten 9 with string stream identity, headers, correlation and causation has them. What
/// stands here was observed on one; a Marten that migrates its schema would drop anything more.</summary>
public sealed class MartenLayoutTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Time = new(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);
    private readonly SigningKey _key = SigningKey.Generate();
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync() => _database = await PostgresDatabase.CreateAsync();

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task The_columns_are_marten_s_and_no_others() => Assert.Equal(
        [
            "mt_event_progression.last_seq_id bigint",
            "mt_event_progression.last_updated timestamp with time zone DEFAULT transaction_timestamp()",
            "mt_event_progression.name character varying NOT NULL",
            "mt_events.bdata bytea",
            "mt_events.causation_id character varying",
            "mt_events.correlation_id character varying",
            "mt_events.data jsonb NOT NULL",
            "mt_events.headers jsonb",
            "mt_events.id uuid NOT NULL",
            "mt_events.is_archived boolean DEFAULT false",
            "mt_events.mt_dotnet_type character varying",
            "mt_events.seq_id bigint NOT NULL",
            "mt_events.stream_id character varying",
            "mt_events.tenant_id character varying DEFAULT '*DEFAULT*'::character varying",
            "mt_events.timestamp timestamp with time zone NOT NULL DEFAULT now()",
            "mt_events.type character varying(500) NOT NULL",
            "mt_events.version bigint NOT NULL",
            "mt_streams.created timestamp with time zone NOT NULL DEFAULT now()",
            "mt_streams.id character varying NOT NULL",
            "mt_streams.is_archived boolean DEFAULT false",
            "mt_streams.tenant_id character varying DEFAULT '*DEFAULT*'::character varying",
            "mt_streams.timestamp timestamp with time zone NOT NULL DEFAULT now()",
            "mt_streams.type character varying",
            "mt_streams.version bigint NOT NULL",
        ],
        await _database.RowsAsync(
            """
            SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
                || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
            FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relname LIKE 'mt\_%'
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE a.attnum > 0 AND NOT a.attisdropped
            ORDER BY (c.relname || '.' || a.attname) COLLATE "C"
            """));

    [Fact]
    public async Task The_indexes_and_constraints_are_marten_s_and_no_others()
    {
        Assert.Equal(
            [
                "CREATE UNIQUE INDEX pk_mt_event_progression ON public.mt_event_progression USING btree (name)",
                "CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON public.mt_events USING btree (stream_id, version)",
                "CREATE UNIQUE INDEX pkey_mt_events_seq_id ON public.mt_events USING btree (seq_id)",
                "CREATE UNIQUE INDEX pkey_mt_streams_id ON public.mt_streams USING btree (id)",
            ],
            await _database.RowsAsync(
                """
                SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'mt\_%' ORDER BY indexname COLLATE "C"
                """));
        Assert.Equal(
            [
                "fkey_mt_events_stream_id: FOREIGN KEY (stream_id) REFERENCES mt_streams(id) ON DELETE CASCADE",
                "pk_mt_event_progression: PRIMARY KEY (name)",
                "pkey_mt_events_seq_id: PRIMARY KEY (seq_id)",
                "pkey_mt_streams_id: PRIMARY KEY (id)",
            ],
            await _database.RowsAsync(
                """
                SELECT conname || ': ' || pg_get_constraintdef(oid) FROM pg_constraint
                WHERE conrelid::regclass::text LIKE 'mt\_%' AND contype <> 'n' ORDER BY conname COLLATE "C"
                """));
    }

    [Fact]
    public async Task Its_sequence_and_its_function_are_there_and_no_trigger_is()
    {
        Assert.Equal(["mt_events_sequence"], await _database.RowsAsync("SELECT sequencename FROM pg_sequences"));
        Assert.Equal(
            ["mt_mark_event_progression(name character varying, last_encountered bigint) void"],
            await _database.RowsAsync(
                """
                SELECT proname || '(' || pg_get_function_arguments(oid) || ') ' || pg_get_function_result(oid)
                FROM pg_proc WHERE proname LIKE 'mt\_%'
                """));
        Assert.Empty(await _database.RowsAsync("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"));
        await _database.ExecuteAsync("SELECT mt_mark_event_progression('OrderView:All', 3)");
        await _database.ExecuteAsync("SELECT mt_mark_event_progression('OrderView:All', 7)");
        Assert.Equal(
            ["OrderView:All|7"], await _database.RowsAsync("SELECT name, last_seq_id FROM mt_event_progression"));
    }

    [Fact]
    public async Task After_every_append_the_sequence_stands_at_the_head_and_nothing_is_null_that_marten_reads()
    {
        await using var store = new PostgresEventStore(
            _database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        var head = 0L;
        foreach (var (stream, count) in new[] { ("job-a", 1), ("job-b", 5), ("job-a", 2), ("ledger", 1) })
        {
            await AppendAsync(store, stream, count, 0);
            head += count;
            Assert.Equal(head, await store.HeadAsync(CancellationToken.None));
            Assert.Equal(head, await _database.ScalarAsync<long>("SELECT last_value FROM mt_events_sequence"));
        }

        await AppendAsync(store, "job-b", 1, expected: 3);
        Assert.Equal(head, await _database.ScalarAsync<long>("SELECT last_value FROM mt_events_sequence"));
        Assert.Equal(
            ["job-a|job|3|*DEFAULT*|False", "job-b|job|5|*DEFAULT*|False", "ledger|ledger|1|*DEFAULT*|False"],
            await _database.RowsAsync("SELECT id, type, version, tenant_id, is_archived FROM mt_streams ORDER BY id"));
        Assert.Equal(
            ["9|MeshLedger.Domain.Accounts.AccountEvent+Opened, MeshLedger.Domain|*DEFAULT*|False"],
            await _database.RowsAsync(
                """
                SELECT count(*), mt_dotnet_type, tenant_id, is_archived FROM mt_events
                WHERE bdata IS NULL AND headers IS NOT NULL AND stream_id IS NOT NULL
                GROUP BY mt_dotnet_type, tenant_id, is_archived
                """));
        Assert.Equal(
            Enumerable.Range(1, 9).Select(position => $"{position}"),
            await _database.RowsAsync("SELECT seq_id FROM mt_events ORDER BY seq_id"));
    }

    private async Task AppendAsync(PostgresEventStore store, string stream, int count, long expected)
    {
        var events = SignedEvent.Sign(_key, [.. Enumerable.Range(0, count).Select(i => EventCodec.State(
            new AccountEvent.Opened(i, 0, 0), _key.Did, null, StreamId.Parse(stream), EventId.New(Time), Time))]);
        var versions = new Dictionary<StreamId, long>();
        if (expected > 0)
        {
            versions[StreamId.Parse(stream)] = expected;
        }

        var outcome = await store.AppendAsync(new AppendRequest(events, versions), CancellationToken.None);
        Assert.Equal(expected > 0, outcome is AppendOutcome.Conflict);
    }
}
