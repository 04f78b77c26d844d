using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Accounts;

/// <summary>What happens to an account. Stream: <c>account-DID</c>. All by a node. Mana comes into being by
/// <see cref="Opened"/> and <see cref="Regenerated"/> alone; each <see cref="Paid"/> has its <see cref="Received"/> in the same transaction.</summary>
public abstract record AccountEvent : LedgerEvent
{
    private AccountEvent()
    {
    }

    /// <summary>First of every account.</summary>
    /// <param name="RegenerationPerMinute">For an owner of average reputation; 0: nothing grows by itself.</param>
    /// <param name="RegenerationCap">Up to which balance it grows.</param>
    public sealed record Opened(long Grant, long RegenerationPerMinute, long RegenerationCap) : AccountEvent;

    /// <summary>What grew since the last time, by <see cref="Account.Regeneration"/>; it may be nothing, for time at the
    /// cap is not made up for later.</summary>
    /// <param name="From">Up to when it was recorded before.</param>
    /// <param name="Until">Whole minutes later.</param>
    /// <param name="Reputation">Of the owner, in points.</param>
    public sealed record Regenerated(long Amount, DateTimeOffset From, DateTimeOffset Until, long Reputation)
        : AccountEvent;

    /// <summary>From the balance into escrow, for a job. Cause: the submission.</summary>
    public sealed record Held(JobId JobId, long Amount) : AccountEvent;

    /// <summary>From escrow to a worker. Cause: the job's end.</summary>
    public sealed record Paid(JobId JobId, long Amount, Did To) : AccountEvent;

    /// <summary>From escrow back to the balance. Cause: the job's end.</summary>
    public sealed record Refunded(JobId JobId, long Amount) : AccountEvent;

    /// <summary>From a submitter's escrow. Cause: the job's end.</summary>
    public sealed record Received(JobId JobId, long Amount, Did From) : AccountEvent;
}
