using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary>Reads jobs' events, first what there is, then live, until all of the jobs have ended, or nothing can come any
/// more: no node runs, or a job stays unknown.</summary>
internal sealed class JobFollower(Call call, LedgerSession ledger, IReadOnlyList<JobId> jobs)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a job may be unknown: it may lie in the inbox.</summary>
    private static readonly TimeSpan UnknownLimit = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _clock = TimeProvider.System;
    private readonly ConcurrentDictionary<JobId, JobState> _states = [];
    private volatile bool _isLive;
    private volatile bool _isTimedOut;

    /// <summary>Why it ended before all of the jobs had; null if they had.</summary>
    public string? Reason { get; private set; }

    /// <summary>As <c>job wait</c> has it: 0 if all jobs succeeded, 3 if one stayed unknown, otherwise 1, also when time was
    /// up.</summary>
    public int ExitCode =>
        _isTimedOut && !IsOver ? ExitCodes.Failed
        : jobs.Any(job => !_states.ContainsKey(job)) ? ExitCodes.NotFound
        : jobs.All(job => _states[job].Status == JobStatus.Completed) ? ExitCodes.Ok
        : ExitCodes.Failed;

    private bool IsOver => jobs.All(job => _states.TryGetValue(job, out var state) && state.Status.IsTerminal());

    /// <summary>The state of a job after the last event; null before the first.</summary>
    public JobState? StateOf(JobId job) => _states.GetValueOrDefault(job);

    /// <summary>Reads until the end, or for as long as <paramref name="limit"/>.</summary>
    /// <param name="take">Called for each event, in log order, with the state after it.</param>
    public async Task RunAsync(Func<JobId, RecordedEvent, JobState, Task> take, TimeSpan? limit = null)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(call.Stop);
        var watching = WatchAsync(stopping, limit);
        try
        {
            await foreach (var (job, recorded) in EventsAsync(stopping.Token))
            {
                var state = Job.Evolve(_states.GetValueOrDefault(job), EventFact.Of(recorded.Statement));
                _states[job] = state;
                await take(job, recorded, state);
                if (IsOver)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException) when (Reason is not null)
        {
            // The watch below said so.
        }

        await stopping.CancelAsync();
        await watching;
        call.Stop.ThrowIfCancellationRequested();
        if (IsOver)
        {
            Reason = null;
        }
    }

    private async IAsyncEnumerable<(JobId Job, RecordedEvent Event)> EventsAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // What is written between these two comes twice; versions tell.
        var head = await ledger.Store.HeadAsync(cancellationToken);
        var versions = new Dictionary<JobId, long>();
        var known = new List<(JobId Job, RecordedEvent Event)>();
        foreach (var job in jobs)
        {
            var events = await ledger.Store.LoadAsync(StreamId.OfJob(job), cancellationToken);
            versions[job] = events.Count;
            known.AddRange(events.Select(recorded => (job, recorded)));
        }

        foreach (var one in known.OrderBy(one => one.Event.Position))
        {
            yield return one;
        }

        _isLive = true;
        await foreach (var batch in ledger.Store.FollowAsync(head, cancellationToken))
        {
            foreach (var recorded in batch)
            {
                if (recorded.Statement.Stream.IsJob(out var job) && versions.TryGetValue(job, out var version)
                    && recorded.Version > version)
                {
                    versions[job] = recorded.Version;
                    yield return (job, recorded);
                }
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>The jobs that have not ended, as the subject of a sentence.</summary>
    private string Open()
    {
        var open = jobs.Where(job => StateOf(job)?.Status.IsTerminal() is not true).ToList();
        return $"{(open.Count == 1 ? "job" : "jobs")} {string.Join(", ", open)}";
    }

    private async Task WatchAsync(CancellationTokenSource stopping, TimeSpan? limit)
    {
        var began = _clock.GetTimestamp();
        try
        {
            while (true)
            {
                await Task.Delay(Look, stopping.Token);
                var waited = _clock.GetElapsedTime(began);
                var unknown = jobs.FirstOrDefault(job => !_states.ContainsKey(job));
                _isTimedOut = waited >= limit;
                var isDown = call.Postgres is null && !call.Data.IsHeld();
                Reason = _isTimedOut ? $"{Open()} had not ended after {limit!.Value.TotalSeconds} s"
                    : !_isLive ? null
                    : !unknown.IsDefault && (isDown || waited >= UnknownLimit) ? $"there is no job {unknown} in this ledger."
                    : isDown ? $"no node runs on {call.Data.Root}; start one: meshledger up"
                    : null;
                if (Reason is not null)
                {
                    await stopping.CancelAsync();
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // All jobs have ended, or this command is to stop.
        }
    }
}
