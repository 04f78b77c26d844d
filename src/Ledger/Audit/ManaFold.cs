using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Audit;

/// <summary>Judges what accounts say: each by what it has, and each movement by the job that led to it.</summary>
internal sealed class ManaFold(EscrowBook escrow, DoubtedAuthority authority)
{
    public long Granted { get; private set; }

    public long Regenerated { get; private set; }

    /// <param name="isPart">True if not all events of the account are there.</param>
    public Refusal? Take(StreamFold stream, StreamId name, in EventFact fact, AccountEvent body, bool isPart)
    {
        if (!name.IsAccount(out var owner))
        {
            return new Refusal("WRONG_STREAM", $"{EventCodec.TypeOf(body)} does not belong to stream {name}");
        }

        if (stream.Broken is not null)
        {
            // What it has is not known; who may say so is.
            if (!authority.IsNode(fact.By))
            {
                return new Refusal("NOT_A_NODE", $"only an admitted node may say this, not {fact.By}");
            }
        }
        else if (!isPart)
        {
            var state = stream.Account ?? AccountState.None;
            if (Account.Check(state, fact, authority) is { } refusal)
            {
                return refusal;
            }

            stream.Account = Account.Evolve(state, body, fact.Time);
        }

        switch (body)
        {
            case AccountEvent.Opened opened:
                Granted += opened.Grant;
                return null;
            case AccountEvent.Regenerated grown:
                Regenerated += grown.Amount;
                return null;
            case AccountEvent.Held held:
                return escrow.Take(held.JobId, owner, body, fact.Cause);
            case AccountEvent.Paid paid:
                return escrow.Take(paid.JobId, owner, body, fact.Cause);
            case AccountEvent.Refunded refunded:
                return escrow.Take(refunded.JobId, owner, body, fact.Cause);
            case AccountEvent.Received received:
                return escrow.Take(received.JobId, owner, body, fact.Cause);
            default:
                return new Refusal("WRONG_SETTLEMENT", $"{EventCodec.TypeOf(body)} is no movement of mana");
        }
    }
}
