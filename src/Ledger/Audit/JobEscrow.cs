using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Audit;

/// <summary>What a job's submission, its opening and its end must lead to on accounts, each once.</summary>
internal sealed class JobEscrow(long position, Did submitter, Digest submission, Digest? key)
{
    private readonly Dictionary<Did, long> _toPay = [];
    private readonly Dictionary<Did, long> _toReceive = [];
    private bool _claimed = key is null;
    private readonly long _submitted = position;
    private long _opened;
    private long? _amount;
    private Digest? _end;
    private long _toRefund;

    /// <summary>Of the job's event that last led to something.</summary>
    public long Position { get; private set; } = position;

    /// <summary>The account that holds and pays.</summary>
    public string Account => StreamId.OfAccount(submitter).ToString();

    /// <summary>True once what must be held is.</summary>
    public bool IsHeld { get; private set; }

    public bool IsDone =>
        IsHeld && _claimed && _end is not null && _toPay.Count == 0 && _toReceive.Count == 0 && _toRefund == 0;

    /// <summary>Bidding opens for the first time: from now on <paramref name="amount"/> is held.</summary>
    public void Open(long at, long amount) => (Position, _opened, _amount) = (at, at, amount);

    /// <summary>The job ends: each run that is paid, and the refund.</summary>
    public void End(long at, Digest end, ValueList<AttemptOutcome> outcomes, long refunded)
    {
        (Position, _end, _toRefund) = (at, end, refunded);
        if (_amount is null)
        {
            // A job that ended before bidding opened never held anything.
            IsHeld = true;
        }

        foreach (var outcome in outcomes.Where(outcome => outcome.Paid > 0))
        {
            _toPay[outcome.Worker] = outcome.Paid;
            _toReceive[outcome.Worker] = outcome.Paid;
        }
    }

    /// <summary>False if the job does not lead to this movement.</summary>
    public bool Take(Did owner, AccountEvent body, Digest? cause)
    {
        switch (body)
        {
            case AccountEvent.Held held
                when !IsHeld && owner == submitter && cause == submission && held.Amount == _amount:
                return IsHeld = true;
            case AccountEvent.Paid paid when owner == submitter && Answers(cause):
                return Settle(_toPay, paid.To, paid.Amount);
            case AccountEvent.Received received when received.From == submitter && Answers(cause):
                return Settle(_toReceive, owner, received.Amount);
            case AccountEvent.Refunded refunded
                when owner == submitter && Answers(cause) && _toRefund > 0 && refunded.Amount == _toRefund:
                _toRefund = 0;
                return true;
            default:
                return false;
        }
    }

    public bool TakeKey(StreamId stream, Digest? cause)
    {
        if (_claimed || cause != submission || stream != StreamId.OfKey(key!.Value))
        {
            return false;
        }

        return _claimed = true;
    }

    /// <summary>What should have come by now, in which stream, and behind which position; null for a job that is simply still
    /// open.</summary>
    /// <param name="of">On this account alone; null: anywhere.</param>
    public (string What, StreamId Stream, long After)? Missing(Did? of = null)
    {
        var isPayer = of is null || of == submitter;
        var payer = StreamId.OfAccount(submitter);
        return !IsHeld && _amount is { } amount && isPayer ? ($"mana_held of {amount}", payer, _opened)
            : !_claimed && of is null ? ("idempotency_key_claimed", StreamId.OfKey(key!.Value), _submitted)
            : _toPay.Count > 0 && isPayer ? ($"mana_paid of {_toPay.Values.First()} to {_toPay.Keys.First()}", payer, Position)
            : of is { } worker && _toReceive.TryGetValue(worker, out var own)
                ? ($"mana_received of {own} by {worker}", StreamId.OfAccount(worker), Position)
            : _toReceive.Count > 0 && of is null
                ? ($"mana_received of {_toReceive.Values.First()} by {_toReceive.Keys.First()}",
                    StreamId.OfAccount(_toReceive.Keys.First()), Position)
            : _toRefund > 0 && isPayer ? ($"mana_refunded of {_toRefund}", payer, Position)
            : null;
    }

    private static bool Settle(Dictionary<Did, long> open, Did worker, long amount) =>
        open.TryGetValue(worker, out var expected) && expected == amount && open.Remove(worker);

    private bool Answers(Digest? cause) => _end is not null && cause == _end;
}
