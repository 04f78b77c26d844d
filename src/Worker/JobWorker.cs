using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Worker;

/// <summary>
/// Bids on what it is offered and has room for, runs what it is assigned, says that it still works on it, and gives a
/// receipt for every attempt that was not taken from it. It knows the ledger through its gateway alone. An attempt that
/// was under way when the worker stopped is run again, under the same assignment, when it is back; there is one receipt
/// an attempt, whatever happens.
/// </summary>
public sealed class JobWorker
{
    /// <summary>A job that has waited this long for room is not passed over any more by others that would fit.</summary>
    private static readonly TimeSpan HoldBackAfter = TimeSpan.FromSeconds(60);

    /// <summary>How long room is kept for a bid that nobody decides on.</summary>
    private static readonly TimeSpan BidPatience = TimeSpan.FromSeconds(10);
    private const int MaxPassed = 16;
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private readonly IWorkerGateway _gateway;
    private readonly EventAuthor _author;
    private readonly WorkerOptions _options;
    private readonly IReadOnlyDictionary<string, IOperationHandler> _handlers;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Outbox _outbox;
    private readonly AttemptRunner _runner;
    private readonly Lock _lock = new();
    private readonly OfferQueue _offers = new();
    private readonly Capacity _capacity;
    private readonly Dictionary<(JobId Job, int Attempt), long> _bids = [];
    private readonly Dictionary<(JobId Job, int Attempt), Work> _works = [];
    private readonly List<Work> _queue = [];
    private readonly List<Task> _slots = [];
    private int _running;

    public JobWorker(
        IWorkerGateway gateway, SigningKey key, WorkerOptions options,
        IReadOnlyDictionary<string, IOperationHandler> handlers, BlobStore blobs, TimeProvider clock,
        ILogger<JobWorker> log)
    {
        _gateway = gateway;
        _author = new EventAuthor(key, clock);
        _options = options;
        _handlers = handlers;
        _clock = clock;
        _log = log;
        _capacity = new Capacity(options.Resources!, options.MaxConcurrentJobs, clock);
        _outbox = new Outbox(gateway, _author, clock, log);
        _runner = new AttemptRunner(_outbox, _author, blobs, clock, log);
    }

    /// <summary>Works until <paramref name="stopping"/> is cancelled; what runs then is stopped, and is run again by the
    /// next start.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var registration = await RegisterAsync(stopping);
        var sending = _outbox.RunAsync(stopping);
        var ticking = TickAsync(registration, stopping);
        try
        {
            await foreach (var notice in _gateway.ListenAsync(registration, stopping))
            {
                lock (_lock)
                {
                    Take(notice);
                    Pump(registration, stopping);
                    if (notice is WorkerNotice.Offered offered && !_bids.ContainsKey((offered.JobId, offered.Attempt)))
                    {
                        // Bidding need not wait for a worker that has no room; it bids later if the job is there then.
                        _gateway.Decline(registration, offered.JobId, offered.Attempt);
                    }
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping is how it ends.
        }

        Task[] running;
        lock (_lock)
        {
            running = [.. _slots];
        }

        await Task.WhenAll(running);
        await ticking;
        await sending;
    }

    private async Task<Digest> RegisterAsync(CancellationToken stopping)
    {
        var body = new WorkerEvent.Registered(
            _options.WorkerId,
            _options.Owner,
            _options.Version,
            ValueList.From(_handlers.Keys.Order(StringComparer.Ordinal)),
            ValueList.From(_options.Capabilities
                .Union(_handlers.Values.Distinct().SelectMany(handler => handler.Capabilities), StringComparer.Ordinal)),
            ValueList.From(_options.Features),
            ValueList.From(_options.Pools),
            ValueList.From(_options.Labels.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => new Label(pair.Key, pair.Value))),
            _options.Resources!,
            _options.Privileged,
            _options.MaxConcurrentJobs);
        var signed = _author.Sign([_author.State(body, null, StreamId.OfWorker(_author.Did))]);
        return await _gateway.RegisterAsync(signed[0], stopping) is { } refusal
            ? throw new InvalidOperationException($"The node refused the worker's registration: {refusal}")
            : signed[0].Digest;
    }

    private void Take(WorkerNotice notice)
    {
        switch (notice)
        {
            case WorkerNotice.Offered offered when !_bids.ContainsKey((offered.JobId, offered.Attempt)):
                var needs = NeedsOf(offered.Submission);
                if (_handlers.ContainsKey(offered.Submission.Operation) && _capacity.CouldFit(needs)
                    && _options.PriceOf(offered.Submission.Requirements) <= offered.Submission.Terms.MaxPrice)
                {
                    _offers.Add(offered, needs, _clock.GetTimestamp());
                }

                break;
            case WorkerNotice.Assigned assigned:
                _offers.Remove(assigned.JobId);
                _bids.Remove((assigned.JobId, assigned.Attempt));
                var work = new Work(assigned, NeedsOf(assigned.Submission), _clock.GetTimestamp());
                if (_works.TryAdd(work.Key, work))
                {
                    _queue.Add(work);
                }

                break;
            case WorkerNotice.Closed closed:
                _offers.Remove(closed.JobId);
                var key = (closed.JobId, closed.Attempt);
                _bids.Remove(key);
                if (_works.TryGetValue(key, out var taken))
                {
                    taken.Close();
                    if (_queue.Remove(taken))
                    {
                        _works.Remove(key);
                        _capacity.Release(key);
                    }
                }
                else
                {
                    _capacity.Release(key);
                }

                break;
        }
    }

    /// <summary>Starts what may start, and bids on what there is room for. Under the lock.</summary>
    private void Pump(Digest registration, CancellationToken stopping)
    {
        while (NextStartable() is { } work)
        {
            _running++;
            _slots.RemoveAll(slot => slot.IsCompleted);
            _slots.Add(Task.Run(() => RunSlotAsync(work, registration, stopping), CancellationToken.None));
        }

        BidOnFitting(registration);
    }

    /// <summary>Under the lock.</summary>
    private void BidOnFitting(Digest registration)
    {
        List<WaitingOffer>? fitting = null;
        var passed = 0;
        foreach (var waiting in _offers.InOrder)
        {
            var offer = waiting.Offer;
            if (_capacity.TryReserve((offer.JobId, offer.Attempt), waiting.Needs, offer.Submission.Operation))
            {
                (fitting ??= []).Add(waiting);
            }
            else if (++passed >= MaxPassed || _clock.GetElapsedTime(waiting.Since) > HoldBackAfter)
            {
                break;
            }
        }

        fitting?.ForEach(waiting => Bid(waiting.Offer, registration));
    }

    private void Bid(WorkerNotice.Offered offered, Digest registration)
    {
        var key = (offered.JobId, offered.Attempt);
        _offers.Remove(offered.JobId);
        _bids[key] = _clock.GetTimestamp();
        var bid = new JobEvent.BidPlaced(
            offered.Attempt, _options.PriceOf(offered.Submission.Requirements), registration, _capacity.FreeFor(key));
        _ = BidAsync(key, _author.State(bid, offered.SubmissionDigest, StreamId.OfJob(offered.JobId)));
    }

    private async Task BidAsync((JobId Job, int Attempt) key, Statement bid)
    {
        var answer = await _outbox.PostAsync(bid).ContinueWith(
            task => task.IsCompletedSuccessfully ? task.Result : null,
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (answer is null)
        {
            return;
        }

        lock (_lock)
        {
            // Somebody else was faster, or the job has ended.
            if (_bids.Remove(key) && !_works.ContainsKey(key))
            {
                _capacity.Release(key);
            }
        }
    }

    /// <summary>What the document asks for, or what running it really takes, whichever is more.</summary>
    private HandlerNeeds NeedsOf(JobEvent.Submitted submission)
    {
        var asked = submission.Requirements;
        var declared = new HandlerNeeds(asked.CpuCores ?? 0, asked.MemoryMb ?? 0, asked.StorageMb ?? 0);
        return _handlers.GetValueOrDefault(submission.Operation) is { HasNeeds: true } handler
            && JobDocumentReader.Read(Encoding.UTF8.GetBytes(submission.Document)).Document is { } document
                ? declared.Most(handler.Needs(document))
                : declared;
    }

    /// <summary>What may start now, taken out of the queue; null if nothing may. Under the lock.</summary>
    private Work? NextStartable()
    {
        for (var i = 0; i < _queue.Count && _running < _options.MaxConcurrentJobs; i++)
        {
            var work = _queue[i];
            if (_capacity.Holds(work.Key)
                || _capacity.TryReserve(work.Key, work.Needs, work.Assigned.Submission.Operation))
            {
                _queue.RemoveAt(i);
                return work;
            }
        }

        return null;
    }

    /// <summary>Runs an attempt, and then whatever is next in the queue: short jobs follow each other without a gap.
    /// </summary>
    private async Task RunSlotAsync(Work first, Digest registration, CancellationToken stopping)
    {
        for (Work? work = first; work is not null;)
        {
            var (ended, since) = (work, _clock.GetTimestamp());
            var handingIn = await RunAsync(work.Assigned, work.Closed, stopping);
            lock (_lock)
            {
                work.IsDone = true;
                _capacity.Release(work.Key);
                _capacity.Took(work.Assigned.Submission.Operation, since);
                _running--;
                work = stopping.IsCancellationRequested ? null : NextStartable();
                if (work is not null)
                {
                    _running++;
                }

                if (!stopping.IsCancellationRequested)
                {
                    Pump(registration, stopping);
                }
            }

            _ = ForgetAsync(ended, handingIn);
        }
    }

    /// <summary>Never fails. The inner task ends when the receipt has arrived, or there is none.</summary>
    private async Task<Task> RunAsync(WorkerNotice.Assigned assigned, CancellationToken closed, CancellationToken stopping)
    {
        try
        {
            Log.AttemptStarted(_log, assigned.JobId.ToString(), assigned.Attempt);
            return await _runner.RunAsync(
                assigned, _handlers.GetValueOrDefault(assigned.Submission.Operation), closed, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What was under way has no receipt, so the next start runs it.
        }
        catch (Exception exception)
        {
            // Its lease is not renewed any more: another attempt follows.
            Log.AttemptFailed(_log, exception, assigned.JobId.ToString(), assigned.Attempt);
        }

        return Task.CompletedTask;
    }

    /// <summary>Until the ledger has the receipt, a second notice of the assignment must not run it again.</summary>
    private async Task ForgetAsync(Work work, Task handingIn)
    {
        await handingIn.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            _works.Remove(work.Key);
            work.Dispose();
        }
    }

    /// <summary>Renews leases well before they end, and gives back the room that was kept for bids in vain.</summary>
    private async Task TickAsync(Digest registration, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Tick, _clock, stopping);
                lock (_lock)
                {
                    var now = _clock.GetTimestamp();
                    foreach (var work in _works.Values.Where(work => work.IsDue(_clock, now)))
                    {
                        work.RenewedAt = now;
                        _ = _outbox.PostAsync(_author.State(
                            new JobEvent.LeaseRenewed(work.Assigned.Attempt),
                            work.Assigned.AssignmentDigest,
                            StreamId.OfJob(work.Assigned.JobId)));
                    }

                    foreach (var (key, _) in _bids.Where(bid => _clock.GetElapsedTime(bid.Value, now) > BidPatience).ToList())
                    {
                        // The bid stands; should it win after all, there will be room for it in its turn.
                        _capacity.Release(key);
                    }

                    Pump(registration, stopping);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping is how it ends.
        }
    }

    /// <summary>An attempt that this worker is to run.</summary>
    private sealed class Work(WorkerNotice.Assigned assigned, HandlerNeeds needs, long now) : IDisposable
    {
        private readonly CancellationTokenSource _closed = new();

        public WorkerNotice.Assigned Assigned => assigned;

        public (JobId Job, int Attempt) Key => (assigned.JobId, assigned.Attempt);

        public HandlerNeeds Needs => needs;

        public bool IsDone { get; set; }

        public long RenewedAt { get; set; } = now;

        /// <summary>Cancelled when the attempt is no concern of this worker's any more.</summary>
        public CancellationToken Closed => _closed.Token;

        public void Close() => _closed.CancelAsync();

        public bool IsDue(TimeProvider clock, long now) =>
            !IsDone && !_closed.IsCancellationRequested && clock.GetElapsedTime(RenewedAt, now) > assigned.Lease / 3;

        public void Dispose() => _closed.Dispose();
    }
}
