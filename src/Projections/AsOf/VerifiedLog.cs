using System.Runtime.CompilerServices;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Projections.AsOf;

/// <summary>The log from its beginning, for whoever says what was so: each event is verified on the way.</summary>
internal static class VerifiedLog
{
    private const int Batch = 5000;

    /// <summary>The events up to a position, or to the log's end, in batches. What comes after is not looked at.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    public static async IAsyncEnumerable<IReadOnlyList<RecordedEvent>> UpToAsync(
        IEventStore store, long position, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var at = 0L; at < position;)
        {
            var batch = await store.ReadVerifiedAfterAsync(at, (int)Math.Min(Batch, position - at), cancellationToken);
            batch = batch.Count > 0 && batch[^1].Position > position ? [.. batch.TakeWhile(recorded => recorded.Position <= position)] : batch;
            if (batch.Count == 0)
            {
                yield break;
            }

            yield return batch;
            at = batch[^1].Position;
        }
    }
}
