using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Audit;

/// <summary>What the jobs that are open lead to in other streams. Each movement of mana is compared with its job, whatever
/// else its account says; of a job that is in doubt nothing is expected.</summary>
internal sealed class EscrowBook(Doubts doubts)
{
    private readonly Dictionary<JobId, JobEscrow> _jobs = [];

    public void Submit(JobId job, JobEscrow escrow) => _jobs[job] = escrow;

    public void Open(JobId job, long position, long amount) => _jobs[job].Open(position, amount);

    public void End(JobId job, long position, Digest end, ValueList<AttemptOutcome> outcomes, long refunded) =>
        _jobs[job].End(position, end, outcomes, refunded);

    /// <summary>Nothing more is expected of a job that has all that it leads to.</summary>
    public void Close(JobId job)
    {
        if (_jobs.TryGetValue(job, out var escrow) && (escrow.IsDone || doubts.Of(job) is not null))
        {
            _jobs.Remove(job);
        }
    }

    /// <summary>True if what must be held for a job is, or may be.</summary>
    public bool IsHeld(JobId job)
    {
        var escrow = _jobs[job];
        return escrow.IsHeld || doubts.Of(job) is not null || doubts.Excuse(job, escrow.Account, escrow.Position);
    }

    /// <summary>Compares a movement of mana with its job.</summary>
    public Refusal? Take(JobId job, Did owner, AccountEvent body, Digest? cause)
    {
        var isKnown = _jobs.TryGetValue(job, out var escrow);
        if (isKnown && escrow!.Take(owner, body, cause))
        {
            Close(job);
            return null;
        }

        return IsInDoubt(job, escrow) ? null : new Refusal("WRONG_SETTLEMENT", $"job {job} does not lead to this movement of mana");
    }

    /// <summary>Compares the claim of an idempotency key with its job.</summary>
    public Refusal? TakeKey(JobId job, StreamId stream, Digest? cause)
    {
        var isKnown = _jobs.TryGetValue(job, out var escrow);
        return (isKnown && escrow!.TakeKey(stream, cause)) || IsInDoubt(job, escrow)
            ? null
            : new Refusal("WRONG_KEY", $"job {job} does not claim this key");
    }

    /// <summary>What should have come by now, and did not.</summary>
    /// <param name="of">On this account alone; null: anywhere.</param>
    public IEnumerable<(JobId Job, long Position, string What)> Missing(Did? of)
    {
        foreach (var (job, escrow) in _jobs)
        {
            if (doubts.Of(job) is null && escrow.Missing(of) is { } missing
                && !doubts.Excuse(job, missing.Stream.ToString(), missing.After))
            {
                yield return (job, escrow.Position, missing.What);
            }
        }
    }

    private bool IsInDoubt(JobId job, JobEscrow? escrow)
    {
        if (doubts.Of(job) is not { } place)
        {
            return doubts.Excuse(job, StreamId.OfJob(job).ToString(), escrow?.Position ?? 0);
        }

        place.Dependents++;
        return true;
    }
}
