using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>
/// Looks after jobs that have not ended: judges what workers say, closes bidding, assigns, settles, offers again what
/// was lost or failed, cancels, gives up what is past its time, and tells workers and those who wait for results. It acts
/// on its own jobs, and on those of nodes that are gone.
/// </summary>
internal sealed class Coordinator : IAsyncDisposable
{
    private const int MaxRounds = 20;
    private static readonly TimeSpan Often = TimeSpan.FromSeconds(10);

    private readonly Registry _registry;
    private readonly Standings _standings;
    private readonly WorkerLinks _workers;
    private readonly Treasury _treasury;
    private readonly NodeOptions _options;
    private readonly EventAuthor _node;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly OpenJobs _jobs;
    private readonly JobDesk _desk;
    private readonly Hearing _hearing;
    private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _timing;

    public Coordinator(
        Registry registry, Standings standings, WorkerLinks workers, OpenJobs jobs, Treasury treasury, JobDesk desk,
        Hearing hearing, NodeOptions options, EventAuthor node, TimeProvider clock, ILogger log)
    {
        _registry = registry;
        _standings = standings;
        _workers = workers;
        _treasury = treasury;
        _desk = desk;
        _hearing = hearing;
        _options = options;
        _node = node;
        _clock = clock;
        _log = log;
        _jobs = jobs;
        _timing = Task.Run(WatchTimesAsync);
    }

    /// <summary>Fails when a decision met history that no rule allows; never ends otherwise.</summary>
    public Task Broken => _broken.Task;

    public async Task<Submission> SubmitAsync(
        JobDocument document, string transport, EventAuthor submitter, CancellationToken cancellationToken)
    {
        var (submission, events) = await _treasury.SubmitAsync(document, transport, submitter, null, cancellationToken);
        _jobs.Observe(events);
        return submission;
    }

    public void Decline(Digest registration, JobId job, int attempt)
    {
        if (_jobs.Find(job) is { } entry && entry.State is { } state && state.Attempt == attempt)
        {
            entry.Decline(registration);
            if (state.Bids.Count > 0 && _desk.WhyClose(entry, state) is not null)
            {
                _jobs.Due.Now(job);
            }
        }
    }

    /// <summary>Which nodes are alive; jobs of others are looked after here from now on.</summary>
    public void SetLiveNodes(IReadOnlySet<Did> nodes)
    {
        _desk.LiveNodes = nodes;
        foreach (var entry in _jobs.All)
        {
            if (entry.State is { } state && state.Coordinator != _node.Did && !nodes.Contains(state.Coordinator))
            {
                _jobs.Due.Now(entry.Id);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _timing;
        _stopping.Dispose();
    }

    private async Task WatchTimesAsync()
    {
        try
        {
            while (true)
            {
                var job = await _jobs.Due.NextAsync(_stopping.Token);
                if (_jobs.Find(job) is { } entry)
                {
                    _ = ConsiderAsync(entry);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The node stops; the next start looks at every open job.
        }
    }

    private async Task ConsiderAsync(JobEntry entry)
    {
        try
        {
            await entry.Gate.WaitAsync(_stopping.Token);
            try
            {
                var isDone = false;
                for (var round = 0; round < MaxRounds && !isDone; round++)
                {
                    isDone = await TryConsiderAsync(entry);
                    if (!isDone)
                    {
                        entry.Reset(null);
                    }
                }

                if (!isDone)
                {
                    _jobs.Due.In(entry.Id, TimeSpan.FromSeconds(1));
                }
            }
            finally
            {
                entry.Gate.Release();
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // As above.
        }
        catch (InvalidHistoryException exception)
        {
            Log.BrokenHistory(_log, exception.Message);
            _broken.TrySetException(exception);
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested)
        {
            Log.DecisionFailed(_log, entry.Id.ToString(), exception.Message);
            _jobs.Due.In(entry.Id, TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>False if the stream was not as it was thought to be.</summary>
    private async Task<bool> TryConsiderAsync(JobEntry entry)
    {
        if (entry.State is not { } state)
        {
            var read = await _jobs.RefreshAsync(entry, _stopping.Token);
            if (entry.State is not { } loaded)
            {
                // Either there is no such job, or more of it came while it was read.
                return read is null;
            }

            state = loaded;
        }

        if (state.Status.IsTerminal())
        {
            return true;
        }

        if (state.Status == JobStatus.BiddingOpen
            && (entry.InPhase >= Turns.Length || entry.InPhase.TotalMilliseconds >= state.Submission.Terms.BidWindowMs))
        {
            _jobs.OpenToAll(entry, state);
        }

        if (!_desk.IsMine(state))
        {
            // Whoever looks after it may be gone tomorrow; SetLiveNodes brings it back then.
            return true;
        }

        if (state.CancelDigest is not null)
        {
            return await _desk.EndAsync(entry, state, [], new JobCommand.Cancel(), _stopping.Token);
        }

        if (state.Status.IsUnderWay())
        {
            return await WatchAttemptAsync(entry, state);
        }

        return _desk.IsTooLate(state) ? await GiveUpAsync(entry, state) : await AdvanceAsync(entry, state);
    }

    /// <summary>An attempt is under way: it may have a verdict, or be past its lease, its time limit or the deadline.
    /// </summary>
    private async Task<bool> WatchAttemptAsync(JobEntry entry, JobState state)
    {
        var (silent, next) = Silent.Of(entry, state, _options.AttemptGrace, _hearing);
        if (Verdict.Of(state, silent, _registry) is not null)
        {
            return await _desk.SettleAsync(entry, state, state, [], silent, _stopping.Token);
        }

        if (_desk.IsTooLate(state))
        {
            return await GiveUpAsync(entry, state);
        }

        LookAgain(entry, next);
        return true;
    }

    /// <summary>No attempt is under way: bidding is to be opened or closed, or still to be waited for.</summary>
    private async Task<bool> AdvanceAsync(JobEntry entry, JobState state)
    {
        var decision = state.Status switch
        {
            JobStatus.Submitted => _desk.Decide(state, new JobCommand.OpenBidding(_standings.OfSubmitter(state.Submitter))),
            JobStatus.Retrying when RetryWait(entry, state) is { } wait && wait > TimeSpan.Zero => Wait(entry, wait),
            JobStatus.Retrying => _desk.Decide(state, new JobCommand.OpenBidding(0)),
            JobStatus.BiddingOpen when _desk.WhyClose(entry, state) is { } reason =>
                _desk.CloseBidding(entry, state, reason),
            JobStatus.BiddingClosed => _desk.CloseBidding(entry, state, "window"),
            _ => Decision.Nothing,
        };
        if (decision.Events.Count == 0)
        {
            return state.Status == JobStatus.Retrying || await WaitForWorkersAsync(entry, state);
        }

        var draft = JobDesk.NewDraft(entry.Id, state);
        draft.Add(_node, decision, StreamId.OfJob(entry.Id));
        return await _desk.AppendAsync(draft, _stopping.Token);
    }

    /// <summary>How long until the next attempt; by the wall clock, but never longer than was decided, for that clock may
    /// have been set back.</summary>
    private TimeSpan RetryWait(JobEntry entry, JobState state)
    {
        var left = state.RetryAt!.Value - _clock.GetUtcNow();
        var most = _options.Retry.MaxDelay - entry.InPhase;
        return left < most ? left : most;
    }

    private Decision Wait(JobEntry entry, TimeSpan wait)
    {
        LookAgain(entry, wait);
        return Decision.Nothing;
    }

    private async Task<bool> WaitForWorkersAsync(JobEntry entry, JobState state)
    {
        var able = _workers.Live.Count(worker => _workers.CouldRun(worker, state));

        // Bidding that was closed takes no other bids: if too few of those it has can win now, none will.
        var nobody = able < state.Submission.Terms.Replicas || state.Status == JobStatus.BiddingClosed;
        if (entry.IsStuck && !nobody)
        {
            // A worker may have earned the reputation that the job asks for.
            _jobs.Notices.TellAll(entry, state);
        }

        var waited = entry.Waiting(nobody);
        if (waited < _options.WaitLimit)
        {
            var rest = _options.WaitLimit - waited;
            LookAgain(entry, rest < Often ? rest : Often);
            return true;
        }

        return await _desk.EndAsync(entry, state, [], Abandon(
            "NO_ELIGIBLE_WORKER",
            $"No worker that could run the job came within {_options.WaitLimit.TotalSeconds} s. {WhyWaiting(state)}"),
            _stopping.Token);
    }

    private Task<bool> GiveUpAsync(JobEntry entry, JobState state)
    {
        var passed = Timestamps.Write(state.Submission.Terms.Deadline!.Value);
        return _desk.EndAsync(entry, state, [], Abandon("DEADLINE_EXCEEDED", state.Status.IsUnderWay()
            ? $"The deadline {passed} passed before the attempt ended."
            : $"The deadline {passed} passed before a worker was assigned. {WhyWaiting(state)}"), _stopping.Token);
    }

    private void LookAgain(JobEntry entry, TimeSpan delay)
    {
        if (entry.PlanLook(delay))
        {
            _jobs.Due.In(entry.Id, delay);
        }
    }

    private string WhyWaiting(JobState state) =>
        WaitReasons.Of(state, _workers.Bidders(state.Submission.Operation)) is { Count: > 0 } reasons
            ? string.Join("; ", reasons)
            : "No eligible bid came.";

    private static JobCommand.Abandon Abandon(string code, string message) =>
        new(new JobError(code, message, "market", Recoverable: false));
}
