using System.Globalization;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Projections.EventIndex;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Benchmarks;

/// <summary>Rows of a ledger with many jobs of many kinds, a second apart, copied into the event tables. They have the
/// shapes of events, and the signatures of nobody.</summary>
internal sealed class CopiedHistory
{
    private static readonly DateTimeOffset Start = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly string[] Operations = ["system.echo", "vm.execute", "guestkit.inspect"];

    private readonly Did _node = SigningKey.Generate().Did;
    private readonly Did[] _workers = [.. Enumerable.Range(0, 20).Select(_ => SigningKey.Generate().Did)];
    private readonly Did[] _submitters = [.. Enumerable.Range(0, 5).Select(_ => SigningKey.Generate().Did)];
    private readonly Dictionary<string, long> _versions = [];
    private readonly Digest _digest = Digest.OfBytes([]);
    private NpgsqlBinaryImporter _rows = null!;
    private long _most;

    public long Events { get; private set; }

    public int Jobs { get; private set; }

    public async Task CopyAsync(NpgsqlDataSource database, long events)
    {
        _most = events;
        await using var connection = await database.OpenConnectionAsync();
        await using (var free = new NpgsqlCommand("ALTER TABLE mt_events DROP CONSTRAINT fkey_mt_events_stream_id", connection))
        {
            await free.ExecuteNonQueryAsync();
        }

        await using (_rows = await connection.BeginBinaryImportAsync(
            "COPY mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, headers) "
            + "FROM STDIN (FORMAT BINARY)"))
        {
            while (Events < events)
            {
                await RunAsync(Jobs++);
            }

            await _rows.CompleteAsync();
        }

        await using var rest = new NpgsqlCommand(
            $"""
            INSERT INTO mt_streams (id, type, version)
                SELECT stream_id, split_part(stream_id, '-', 1), max(version) FROM mt_events GROUP BY stream_id;
            ALTER TABLE mt_events ADD CONSTRAINT fkey_mt_events_stream_id
                FOREIGN KEY (stream_id) REFERENCES mt_streams (id) ON DELETE CASCADE;
            SELECT setval('mt_events_sequence', {Events});
            ANALYZE
            """,
            connection) { CommandTimeout = 600 };
        await rest.ExecuteNonQueryAsync();
    }

    /// <summary>What is asked for.</summary>
    public IEnumerable<(string Name, EventFilter Filter)> Filters()
    {
        EventFilter all = new();
        var (middle, late) = (Start.AddSeconds(Events / 2), Start.AddSeconds(Events - 3600));
        yield return ("nothing", all);
        yield return ("position middle", all with { After = Events / 2, Before = Events / 2 + 5000 });
        yield return ("type common", all with { Types = ["bid_placed"] });
        yield return ("type rare", all with { Types = ["job_cancelled"] });
        yield return ("type absent", all with { Types = ["aid_matched"] });
        yield return ("types two", all with { Types = ["job_failed", "job_cancelled"] });
        yield return ("author common", all with { Authors = [_node.ToString()] });
        yield return ("author worker", all with { Authors = [_workers[3].ToString()] });
        yield return ("author absent", all with { Authors = [SigningKey.Generate().Did.ToString()] });
        yield return ("stream one", all with { Stream = "job-" + IdOf(Jobs / 2) });
        yield return ("stream account", all with { Stream = StreamId.OfAccount(_submitters[0]).ToString(), After = Events / 2 });
        yield return ("stream absent", all with { Stream = "job-nobody-knows-0001" });
        yield return ("stream kind", all with { Stream = "account-*" });
        yield return ("stream prefix few", all with { Stream = "job-" + IdOf(12_345)[..^2] + "*" });
        yield return ("stream prefix most", all with { Stream = "job-batch-*" });
        yield return ("operation common", all with { Operation = "vm.execute" });
        yield return ("operation absent", all with { Operation = "no.such" });
        yield return ("namespace common", all with { Namespace = "team-1" });
        yield return ("namespace rare", all with { Namespace = "rare" });
        yield return ("namespace late", all with { Namespace = "late" });
        yield return ("namespace early", all with { Namespace = "early" });
        yield return ("label common", all with { Labels = ["zone=a"] });
        yield return ("label late", all with { Labels = ["phase=late"] });
        yield return ("label rare", all with { Labels = ["number=4711"] });
        yield return ("label absent", all with { Labels = ["zone=nowhere"] });
        yield return ("text common", all with { Text = "debian" });
        yield return ("text rare", all with { Text = "needle" });
        yield return ("text absent", all with { Text = "haystack" });
        yield return ("text two words", all with { Text = "debian needle" });
        yield return ("text prefix many", all with { Text = "4*" });
        yield return ("time middle", all with { From = middle, To = middle.AddHours(1) });
        yield return ("time end", all with { From = late });
        yield return ("time absent", all with { From = Start.AddYears(10) });
        yield return ("type and author", all with { Types = ["receipt_issued"], Authors = [_workers[7].ToString()] });
        yield return ("type never by author", all with { Types = ["bid_placed"], Authors = [_node.ToString()] });
        yield return ("type and late namespace", all with { Types = ["receipt_issued"], Namespace = "late" });
        yield return ("common but never together", all with { Labels = ["zone=a", "zone=b"] });
        yield return ("operation type and time", all with
        {
            Operation = "vm.execute", Types = ["job_failed"], From = middle,
        });
        yield return ("all at once", all with
        {
            Operation = "vm.execute", Namespace = "team-1", Labels = ["zone=b"], Text = "debian", Types = ["job_completed", "job_failed"],
            Authors = [_node.ToString()], From = Start.AddHours(1), To = late, Stream = "job-*",
        });
    }

    private static string IdOf(int job) => string.Create(CultureInfo.InvariantCulture, $"batch-{job:D8}");

    private async Task RunAsync(int number)
    {
        var id = JobId.Parse(IdOf(number));
        var share = Events / (double)_most;
        var place = share < 0.05 ? "early" : share > 0.95 ? "late" : number % 20_011 == 5 ? "rare" : $"team-{number % 8}";
        var phase = share > 0.9 ? "late" : "early";
        var text = $$$"""
            {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T01:02:03Z","kind":"VMOperation","operation":"system.echo","metadata":{"namespace":"{{{place}}}","labels":{"zone":"{{{"abc"[number % 3]}}}","phase":"{{{phase}}}","number":"{{{number}}}"} },"payload":{"type":"system.echo.v1","data":{"image":"debian 12 {{{(number % 9973 == 7 ? "needle" : "straw")}}}","size":{{{number % 1000}}} } } }
            """;
        var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes(text)).Document!;
        var (submitter, worker) = (_submitters[number % 5], _workers[number * 7 % 20]);
        var operation = Operations[number % 3];
        var body = JobSubmission.Create(document, submitter, "folder", 100, 250) with { Operation = operation };
        var (job, payer, payee) = (StreamId.OfJob(id), StreamId.OfAccount(submitter), StreamId.OfAccount(worker));
        await SayAsync(submitter, body, job);
        await SayAsync(_node, new JobEvent.BiddingOpened(1, Start, 100, 0), job);
        await SayAsync(_node, new AccountEvent.Held(id, 100), payer);
        await SayAsync(worker, new JobEvent.BidPlaced(1, 5, _digest, new FreeResources(2, 4096, 10_000, 2)), job);
        await SayAsync(_node, new JobEvent.BiddingClosed(1, 1, "all_answered"), job);
        await SayAsync(worker, new JobEvent.ExecutionStarted(1), job);
        await SayAsync(worker, new JobEvent.ProgressReported(1, 1, "starting", 0, null, "Starting"), job);
        await SayAsync(worker, new JobEvent.ReceiptIssued(1, new Receipt
        {
            Engine = new EngineName("builtin", "0.1.0"), StartedAt = Start, FinishedAt = Start, DurationUs = 1000,
        }, Attestation: null), job);
        ValueList<AttemptOutcome> outcomes = [new AttemptOutcome(worker, "succeeded", 5)];
        await SayAsync(
            _node,
            number % 5003 == 9 ? new JobEvent.Cancelled(1, operation, outcomes, 95)
            : number % 7 == 6 ? new JobEvent.Failed(1, operation, new JobError("EXECUTION_ERROR", "No.", "execution", true), outcomes, 95)
            : new JobEvent.Completed(1, operation, outcomes, 95),
            job);
        await SayAsync(_node, new AccountEvent.Paid(id, 5, worker), payer);
        await SayAsync(_node, new AccountEvent.Received(id, 5, submitter), payee);
        await SayAsync(_node, new AccountEvent.Refunded(id, 95), payer);
    }

    private async Task SayAsync(Did by, LedgerEvent body, StreamId stream)
    {
        var time = Start.AddSeconds(Events++);
        var statement = EventCodec.State(body, by, null, stream, EventId.New(time), time);
        var version = _versions[stream.ToString()] = _versions.GetValueOrDefault(stream.ToString()) + 1;
        await _rows.StartRowAsync();
        await _rows.WriteAsync(Events, NpgsqlDbType.Bigint);
        await _rows.WriteAsync(statement.Id.Value, NpgsqlDbType.Uuid);
        await _rows.WriteAsync(stream.ToString(), NpgsqlDbType.Varchar);
        await _rows.WriteAsync(version, NpgsqlDbType.Bigint);
        await _rows.WriteAsync(Encoding.UTF8.GetString(statement.Data.Span), NpgsqlDbType.Jsonb);
        await _rows.WriteAsync(statement.Type, NpgsqlDbType.Varchar);
        await _rows.WriteAsync(time, NpgsqlDbType.TimestampTz);
        await _rows.WriteAsync(EventCodec.DotnetTypeOf(statement.Type), NpgsqlDbType.Varchar);
        await _rows.WriteAsync(
            $$"""
            {"by":"{{by}}","cause":null,"digest":"{{statement.Digest}}","sig":"{{new string('A', 86)}}==","time":"{{Timestamps.Write(time)}}"}
            """, NpgsqlDbType.Jsonb);
    }
}
