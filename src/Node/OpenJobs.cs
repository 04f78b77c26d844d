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
    IEventStore store, Registry registry, Standings standings, WorkerLinks workers, MarketOptions market, Did node,
    TimeProvider clock, ILogger log)
{
    /// <summary>What the stream of a job that has ended ends with.</summary>
    private static readonly string[] EndTypes =
        ["job_completed", "job_failed", "job_cancelled", "receipt_verified", "receipt_disputed"];

    private readonly ConcurrentDictionary<JobId, JobEntry> _open = new();
    private readonly ConcurrentDictionary<JobId, TaskCompletionSource<JobState>> _waiters = new();
    private readonly ConcurrentDictionary<JobId, byte> _ended = new();
    private long _learned;
    private int _count;

    /// <summary>What workers that listen here are told.</summary>
    public Notices Notices { get; } = new(workers);

    /// <summary>When which job is to be looked at again.</summary>
    public DueTimes Due { get; } = new(clock);

    public ICollection<JobEntry> All => _open.Values;

    /// <summary>Every silence of every worker begins anew.</summary>
    /// <returns>How many jobs are open.</returns>
    public int HearAll()
    {
        var count = 0;
        foreach (var entry in _open.Values)
        {
            entry.HearAll();
            count++;
        }

        return count;
    }

    public JobEntry? Find(JobId job) => _open.GetValueOrDefault(job);

    /// <summary>Loads the jobs that have not ended.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var streams = await store.OpenStreamsAsync("job", EndTypes, cancellationToken);
        foreach (var stream in streams)
        {
            if (stream.IsJob(out var job))
            {
                await RefreshAsync(EntryOf(job), cancellationToken);
            }
        }

        Log.Resumed(log, streams.Count);
    }

    /// <summary>Reads a job's state again, and does what the events that were missed would have brought about.</summary>
    /// <returns>As it was read; null if there is no such job.</returns>
    public async Task<JobState?> RefreshAsync(JobEntry entry, CancellationToken cancellationToken)
    {
        var state = await LoadStateAsync(entry.Id, cancellationToken);
        if (state is null || !entry.Reset(state))
        {
            return state;
        }

        if (state.Attempt > 1)
        {
            Notices.Close(entry, state.Attempt - 1, []);
        }

        if (state.Status.IsTerminal() || state.CancelDigest is not null || state.Status == JobStatus.Retrying)
        {
            Notices.Close(entry, state.Attempt, []);
        }
        else if (state.Status.IsUnderWay())
        {
            Notices.Close(entry, state.Attempt, state.Runs.Select(run => run.Worker));
        }

        if (state.Status.IsTerminal())
        {
            Finish(entry, state);
        }
        else
        {
            Schedule(entry);
            Notices.TellAll(entry, state);
        }

        return state;
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

                await RefreshAsync(EntryOf(job), cancellationToken);
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
                Notices.Tell(link, entry, state);
            }
        }
    }

    /// <summary>Offers what waits for bids again, since who may run it has changed. Workers that bid are not asked twice.
    /// </summary>
    public void OfferAgain()
    {
        foreach (var entry in _open.Values.Where(entry => entry.State?.Status == JobStatus.BiddingOpen)
            .OrderBy(entry => entry.State?.SubmittedAt))
        {
            if (entry.State is { } state)
            {
                Notices.TellAll(entry, state);
            }
        }
    }

    public void Finish(JobEntry entry, JobState state)
    {
        if (_open.TryRemove(new KeyValuePair<JobId, JobEntry>(entry.Id, entry)))
        {
            Interlocked.Decrement(ref _count);
        }

        if (_waiters.TryRemove(entry.Id, out var waiter))
        {
            waiter.TrySetResult(state);
        }
    }

    /// <summary>Offers a job to those whom a busy market did not ask first.</summary>
    public void OpenToAll(JobEntry entry, JobState state)
    {
        if (entry.OpenToAll())
        {
            Notices.TellAll(entry, state);
        }
    }

    private JobEntry EntryOf(JobId job)
    {
        while (true)
        {
            if (_open.TryGetValue(job, out var known))
            {
                return known;
            }

            var entry = new JobEntry(job, clock);
            if (_open.TryAdd(job, entry))
            {
                Interlocked.Increment(ref _count);
                return entry;
            }
        }
    }

    /// <summary>When the job is to be looked at next, if nothing comes before.</summary>
    public void Schedule(JobEntry entry)
    {
        if (entry.State is not { } state || state.Status.IsTerminal())
        {
            return;
        }

        if (state.Submission.Terms.Deadline is { } deadline)
        {
            Due.At(entry.Id, deadline);
        }

        if (state.CancelDigest is not null || state.Status is JobStatus.Submitted or JobStatus.BiddingClosed)
        {
            Due.Now(entry.Id);
        }
        else if (state.Status == JobStatus.BiddingOpen)
        {
            var window = TimeSpan.FromMilliseconds(state.Submission.Terms.BidWindowMs);
            if (!entry.IsForAll && window > Turns.Length)
            {
                Due.In(entry.Id, Turns.Length);
            }

            Due.In(entry.Id, window);
        }
        else if (state.Status == JobStatus.Retrying)
        {
            Due.At(entry.Id, state.RetryAt!.Value);
        }
        else
        {
            Due.In(entry.Id, TimeSpan.FromMilliseconds(state.Assignment!.Selection.LeaseMs));
        }
    }

    public async Task<JobState?> LoadStateAsync(JobId job, CancellationToken cancellationToken)
    {
        JobState? state = null;
        foreach (var recorded in await store.LoadAsync(StreamId.OfJob(job), cancellationToken))
        {
            var statement = recorded.Statement;
            await LearnAsync(statement.Body, cancellationToken);

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
            if (fromLog && body is JobEvent.Completed or JobEvent.Failed or JobEvent.Cancelled)
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

            entry = EntryOf(job);
        }

        switch (entry.Advance(recorded, registry, out var before, out var state))
        {
            case AdvanceResult.Gap:
                Due.Now(job);
                break;
            case AdvanceResult.Applied when state!.Status.IsTerminal():
                if (!fromLog)
                {
                    _ended[job] = 0;
                }

                Notices.Close(entry, before!.Attempt, []);
                Finish(entry, state);
                break;
            case AdvanceResult.Applied:
                Follow(entry, before, state!, body);
                break;
        }
    }

    /// <summary>What is to be done after an event.</summary>
    private void Follow(JobEntry entry, JobState? before, JobState state, LedgerEvent body)
    {
        switch (body)
        {
            case JobEvent.BiddingOpened:
                entry.First = Turns.Of(state, workers, Volatile.Read(ref _count), market.AskFirst);
                Notices.TellAll(entry, state);
                Schedule(entry);
                break;
            case JobEvent.Assigned assigned:
                Notices.Close(entry, state.Attempt, assigned.Assignees.Select(assignee => assignee.Worker));
                Notices.TellAll(entry, state);
                Schedule(entry);
                break;
            case JobEvent.AttemptEnded ended:
                Notices.Close(entry, ended.Attempt, []);
                Schedule(entry);
                break;
            case JobEvent.ReceiptIssued:
                if (before?.Attempt != state.Attempt)
                {
                    // Of an attempt that was lost: the bidding that followed it is over.
                    Notices.Close(entry, before!.Attempt, []);
                }

                Due.Now(entry.Id);
                break;
            case JobEvent.CancelRequested:
                Notices.Close(entry, state.Attempt, []);
                Due.Now(entry.Id);
                break;
            case JobEvent.BiddingClosed when state.Coordinator == node:
                Due.Now(entry.Id);
                break;
            case JobEvent.BidPlaced when state.Coordinator == node && state.Status == JobStatus.BiddingOpen:
                // A bid that another node recorded may be the last one that bidding waited for.
                Due.Now(entry.Id);
                break;
        }
    }

    /// <summary>An event may stand on facts that other nodes recorded and that were not followed here yet: a bidder's
    /// registration, or whatever a choice was made by.</summary>
    private async Task LearnAsync(LedgerEvent body, CancellationToken cancellationToken)
    {
        var isAhead = body switch
        {
            JobEvent.BidPlaced bid => registry.Registration(bid.Registration) is null,
            IReceiptFinding { Registration: { } own } => registry.Registration(own) is null,
            IReceiptFinding => true,
            JobEvent.Assigned assigned => assigned.Selection.AsOf > Math.Max(standings.Position, _learned),
            _ => false,
        };
        if (isAhead)
        {
            _learned = await RegistryReader.ReadAsync(store, registry, cancellationToken);
        }
    }
}
