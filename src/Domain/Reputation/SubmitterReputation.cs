using MeshLedger.Crypto;
using MeshLedger.Domain.Nodes;

namespace MeshLedger.Domain.Reputation;

/// <summary>
/// The reputation of one who submits jobs, in points: that of its own key, and of every worker that it vouched for and
/// that names it as its owner. Whoever runs much for others pays less, and its account grows faster.
/// </summary>
public static class SubmitterReputation
{
    /// <summary>As of what the book and the registry have folded; decayed up to <paramref name="at"/>.</summary>
    public static long Of(ReputationBook book, Registry registry, Did submitter, DateTimeOffset at) =>
        Sum(Keys(registry, submitter).Select(key => book.Points(key, ReputationBook.Overall, at)));

    /// <summary>Whose points count: the submitter's own key, and its workers', each once.</summary>
    public static IEnumerable<Did> Keys(Registry registry, Did submitter) =>
        registry.WorkersOf(submitter).Where(worker => worker != submitter).Prepend(submitter);

    /// <summary>Each at least 0, all together at most <see cref="ReputationBook.Most"/>.</summary>
    public static long Sum(IEnumerable<long> points) =>
        Math.Min(ReputationBook.Most, points.Sum(one => Math.Max(0, one)));
}
