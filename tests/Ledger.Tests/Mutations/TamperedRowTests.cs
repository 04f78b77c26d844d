using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Audit;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>One row that is not what its author signed makes no other event a lie.</summary>
public sealed class TamperedRowTests(MutationBed bed) : IClassFixture<MutationBed>
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Whichever_row_says_something_else_is_the_only_one_that_is_accused(int seed)
    {
        var random = new Random(seed);
        foreach (var row in bed.Rows)
        {
            var data = row.Data.DeepClone().AsObject();
            var what = JsonMutation.Change(random, data);
            try
            {
                await bed.HandAsync($"UPDATE mt_events SET data = {Mutation.Quote(data)} WHERE seq_id = {row.Position}");
                var report = await bed.AuditAsync();

                Assert.True(
                    report.Faults.Count > 0 && report.Faults.All(row.IsAt),
                    $"{row.Type} at {row.Position}: {what}\nfaults:\n{string.Join('\n', report.Faults)}");
            }
            finally
            {
                await bed.RestoreAsync();
            }
        }
    }

    [Fact]
    public async Task Whichever_row_is_gone_nobody_is_accused_of_a_wrong_deed()
    {
        foreach (var row in bed.Rows.Where(row => row.Position < bed.Head))
        {
            try
            {
                await bed.HandAsync($"DELETE FROM mt_events WHERE seq_id = {row.Position}");
                var report = await bed.AuditAsync();

                Assert.DoesNotContain(
                    report.Faults, fault => fault.Kind is "illegal_event" or "unsettled" or "mana_not_conserved" or "wrong_reputation");
                Assert.Contains(report.Faults, fault => fault.Kind == "wrong_position" && fault.Position == row.Position + 1);
            }
            finally
            {
                await bed.RestoreAsync();
            }
        }
    }

    public static TheoryData<string, string> Changes => new()
    {
        { "job_completed", "data || '{\"refunded\":45}' || jsonb_build_object('outcomes', jsonb_set(data -> 'outcomes', '{0,paid}', '55'))" },
        { "job_completed", "data || '{\"more\":1}'" },
        { "mana_held", "data || '{\"amount\":99}'" },
        { "mana_held", "data || '{\"job_id\":\"job-00000005\"}'" },
        { "mana_paid", "data || '{\"amount\":4}'" },
        { "mana_refunded", "data || '{\"amount\":94}'" },
        { "mana_received", "data || '{\"amount\":6}'" },
        { "bid_placed", "data || '{\"price\":4}'" },
        { "bidding_opened", "data || '{\"escrow\":99}'" },
        { "job_submitted", "data || '{\"document\":\"{}\"}'" },
        { "account_opened", "data || '{\"grant\":5000}'" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task The_later_jobs_of_a_submitter_are_not_accused(string type, string data)
    {
        await using var database = await PostgresDatabase.CreateAsync();
        var history = LedgerHistory.Of(jobs: 12);
        await using (var store = new PostgresEventStore(
            database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance))
        {
            await history.AppendAsync(store, batch: 7);
        }

        var position = await database.ScalarAsync<long>($"SELECT min(seq_id) FROM mt_events WHERE type = '{type}'");
        await ChangeAsync(database, position, data);

        var report = await LedgerAudit.RunAsync(database.Source, null, CancellationToken.None);

        Assert.Equal(("wrong_digest", position), (report.Faults[0].Kind, report.Faults[0].Position));
        Assert.All(report.Faults, fault => Assert.Equal(position, fault.Position));
        Assert.Contains(report.Remarks, remark => remark.StartsWith("Not judged, since ", StringComparison.Ordinal)
            && remark.Contains($"position {position},", StringComparison.Ordinal));
        var isAccount = type.StartsWith("mana_", StringComparison.Ordinal) || type.StartsWith("account_", StringComparison.Ordinal);
        Assert.Equal(!isAccount, report.IsManaKnown);
        Assert.Equal(isAccount, report.Remarks.Any(remark => remark.StartsWith("Balances were not added up", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_is_wrong_by_itself_behind_a_tampered_row_is_still_found()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        var hold = true;
        var story = new LedgerStory
        {
            // The last job of all is one for which nothing is held, and one worker receives twice.
            Twist = body => body switch
            {
                AccountEvent.Held held when held.JobId.ToString() == "job-redrive" => [],
                AccountEvent.Received received when received.JobId.ToString() == "job-three-2" && hold => Twice(received),
                _ => [body],
            },
        }.Tell();
        LedgerEvent[] Twice(LedgerEvent body)
        {
            hold = false;
            return [body, body];
        }

        await using (var store = new PostgresEventStore(
            database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance))
        {
            await story.AppendAsync(store);
        }

        var held = await database.ScalarAsync<long>(
            "SELECT seq_id FROM mt_events WHERE type = 'mana_held' AND data ->> 'job_id' = 'job-again'");
        await ChangeAsync(database, held, "data || '{\"amount\":7}'");

        var report = await LedgerAudit.RunAsync(database.Source, null, CancellationToken.None);

        var assigned = await database.ScalarAsync<long>(
            "SELECT seq_id FROM mt_events WHERE type = 'job_assigned' AND stream_id = 'job-job-redrive'");
        var received = await database.ScalarAsync<long>(
            "SELECT min(seq_id) + 1 FROM mt_events WHERE type = 'mana_received' AND data ->> 'job_id' = 'job-three-2'");
        Assert.Equal(
            [("wrong_digest", held), ("illegal_event", received), ("illegal_event", assigned)],
            report.Faults.Select(fault => (fault.Kind, fault.Position)).Order(Comparer<(string, long Position)>.Create(
                (one, other) => one.Position.CompareTo(other.Position))).ToList());
    }

    private static Task ChangeAsync(PostgresDatabase database, long position, string data) => database.ExecuteAsync($"""
        ALTER TABLE mt_events DISABLE TRIGGER ALL; UPDATE mt_events SET data = {data} WHERE seq_id = {position};
        ALTER TABLE mt_events ENABLE TRIGGER ALL
        """);
}
