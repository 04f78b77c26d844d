using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Observability.Metrics;

/// <summary>
/// The metrics of jobs, market and mana, derived from the ledger's events, whichever node wrote them: counters count
/// events since the process started, durations are differences of event times, gauges are read from the jobs that have
/// not ended. <see cref="LedgerFollower"/> alone feeds it.
/// </summary>
internal sealed class LedgerMetrics
{
    /// <summary>1, 2, 4 ... 16384 s, and below a second as fine as jobs are fast.</summary>
    private static readonly double[] Seconds =
    [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, .. Enumerable.Range(0, 15).Select(i => Math.Pow(2, i)),
    ];

    private static readonly double[] Bytes = [.. Enumerable.Range(0, 9).Select(i => Math.Pow(4, i + 8))];

    private readonly Dictionary<string, Action<EventView, OpenJob?>> _table;
    private readonly JobBook _jobs = new();
    private readonly LabelValues _types = new(128);
    private readonly LabelValues _operations = new(64);
    private readonly LabelValues _transports = new(16);
    private readonly LabelValues _codes = new(64);
    private readonly LabelValues _reasons = new(16);
    private readonly HashSet<StreamId> _accounts = [];
    private readonly HashSet<StreamId> _workers = [];
    private readonly Counter _events;
    private readonly Counter _bytes;

    /// <param name="metrics">Where they are registered.</param>
    /// <param name="clock">Tells which jobs run long.</param>
    /// <param name="ownWorkers">Whose queues are measured.</param>
    /// <param name="longRunning">How long an attempt must have run to be called long.</param>
    public LedgerMetrics(
        MetricRegistry metrics, TimeProvider clock, IReadOnlyCollection<Did> ownWorkers, TimeSpan longRunning)
    {
        _events = metrics.Counter(
            "meshledger_ledger_events_total",
            "Events appended to the ledger, by any node, while this process ran.", "type");
        _bytes = metrics.Counter(
            "meshledger_ledger_statement_bytes_total", "Bytes of the signed statements of those events.");
        _table = [];
        AddJobs(metrics);
        AddExecutions(metrics);
        AddMana(metrics);
        AddGauges(metrics, clock, ownWorkers.Select(worker => worker.ToString()).ToHashSet(), longRunning);
    }

    /// <summary>The names of events that change more than the count of events.</summary>
    public IReadOnlyCollection<string> Types => _table.Keys;

    /// <summary>Starts over from what there was at a position: no counter rises by it.</summary>
    public void Reset(IEnumerable<StreamId> accounts, IEnumerable<RecordedEvent> workers)
    {
        _jobs.Clear();
        lock (_accounts)
        {
            _accounts.Clear();
            _accounts.UnionWith(accounts);
        }

        foreach (var recorded in workers)
        {
            using var view = new EventView(recorded);
            TakeWorker(recorded.Statement.Stream, view);
        }
    }

    /// <summary>Takes in a job's past, which no counter counts.</summary>
    public void Recall(IEnumerable<RecordedEvent> past)
    {
        foreach (var recorded in past)
        {
            using var view = new EventView(recorded);
            _jobs.Apply(recorded.Statement.Stream, view);
        }
    }

    /// <summary>True if the event's job must be recalled before the event is applied.</summary>
    public bool IsMissing(RecordedEvent recorded) =>
        recorded.Statement.Stream.IsJob(out _) && recorded.Version > 1 && _jobs.Find(recorded.Statement.Stream) is null;

    /// <summary>Counts an event. In log order, each once.</summary>
    public void Apply(RecordedEvent recorded)
    {
        var statement = recorded.Statement;
        _events.Add(1, _types.OfFirst(statement.Type));
        _bytes.Add(statement.Canonical.Length);
        using var view = new EventView(recorded);
        TakeWorker(statement.Stream, view);
        if (view.Type == "account_opened")
        {
            lock (_accounts)
            {
                _accounts.Add(statement.Stream);
            }
        }

        if (_table.TryGetValue(view.Type, out var update))
        {
            update(view, _jobs.Find(statement.Stream));
        }

        _jobs.Apply(statement.Stream, view);
    }

    private void AddJobs(MetricRegistry metrics)
    {
        var submitted = metrics.Counter("meshledger_jobs_submitted_total", "Jobs submitted.", "operation", "transport");
        var assigned = metrics.Counter("meshledger_jobs_assigned_total", "Choices of executors: attempts assigned.");
        var ended = metrics.Counter("meshledger_jobs_ended_total", "Jobs that ended.", "operation", "status");
        var failed = metrics.Counter(
            "meshledger_job_failures_total", "Jobs that failed, by their error's code.", "code");
        var retried = metrics.Counter(
            "meshledger_attempts_retried_total", "Attempts that came to nothing and are followed by another.");
        var cancels = metrics.Counter("meshledger_cancel_requests_total", "Requests to cancel a job.");
        var bids = metrics.Counter("meshledger_bids_received_total", "Bids recorded.");
        var closings = metrics.Counter(
            "meshledger_biddings_closed_total", "Biddings that closed, by the reason.", "reason");
        var bidding = metrics.Histogram(
            "meshledger_job_bidding_duration_seconds", "From the opening of bidding to its closing.", Seconds);
        var assignment = metrics.Histogram(
            "meshledger_job_assignment_duration_seconds",
            "From a job's submission, or the opening of bidding on a later attempt, to the assignment.", Seconds);
        var whole = metrics.Histogram(
            "meshledger_job_duration_seconds", "From a job's submission to its end.", Seconds, "operation", "status");
        var settlement = metrics.Histogram(
            "meshledger_job_settlement_duration_seconds", "From a job's last receipt to its end.", Seconds);

        _table[EventNames.Submitted] = (view, _) =>
            submitted.Add(1, _operations.Of(view.Text("operation")), _transports.OfFirst(view.Text("transport")));
        _table["bid_placed"] = (_, _) => bids.Add(1);
        _table["bidding_closed"] = (view, job) =>
        {
            closings.Add(1, _reasons.OfFirst(view.Text("reason")));
            Observe(bidding, job?.BiddingOpenedAt, view.Time);
        };
        _table["job_assigned"] = (view, job) =>
        {
            assigned.Add(1);
            Observe(assignment, view.Attempt > 1 ? job?.BiddingOpenedAt : job?.SubmittedAt, view.Time);
        };
        _table["attempt_ended"] = (_, _) => retried.Add(1);
        _table["cancel_requested"] = (_, _) => cancels.Add(1);
        foreach (var (type, status) in EventNames.Ends)
        {
            _table[type] = (view, job) =>
            {
                var operation = _operations.Of(job?.Operation);
                ended.Add(1, operation, status);
                if (status == "failed")
                {
                    failed.Add(1, _codes.OfFirst(view.Text("error", "code")));
                }

                Observe(whole, job?.SubmittedAt, view.Time, operation, status);
                Observe(settlement, job?.LastReceiptAt, view.Time);
            };
        }
    }

    private void AddExecutions(MetricRegistry metrics)
    {
        var started = metrics.Counter(
            "meshledger_executions_started_total", "Runs of attempts that workers started.", "operation");
        var executions = metrics.Counter(
            "meshledger_executions_total", "Runs of attempts that ended with a receipt.", "operation", "status");
        var queue = metrics.Histogram(
            "meshledger_job_queue_duration_seconds", "From the assignment to the worker's start.", Seconds);
        var duration = metrics.Histogram(
            "meshledger_execution_duration_seconds",
            "From the worker's start to its receipt.", Seconds, "operation", "status");
        var memory = metrics.Histogram(
            "meshledger_execution_peak_memory_bytes", "The most memory of a run, where its engine measures it.", Bytes);
        var output = metrics.Counter("meshledger_output_bytes_total", "Bytes of the outputs that receipts name.");
        var progress = metrics.Counter("meshledger_progress_reports_total", "Reports of progress.");
        var leases = metrics.Counter("meshledger_leases_renewed_total", "Renewals of a worker's lease on an attempt.");
        var checkpoints = metrics.Counter("meshledger_checkpoints_recorded_total", "Saved states of engines.");
        var checkpointBytes = metrics.Counter("meshledger_checkpoint_bytes_total", "Bytes of those saved states.");
        var partial = metrics.Counter(
            "meshledger_partial_outputs_recorded_total", "Pieces of outputs that came before the end.");
        var partialBytes = metrics.Counter("meshledger_partial_output_bytes_total", "Bytes of those pieces.");

        _table["execution_started"] = (view, job) =>
        {
            started.Add(1, _operations.Of(job?.Operation));
            Observe(queue, job?.AssignedAt, view.Time);
        };
        _table["progress_reported"] = (_, _) => progress.Add(1);
        _table["lease_renewed"] = (_, _) => leases.Add(1);
        _table["checkpoint_recorded"] = (view, _) =>
        {
            checkpoints.Add(1);
            checkpointBytes.Add(view.Number("size") ?? 0);
        };
        _table["partial_output_produced"] = (view, _) =>
        {
            partial.Add(1);
            partialBytes.Add(view.Number("size") ?? 0);
        };
        _table["receipt_issued"] = (view, job) =>
        {
            var (operation, status) = (
                _operations.Of(job?.Operation), view.Has("receipt", "error") ? "error" : "success");
            executions.Add(1, operation, status);
            Observe(duration, job?.Runs.GetValueOrDefault(view.By.ToString()), view.Time, operation, status);
            output.Add(view.List("receipt", "outputs").Sum(item => EventView.NumberOf(item, "size") ?? 0));
            if (view.Number("receipt", "peak_memory_bytes") is { } peak)
            {
                memory.Observe(peak);
            }
        };
    }

    private void AddMana(MetricRegistry metrics)
    {
        var operations = metrics.Counter("meshledger_mana_operations_total", "Movements of mana.", "kind");
        var amount = metrics.Counter("meshledger_mana_moved_total", "Mana moved, by the kind of movement.", "kind");
        foreach (var (type, kind, member) in (ReadOnlySpan<(string, string, string)>)
        [
            ("account_opened", "granted", "grant"), ("mana_held", "held", "amount"), ("mana_paid", "paid", "amount"),
            ("mana_received", "received", "amount"), ("mana_refunded", "refunded", "amount"),
            ("mana_regenerated", "regenerated", "amount"),
        ])
        {
            _table[type] = (view, _) =>
            {
                operations.Add(1, kind);
                amount.Add(view.Number(member) ?? 0, kind);
            };
        }
    }

    private void AddGauges(MetricRegistry metrics, TimeProvider clock, HashSet<string> own, TimeSpan longRunning)
    {
        metrics.Gauge("meshledger_jobs", "Jobs that have not ended, by where they are.", ["status"], () =>
        {
            var counts = _jobs.CountByStatus();
            return [.. JobBook.Statuses.Select(status => new Sample(counts.GetValueOrDefault(status), status))];
        });
        metrics.Gauge(
            "meshledger_jobs_long_running",
            $"Runs of attempts that have lasted for more than {longRunning.TotalSeconds} s.",
            () => _jobs.CountRuns((_, start) => start < clock.GetUtcNow() - longRunning));
        metrics.Gauge(
            "meshledger_worker_active_jobs", "Jobs that this process's workers run.",
            () => _jobs.CountRuns((worker, start) => own.Contains(worker) && start is not null));
        metrics.Gauge(
            "meshledger_worker_queue_depth",
            "Jobs that are assigned to this process's workers and that they have not started.",
            () => _jobs.CountRuns((worker, start) => own.Contains(worker) && start is null));
        metrics.Gauge("meshledger_accounts", "Accounts in the ledger.", () =>
        {
            lock (_accounts)
            {
                return _accounts.Count;
            }
        });
        metrics.Gauge("meshledger_workers_registered", "Workers that registered and did not retire.", () =>
        {
            lock (_workers)
            {
                return _workers.Count;
            }
        });
    }

    /// <summary>An operation has a name among the labels once a worker offers it; others are never run.</summary>
    private void TakeWorker(StreamId stream, EventView view)
    {
        if (view.Type is not ("worker_registered" or "worker_retired"))
        {
            return;
        }

        foreach (var operation in view.List("operations"))
        {
            _operations.Learn(EventView.TextOf(operation) ?? "");
        }

        lock (_workers)
        {
            _ = view.Type == "worker_retired" ? _workers.Remove(stream) : _workers.Add(stream);
        }
    }

    /// <summary>Two clocks may differ, so a time before its beginning counts as none.</summary>
    private static void Observe(
        Histogram histogram, DateTimeOffset? from, DateTimeOffset to, params ReadOnlySpan<string> labels)
    {
        if (from is { } start)
        {
            histogram.Observe(Math.Max(0, (to - start).TotalSeconds), labels);
        }
    }
}
