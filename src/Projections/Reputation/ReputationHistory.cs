using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;

namespace MeshLedger.Projections.Reputation;

/// <summary>Reputation as it was: anybody who reads the log gets the figures that a node went by.</summary>
public static class ReputationHistory
{
    private const int Batch = 5000;

    /// <summary>Every score as of <paramref name="position"/>: the events up to it, replayed. Reads the log from its
    /// beginning, a batch at a time.</summary>
    public static async Task<ReputationBook> AsOfAsync(
        IEventStore store, long position, CancellationToken cancellationToken)
    {
        var book = new ReputationBook();
        for (var at = 0L; at < position;)
        {
            var events = await store.ReadAfterAsync(at, (int)Math.Min(Batch, position - at), cancellationToken);
            if (events.Count == 0)
            {
                break;
            }

            foreach (var recorded in events)
            {
                book.Apply(recorded.Statement.Body, recorded.Statement.Time);
            }

            at = events[^1].Position;
        }

        return book;
    }
}
