using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Accounts;

/// <summary>What happens to an account. Stream: <c>account-DID</c>. All by a node. Mana comes into being by
/// <see cref="Opened"/> alone; each <see cref="Paid"/> has its <see cref="Received"/> in the same transaction.</summary>
public abstract record AccountEvent : LedgerEvent
{
    private AccountEvent()
    {
    }

    /// <summary>First of every account.</summary>
    public sealed record Opened(long Grant) : AccountEvent;

    /// <summary>From the balance into escrow, for a job. Cause: the submission.</summary>
    public sealed record Held(JobId JobId, long Amount) : AccountEvent;

    /// <summary>From escrow to a worker. Cause: the job's end.</summary>
    public sealed record Paid(JobId JobId, long Amount, Did To) : AccountEvent;

    /// <summary>From escrow back to the balance. Cause: the job's end.</summary>
    public sealed record Refunded(JobId JobId, long Amount) : AccountEvent;

    /// <summary>From a submitter's escrow. Cause: the job's end.</summary>
    public sealed record Received(JobId JobId, long Amount, Did From) : AccountEvent;
}
