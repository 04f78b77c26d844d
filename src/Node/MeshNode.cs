using System.Runtime.CompilerServices;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>
/// A node: takes jobs in from transports, brings them to workers, judges what workers say, and writes all of it into
/// the ledger. It follows the log from where it started, so it knows what other nodes write, too.
/// </summary>
public sealed class MeshNode : IJobIntake, IWorkerGateway, IAsyncDisposable
{
    private readonly IEventStore _store;
    private readonly IPresence _presence;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Registry _registry = new();
    private readonly WorkerLinks _workers;
    private readonly Standings _standings;
    private readonly Quotas _quotas;
    private readonly Hearing _hearing;
    private readonly Announcer _announcer;
    private readonly Reports _reports;
    private readonly AidDesk _aid;
    private readonly Membership _membership;
    private readonly Treasury _treasury;
    private readonly OpenJobs _jobs;
    private readonly Coordinator _coordinator;
    private readonly CancellationTokenSource _stopping = new();
    private readonly EventAuthor _submitter;
    private readonly Did _did;
    private Task _following = Task.CompletedTask;
    private Task _announcing = Task.CompletedTask;

    public MeshNode(
        IEventStore store, IPresence presence, NodeKeys keys, NodeOptions options, TimeProvider clock,
        ILogger<MeshNode> log)
    {
        _store = store;
        _presence = presence;
        _clock = clock;
        _log = log;
        _did = keys.Node.Did;
        var node = new EventAuthor(keys.Node, clock);
        _membership = new Membership(store, _registry, options, node, clock, log);
        _standings = new Standings(_registry, clock);
        _workers = new WorkerLinks(_registry, _standings, _did);
        _announcer = new Announcer(presence, _did, options, _workers, clock, log);
        _quotas = new Quotas(options.Economy, clock);
        _hearing = new Hearing(clock, options.PresenceInterval);
        _treasury = new Treasury(store, _registry, _standings, _quotas, options, node, clock, log);
        _jobs = new OpenJobs(store, _registry, _standings, _workers, options.Market, node.Did, clock, log);
        var desk = new JobDesk(
            store, _registry, _standings, _workers, _jobs, _treasury, options, node, clock, log);
        _reports = new Reports(store, _registry, _jobs, desk, node, clock);
        _submitter = new EventAuthor(keys.Submitter, clock);
        _coordinator = new Coordinator(
            _registry, _standings, _workers, _jobs, _treasury, desk, _hearing, options, node, clock, log);
        _aid = new AidDesk(_registry, _treasury, _jobs, new EventAuthor(keys.Pool, clock), clock, log);
    }

    /// <summary>Where the other live nodes say that they serve their blobs.</summary>
    public IReadOnlyCollection<string> BlobPeers => _announcer.BlobPeers;

    /// <summary>Tells of every checkpoint that comes into the ledger while the node runs, from the log, so on its thread: who
    /// listens must not wait.</summary>
    public event Action<JobId, JobEvent.CheckpointRecorded>? CheckpointRecorded;

    /// <summary>Completes, with the exception, if the node finds history that no rule allows: it must stop then.</summary>
    public Task Failure => Task.WhenAny(_following, _treasury.Completion, _coordinator.Broken).Unwrap();

    /// <summary>Joins the ledger and takes up what has not ended. Returns once the node works.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var head = await _membership.EnsureAsync(cancellationToken);
        await _standings.LoadAsync(_store, head, cancellationToken);
        await LoadQuotasAsync(cancellationToken);
        await _membership.AdmitWaitingAsync(cancellationToken);
        Take(await _announcer.AnnounceAsync(cancellationToken));
        await _jobs.LoadAsync(cancellationToken);
        _following = Task.Run(() => FollowAsync(head), CancellationToken.None);
        _announcing = Task.Run(() => _announcer.RunAsync(Take, _stopping.Token), CancellationToken.None);
        _aid.Look();
    }

    /// <summary>Returns once every process on this database can see that these workers listen here.</summary>
    public Task UntilSeenAsync(IEnumerable<Did> workers, CancellationToken cancellationToken) =>
        _announcer.UntilSeenAsync([.. workers], cancellationToken);

    /// <inheritdoc/>
    public Task<Submission> SubmitAsync(JobDocument document, string transport, CancellationToken cancellationToken) =>
        _coordinator.SubmitAsync(document, transport, _submitter, cancellationToken);

    /// <summary>Asks for a job's end, as this node's submitter.</summary>
    /// <returns>Null once the request is durable, or why not.</returns>
    public Task<Refusal?> CancelAsync(JobId jobId, string reason, CancellationToken cancellationToken) =>
        new Clerk(_store).CancelAsync(_submitter, jobId, reason, cancellationToken);

    /// <inheritdoc/>
    public async Task<JobResult> ResultAsync(JobId jobId, CancellationToken cancellationToken)
    {
        var state = await _jobs.EndOfAsync(jobId, cancellationToken);
        var run = state.ResultRun ?? state.Runs.FirstOrDefault();
        var worker = run is null ? null : _registry.Worker(run.Worker)?.Facts.WorkerId;
        return JobResultWriter.Write(state, jobId, worker);
    }

    /// <inheritdoc/>
    public async Task<Refusal?> RegisterAsync(SignedEvent registration, CancellationToken cancellationToken)
    {
        LedgerEvent body;
        try
        {
            body = registration.Statement.Body;
        }
        catch (FormatException exception)
        {
            return new Refusal("BAD_EVENT", exception.Message);
        }

        if (body is not WorkerEvent.Registered
            || registration.Statement.Stream != StreamId.OfWorker(registration.Statement.By))
        {
            return new Refusal("WRONG_STREAM", "expected worker_registered in the worker's own stream");
        }

        var stream = registration.Statement.Stream;
        while (true)
        {
            var known = await _store.LoadAsync(stream, cancellationToken);
            foreach (var recorded in known)
            {
                RegistryReader.Take(_registry, recorded);
            }

            if (known.Any(recorded => recorded.Event.Digest == registration.Digest))
            {
                return null;
            }

            if (_registry.Check(registration.Statement, body, known.Count + 1) is { } refusal)
            {
                return refusal;
            }

            var request = new AppendRequest([registration], new Dictionary<StreamId, long> { [stream] = known.Count });
            switch (await _store.AppendAsync(request, cancellationToken))
            {
                case AppendOutcome.Rejected rejected:
                    return rejected.Reason;
                case AppendOutcome.Appended appended:
                    RegistryReader.Take(_registry, appended.Events[0]);
                    return null;
            }
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<WorkerNotice> ListenAsync(
        Digest registration, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var link = new WorkerLink(_registry.Registration(registration)
            ?? throw new ArgumentException($"Nobody registered with {registration}.", nameof(registration)));
        _workers.Add(link);
        try
        {
            _jobs.Welcome(link);
            await foreach (var notice in link.Notices.Reader.ReadAllAsync(cancellationToken))
            {
                yield return notice;
            }
        }
        finally
        {
            _workers.Remove(link);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Refusal?>> ReportAsync(
        IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken)
    {
        var answers = new Refusal?[events.Count];
        var jobs = new Dictionary<JobId, List<int>>();
        for (var i = 0; i < events.Count; i++)
        {
            answers[i] = Examine(events[i], out var job);
            if (answers[i] is null)
            {
                if (!jobs.TryGetValue(job, out var indices))
                {
                    jobs.Add(job, indices = []);
                }

                indices.Add(i);
            }
        }

        await Task.WhenAll(jobs.Select(async pair =>
        {
            var refusals = await _reports.ReportAsync(
                pair.Key, [.. pair.Value.Select(i => events[i])], cancellationToken);
            for (var i = 0; i < refusals.Length; i++)
            {
                answers[pair.Value[i]] = refusals[i];
            }
        }));
        foreach (var (signed, answer) in events.Zip(answers))
        {
            // That others were faster is no news.
            if (answer is not null
                && !(signed.Statement.Type == "bid_placed" && answer.Code is "WRONG_STATUS" or "JOB_ENDED" or "WRONG_ATTEMPT"))
            {
                Log.ReportRefused(_log, signed.Statement.By.ToString(), answer.ToString());
            }
        }

        return answers;
    }

    /// <inheritdoc/>
    public void Decline(Digest registration, JobId job, int attempt) => _coordinator.Decline(registration, job, attempt);

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        await _aid.DisposeAsync();
        await _coordinator.DisposeAsync();
        await _treasury.DisposeAsync();
        await _following.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        await _announcing;
        try
        {
            await _presence.LeaveAsync(_did, CancellationToken.None);
        }
        catch (Exception exception) when (exception is System.Data.Common.DbException or IOException)
        {
            Log.PresenceFailed(_log, exception.Message);
        }

        _stopping.Dispose();
    }

    /// <summary>What can be said of a report before its job's state is looked at.</summary>
    private static Refusal? Examine(SignedEvent signed, out JobId job)
    {
        if (!signed.Statement.Stream.IsJob(out job))
        {
            return new Refusal("WRONG_STREAM", $"a worker reports on jobs, not on {signed.Statement.Stream}");
        }

        if (!signed.Verify())
        {
            return new Refusal("BAD_SIGNATURE", $"the event is not signed by {signed.Statement.By}");
        }

        try
        {
            return signed.Statement.Body is JobEvent.Submitted
                ? new Refusal("WRONG_AUTHOR", "a worker does not submit jobs here")
                : null;
        }
        catch (FormatException exception)
        {
            return new Refusal("BAD_EVENT", exception.Message);
        }
    }

    private async Task FollowAsync(long head)
    {
        try
        {
            await foreach (var batch in _store.FollowAsync(head, _stopping.Token))
            {
                foreach (var recorded in batch)
                {
                    Take(recorded);
                }

                _standings.Follow(batch);
                foreach (var recorded in batch.Where(recorded => recorded.Statement.Body is NodeEvent.Joined))
                {
                    await _membership.AdmitAsync(recorded, _stopping.Token);
                }

                _jobs.Observe(batch, fromLog: true);
                if (batch.Any(recorded => recorded.Statement.Body is WorkerEvent or FederationEvent))
                {
                    _jobs.OfferAgain();
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The node stops.
        }
        catch (Exception exception) when (exception is InvalidHistoryException or FormatException)
        {
            Log.BrokenHistory(_log, exception.Message);
            throw;
        }
    }

    /// <summary>Nodes and workers that other processes recorded.</summary>
    private void Take(RecordedEvent recorded)
    {
        var (statement, body) = (recorded.Statement, recorded.Statement.Body);
        if (body is Domain.Accounts.AccountEvent && !_registry.IsNode(statement.By))
        {
            throw JobEntry.NeverWritten(
                recorded, new Refusal("NOT_A_NODE", $"only an admitted node moves mana, not {statement.By}"));
        }

        if (body is JobEvent.CheckpointRecorded checkpoint && statement.Stream.IsJob(out var job))
        {
            CheckpointRecorded?.Invoke(job, checkpoint);
        }

        RegistryReader.Take(_registry, recorded);
        _treasury.Observe(recorded);
        _quotas.Observe(recorded);
        if (body is Domain.Aid.AidEvent)
        {
            _aid.Look();
        }
    }

    /// <summary>What was submitted in the last day counts.</summary>
    private async Task LoadQuotasAsync(CancellationToken cancellationToken)
    {
        if (!_quotas.IsNeeded)
        {
            return;
        }

        var day = await _store.LoadTypesAsync(
            ["job_submitted", "job_completed", "job_failed", "job_cancelled"],
            _clock.GetUtcNow() - TimeSpan.FromDays(1),
            cancellationToken);
        foreach (var recorded in day)
        {
            _quotas.Observe(recorded);
        }
    }

    private void Take(PresentParties present)
    {
        if (_hearing.Reached())
        {
            Log.HeardAgain(_log, _jobs.HearAll());
        }

        _coordinator.SetLiveNodes(present.Nodes);
    }
}
