using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;

namespace MeshLedger.Node;

/// <summary>Reputations as of the position up to which this node has folded the log. A choice takes all its figures as
/// of one position, which it records, so that others get the same. Safe for concurrent use.</summary>
internal sealed class Standings(Registry registry, TimeProvider clock)
{
    private static readonly string[] SettlingTypes = ["job_completed", "job_failed", "attempt_ended"];

    private readonly Lock _lock = new();
    private readonly ReputationBook _book = new();
    private long _position;

    /// <summary>Up to where the log was folded.</summary>
    public long Position
    {
        get
        {
            lock (_lock)
            {
                return _position;
            }
        }
    }

    /// <summary>Folds the whole log up to <paramref name="position"/>, up to which the registry is complete.</summary>
    public async Task LoadAsync(IEventStore store, long position, CancellationToken cancellationToken)
    {
        var events = await store.LoadTypesAsync(SettlingTypes, null, cancellationToken);
        lock (_lock)
        {
            foreach (var recorded in events.Where(recorded => recorded.Position <= position))
            {
                _book.Apply(recorded.Statement.Body, recorded.Statement.Time);
            }

            _position = position;
        }
    }

    /// <summary>Takes in the next events of the log; the registry has taken them in before.</summary>
    public void Follow(IReadOnlyList<RecordedEvent> events)
    {
        lock (_lock)
        {
            foreach (var recorded in events)
            {
                if (recorded.Position > _position)
                {
                    _book.Apply(recorded.Statement.Body, recorded.Statement.Time);
                    _position = recorded.Position;
                }
            }
        }
    }

    /// <summary>In points, of a worker for an operation, as of now.</summary>
    public long Points(Did worker, string operation)
    {
        lock (_lock)
        {
            return _book.Points(worker, operation, clock.GetUtcNow());
        }
    }

    /// <summary>What a submitter's prices are adjusted by.</summary>
    public long OfSubmitter(Did submitter)
    {
        lock (_lock)
        {
            return SubmitterReputation.Of(_book, registry, submitter, clock.GetUtcNow());
        }
    }

    /// <summary>Decides with figures of one position.</summary>
    public T Decide<T>(MarketOptions market, TimeSpan lease, JobEntry entry, string operation, Func<SelectionInput, T> decide)
    {
        lock (_lock)
        {
            var at = clock.GetUtcNow().ToMicroseconds();
            return decide(new SelectionInput(
                market.Policy,
                market.Weights,
                (long)lease.TotalMilliseconds,
                market.SubmitterMayBid,
                _position,
                at,
                worker => _book.Points(worker, operation, at),
                worker => _book.Score(worker, operation).Streak,
                entry.LatencyOf));
        }
    }
}
