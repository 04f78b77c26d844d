using MeshLedger.Crypto;
using MeshLedger.Domain.Nodes;

namespace MeshLedger.Domain.Reputation;

/// <summary>What a submitter's prices are adjusted by: good work for others makes one's own jobs cheaper.</summary>
public static class SubmitterReputation
{
    /// <summary>The points of the submitter's own key and of every worker that it vouched for, each at least 0, at most
    /// <see cref="ReputationBook.Most"/> together.</summary>
    public static long Of(ReputationBook book, Registry registry, Did submitter, DateTimeOffset at)
    {
        var sum = Math.Max(0, book.Points(submitter, ReputationBook.Overall, at));
        foreach (var worker in registry.WorkersOf(submitter))
        {
            if (worker != submitter)
            {
                sum += Math.Max(0, book.Points(worker, ReputationBook.Overall, at));
            }
        }

        return Math.Min(sum, ReputationBook.Most);
    }
}
