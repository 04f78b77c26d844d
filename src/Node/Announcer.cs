using MeshLedger.Crypto;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>Tells every process on this database that the node and its workers are alive, turn by turn and at once when a
/// worker joins, and learns who else is. One loop announces; everything else may be called from anywhere.</summary>
internal sealed class Announcer
{
    private readonly IPresence _presence;
    private readonly Did _node;
    private readonly NodeOptions _options;
    private readonly WorkerLinks _workers;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Lock _lock = new();
    private TaskCompletionSource _joined = New();
    private TaskCompletionSource _announced = New();
    private HashSet<Did> _seen = [];
    private volatile IReadOnlyCollection<string> _blobPeers = [];

    public Announcer(
        IPresence presence, Did node, NodeOptions options, WorkerLinks workers, TimeProvider clock, ILogger log)
    {
        (_presence, _node, _options, _workers, _clock, _log) = (presence, node, options, workers, clock, log);
        workers.Joined += () =>
        {
            lock (_lock)
            {
                _joined.TrySetResult();
            }
        };
    }

    /// <summary>Where the other live nodes say that they serve their blobs.</summary>
    public IReadOnlyCollection<string> BlobPeers => _blobPeers;

    /// <summary>Announces once.</summary>
    public async Task<PresentParties> AnnounceAsync(CancellationToken cancellationToken)
    {
        var workers = _workers.LocalPresence;
        var present = await _presence.AnnounceAsync(
            _node, _options.BlobsUrl, workers, _options.PresenceLimit, cancellationToken);
        _workers.SetRemote(present.Workers);
        _blobPeers = [.. present.Blobs.Where(peer => peer.Key != _node).Select(peer => peer.Value)];
        lock (_lock)
        {
            _seen = [.. workers.Select(worker => worker.Worker)];
            _announced.TrySetResult();
            _announced = New();
        }

        return present;
    }

    /// <summary>Announces until it is stopped; <paramref name="present"/> is told who is alive, each time.</summary>
    public async Task RunAsync(Action<PresentParties> present, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                present(await AnnounceAsync(stopping));
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // Whatever it is, it must not be the end: a node that announces nothing more is dead for all others.
                Log.PresenceFailed(_log, exception.Message);
            }

            try
            {
                await TurnAsync(stopping);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Returns once all of <paramref name="workers"/> were announced together.</summary>
    public async Task UntilSeenAsync(IReadOnlyCollection<Did> workers, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task next;
            lock (_lock)
            {
                if (workers.All(_seen.Contains))
                {
                    return;
                }

                next = _announced.Task;
            }

            await next.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits for the next turn, or until a worker joins.</summary>
    private async Task TurnAsync(CancellationToken stopping)
    {
        Task joined;
        lock (_lock)
        {
            joined = _joined.Task;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Task.WhenAny(joined, Task.Delay(_options.PresenceInterval, _clock, over.Token));
        await over.CancelAsync();
        stopping.ThrowIfCancellationRequested();
        lock (_lock)
        {
            // Who joined since is among those that are announced next.
            _joined = New();
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
