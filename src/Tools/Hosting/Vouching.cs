using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Hosting;

/// <summary>A node's submitter says that its workers are its own, so that what they do for others makes its jobs cheaper.
/// </summary>
internal static class Vouching
{
    /// <summary>Waits until each worker has registered, and vouches for it, unless it did before.</summary>
    /// <param name="head">A position before those registrations.</param>
    public static async Task ForAsync(
        IEventStore store, SigningKey submitter, IEnumerable<Did> workers, long head, CancellationToken cancellationToken)
    {
        var waiting = workers.ToHashSet();
        if (waiting.Count == 0)
        {
            return;
        }

        await foreach (var batch in store.FollowAsync(head, cancellationToken))
        {
            foreach (var recorded in batch)
            {
                if (recorded.Statement.Body is WorkerEvent.Registered && waiting.Remove(recorded.Statement.By))
                {
                    await VouchAsync(store, submitter, recorded.Statement.By, cancellationToken);
                }
            }

            if (waiting.Count == 0)
            {
                return;
            }
        }
    }

    private static async Task VouchAsync(
        IEventStore store, SigningKey submitter, Did worker, CancellationToken cancellationToken)
    {
        var refusal = await new Clerk(store).SayAsync(
            new EventAuthor(submitter, TimeProvider.System), StreamId.OfWorker(worker),
            registry => registry.WorkersOf(submitter.Did).Contains(worker)
                ? null
                : (new WorkerEvent.Vouched(worker), registry.Worker(worker)!.Digest),
            cancellationToken);
        if (refusal is not null)
        {
            throw new CommandFailure(ExitCodes.Failed, $"the submitter cannot vouch for worker {worker}: {refusal}");
        }
    }
}
