using MeshLedger.Domain.Events;

namespace MeshLedger.Observability.Metrics;

/// <summary>What the metrics need of a job that has not ended.</summary>
internal sealed class OpenJob
{
    public required string Operation { get; init; }
    public required DateTimeOffset SubmittedAt { get; init; }
    public string Status { get; set; } = "submitted";
    public DateTimeOffset? BiddingOpenedAt { get; set; }
    public DateTimeOffset? AssignedAt { get; set; }
    public DateTimeOffset? LastReceiptAt { get; set; }

    /// <summary>Who runs the attempt that is under way; when each started, and null before.</summary>
    public Dictionary<string, DateTimeOffset?> Runs { get; } = new(StringComparer.Ordinal);
}

/// <summary>The jobs that have not ended, folded from their events. Safe for concurrent use.</summary>
internal sealed class JobBook
{
    /// <summary>The statuses of jobs that have not ended.</summary>
    public static readonly string[] Statuses =
        ["submitted", "bidding_open", "bidding_closed", "assigned", "executing", "retrying"];

    private readonly Lock _lock = new();
    private readonly Dictionary<StreamId, OpenJob> _jobs = [];

    /// <summary>How each event changes a job. What is not here changes nothing that is measured.</summary>
    private static readonly Dictionary<string, Action<OpenJob, EventView>> Changes = new()
    {
        ["bidding_opened"] = (job, view) =>
        {
            job.Status = "bidding_open";
            job.BiddingOpenedAt = view.Time;
            job.AssignedAt = null;
            job.Runs.Clear();
        },
        ["bidding_closed"] = (job, _) => job.Status = "bidding_closed",
        ["job_assigned"] = (job, view) =>
        {
            job.Status = "assigned";
            job.AssignedAt = view.Time;
            job.Runs.Clear();
            foreach (var worker in Workers(view))
            {
                job.Runs[worker] = null;
            }
        },
        ["execution_started"] = (job, view) =>
        {
            job.Status = "executing";
            job.Runs[view.By.ToString()] = view.Time;
        },
        ["receipt_issued"] = (job, view) =>
        {
            job.Runs.Remove(view.By.ToString());
            job.LastReceiptAt = view.Time;
        },
        ["attempt_ended"] = (job, _) =>
        {
            job.Status = "retrying";
            job.Runs.Clear();
        },
    };

    public OpenJob? Find(StreamId stream)
    {
        lock (_lock)
        {
            return _jobs.GetValueOrDefault(stream);
        }
    }

    public void Apply(StreamId stream, EventView view)
    {
        lock (_lock)
        {
            if (view.Type == EventNames.Submitted)
            {
                _jobs[stream] = new OpenJob { Operation = view.Text("operation") ?? "", SubmittedAt = view.Time };
            }
            else if (EventNames.Ends.ContainsKey(view.Type))
            {
                _jobs.Remove(stream);
            }
            else if (_jobs.TryGetValue(stream, out var job) && Changes.TryGetValue(view.Type, out var change))
            {
                change(job, view);
            }
        }
    }

    /// <summary>How many jobs are where.</summary>
    public IReadOnlyDictionary<string, int> CountByStatus()
    {
        lock (_lock)
        {
            return _jobs.Values.GroupBy(job => job.Status).ToDictionary(group => group.Key, group => group.Count());
        }
    }

    /// <summary>How many runs of attempts satisfy a condition on their worker and their start.</summary>
    public int CountRuns(Func<string, DateTimeOffset?, bool> condition)
    {
        lock (_lock)
        {
            return _jobs.Values.Sum(job => job.Runs.Count(run => condition(run.Key, run.Value)));
        }
    }

    /// <summary>Forgets all jobs.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _jobs.Clear();
        }
    }

    /// <summary>One worker, or a list of assignees.</summary>
    private static IEnumerable<string> Workers(EventView view) => view.Text("worker") is { } one
        ? [one]
        : view.List("assignees").Select(assignee => EventView.TextOf(assignee, "worker")).OfType<string>();
}
