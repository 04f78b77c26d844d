using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Ledger.Bundles;

/// <summary>Which events a third party needs to judge jobs: theirs, and those that say who their authors are.</summary>
public static class BundleSelection
{
    /// <summary>The whole streams of the jobs, of the ledger, of every author that is a node or a worker, of whoever admitted
    /// or vouched for these in turn, and of the federations that the jobs ask for; in log order.</summary>
    /// <param name="log">The log under whose head they are to stand, where it was handed over: with its hand-overs.</param>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    public static async Task<IReadOnlyList<RecordedEvent>> LoadAsync(
        IEventStore store, IEnumerable<JobId> jobs, StreamId? log, CancellationToken cancellationToken)
    {
        var events = new SortedDictionary<long, RecordedEvent>();
        var (streams, authors) = (new Queue<StreamId>(), new HashSet<Did>());
        var asked = new HashSet<StreamId>();
        Ask(StreamId.Ledger);
        foreach (var job in jobs)
        {
            Ask(StreamId.OfJob(job));
        }

        if (log is { } handedOver)
        {
            Ask(handedOver);
        }

        while (streams.TryDequeue(out var stream))
        {
            foreach (var recorded in await store.LoadAsync(stream, cancellationToken))
            {
                events[recorded.Position] = recorded;
                if (authors.Add(recorded.Statement.By))
                {
                    Ask(StreamId.OfNode(recorded.Statement.By));
                    Ask(StreamId.OfWorker(recorded.Statement.By));
                }

                foreach (var federation in recorded.Statement.Body is JobEvent.Submitted { Requirements: var needs }
                    ? FederationsOf(needs)
                    : [])
                {
                    Ask(StreamId.OfFederation(federation));
                }
            }
        }

        return [.. events.Values];

        void Ask(StreamId stream)
        {
            if (asked.Add(stream))
            {
                streams.Enqueue(stream);
            }
        }
    }

    /// <summary>Those that a worker must be a member of, or whose scope it must have.</summary>
    private static IEnumerable<string> FederationsOf(JobRequirements needs) =>
        needs.TrustScope?.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash
            ? needs.Federations.Append(needs.TrustScope[..slash])
            : needs.Federations;
}
