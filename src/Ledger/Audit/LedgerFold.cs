using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Goes through a ledger in log order and finds what may not stand where it stands: positions and versions without a
/// hole, legal transitions by those who may make them, money that is neither made nor lost. A stream in which an event
/// was illegal is not judged further, for everything after would be.
/// </summary>
internal sealed class LedgerFold(Action<AuditFault> report)
{
    private readonly Registry _registry = new();
    private readonly Dictionary<string, StreamFold> _streams = [];
    private readonly Dictionary<JobId, Escrow> _escrow = [];
    private readonly BatchPlaces _batches = new();
    private long _position;

    public Did? Founder => _registry.Founder.IsDefault ? null : _registry.Founder;

    public long Position => _position;

    public long Granted { get; private set; }

    public long Balances => _streams.Values.Sum(stream => stream.Account?.Balance ?? 0);

    public long Held => _streams.Values.Sum(stream => stream.Account?.Held ?? 0);

    /// <summary>The versions at which the streams stand.</summary>
    public IEnumerable<(string Stream, long Version)> Streams =>
        _streams.Select(pair => (pair.Key, pair.Value.Version));

    public long StreamCount => _streams.Count;

    public void Take(AuditedRow audited)
    {
        var row = audited.Row;
        if (row.Position != _position + 1)
        {
            Report(
                "wrong_position",
                row,
                row.Position <= _position
                    ? $"position {row.Position} stands twice"
                    : $"positions {_position + 1} to {row.Position - 1} are missing");
        }

        _position = row.Position;
        foreach (var (kind, reason) in audited.Faults)
        {
            Report(kind, row, reason);
        }

        if (audited.Batch is { } batch && !_batches.Agrees(batch.Signature, batch.Proof))
        {
            Report(
                "wrong_proof",
                row,
                $"index {batch.Proof.Index} of {batch.Proof.Size} does not agree with the other events of its signature");
        }

        if (!_streams.TryGetValue(row.Stream, out var stream))
        {
            _streams.Add(row.Stream, stream = new StreamFold());
        }

        if (row.Version != stream.Version + 1)
        {
            Report("wrong_version", row, $"expected version {stream.Version + 1} of the stream, found {row.Version}");
            stream.Broken = true;
        }

        stream.Version = row.Version;
        if (audited.Statement is not { } statement || audited.Body is not { } body)
        {
            stream.Broken = true;
            return;
        }

        if (stream.Broken)
        {
            return;
        }

        var fact = new EventFact(statement.By, statement.Cause, statement.Digest, statement.Time, body);
        if (Judge(stream, statement, fact, row) is { } refusal)
        {
            Report("illegal_event", row, $"{refusal.Code}: {refusal.Message}");
            stream.Broken = true;
        }
    }

    /// <summary>What is only wrong because nothing more comes.</summary>
    public void Finish()
    {
        foreach (var (job, escrow) in _escrow)
        {
            if (escrow.Missing() is { } missing)
            {
                report(new AuditFault(
                    "unsettled", StreamId.OfJob(job).ToString(), 0, escrow.Position, $"in the same append must stand: {missing}"));
            }
        }

        if (Granted != Balances + Held)
        {
            report(new AuditFault(
                "mana_not_conserved", "", 0, _position, $"{Granted} was granted, but balances are {Balances} and escrow {Held}"));
        }
    }

    private Refusal? Judge(StreamFold stream, Statement statement, in EventFact fact, EventRow row)
    {
        switch (fact.Body)
        {
            case JobEvent:
                return Job(stream, statement, fact, row);
            case AccountEvent body:
                return Money(stream, statement, fact, body);
            case WorkerEvent or NodeEvent:
                if (_registry.Check(statement, fact.Body, row.Version) is { } refusal)
                {
                    return refusal;
                }

                if (fact.Body is NodeEvent.Admitted && fact.Cause != stream.LastDigest)
                {
                    return new Refusal("WRONG_CAUSE", "the cause must be the joining");
                }

                stream.LastDigest = fact.Digest;
                _registry.Apply(statement, fact.Body);
                return fact.Body is NodeEvent.IdempotencyKeyClaimed claimed ? Key(statement, claimed, fact) : null;
            default:
                return new Refusal("WRONG_STREAM", $"{statement.Type} belongs to no stream");
        }
    }

    private Refusal? Job(StreamFold stream, Statement statement, in EventFact fact, EventRow row)
    {
        if (!statement.Stream.IsJob(out var job))
        {
            return new Refusal("WRONG_STREAM", $"{statement.Type} does not belong to stream {statement.Stream}");
        }

        if (stream.Ended)
        {
            return new Refusal("JOB_ENDED", "the job has ended");
        }

        if (JobRules.Check(stream.Job, fact, _registry) is { } refusal)
        {
            return refusal;
        }

        var state = Domain.Jobs.Job.Evolve(stream.Job, fact);
        stream.Job = state;
        switch (fact.Body)
        {
            case JobEvent.Submitted submitted:
                _escrow[job] = new Escrow(row.Position, state.Submitter, fact.Digest, submitted.Terms);
                break;
            case JobEvent.Completed completed:
                _escrow[job].End(row.Position, fact.Digest, completed.Worker, completed.Paid, completed.Refunded);
                break;
            case JobEvent.Failed failed:
                _escrow[job].End(row.Position, fact.Digest, null, 0, failed.Refunded);
                break;
        }

        if (state.Status.IsTerminal())
        {
            // Ended jobs are many, and nothing may follow: that they have ended is all that is kept.
            stream.Ended = true;
            stream.Job = null;
        }

        return null;
    }

    private Refusal? Money(StreamFold stream, Statement statement, in EventFact fact, AccountEvent body)
    {
        if (!statement.Stream.IsAccount(out var owner))
        {
            return new Refusal("WRONG_STREAM", $"{statement.Type} does not belong to stream {statement.Stream}");
        }

        var state = stream.Account ?? AccountState.None;
        if (Account.Check(state, fact, _registry) is { } refusal)
        {
            return refusal;
        }

        stream.Account = Account.Evolve(state, body);
        if (body is AccountEvent.Opened opened)
        {
            Granted += opened.Grant;
            return null;
        }

        var job = body switch
        {
            AccountEvent.Held held => held.JobId,
            AccountEvent.Paid paid => paid.JobId,
            AccountEvent.Refunded refunded => refunded.JobId,
            AccountEvent.Received received => received.JobId,
            _ => default,
        };
        if (!_escrow.TryGetValue(job, out var escrow) || !escrow.Take(owner, body, fact.Cause))
        {
            return new Refusal("WRONG_SETTLEMENT", $"job {job} does not lead to this movement of mana");
        }

        if (escrow.IsDone)
        {
            _escrow.Remove(job);
        }

        return null;
    }

    private Refusal? Key(Statement statement, NodeEvent.IdempotencyKeyClaimed claimed, in EventFact fact) =>
        _escrow.TryGetValue(claimed.JobId, out var escrow) && escrow.TakeKey(statement.Stream, fact.Cause)
            ? null
            : new Refusal("WRONG_KEY", $"job {claimed.JobId} does not claim this key");

    private void Report(string kind, EventRow row, string reason) =>
        report(new AuditFault(kind, row.Stream, row.Version, row.Position, reason));

    /// <summary>One stream as far as it was read.</summary>
    private sealed class StreamFold
    {
        public long Version { get; set; }
        public bool Broken { get; set; }
        public bool Ended { get; set; }
        public JobState? Job { get; set; }
        public AccountState? Account { get; set; }
        public Digest? LastDigest { get; set; }
    }

    /// <summary>What a job's submission and end must lead to on accounts, each once.</summary>
    private sealed class Escrow(long position, Did submitter, Digest submission, JobTerms terms)
    {
        private bool _held;
        private bool _key = terms.IdempotencyKey is null;
        private bool _ended;
        private Digest _end;
        private Did? _worker;
        private long _toPay;
        private long _toReceive;
        private long _toRefund;

        public long Position { get; private set; } = position;

        public bool IsDone => _held && _key && _ended && _toPay == 0 && _toReceive == 0 && _toRefund == 0;

        public void End(long at, Digest end, Did? worker, long paid, long refunded)
        {
            (Position, _ended, _end, _worker) = (at, true, end, worker);
            (_toPay, _toReceive, _toRefund) = (paid, paid, refunded);
        }

        public bool Take(Did owner, AccountEvent body, Digest? cause)
        {
            switch (body)
            {
                case AccountEvent.Held held
                    when !_held && owner == submitter && cause == submission && held.Amount == terms.MaxPrice:
                    return _held = true;
                case AccountEvent.Paid paid
                    when _toPay > 0 && owner == submitter && cause == _end && paid.Amount == _toPay && paid.To == _worker:
                    _toPay = 0;
                    return true;
                case AccountEvent.Received received
                    when _toReceive > 0 && owner == _worker && cause == _end && received.Amount == _toReceive
                        && received.From == submitter:
                    _toReceive = 0;
                    return true;
                case AccountEvent.Refunded refunded
                    when _toRefund > 0 && owner == submitter && cause == _end && refunded.Amount == _toRefund:
                    _toRefund = 0;
                    return true;
                default:
                    return false;
            }
        }

        public bool TakeKey(StreamId stream, Digest? cause)
        {
            if (_key || cause != submission || stream != StreamId.OfKey(terms.IdempotencyKey!.Value))
            {
                return false;
            }

            return _key = true;
        }

        /// <summary>What should have come by now; null for a job that is simply still open.</summary>
        public string? Missing() =>
            !_held ? $"mana_held of {terms.MaxPrice}"
            : !_key ? "idempotency_key_claimed"
            : !_ended ? null
            : _toPay > 0 ? $"mana_paid of {_toPay}"
            : _toReceive > 0 ? $"mana_received of {_toReceive}"
            : _toRefund > 0 ? $"mana_refunded of {_toRefund}"
            : null;
    }
}
