using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger.Audit;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>A row of the ledger as it was before anything was done to it.</summary>
public sealed record Place(long Position, string Stream, long Version, string Type, Guid Id, JsonObject Data, JsonObject Headers)
{
    public bool IsAt(AuditFault fault) => fault.Position == Position && fault.Stream == Stream && fault.Version == Version;
}

/// <summary>
/// One ledger in which every kind of event stands, signed in batches, in several appends, with a log of several tree heads in
/// its files and in the database. It is made once; each mutation is committed, audited, and undone.
/// </summary>
public sealed class MutationBed : IAsyncLifetime
{
    private const string Tables = "mt_events,mt_streams,ml_event_ids,ml_log_heads,mt_event_progression";

    private readonly string _home = Directory.CreateTempSubdirectory("ml-mutations-").FullName;
    private PostgresEventStore _store = null!;
    private NpgsqlConnection _hand = null!;
    private SortedDictionary<string, byte[]> _files = null!;

    public PostgresDatabase Database { get; private set; } = null!;

    public LedgerStory Story { get; private set; } = null!;

    public SigningKey SecondNode { get; } = SigningKey.Generate();

    public SigningKey LogKey { get; } = SigningKey.Generate();

    public string LogDirectory => Path.Combine(_home, "log");

    public NoteKey NoteKey => Options.NoteKey;

    public IReadOnlyList<Place> Rows { get; private set; } = [];

    /// <summary>The sizes of the tree heads; the last is that of the ledger.</summary>
    public IReadOnlyList<long> Heads { get; private set; } = [];

    public long Head => Rows.Count;

    public PostgresEventStore Store => _store;

    private LogOptions Options => new() { Directory = LogDirectory, Key = LogKey, Interval = TimeSpan.FromMilliseconds(1) };

    public static LedgerStory Tell(LedgerStory story, SigningKey second)
    {
        story.Tell();
        var joined = story.Say(second, new NodeEvent.Joined("second"), null, StreamId.OfNode(second.Did));
        story.Say(story.Node, new NodeEvent.Admitted(second.Did), joined, StreamId.OfNode(second.Did));
        var template = story.Registry.Aid.Templates[0];
        story.Say(story.Stranger, new AidEvent.TemplateWithdrawn(), template.Digest, template.Stream);
        return story;
    }

    public async Task InitializeAsync()
    {
        Database = await PostgresDatabase.CreateAsync();
        _store = OpenStore();
        Story = Tell(new LedgerStory(), SecondNode);
        await WriteAsync(Story);
        await Database.ExecuteAsync(
            $"INSERT INTO mt_event_progression VALUES ('job_status:All', {Story.Events.Count}), ('accounts:All', 17)");
        _hand = await Database.Source.OpenConnectionAsync();
        await HandAsync("SET synchronous_commit = off; SET session_replication_role = replica; CREATE SCHEMA saved");
        foreach (var table in Tables.Split(','))
        {
            await HandAsync($"CREATE TABLE saved.{table} AS SELECT * FROM {table}");
        }

        _files = Files();
        var rows = new List<Place>();
        await using var reader = await Database.Source.CreateCommand(
            "SELECT seq_id, stream_id, version, type, id, data::text, headers::text FROM mt_events ORDER BY seq_id").ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            rows.Add(new Place(
                reader.GetInt64(0), reader.GetString(1), reader.GetInt64(2), reader.GetString(3), reader.GetGuid(4),
                JsonNode.Parse(reader.GetString(5))!.AsObject(), JsonNode.Parse(reader.GetString(6))!.AsObject()));
        }

        Rows = rows;
        Heads = (await Database.RowsAsync("SELECT size FROM ml_log_heads ORDER BY size"))
            .Select(size => long.Parse(size, System.Globalization.CultureInfo.InvariantCulture)).ToList();
    }

    public async Task DisposeAsync()
    {
        await _hand.DisposeAsync();
        await _store.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    /// <summary>Appends a story in batches and pieces, and publishes after each piece.</summary>
    public async Task WriteAsync(LedgerStory story)
    {
        SigningKey[] authors = [story.Node, story.Submitter, story.Owner, story.Stranger, SecondNode, .. story.Workers];
        var keys = authors.ToDictionary(key => key.Did);
        foreach (var piece in story.Events.Select(signed => signed.Statement).Chunk(story.Events.Count / 6))
        {
            var events = new SignedEvent[piece.Length];
            foreach (var author in Enumerable.Range(0, piece.Length).GroupBy(i => piece[i].By))
            {
                foreach (var batch in author.Chunk(7))
                {
                    var signed = SignedEvent.Sign(keys[author.Key], [.. batch.Select(i => piece[i])]);
                    for (var i = 0; i < batch.Length; i++)
                    {
                        events[batch[i]] = signed[i];
                    }
                }
            }

            Assert.IsType<AppendOutcome.Appended>(await _store.AppendAsync(
                new AppendRequest(events, new Dictionary<StreamId, long>()) { Correlations = story.Correlations },
                CancellationToken.None));
            await PublishAsync();
        }
    }

    public async Task PublishAsync()
    {
        var head = await _store.HeadAsync(CancellationToken.None);
        var publisher = new LogPublisher(
            _store, Database.Source, Options, TimeProvider.System, NullLogger<LogPublisher>.Instance);
        using var stop = new CancellationTokenSource();
        using var published = new SemaphoreSlim(0);
        publisher.Published += signed => _ = signed.Head.Size >= head ? published.Release() : 0;
        var running = publisher.RunAsync(stop.Token);
        await published.WaitAsync();
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>A new store, which remembers nothing of the database.</summary>
    public async Task ForgetAsync()
    {
        await _store.DisposeAsync();
        _store = OpenStore();
    }

    public Task<AuditReport> AuditAsync(params EarlierHead[] earlier) => LedgerAudit.RunAsync(
        Database.Source, new AuditOptions { LogDirectory = LogDirectory, LogKeys = NoteKey, Earlier = earlier }, null,
        CancellationToken.None);

    /// <summary>Changes the database by hand, past all triggers.</summary>
    public async Task HandAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, _hand);
        await command.ExecuteNonQueryAsync();
    }

    public async Task RestoreAsync()
    {
        await HandAsync(string.Join(';', Tables.Split(',').Select(table => (table, Key: table switch
        {
            "mt_events" => "seq_id",
            "mt_event_progression" => "name",
            "ml_log_heads" => "size",
            _ => "id",
        })).Select(one => $"""
            DELETE FROM {one.table} t WHERE NOT EXISTS (
                SELECT FROM saved.{one.table} s WHERE s.{one.Key} = t.{one.Key} AND s IS NOT DISTINCT FROM t);
            INSERT INTO {one.table} SELECT s.* FROM saved.{one.table} s WHERE NOT EXISTS (
                SELECT FROM {one.table} t WHERE t.{one.Key} = s.{one.Key})
            """)) + $"; SELECT setval('mt_events_sequence', {Head})");
        foreach (var (name, bytes) in _files)
        {
            var file = Path.Combine(LogDirectory, name);
            if (!File.Exists(file) || !File.ReadAllBytes(file).AsSpan().SequenceEqual(bytes))
            {
                File.WriteAllBytes(file, bytes);
            }
        }
    }

    private SortedDictionary<string, byte[]> Files() => new(
        new[] { "heads", "checkpoint", "key" }.ToDictionary(name => name, name => File.ReadAllBytes(Path.Combine(LogDirectory, name))),
        StringComparer.Ordinal);

    private PostgresEventStore OpenStore() =>
        new(Database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
}
