using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Audit;

/// <summary>Says in what an assignment differs from the choice that the recorded bids lead to, which is made again.</summary>
internal static class SelectionRepeat
{
    /// <param name="state">The job before the assignment.</param>
    public static (string Expected, string Found) Compare(JobState state, JobEvent.Assigned assigned, IAuthority authority)
    {
        var choice = Market.Repeat(state, assigned, authority);
        if (!choice.Assignees.Equals(assigned.Assignees))
        {
            return (Of(choice.Assignees), Of(assigned.Assignees));
        }

        var (right, said) = (choice.Considered, assigned.Considered);
        for (var i = 0; i < Math.Max(right.Count, said.Count); i++)
        {
            if (i >= right.Count || i >= said.Count || right[i] != said[i])
            {
                return (
                    $"as bid {i + 1} of {right.Count}: {(i < right.Count ? Of(right[i]) : "none")}",
                    i < said.Count ? Of(said[i]) : "none");
            }
        }

        return ($"{choice.Selection}", $"{assigned.Selection}");
    }

    private static string Of(ValueList<Assignee> assignees) => assignees.Count == 0
        ? "nobody"
        : string.Join(", ", assignees.Select(assignee => $"{assignee.Worker} at {assignee.Price}"));

    private static string Of(ConsideredBid bid) =>
        $"{bid.Worker} at {bid.Price}, unmet [{string.Join(", ", bid.Unmet)}], {bid.Terms}";
}
