using System.Collections.Concurrent;
using System.Threading.Channels;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Worker;

/// <summary>
/// Bids on what it is offered, runs what it is assigned, and gives a receipt for every attempt. It knows the ledger
/// through its gateway alone. An attempt that was under way when the worker stopped is run again, under the same
/// assignment, when it is back; there is one receipt an attempt, whatever happens.
/// </summary>
public sealed class JobWorker
{
    private readonly IWorkerGateway _gateway;
    private readonly EventAuthor _author;
    private readonly WorkerOptions _options;
    private readonly IReadOnlyDictionary<string, IOperationHandler> _handlers;
    private readonly ILogger _log;
    private readonly Outbox _outbox;
    private readonly AttemptRunner _runner;
    private readonly ConcurrentDictionary<(JobId, int), byte> _taken = new();
    private readonly Channel<WorkerNotice.Assigned> _assigned = Channel.CreateUnbounded<WorkerNotice.Assigned>();

    public JobWorker(
        IWorkerGateway gateway, SigningKey key, WorkerOptions options,
        IReadOnlyDictionary<string, IOperationHandler> handlers, BlobDirectory blobs, TimeProvider clock,
        ILogger<JobWorker> log)
    {
        _gateway = gateway;
        _author = new EventAuthor(key, clock);
        _options = options;
        _handlers = handlers;
        _log = log;
        _outbox = new Outbox(gateway, _author, clock, log);
        _runner = new AttemptRunner(_outbox, _author, blobs, clock, log);
    }

    /// <summary>Works until <paramref name="stopping"/> is cancelled; what runs then is stopped, and is run again by the
    /// next start.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var registration = await RegisterAsync(stopping);
        var sending = _outbox.RunAsync(stopping);
        var running = Enumerable.Range(0, _options.MaxConcurrentJobs)
            .Select(_ => RunAttemptsAsync(stopping))
            .ToArray();
        try
        {
            await foreach (var notice in _gateway.ListenAsync(registration, stopping))
            {
                switch (notice)
                {
                    case WorkerNotice.Offered offered:
                        Bid(offered, registration);
                        break;
                    case WorkerNotice.Assigned assigned when _taken.TryAdd((assigned.JobId, assigned.Attempt), 0):
                        _assigned.Writer.TryWrite(assigned);
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping is how it ends.
        }

        _assigned.Writer.TryComplete();
        await Task.WhenAll(running);
        await sending;
    }

    private async Task<Digest> RegisterAsync(CancellationToken stopping)
    {
        var body = new WorkerEvent.Registered(
            _options.WorkerId,
            _options.Version,
            ValueList.From(_handlers.Keys.Order(StringComparer.Ordinal)),
            ValueList.From(_options.Capabilities),
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

    private void Bid(WorkerNotice.Offered offered, Digest registration)
    {
        var price = _options.PriceOf(offered.Submission.Requirements);
        if (!_handlers.ContainsKey(offered.Submission.Operation) || price > offered.Submission.Terms.MaxPrice)
        {
            _gateway.Decline(registration, offered.JobId, offered.Attempt);
            return;
        }

        var all = _options.Resources!;
        var bid = new JobEvent.BidPlaced(
            offered.Attempt, price, registration, new FreeResources(all.CpuCores, all.MemoryMb, all.StorageMb));
        _ = _outbox.PostAsync(_author.State(bid, offered.SubmissionDigest, StreamId.OfJob(offered.JobId)));
    }

    /// <summary>Until the ledger has the receipt, a second notice of the assignment must not run it again.</summary>
    private async Task ForgetAsync(WorkerNotice.Assigned assigned, Task handingIn)
    {
        await handingIn.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        _taken.TryRemove((assigned.JobId, assigned.Attempt), out _);
    }

    private async Task RunAttemptsAsync(CancellationToken stopping)
    {
        try
        {
            await foreach (var assigned in _assigned.Reader.ReadAllAsync(stopping))
            {
                var handler = _handlers.GetValueOrDefault(assigned.Submission.Operation);
                Log.AttemptStarted(_log, assigned.JobId.ToString(), assigned.Attempt);
                var handingIn = await _runner.RunAsync(assigned, handler, stopping);
                _ = ForgetAsync(assigned, handingIn);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What was under way has no receipt, so the next start runs it.
        }
    }
}
