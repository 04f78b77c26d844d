using MeshLedger.Domain.Events;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>Makes this node one of the ledger's: founds an empty ledger, or joins and waits to be admitted.</summary>
internal sealed class Membership(
    IEventStore store, Registry registry, NodeOptions options, EventAuthor node, TimeProvider clock, ILogger log)
{
    /// <summary>Returns once the node may write for the ledger: the position up to which the registry is complete.
    /// </summary>
    /// <exception cref="TimeoutException">Nobody admitted it in time; says what to do.</exception>
    public async Task<long> EnsureAsync(CancellationToken cancellationToken)
    {
        var isNew = await store.HeadAsync(cancellationToken) == 0;
        if (isNew)
        {
            await SayAsync(new NodeEvent.Founded(options.Name), null, StreamId.Ledger, 0, cancellationToken);
        }

        var position = await RegistryReader.ReadAsync(store, registry, cancellationToken);
        if (registry.IsNode(node.Did))
        {
            // Another node may have been faster to found it.
            if (isNew && registry.Founder == node.Did)
            {
                Log.Founded(log, node.Did.ToString());
            }
            else
            {
                Log.Continues(log, node.Did.ToString());
            }

            return position;
        }

        var stream = StreamId.OfNode(node.Did);
        await SayAsync(new NodeEvent.Joined(options.Name), null, stream, 0, cancellationToken);
        Log.WaitsForAdmission(log, node.Did.ToString());
        for (var waited = TimeSpan.Zero; !registry.IsNode(node.Did); waited += TimeSpan.FromMilliseconds(200))
        {
            if (waited >= options.AdmissionLimit)
            {
                throw new TimeoutException(
                    $"No running node of this ledger admitted {node.Did} within {options.AdmissionLimit.TotalSeconds} s. "
                    + $"Start a node that belongs to it (the founder is {registry.Founder}), then this one again.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), clock, cancellationToken);
            position = await RegistryReader.ReadAsync(store, registry, cancellationToken);
        }

        Log.Admitted(log, node.Did.ToString());
        return position;
    }

    /// <summary>Admits a node that has joined. Losing the race to another node is as good.</summary>
    public async Task AdmitAsync(RecordedEvent joined, CancellationToken cancellationToken)
    {
        var applicant = joined.Statement.By;
        if (options.AdmitNodes && applicant != node.Did && !registry.IsNode(applicant))
        {
            await SayAsync(
                new NodeEvent.Admitted(applicant), joined.Event.Digest, StreamId.OfNode(applicant), 1, cancellationToken);
        }
    }

    /// <summary>Admits whoever joined while no node was running.</summary>
    public async Task AdmitWaitingAsync(CancellationToken cancellationToken)
    {
        foreach (var recorded in await store.LoadKindsAsync(["node"], cancellationToken))
        {
            if (recorded.Statement.Body is NodeEvent.Joined)
            {
                await AdmitAsync(recorded, cancellationToken);
            }
        }
    }

    private async Task SayAsync(
        NodeEvent body, Crypto.Digest? cause, StreamId stream, long version, CancellationToken cancellationToken)
    {
        var draft = new Draft();
        draft.Expect(stream, version);
        draft.Add(node, body, cause, stream);
        if (await store.AppendAsync(draft.Sign(), cancellationToken) is AppendOutcome.Rejected rejected)
        {
            throw new InvalidOperationException($"The ledger refused {body}: {rejected.Reason}");
        }
    }
}
