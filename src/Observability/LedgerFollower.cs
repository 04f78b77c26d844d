using System.Data.Common;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Observability.Metrics;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Observability;

/// <summary>Feeds the metrics with the log: from its head when it starts, knowing the jobs that were open
/// then.</summary>
internal sealed class LedgerFollower(IEventStore store, LedgerMetrics metrics, TimeProvider clock, ILogger log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // Written only by RunAsync.
    private long _position = -1;

    /// <summary>Up to where the log was followed; -1 before.</summary>
    public long Position => Interlocked.Read(ref _position);

    /// <summary>Runs until cancelled.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (Position < 0)
                {
                    Interlocked.Exchange(ref _position, await LoadAsync(stopping));
                }

                await FollowAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is DbException or IOException or TimeoutException)
            {
                Log.FollowingPostponed(log, exception.Message);
                await Task.Delay(Pause, clock, CancellationToken.None);
            }
        }
    }

    private async Task<long> LoadAsync(CancellationToken stopping)
    {
        var head = await store.HeadAsync(stopping);
        var accounts = await store.OpenStreamsAsync("account", [], stopping);
        metrics.Reset(accounts, await store.LoadKindsAsync(["worker"], stopping));
        foreach (var stream in await store.OpenStreamsAsync("job", [.. EventNames.Ends.Keys], stopping))
        {
            var events = await store.LoadAsync(stream, stopping);
            metrics.Recall(events.TakeWhile(recorded => recorded.Position <= head));
        }

        return head;
    }

    private async Task FollowAsync(CancellationToken stopping)
    {
        await foreach (var batch in store.FollowAsync(Position, stopping))
        {
            foreach (var recorded in batch)
            {
                // A job may have ended while the open ones were looked for, or be spoken of after its end.
                if (metrics.IsMissing(recorded))
                {
                    var events = await store.LoadAsync(recorded.Statement.Stream, stopping);
                    metrics.Recall(events.TakeWhile(earlier => earlier.Position < recorded.Position));
                }

                metrics.Apply(recorded);
                Interlocked.Exchange(ref _position, recorded.Position);
            }
        }
    }
}
