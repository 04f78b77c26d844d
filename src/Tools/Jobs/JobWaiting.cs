using System.Text.Json.Nodes;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Spectre.Console;

namespace MeshLedger.Tools.Jobs;

/// <summary>A job that is waited for; <paramref name="File"/> if this command dropped it.</summary>
internal sealed record WaitedJob(JobId JobId, DroppedFile? File = null)
{
    public JobState? State { get; set; }

    /// <summary>How it ended: null while it has not.</summary>
    public string? Outcome { get; set; }

    public string? Reason { get; set; }

    /// <summary>Of the run that is furthest.</summary>
    public JobEvent.ProgressReported? Progress => Outcome is null ? State?.Furthest : null;

    public string Status => Outcome ?? State?.Status.Name() ?? "not taken yet";

    public double Percent => Outcome is not null ? 100 : (Progress?.BasisPoints ?? 0) / 100.0;
}

/// <summary>Waits for jobs: bars on a terminal, otherwise a line for each change, both on standard error; then the
/// outcome of each on standard output.</summary>
internal static class JobWaiting
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a job may be unknown that others, not this command, dropped.</summary>
    private static readonly TimeSpan UnknownLimit = TimeSpan.FromSeconds(5);

    /// <summary>How long the transport may take to move a file after its job has ended.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(Call call, IReadOnlyList<WaitedJob> jobs, TimeSpan? limit)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var watch = new Watch(call, ledger, jobs, limit);
        if (Console.IsErrorRedirected || !call.Output.IsText)
        {
            await watch.RunAsync(Plain());
        }
        else
        {
            await TerminalTables.Console(Console.Error).Progress()
                .Columns(
                    new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(),
                    new ElapsedTimeColumn())
                .StartAsync(context => watch.RunAsync(Bars(context, jobs)));
        }

        var rows = jobs.Select(job => new JsonObject
        {
            ["job_id"] = job.JobId.ToString(),
            ["status"] = job.Status,
            ["reason"] = job.Reason,
        }).ToList();
        call.Output.Rows(rows, [Column.Of("job_id", heading: "JOB"), Column.Of("status"), Column.Of("reason", free: true)], "");
        return watch.ExitCode;
    }

    private static Action<WaitedJob> Plain()
    {
        var said = new Dictionary<WaitedJob, string>(ReferenceEqualityComparer.Instance);
        return job =>
        {
            var progress = job.Progress is { } report
                ? $" {report.BasisPoints / 100} % {report.Phase}: {report.Message}"
                : "";
            var line = $"{job.JobId}: {job.Status}{progress}";
            if (said.GetValueOrDefault(job) != line)
            {
                said[job] = line;
                Messages.Say(line);
            }
        };
    }

    private static Action<WaitedJob> Bars(ProgressContext context, IReadOnlyList<WaitedJob> jobs)
    {
        var bars = jobs.ToDictionary(
            job => job, job => context.AddTask(Markup.Escape(job.JobId.ToString())),
            (IEqualityComparer<WaitedJob>)ReferenceEqualityComparer.Instance);
        return job =>
        {
            var phase = job.Progress is { } report ? $" {report.Phase}" : "";
            var bar = bars[job];
            bar.Description = Markup.Escape(SafeText.Line($"{job.JobId} {job.Status}{phase}"));
            bar.Value = job.Percent;
        };
    }

    /// <summary>Why a job ended as it did; null for one that succeeded.</summary>
    public static string? ReasonOf(JobState state) => state.End switch
    {
        JobEvent.Failed failed => $"{failed.Error.Code}: {failed.Error.Message}",
        JobEvent.Cancelled => state.CancelReason,
        _ => null,
    };

    /// <summary>One wait; the jobs' states are written by it alone.</summary>
    private sealed class Watch(Call call, LedgerSession ledger, IReadOnlyList<WaitedJob> jobs, TimeSpan? limit)
    {
        private readonly TimeProvider _clock = TimeProvider.System;
        private bool _unknown;

        public int ExitCode =>
            _unknown ? ExitCodes.NotFound
            : jobs.All(job => job.Outcome == JobStatus.Completed.Name()) ? ExitCodes.Ok
            : ExitCodes.Failed;

        public async Task RunAsync(Action<WaitedJob> show)
        {
            var began = _clock.GetTimestamp();
            while (true)
            {
                await LookAsync(began);
                foreach (var job in jobs)
                {
                    show(job);
                }

                if (jobs.All(job => job.Outcome is not null))
                {
                    return;
                }

                if (limit is { } most && _clock.GetElapsedTime(began) >= most)
                {
                    End("timeout", $"had not ended after {most.TotalSeconds} s");
                }
                else if (call.Postgres is null && !call.Data.IsHeld())
                {
                    MarkUnknown(job => job is { State: null, File: null });
                    End("waiting", $"no node runs on {call.Data.Root}; start one: meshledger up");
                }
                else
                {
                    await Task.Delay(Interval, call.Stop);
                }
            }
        }

        private void End(string outcome, string reason)
        {
            foreach (var job in jobs.Where(job => job.Outcome is null))
            {
                (job.Outcome, job.Reason) = (outcome, reason);
            }
        }

        private async Task LookAsync(long began)
        {
            var open = jobs.Where(job => job.Outcome is null).ToList();
            var versions = (await Sql.RowsAsync(
                    ledger.Database, "SELECT id, version FROM mt_streams WHERE id = ANY ($1)",
                    [open.Select(job => $"job-{job.JobId}").ToArray()], call.Stop))
                .ToDictionary(row => row.Text("id"), row => row["version"]!.GetValue<long>());
            foreach (var job in open)
            {
                var known = versions.TryGetValue($"job-{job.JobId}", out var version);
                if (known && version != job.State?.Version)
                {
                    job.State = await ledger.LoadJobAsync(job.JobId, call.Stop);
                }

                Judge(job, known, _clock.GetElapsedTime(began));
            }
        }

        private void Judge(WaitedJob job, bool known, TimeSpan waited)
        {
            // The answer counts for a file that this command dropped: it may be a refusal, or another job's result.
            if (job.File is { } file && file.Answer is { } success)
            {
                var status = success ? JobStatus.Completed
                    : job.State?.Status == JobStatus.Cancelled ? JobStatus.Cancelled : JobStatus.Failed;
                job.Outcome = status.Name();
                job.Reason = success ? null : file.Reason();
            }
            else if (job.State is { } state && state.Status.IsTerminal() && (job.File is null || Overdue(state)))
            {
                job.Outcome = state.Status.Name();
                job.Reason = ReasonOf(state);
            }
            else if (!known && job.File is null && waited >= UnknownLimit)
            {
                MarkUnknown(other => ReferenceEquals(other, job));
            }
        }

        private void MarkUnknown(Func<WaitedJob, bool> isUnknown)
        {
            foreach (var job in jobs.Where(job => job.Outcome is null && isUnknown(job)))
            {
                _unknown = true;
                (job.Outcome, job.Reason) = ("not found", "no such job in this ledger");
            }
        }

        private bool Overdue(JobState state) => _clock.GetUtcNow() - state.EndedAt > AnswerLimit;
    }
}
