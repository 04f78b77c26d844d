using System.Collections.Concurrent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>
/// The jobs that have not ended, kept up with the log: their states, who waits for their ends, when each is to be looked
/// at again, and what workers are told of them.
/// </summary>
internal sealed class OpenJobs(
    IEventStore store, Registry registry, WorkerLinks workers, NodeOptions options, Did node, TimeProvider clock, ILogger log)
{
    private readonly ConcurrentDictionary<JobId, JobEntry> _open = new();
    private readonly ConcurrentDictionary<JobId, TaskCompletionSource<JobState>> _waiters = new();
    private readonly ConcurrentDictionary<JobId, byte> _ended = new();

    /// <summary>When which job is to be looked at again.</summary>
    public DueTimes Due { get; } = new(clock);

    public ICollection<JobEntry> All => _open.Values;

    public JobEntry? Find(JobId job) => _open.GetValueOrDefault(job);

    /// <summary>Loads the jobs that have not ended.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var streams = await store.OpenStreamsAsync("job", ["job_completed", "job_failed"], cancellationToken);
        foreach (var stream in streams)
        {
            if (stream.IsJob(out var job))
            {
                var entry = _open.GetOrAdd(job, id => new JobEntry(id));
                entry.Reset(await LoadStateAsync(job, cancellationToken));
                Schedule(entry);
            }
        }

        Log.Resumed(log, streams.Count);
    }

    /// <summary>The state of a job that has ended, once it has.</summary>
    public async Task<JobState> EndOfAsync(JobId job, CancellationToken cancellationToken)
    {
        while (true)
        {
            var waiter = _waiters.GetOrAdd(
                job, _ => new TaskCompletionSource<JobState>(TaskCreationOptions.RunContinuationsAsynchronously));
            if (!_open.ContainsKey(job))
            {
                var state = await LoadStateAsync(job, cancellationToken)
                    ?? throw new KeyNotFoundException($"There is no job {job} in this ledger.");
                if (state.Status.IsTerminal())
                {
                    _waiters.TryRemove(new KeyValuePair<JobId, TaskCompletionSource<JobState>>(job, waiter));
                    waiter.TrySetResult(state);
                    return state;
                }

                var entry = _open.GetOrAdd(job, id => new JobEntry(id));
                entry.Reset(state);
                Schedule(entry);
                continue;
            }

            return await waiter.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Takes in events that the log holds now, each as often as it comes.</summary>
    /// <param name="events">In log order.</param>
    /// <param name="fromLog">They come by following the log, each once; otherwise they were just appended here.</param>
    public void Observe(IReadOnlyList<RecordedEvent> events, bool fromLog = false)
    {
        foreach (var recorded in events)
        {
            if (recorded.Statement.Stream.IsJob(out var job))
            {
                Observe(job, recorded, fromLog);
            }
        }
    }

    /// <summary>What a worker is told first: its unfinished assignments, then the jobs that wait for bids.</summary>
    public void Welcome(WorkerLink link)
    {
        foreach (var entry in _open.Values.OrderBy(entry => entry.State?.SubmittedAt))
        {
            if (entry.State is { } state)
            {
                Tell(link, entry, state);
            }
        }
    }

    public void Finish(JobEntry entry, JobState state)
    {
        _open.TryRemove(new KeyValuePair<JobId, JobEntry>(entry.Id, entry));
        if (_waiters.TryRemove(entry.Id, out var waiter))
        {
            waiter.TrySetResult(state);
        }
    }

    /// <summary>Tells every worker that listens here what concerns it.</summary>
    public void TellAll(JobEntry entry, JobState state)
    {
        foreach (var link in workers.Local)
        {
            Tell(link, entry, state);
        }
    }

    private static void Tell(WorkerLink link, JobEntry entry, JobState state)
    {
        var worker = link.Registration.Worker;
        if (state.Status is JobStatus.Assigned or JobStatus.Executing)
        {
            if (state.Assignment!.Worker == worker && state.Receipt is null)
            {
                link.Notices.Writer.TryWrite(new WorkerNotice.Assigned(
                    entry.Id,
                    state.Attempt,
                    state.AssignmentDigest!.Value,
                    state.Submission,
                    state.StartDigest,
                    (state.Progress?.Sequence ?? 0, state.Progress?.BasisPoints ?? 0)));
            }
        }
        else if (state.Status == JobStatus.BiddingOpen
            && !state.Bids.Exists(bid => bid.Worker == worker && bid.Body.Attempt == state.Attempt)
            && WorkerLinks.Unmet(state.Submission, link.Registration.Facts).Count == 0)
        {
            link.Notices.Writer.TryWrite(new WorkerNotice.Offered(
                entry.Id, state.Attempt, state.SubmissionDigest, state.Submission));
        }
    }

    public void Schedule(JobEntry entry)
    {
        if (entry.State is not { } state || state.Status.IsTerminal())
        {
            return;
        }

        if (state.Status is JobStatus.Submitted or JobStatus.BiddingClosed || state.Receipt is not null)
        {
            Due.Add(entry.Id, clock.GetUtcNow());
        }

        if (state.Status == JobStatus.BiddingOpen)
        {
            Due.Add(entry.Id, state.BiddingClosesAt!.Value);
        }

        if (state.Submission.Terms.Deadline is { } deadline)
        {
            Due.Add(entry.Id, deadline);
        }

        if (state.Status == JobStatus.Executing)
        {
            Due.Add(entry.Id, AttemptLimit(state));
        }
    }

    public DateTimeOffset AttemptLimit(JobState state) =>
        state.StartedAt!.Value.AddMilliseconds(state.Submission.Terms.TimeoutMs) + options.AttemptGrace;

    public async Task<JobState?> LoadStateAsync(JobId job, CancellationToken cancellationToken)
    {
        JobState? state = null;
        foreach (var recorded in await store.LoadAsync(StreamId.OfJob(job), cancellationToken))
        {
            var statement = recorded.Statement;
            if (statement.Body is JobEvent.BidPlaced bid && registry.Registration(bid.Registration) is null)
            {
                await LearnWorkerAsync(statement.By, cancellationToken);
            }

            // A signature says who wrote an event, not that it may stand here: who can write the database could have
            // put it there.
            var fact = EventFact.Of(statement);
            var refusal = JobRules.Check(state, fact, registry)
                ?? (statement.Body is JobEvent.Submitted submitted
                    ? JobSubmission.Check(submitted, statement.By, statement.Stream)
                    : null);
            if (refusal is not null)
            {
                throw JobEntry.NeverWritten(recorded, refusal);
            }

            state = Job.Evolve(state, fact);
        }

        return state;
    }

    private void Observe(JobId job, RecordedEvent recorded, bool fromLog)
    {
        var body = recorded.Statement.Body;
        if (_ended.ContainsKey(job))
        {
            // This process ended the job and knew so at once; the log tells it the whole story only now.
            if (fromLog && body is JobEvent.Completed or JobEvent.Failed)
            {
                _ended.TryRemove(job, out _);
            }

            return;
        }

        if (!_open.TryGetValue(job, out var entry))
        {
            if (body is not JobEvent.Submitted)
            {
                return;
            }

            entry = _open.GetOrAdd(job, id => new JobEntry(id));
        }

        switch (entry.Advance(recorded, registry, out var state))
        {
            case AdvanceResult.Gap:
                Due.Add(job, clock.GetUtcNow());
                break;
            case AdvanceResult.Applied when state!.Status.IsTerminal():
                if (!fromLog)
                {
                    _ended[job] = 0;
                }

                Finish(entry, state);
                break;
            case AdvanceResult.Applied:
                Follow(entry, state, body);
                break;
        }
    }

    /// <summary>What is to be done after an event.</summary>
    private void Follow(JobEntry entry, JobState state, LedgerEvent body)
    {
        if (body is JobEvent.BiddingOpened or JobEvent.Assigned)
        {
            TellAll(entry, state);
        }

        if (body is JobEvent.BiddingOpened or JobEvent.ExecutionStarted)
        {
            Schedule(entry);
        }

        // A bid that another node recorded may be the last one that bidding waited for.
        if (body is JobEvent.BidPlaced && state.Coordinator == node && state.Status == JobStatus.BiddingOpen)
        {
            Due.Add(entry.Id, clock.GetUtcNow());
        }
    }

    /// <summary>A worker that registered with another node may bid before its registration was followed here.</summary>
    private async Task LearnWorkerAsync(Did worker, CancellationToken cancellationToken)
    {
        foreach (var recorded in await store.LoadAsync(StreamId.OfWorker(worker), cancellationToken))
        {
            if (registry.Check(recorded.Statement, recorded.Statement.Body, recorded.Version) is null)
            {
                registry.Apply(recorded.Statement, recorded.Statement.Body);
            }
        }
    }
}
