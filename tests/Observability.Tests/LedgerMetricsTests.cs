using MeshLedger.Domain.Events;
using MeshLedger.Observability.Metrics;
using MeshLedger.Testing;

namespace MeshLedger.Observability.Tests;

public sealed class LedgerMetricsTests
{
    private readonly EventSource _source = new();
    private readonly MetricRegistry _registry = new();
    private readonly LedgerMetrics _metrics;

    public LedgerMetricsTests()
    {
        _metrics = new LedgerMetrics(_registry, TimeProvider.System, [_source.Worker], TimeSpan.FromMinutes(10));
        Apply(_source.Say(
            StreamId.OfWorker(_source.Worker), "worker_registered", 0, new { operations = (string[])["system.echo"] },
            _source.Worker));
    }

    [Fact]
    public async Task A_job_moves_its_counters_and_the_durations_are_those_of_its_events()
    {
        Apply(
            _source.Job("job_submitted", 1, new { operation = "system.echo", transport = "folder", document = "{}" }));
        await ExpectAsync("meshledger_jobs{status=\"submitted\"} 1");
        Apply(_source.Job("bidding_opened", 1, new { attempt = 1 }));
        Apply(_source.Job("bid_placed", 2, new { attempt = 1, price = 5 }, _source.Worker));
        Apply(_source.Job("bidding_closed", 3, new { attempt = 1, reason = "all_answered" }));
        Apply(_source.Job("job_assigned", 4, new { attempt = 1, worker = _source.Worker.ToString(), price = 5 }));
        await ExpectAsync("meshledger_jobs{status=\"assigned\"} 1", "meshledger_worker_queue_depth 1");
        Apply(_source.Job("execution_started", 8, new { attempt = 1 }, _source.Worker));
        Apply(_source.Job("progress_reported", 9, new { attempt = 1 }, _source.Worker));
        await ExpectAsync(
            "meshledger_jobs{status=\"executing\"} 1", "meshledger_worker_queue_depth 0", "meshledger_worker_active_jobs 1",
            "meshledger_jobs_long_running 1");
        Apply(_source.Job(
            "receipt_issued", 16,
            new
            {
                attempt = 1,
                receipt = new { error = (string?)null, outputs = (object[])[new { size = 70 }], peak_memory_bytes = 5 },
            },
            _source.Worker));
        Apply(_source.Job("job_completed", 17, new { attempt = 1, paid = 5, refunded = 1 }));
        await ExpectAsync(
            "meshledger_jobs_submitted_total{operation=\"system.echo\",transport=\"folder\"} 1",
            "meshledger_bids_received_total 1",
            "meshledger_biddings_closed_total{reason=\"all_answered\"} 1",
            "meshledger_job_bidding_duration_seconds_sum 2",
            "meshledger_jobs_assigned_total 1",
            "meshledger_job_assignment_duration_seconds_sum 3",
            "meshledger_executions_started_total{operation=\"system.echo\"} 1",
            "meshledger_job_queue_duration_seconds_sum 4",
            "meshledger_progress_reports_total 1",
            "meshledger_executions_total{operation=\"system.echo\",status=\"success\"} 1",
            "meshledger_execution_duration_seconds_sum{operation=\"system.echo\",status=\"success\"} 8",
            "meshledger_execution_peak_memory_bytes_count 1",
            "meshledger_output_bytes_total 70",
            "meshledger_jobs_ended_total{operation=\"system.echo\",status=\"completed\"} 1",
            "meshledger_job_duration_seconds_sum{operation=\"system.echo\",status=\"completed\"} 16",
            "meshledger_job_settlement_duration_seconds_sum 1",
            "meshledger_jobs{status=\"executing\"} 0",
            "meshledger_worker_active_jobs 0",
            "meshledger_jobs_long_running 0");
    }

    [Fact]
    public async Task Every_event_of_a_whole_history_is_counted_once()
    {
        var history = LedgerHistory.Of(70);
        var versions = new Dictionary<StreamId, long>();
        foreach (var (at, statement) in history.Statements.Index())
        {
            var version = versions[statement.Stream] = versions.GetValueOrDefault(statement.Stream) + 1;
            Apply(new RecordedEvent(new SignedEvent(statement, new byte[64], null), at + 1, version, statement.Time));
        }

        await ExpectAsync(
            [
                .. history.Statements.CountBy(
                    statement => statement.Type).Where(pair => pair.Key != "worker_registered")
                    .Select(pair => $"meshledger_ledger_events_total{{type=\"{pair.Key}\"}} {pair.Value}"),
                "meshledger_jobs_ended_total{operation=\"system.echo\",status=\"completed\"} 60",
                "meshledger_jobs_ended_total{operation=\"system.echo\",status=\"failed\"} 10",
                "meshledger_job_failures_total{code=\"EXECUTION_ERROR\"} 10",
                "meshledger_executions_total{operation=\"system.echo\",status=\"error\"} 10",
                "meshledger_job_bidding_duration_seconds_count 70",
                "meshledger_job_assignment_duration_seconds_count 70",
                "meshledger_job_queue_duration_seconds_count 70",
                "meshledger_job_settlement_duration_seconds_count 70",
                .. JobBook.Statuses.Select(status => $"meshledger_jobs{{status=\"{status}\"}} 0"),
            ]);
    }

    [Fact]
    public async Task Several_assignees_retries_cancelling_and_what_comes_in_pieces_are_measured()
    {
        Apply(_source.Job("job_submitted", 1, new { operation = "system.echo" }));
        Apply(_source.Job("bidding_opened", 2, new { attempt = 1 }));
        var assignees = (object[])
            [new { worker = _source.Worker.ToString(), price = 1 }, new { worker = "did:key:other", price = 2 }];
        Apply(_source.Job("job_assigned", 3, new { attempt = 1, assignees }));
        Apply(_source.Job("execution_started", 4, new { attempt = 1 }, _source.Worker));
        await ExpectAsync("meshledger_worker_active_jobs 1");
        Apply(_source.Job("lease_renewed", 5, new { attempt = 1 }, _source.Worker));
        Apply(_source.Job("partial_output_produced", 5, new { attempt = 1, size = 11 }, _source.Worker));
        Apply(_source.Job("checkpoint_recorded", 6, new { attempt = 1, size = 13 }, _source.Worker));
        Apply(_source.Job("attempt_ended", 7, new { attempt = 1, error = new { code = "LEASE_EXPIRED" } }));
        await ExpectAsync(
            "meshledger_attempts_retried_total 1", "meshledger_jobs{status=\"retrying\"} 1", "meshledger_worker_active_jobs 0");
        Apply(_source.Job("bidding_opened", 20, new { attempt = 2 }));
        Apply(_source.Job("job_assigned", 21, new { attempt = 2, assignees }));
        Apply(_source.Job("cancel_requested", 22, new { reason = "enough" }));
        Apply(_source.Job("job_cancelled", 23, new { attempt = 2 }));
        await ExpectAsync(
            // 2 s after the submission, 1 s after bidding opened again.
            "meshledger_job_assignment_duration_seconds_sum 3",
            "meshledger_leases_renewed_total 1",
            "meshledger_partial_outputs_recorded_total 1",
            "meshledger_partial_output_bytes_total 11",
            "meshledger_checkpoints_recorded_total 1",
            "meshledger_checkpoint_bytes_total 13",
            "meshledger_cancel_requests_total 1",
            "meshledger_jobs_ended_total{operation=\"system.echo\",status=\"cancelled\"} 1",
            "meshledger_jobs{status=\"assigned\"} 0");
    }

    [Fact]
    public async Task Mana_accounts_and_workers_are_measured()
    {
        var account = StreamId.OfAccount(_source.Node);
        Apply(_source.Say(account, "account_opened", 1, new { grant = 100 }));
        Apply(_source.Say(account, "mana_held", 1, new { amount = 10 }));
        Apply(_source.Say(account, "mana_paid", 1, new { amount = 7 }));
        Apply(_source.Say(account, "mana_received", 1, new { amount = 7 }));
        Apply(_source.Say(account, "mana_refunded", 1, new { amount = 3 }));
        Apply(_source.Say(account, "mana_regenerated", 1, new { amount = 2 }));
        await ExpectAsync(
            "meshledger_accounts 1", "meshledger_mana_operations_total{kind=\"held\"} 1",
            "meshledger_mana_moved_total{kind=\"granted\"} 100", "meshledger_mana_moved_total{kind=\"paid\"} 7",
            "meshledger_mana_moved_total{kind=\"received\"} 7", "meshledger_mana_moved_total{kind=\"refunded\"} 3",
            "meshledger_mana_moved_total{kind=\"regenerated\"} 2", "meshledger_workers_registered 1");
        Apply(_source.Say(StreamId.OfWorker(_source.Worker), "worker_retired", 2, new { reason = "old" }, _source.Worker));
        await ExpectAsync("meshledger_workers_registered 0");
    }

    [Fact]
    public async Task Unknown_events_and_members_of_another_shape_are_counted_and_do_no_harm()
    {
        Apply(_source.Job("something_new", 1, new { attempt = "one" }));
        foreach (var type in _metrics.Types)
        {
            Apply(_source.Job(
                type, 2, new { attempt = "x", receipt = 1, operation = 2, error = "e", size = "s", assignees = 3 }));
            Apply(_source.Job(type, 2, new { }, job: "other-job-0001"));
        }

        await ExpectAsync(
            "meshledger_ledger_events_total{type=\"something_new\"} 1", "meshledger_bids_received_total 2");
    }

    [Fact]
    public async Task An_operation_has_a_label_of_its_own_once_a_worker_offers_it()
    {
        for (var i = 0; i < 100; i++)
        {
            Apply(_source.Job(
                "job_submitted", i, new { operation = $"hostile.number{i}", transport = "folder" },
                job: $"hostile-{i:D4}"));
        }

        await ExpectAsync("meshledger_jobs_submitted_total{operation=\"other\",transport=\"folder\"} 100");
        Assert.DoesNotContain("hostile", await _registry.WriteAsync(CancellationToken.None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_was_not_known_is_recalled_from_its_stream()
    {
        RecordedEvent[] past =
        [
            _source.Job("job_submitted", 1, new { operation = "system.echo" }),
            _source.Job("bidding_opened", 2, new { attempt = 1 }),
        ];
        var end = _source.Job("job_failed", 9, new { attempt = 1, error = new { code = "TIMEOUT" } });
        Assert.False(_metrics.IsMissing(past[0]));
        Assert.True(_metrics.IsMissing(end));
        _metrics.Recall(past);
        Assert.False(_metrics.IsMissing(end));
        Apply(end);
        await ExpectAsync("meshledger_job_duration_seconds_sum{operation=\"system.echo\",status=\"failed\"} 8");
        Assert.DoesNotContain(
            "meshledger_jobs_submitted_total{", await _registry.WriteAsync(
                CancellationToken.None), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_time_before_its_beginning_counts_as_none()
    {
        Apply(_source.Job("job_submitted", 100, new { operation = "system.echo" }));
        Apply(_source.Job("job_failed", 1, new { attempt = 0, error = new { code = "DEADLINE_EXCEEDED" } }));
        await ExpectAsync(
            "meshledger_job_duration_seconds_sum{operation=\"system.echo\",status=\"failed\"} 0",
            "meshledger_job_failures_total{code=\"DEADLINE_EXCEEDED\"} 1");
    }

    private void Apply(RecordedEvent recorded) => _metrics.Apply(recorded);

    private async Task ExpectAsync(params string[] lines)
    {
        var text = await _registry.WriteAsync(CancellationToken.None);
        Assert.Empty(lines.Except(text.Split('\n')));
    }
}
