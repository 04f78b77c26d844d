using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>
/// Answers requests for aid: submits the job of the template that fits best, paid from this node's pool account, in one
/// append with the match. Any node may do it; a request's stream has one winner.
/// </summary>
internal sealed class AidDesk : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Registry _registry;
    private readonly Treasury _treasury;
    private readonly OpenJobs _jobs;
    private readonly EventAuthor _pool;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<StreamId, long> _refused = [];
    private readonly Task _loop;

    public AidDesk(
        Registry registry, Treasury treasury, OpenJobs jobs, EventAuthor pool, TimeProvider clock, ILogger log)
    {
        _registry = registry;
        _treasury = treasury;
        _jobs = jobs;
        _pool = pool;
        _clock = clock;
        _log = log;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Something about aid was recorded.</summary>
    public void Look() => _wake.Release();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
        _wake.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                // Those that were refused are tried again now and then: the pool may have grown.
                await _wake.WaitAsync(_refused.Count > 0 ? Patience : Timeout.InfiniteTimeSpan, _stopping.Token);
                foreach (var (request, template) in _registry.Aid.Matches())
                {
                    if (!_refused.TryGetValue(request.Stream, out var at) || _clock.GetElapsedTime(at) >= Patience)
                    {
                        await AnswerAsync(request, template);
                    }
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The node stops; the next start looks at every open request.
        }
    }

    private async Task AnswerAsync(AidRequest request, AidTemplate template)
    {
        var job = JobId.Parse(request.Stream.ToString());
        string reason;
        try
        {
            var reading = AidBoard.Fill(template, request, job, _clock.GetUtcNow());
            if (reading.Document is { } document)
            {
                var (submission, events) = await _treasury.SubmitAsync(
                    document, "aid", _pool, new AidMatch(request, template), _stopping.Token);
                _jobs.Observe(events);
                if (submission is Submission.Accepted)
                {
                    _refused.Remove(request.Stream);
                    Log.AidMatched(_log, request.Stream.ToString(), template.Name, job.ToString());
                    return;
                }

                if (submission is Submission.Refused { Code: "MATCHED" } or Submission.Duplicate)
                {
                    return;
                }

                reason = submission.ToString();
            }
            else
            {
                reason = string.Join("; ", reading.Faults);
            }
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested)
        {
            reason = exception.Message;
        }

        _refused[request.Stream] = _clock.GetTimestamp();
        Log.AidRefused(_log, job.ToString(), request.Stream.ToString(), reason);
    }
}
