using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Audit;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>Audits of one stream alone.</summary>
public sealed class StreamAuditTests(MutationBed bed) : IClassFixture<MutationBed>
{
    [Fact]
    public async Task Every_stream_of_a_clean_ledger_is_clean_by_itself_and_rests_on_nothing_that_is_not()
    {
        foreach (var stream in bed.Rows.GroupBy(row => row.Stream))
        {
            var report = await AuditAsync(stream.Key);

            Assert.Empty(report!.Faults);
            Assert.Equal(stream.Count(), report.Events);
            Assert.Equal(1, report.HeadsCompared);
            Assert.True(report.Remarks.Count == 1, string.Join("|", report.Remarks));
        }

        Assert.Null(await AuditAsync("job-nobody-knows"));
    }

    public static TheoryData<string, string, string> Changes => new()
    {
        { "job-job-again", "UPDATE mt_events SET data = data || '{\"more\":1}' WHERE stream_id = 'job-job-again' AND version = 5", "wrong_digest" },
        { "job-job-again", "UPDATE mt_events SET correlation_id = NULL WHERE stream_id = 'job-job-again' AND version = 5", "wrong_correlation" },
        { "job-job-again", "DELETE FROM mt_events WHERE stream_id = 'job-job-again' AND version = 5", "wrong_version" },
        { "job-job-again", "UPDATE mt_streams SET version = 3 WHERE id = 'job-job-again'", "wrong_stream" },
        { "job-job-again", "DELETE FROM ml_event_ids i USING mt_events e WHERE e.id = i.id AND e.stream_id = 'job-job-again'", "wrong_event_id" },
        { "job-job-again", "UPDATE mt_events SET tenant_id = 'x' WHERE stream_id = 'job-job-again'", "wrong_layout" },
        { "job-job-again", "DELETE FROM mt_events WHERE data ->> 'job_id' = 'job-again' AND type = 'mana_received'", "unsettled" },
        { "job-job-again", "DELETE FROM mt_events WHERE data ->> 'job_id' = 'job-again' AND type = 'mana_held'", "illegal_event" },
        { "job-job-again", "UPDATE mt_events SET seq_id = seq_id + 1000 WHERE stream_id = 'job-job-again' AND version = 2", "wrong_event_id" },
        { "ledger", "UPDATE mt_events SET headers = jsonb_set(headers, '{time}', '\"2026-11-21T01:02:09.000000Z\"') WHERE stream_id = 'ledger'", "wrong_digest" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task What_was_done_to_a_stream_is_found_by_its_audit(string stream, string sql, string kind)
    {
        try
        {
            await bed.HandAsync(sql);

            Assert.Contains((await AuditAsync(stream))!.Faults, fault => fault.Kind == kind);

            // And is no fault of another's.
            Assert.DoesNotContain((await AuditAsync("job-job-three-1"))!.Faults, fault => fault.Stream == "job-job-three-1");
        }
        finally
        {
            await bed.RestoreAsync();
        }
    }

    [Fact]
    public async Task What_is_missing_at_the_end_of_an_account_is_found_by_the_jobs_that_led_to_it()
    {
        var refunded = bed.Rows.Last(row => row.Type == "mana_refunded");
        Assert.Equal(refunded, bed.Rows.Last(row => row.Stream == refunded.Stream));
        try
        {
            await bed.HandAsync($"""
                DELETE FROM mt_events WHERE seq_id = {refunded.Position}; DELETE FROM ml_event_ids WHERE position = {refunded.Position};
                UPDATE mt_streams s SET version = e.version, timestamp = e.timestamp FROM mt_events e
                    WHERE e.stream_id = s.id AND e.version = {refunded.Version - 1} AND s.id = '{refunded.Stream}'
                """);

            Assert.Contains((await AuditAsync(refunded.Stream))!.Faults, fault => fault.Kind == "unsettled"
                && fault.Expected.StartsWith("mana_refunded", StringComparison.Ordinal));
        }
        finally
        {
            await bed.RestoreAsync();
        }
    }

    [Fact]
    public async Task A_stream_that_was_signed_anew_is_not_the_one_that_the_log_holds()
    {
        var row = bed.Rows.Last(row => row.Type == "worker_retired");
        var key = bed.Story.Workers[2];
        var statement = Statement.Create(
            key.Did, Crypto.Digest.Parse((string)row.Headers["cause"]!), System.Text.Encoding.UTF8.GetBytes("""{"reason":"broken"}"""),
            new EventId(row.Id), StreamId.Parse(row.Stream), bed.Story.Now, row.Type);
        try
        {
            await bed.HandAsync(
                $"UPDATE mt_events SET data = '{{\"reason\":\"broken\"}}', headers = "
                + $"{Mutation.Quote(EventHeaders.Write(SignedEvent.Sign(key, [statement])[0]))} WHERE seq_id = {row.Position}");

            var fault = Assert.Single((await AuditAsync(row.Stream))!.Faults);
            Assert.Equal("wrong_entry", fault.Kind);
            Assert.True(row.IsAt(fault));
        }
        finally
        {
            await bed.RestoreAsync();
        }
    }

    private Task<AuditReport?> AuditAsync(string stream) => StreamAudit.RunAsync(
        bed.Database.Source, new AuditOptions { LogDirectory = bed.LogDirectory, LogKeys = bed.NoteKey }, StreamId.Parse(stream), null,
        CancellationToken.None);
}
