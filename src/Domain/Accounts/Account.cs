using System.Collections.Immutable;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Accounts;

/// <summary>What an account's events add up to, in mana. Changed by <see cref="Account.Evolve"/> alone.</summary>
/// <param name="Escrow">What is held for jobs that have not ended.</param>
public sealed record AccountState(long Version, long Granted, long Balance, ImmutableDictionary<JobId, long> Escrow)
{
    public static AccountState None { get; } = new(0, 0, 0, ImmutableDictionary<JobId, long>.Empty);

    /// <summary>The sum of what is held.</summary>
    public long Held { get; init; }

    /// <summary>The sum of what grew by itself.</summary>
    public long Regenerated { get; init; }

    /// <summary>Up to when it is recorded what grew.</summary>
    public DateTimeOffset RegeneratedUntil { get; init; }
    public long RegenerationPerMinute { get; init; }
    public long RegenerationCap { get; init; }
}

/// <summary>
/// Accounts, to the unit: what was granted, grew and was received equals balance, escrow and what was paid, at every
/// version.
/// </summary>
public static class Account
{
    /// <summary>The fastest that an account may grow, in mana a minute.</summary>
    public const long MaxRate = 1_000_000_000;

    private const long MaxBalance = Crypto.CanonicalJson.MaxInteger;

    /// <summary>Why <paramref name="fact"/> may not follow <paramref name="state"/>; null if it may.</summary>
    public static Refusal? Check(AccountState state, in EventFact fact, IAuthority authority)
    {
        if (!authority.IsNode(fact.By))
        {
            return new Refusal("NOT_A_NODE", $"only an admitted node may say this, not {fact.By}");
        }

        if (state.Version == 0)
        {
            return fact.Body is AccountEvent.Opened
            {
                Grant: >= 0 and <= Crypto.CanonicalJson.MaxInteger,
                RegenerationPerMinute: >= 0 and <= MaxRate,
                RegenerationCap: >= 0 and <= Crypto.CanonicalJson.MaxInteger,
            }
                ? null
                : new Refusal("ACCOUNT_NOT_OPEN", "an account begins with account_opened and a grant of 0 or more");
        }

        return fact.Body switch
        {
            AccountEvent.Opened => new Refusal("ACCOUNT_OPEN", "an account is opened once"),
            AccountEvent.Held held when held.Amount <= 0 || state.Escrow.ContainsKey(held.JobId) =>
                new Refusal("WRONG_AMOUNT", "a job's price is held once, and is at least 1"),
            AccountEvent.Held held when held.Amount > state.Balance =>
                new Refusal("INSUFFICIENT_MANA", $"the balance is {state.Balance}, the job asks for {held.Amount}"),
            AccountEvent.Held => null,
            AccountEvent.Paid paid => FromEscrow(state, paid.JobId, paid.Amount),
            AccountEvent.Refunded refunded => FromEscrow(state, refunded.JobId, refunded.Amount),
            AccountEvent.Received { Amount: > 0 } received
                when received.Amount <= MaxBalance - state.Balance - state.Held => null,
            AccountEvent.Regenerated grown => Growth(state, grown, fact.Time),
            AccountEvent.Received => new Refusal("WRONG_AMOUNT", "a payment is at least 1 and within the largest balance"),
            _ => new Refusal("WRONG_STREAM", $"{EventCodec.TypeOf(fact.Body)} is none of an account's events"),
        };
    }

    /// <summary>What grew by a time: for each whole minute since <see cref="AccountState.RegeneratedUntil"/> the account's
    /// rate, times the owner's reputation in hundredths, which counts from 10 to 200, up to the cap. Null before a
    /// minute has passed.</summary>
    public static AccountEvent.Regenerated? Regeneration(AccountState state, DateTimeOffset now, long reputation)
    {
        var minutes = (now - state.RegeneratedUntil).Ticks / TimeSpan.TicksPerMinute;
        return state.Version == 0 || state.RegenerationPerMinute == 0 || minutes <= 0
            ? null
            : new AccountEvent.Regenerated(
                Grown(state, minutes, reputation),
                state.RegeneratedUntil,
                state.RegeneratedUntil.AddMinutes(minutes),
                reputation);
    }

    /// <summary>The state after an event that was signed at <paramref name="time"/>.</summary>
    /// <exception cref="InvalidHistoryException">The event cannot follow.</exception>
    public static AccountState Evolve(AccountState state, LedgerEvent body, DateTimeOffset time)
    {
        var next = state with { Version = state.Version + 1 };
        return body switch
        {
            AccountEvent.Opened opened => next with
            {
                Granted = opened.Grant,
                Balance = opened.Grant,
                RegenerationPerMinute = opened.RegenerationPerMinute,
                RegenerationCap = opened.RegenerationCap,
                RegeneratedUntil = time,
            },
            AccountEvent.Regenerated grown => next with
            {
                Balance = state.Balance + grown.Amount,
                Regenerated = state.Regenerated + grown.Amount,
                RegeneratedUntil = grown.Until,
            },
            AccountEvent.Held held => next with
            {
                Balance = state.Balance - held.Amount,
                Held = state.Held + held.Amount,
                Escrow = state.Escrow.SetItem(held.JobId, held.Amount),
            },
            AccountEvent.Paid paid => Release(next, paid.JobId, paid.Amount),
            AccountEvent.Refunded refunded =>
                Release(next, refunded.JobId, refunded.Amount) with { Balance = state.Balance + refunded.Amount },
            AccountEvent.Received received => next with { Balance = state.Balance + received.Amount },
            _ => throw new InvalidHistoryException($"Event {EventCodec.TypeOf(body)} is none of an account's."),
        };
    }

    private static Refusal? Growth(AccountState state, AccountEvent.Regenerated grown, DateTimeOffset time)
    {
        var minutes = (grown.Until - grown.From).Ticks / TimeSpan.TicksPerMinute;
        return grown.From == state.RegeneratedUntil && minutes > 0 && grown.Until == grown.From.AddMinutes(minutes)
            && grown.Until <= time
            && grown.Amount == Grown(state, minutes, grown.Reputation)
                ? null
                : new Refusal(
                    "WRONG_REGENERATION", "what grew follows from the account's rate, whole minutes, reputation and cap");
    }

    private static long Grown(AccountState state, long minutes, long reputation)
    {
        var rate = state.RegenerationPerMinute * Math.Clamp(reputation, 10, 200) / 100;
        var room = Math.Max(0, state.RegenerationCap - state.Balance);
        return (long)Int128.Min((Int128)rate * minutes, Math.Min(room, MaxBalance - state.Balance - state.Held));
    }

    private static Refusal? FromEscrow(AccountState state, JobId job, long amount) =>
        amount > 0 && state.Escrow.TryGetValue(job, out var held) && amount <= held
            ? null
            : new Refusal("NOT_IN_ESCROW", $"not so much is held for job {job}");

    private static AccountState Release(AccountState state, JobId job, long amount)
    {
        if (!state.Escrow.TryGetValue(job, out var held) || held < amount)
        {
            throw new InvalidHistoryException($"Nothing like {amount} is held for job {job}.");
        }

        return state with
        {
            Held = state.Held - amount,
            Escrow = held == amount ? state.Escrow.Remove(job) : state.Escrow.SetItem(job, held - amount),
        };
    }
}
