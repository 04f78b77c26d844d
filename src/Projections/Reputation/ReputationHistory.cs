using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;
using MeshLedger.Projections.AsOf;

namespace MeshLedger.Projections.Reputation;

/// <summary>Reputation as it was: anybody who reads the log gets the figures that a node went by.</summary>
public static class ReputationHistory
{
    /// <summary>Every score as of <paramref name="position"/>: the events up to it, replayed. Reads the log from its
    /// beginning, a batch at a time, and verifies each event.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    public static async Task<ReputationBook> AsOfAsync(
        IEventStore store, long position, CancellationToken cancellationToken)
    {
        var book = new ReputationBook();
        await foreach (var batch in VerifiedLog.UpToAsync(store, position, cancellationToken))
        {
            foreach (var recorded in batch)
            {
                book.Apply(recorded.Statement.Body, recorded.Statement.Time);
            }
        }

        return book;
    }
}
