using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>
/// Looks after jobs that have not ended: judges what workers say, closes bidding, assigns, settles, gives up what is
/// past its time, and tells workers and those who wait for results. It acts on its own jobs, and on those of nodes that
/// are gone.
/// </summary>
internal sealed class Coordinator : IAsyncDisposable
{
    private const int MaxRounds = 20;

    private readonly IEventStore _store;
    private readonly Registry _registry;
    private readonly WorkerLinks _workers;
    private readonly Treasury _treasury;
    private readonly NodeOptions _options;
    private readonly EventAuthor _node;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly OpenJobs _jobs;
    private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _timing;
    private volatile IReadOnlySet<Did> _liveNodes = new HashSet<Did>();

    public Coordinator(
        IEventStore store, Registry registry, WorkerLinks workers, OpenJobs jobs, Treasury treasury, NodeOptions options,
        EventAuthor node, TimeProvider clock, ILogger log)
    {
        _store = store;
        _registry = registry;
        _workers = workers;
        _treasury = treasury;
        _options = options;
        _node = node;
        _clock = clock;
        _log = log;
        _jobs = jobs;
        _timing = Task.Run(WatchTimesAsync);
    }

    public async Task<Submission> SubmitAsync(JobDocument document, string transport, CancellationToken cancellationToken)
    {
        var (submission, events) = await _treasury.SubmitAsync(document, transport, cancellationToken);
        _jobs.Observe(events);
        return submission;
    }

    public void Decline(Digest registration, JobId job, int attempt)
    {
        if (_jobs.Find(job) is not { } entry || entry.State?.Attempt != attempt)
        {
            return;
        }

        lock (entry.Declined)
        {
            entry.Declined.Add(registration);
        }

        _jobs.Due.Add(job, _clock.GetUtcNow());
    }

    /// <summary>Fails when a decision met history that no rule allows; never ends otherwise.</summary>
    public Task Broken => _broken.Task;

    /// <summary>Judges and appends what one worker said about one job; an answer an event.</summary>
    public async Task<Refusal?[]> ReportAsync(
        JobId job, IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken)
    {
        var entry = _jobs.Find(job) ?? new JobEntry(job);
        await entry.Gate.WaitAsync(cancellationToken);
        try
        {
            for (var round = 0; round < MaxRounds; round++)
            {
                var before = entry.State;
                if (before is null)
                {
                    before = await _jobs.LoadStateAsync(job, cancellationToken);
                    entry.Reset(before);
                }

                if (await TryReportAsync(entry, before, events, cancellationToken) is { } answers)
                {
                    return answers;
                }

                // Another node wrote the stream: judge again by what it holds now.
                entry.Reset(null);
            }
        }
        finally
        {
            entry.Gate.Release();
        }

        var busy = new Refusal("BUSY", "other nodes keep writing this job's stream; say it again");
        return [.. events.Select(_ => busy)];
    }

    /// <summary>Which nodes are alive; jobs of others are looked after here from now on.</summary>
    public void SetLiveNodes(IReadOnlySet<Did> nodes)
    {
        _liveNodes = nodes;
        foreach (var entry in _jobs.All)
        {
            if (entry.State is { } state && state.Coordinator != _node.Did && !nodes.Contains(state.Coordinator))
            {
                _jobs.Due.Add(entry.Id, _clock.GetUtcNow());
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _timing;
        _stopping.Dispose();
    }

    /// <summary>Null if the stream was not as <paramref name="before"/> has it.</summary>
    private async Task<Refusal?[]?> TryReportAsync(
        JobEntry entry, JobState? before, IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken)
    {
        var answers = new Refusal?[events.Count];
        var accepted = new List<SignedEvent>();
        var state = before;
        for (var i = 0; i < events.Count; i++)
        {
            var fact = EventFact.Of(events[i].Statement);
            answers[i] = JobRules.Check(state, fact, _registry);
            if (answers[i] is null)
            {
                state = Job.Evolve(state, fact);
                accepted.Add(events[i]);
            }
        }

        if (accepted.Count < events.Count)
        {
            await ForgiveRepeatsAsync(entry.Id, events, answers, cancellationToken);
        }

        if (accepted.Count == 0)
        {
            return answers;
        }

        if (state!.Receipt is not null)
        {
            var ended = await _treasury.EndAsync(
                entry.Id, before!, accepted, new JobCommand.Settle(), cancellationToken);
            if (ended is null)
            {
                return null;
            }

            _jobs.Observe(ended);
            return answers;
        }

        var draft = new Draft();
        var stream = StreamId.OfJob(entry.Id);
        draft.Expect(stream, before!.Version, before.Submission.Terms.CorrelationId);
        accepted.ForEach(draft.Add);
        if (state.Status == JobStatus.BiddingOpen && IsMine(state) && AllAnswered(entry, state) && !IsTooLate(state))
        {
            draft.Add(_node, Decide(state, new JobCommand.CloseBidding("all_answered")), stream);
        }

        return await AppendAsync(draft, cancellationToken) ? answers : null;
    }

    /// <summary>An event that the stream holds already is not refused: its author did not hear the answer.</summary>
    private async Task ForgiveRepeatsAsync(
        JobId job, IReadOnlyList<SignedEvent> events, Refusal?[] answers, CancellationToken cancellationToken)
    {
        var held = (await _store.LoadAsync(StreamId.OfJob(job), cancellationToken))
            .Select(recorded => recorded.Event.Digest)
            .ToHashSet();
        for (var i = 0; i < events.Count; i++)
        {
            if (answers[i] is not null && held.Contains(events[i].Digest))
            {
                answers[i] = null;
            }
        }
    }

    private async Task<bool> AppendAsync(Draft draft, CancellationToken cancellationToken)
    {
        switch (await _store.AppendAsync(draft.Sign(), cancellationToken))
        {
            case AppendOutcome.Appended appended:
                _jobs.Observe(appended.Events);
                return true;
            case AppendOutcome.Rejected rejected:
                throw new InvalidOperationException($"The ledger refused an event: {rejected.Reason}");
            default:
                return false;
        }
    }

    private Decision Decide(JobState state, JobCommand command) =>
        Job.Decide(state, command, _clock.GetUtcNow(), _registry);

    private bool IsMine(JobState state) =>
        state.Coordinator == _node.Did || state.Coordinator.IsDefault || !_liveNodes.Contains(state.Coordinator);

    private bool IsTooLate(JobState state) => state.Submission.Terms.Deadline <= _clock.GetUtcNow();

    /// <summary>True when every live worker that could run the job has bid or declined.</summary>
    private bool AllAnswered(JobEntry entry, JobState state)
    {
        foreach (var registration in _workers.Live)
        {
            if (state.Bids.Exists(bid => bid.Worker == registration.Worker && bid.Body.Attempt == state.Attempt))
            {
                continue;
            }

            lock (entry.Declined)
            {
                if (entry.Declined.Contains(registration.Digest))
                {
                    continue;
                }
            }

            if (WorkerLinks.Unmet(state.Submission, registration.Facts).Count == 0)
            {
                return false;
            }
        }

        return true;
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
                for (var round = 0; round < MaxRounds && !await TryConsiderAsync(entry); round++)
                {
                    entry.Reset(null);
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
            _jobs.Due.Add(entry.Id, _clock.GetUtcNow().AddSeconds(1));
        }
    }

    /// <summary>False if the stream was not as it was thought to be.</summary>
    private async Task<bool> TryConsiderAsync(JobEntry entry)
    {
        if (entry.State is not { } state)
        {
            entry.Reset(await _jobs.LoadStateAsync(entry.Id, _stopping.Token));
            if (entry.State is not { } loaded)
            {
                return true;
            }

            state = loaded;
            if (state.Status.IsTerminal())
            {
                _jobs.Finish(entry, state);
                return true;
            }

            _jobs.Schedule(entry);
            _jobs.TellAll(entry, state);
        }

        if (state.Status.IsTerminal() || !IsMine(state))
        {
            return true;
        }

        var now = _clock.GetUtcNow();
        if (state.Receipt is not null)
        {
            return await EndAsync(entry, state, new JobCommand.Settle());
        }

        if (IsTooLate(state) && state.Status is JobStatus.BiddingOpen or JobStatus.BiddingClosed)
        {
            var passed = Timestamps.Write(state.Submission.Terms.Deadline!.Value);
            return await EndAsync(entry, state, Abandon(
                "DEADLINE_EXCEEDED", $"The deadline {passed} passed before a worker was assigned. {WhyWaiting(state)}"));
        }

        if (state.Status == JobStatus.Executing && now >= _jobs.AttemptLimit(state))
        {
            return await EndAsync(entry, state, Abandon(
                "TIMEOUT",
                $"The worker gave no receipt within {state.Submission.Terms.TimeoutMs / 1000} s "
                + $"and {_options.AttemptGrace.TotalSeconds} s of grace."));
        }

        var decision = state.Status switch
        {
            JobStatus.Submitted => Decide(state, new JobCommand.OpenBidding()),
            JobStatus.BiddingOpen when AllAnswered(entry, state) =>
                Decide(state, new JobCommand.CloseBidding("all_answered")),
            JobStatus.BiddingOpen when now >= state.BiddingClosesAt => Decide(state, new JobCommand.CloseBidding("window")),
            JobStatus.BiddingClosed => Decide(state, new JobCommand.CloseBidding("window")),
            _ => Decision.Nothing,
        };
        if (decision.Events.Count == 0)
        {
            return true;
        }

        var draft = new Draft();
        var stream = StreamId.OfJob(entry.Id);
        draft.Expect(stream, state.Version, state.Submission.Terms.CorrelationId);
        draft.Add(_node, decision, stream);
        return await AppendAsync(draft, _stopping.Token);
    }

    private async Task<bool> EndAsync(JobEntry entry, JobState state, JobCommand command)
    {
        var ended = await _treasury.EndAsync(entry.Id, state, [], command, _stopping.Token);
        if (ended is null)
        {
            return false;
        }

        _jobs.Observe(ended);
        return true;
    }

    private string WhyWaiting(JobState state) => WaitReasons.Of(state, _workers.Live) is { Count: > 0 } reasons
        ? string.Join("; ", reasons)
        : "No eligible bid came.";

    private static JobCommand.Abandon Abandon(string code, string message) =>
        new(new JobError(code, message, "market", Recoverable: code == "TIMEOUT"));

}
