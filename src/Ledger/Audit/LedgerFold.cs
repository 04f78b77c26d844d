using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Goes through a ledger in log order and finds what may not stand where it stands: positions and versions without a
/// hole, legal transitions by those who may make them, money that is neither made nor lost. A stream in which an event
/// was illegal is not judged further, for everything after would be.
/// </summary>
internal sealed class LedgerFold
{
    private readonly Action<AuditFault> _report;
    private readonly Registry _registry = new();
    private readonly ReputationFigures _figures;
    private readonly AidMatches _matches;
    private readonly Dictionary<string, StreamFold> _streams = [];
    private readonly Dictionary<JobId, JobEscrow> _escrow = [];
    private readonly BatchPlaces _batches = new();
    private long _position;

    public LedgerFold(Action<AuditFault> report)
    {
        _report = report;
        _figures = new ReputationFigures(_registry);
        _matches = new AidMatches(_registry.Aid);
    }

    public Did? Founder => _registry.Founder.IsDefault ? null : _registry.Founder;

    public long Position => _position;

    public long Granted { get; private set; }

    public long Regenerated { get; private set; }

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
                row.Position < 1 ? $"positions begin at 1, found {row.Position}"
                    : row.Position <= _position ? $"position {row.Position} stands twice"
                    : $"positions {_position + 1} to {row.Position - 1} are missing");
            _figures.Stop();
        }

        _position = row.Position;
        foreach (var (kind, reason) in audited.Faults)
        {
            Report(kind, row, reason);
            if (kind == "wrong_digest")
            {
                _figures.Stop();
            }
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
            _figures.Stop();
            return;
        }

        if (!stream.Broken)
        {
            var fact = new EventFact(statement.By, statement.Cause, statement.Digest, statement.Time, body);
            if (Judge(stream, statement, fact, row) is { } refusal)
            {
                Report("illegal_event", row, $"{refusal.Code}: {refusal.Message}");
                stream.Broken = true;
            }
        }

        // Nodes fold what the log holds: a settlement counts even where its stream is not judged any more.
        if (!stream.Broken || (body is JobEvent && _registry.IsNode(statement.By)))
        {
            _figures.Take(statement, body, row.Position);
        }
    }

    /// <summary>What is only wrong because nothing more comes.</summary>
    public void Finish()
    {
        foreach (var (job, escrow) in _escrow)
        {
            if (escrow.Missing() is { } missing)
            {
                _report(new AuditFault(
                    "unsettled", StreamId.OfJob(job).ToString(), 0, escrow.Position, $"in the same append must stand: {missing}"));
            }
        }

        foreach (var (request, position, job) in _matches.Missing)
        {
            _report(new AuditFault(
                "unsettled", request.ToString(), 0, position, $"in the same append must stand: job_submitted of {job}"));
        }

        if (Granted + Regenerated != Balances + Held)
        {
            _report(new AuditFault(
                "mana_not_conserved",
                "",
                0,
                _position,
                $"{Granted} was granted and {Regenerated} grew, but balances are {Balances} and escrow {Held}"));
        }
    }

    private Refusal? Judge(StreamFold stream, Statement statement, in EventFact fact, EventRow row)
    {
        switch (fact.Body)
        {
            case JobEvent:
                return Job(stream, statement, fact, row);
            case AccountEvent body:
                return Money(stream, statement, fact, body, row);
            case WorkerEvent or NodeEvent or FederationEvent or AidEvent or LogEvent:
                if (_registry.Check(statement, fact.Body, row.Version) is { } refusal)
                {
                    return refusal;
                }

                if (fact.Body is NodeEvent.Admitted && fact.Cause != stream.LastDigest)
                {
                    return new Refusal("WRONG_CAUSE", "the cause must be the joining");
                }

                stream.LastDigest = fact.Digest;
                _registry.Apply(statement, fact.Body, row.Version, row.Position);
                return fact.Body switch
                {
                    NodeEvent.IdempotencyKeyClaimed claimed => Key(statement, claimed, fact),
                    AidEvent.Matched matched => Match(statement, matched, row),
                    _ => null,
                };
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
            return Finding(stream, fact);
        }

        if (JobRules.Check(stream.Job, fact, _registry) is { } refusal)
        {
            return refusal;
        }

        if (fact.Body is JobEvent.Assigned assigned)
        {
            if (!_escrow[job].IsHeld)
            {
                return new Refusal("NOT_HELD", "nobody runs a job that nothing is held for");
            }

            Figure(_figures.Check(stream.Job!, assigned, fact, row.Position), row);
        }

        var state = Domain.Jobs.Job.Evolve(stream.Job, fact);
        stream.Job = state;
        switch (fact.Body)
        {
            case JobEvent.Submitted submitted:
                _escrow[job] = new JobEscrow(row.Position, state.Submitter, fact.Digest, submitted.Terms.IdempotencyKey);
                return _matches.Take(job, submitted);
            case JobEvent.BiddingOpened { Attempt: 1 } opened:
                _escrow[job].Open(row.Position, opened.Escrow);
                Figure(_figures.Check(state.Submitter, opened.SubmitterReputation, fact.Time, row.Position), row);
                break;
            case JobEvent.Completed completed:
                _escrow[job].End(row.Position, fact.Digest, completed.Outcomes, completed.Refunded);
                break;
            case JobEvent.Failed failed:
                _escrow[job].End(row.Position, fact.Digest, failed.Outcomes, failed.Refunded);
                break;
            case JobEvent.Cancelled cancelled:
                _escrow[job].End(row.Position, fact.Digest, cancelled.Outcomes, cancelled.Refunded);
                break;
        }

        if (state.Status.IsTerminal())
        {
            // Ended jobs are many, and only what others find of their receipts may follow: nothing else is kept.
            stream.Ended = true;
            stream.Job = null;
            stream.Book = state.Book.Receipts.Count == 0 ? null : state.Book;
            if (_escrow[job].IsDone)
            {
                _escrow.Remove(job);
            }
        }

        return null;
    }

    private Refusal? Finding(StreamFold stream, in EventFact fact)
    {
        if (fact.Body is not IReceiptFinding finding)
        {
            return new Refusal("JOB_ENDED", "the job has ended");
        }

        var book = stream.Book ?? ReceiptBook.Empty;
        if (FindingRules.Check(book, fact, _registry) is { } refusal)
        {
            return refusal;
        }

        stream.Book = book.Add(finding, fact);
        return null;
    }

    private Refusal? Money(
        StreamFold stream, Statement statement, in EventFact fact, AccountEvent body, EventRow row)
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

        stream.Account = Account.Evolve(state, body, fact.Time);
        switch (body)
        {
            case AccountEvent.Opened opened:
                Granted += opened.Grant;
                return null;
            case AccountEvent.Regenerated grown:
                Regenerated += grown.Amount;
                Figure(_figures.Check(owner, grown.Reputation, fact.Time, row.Position), row);
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

    private Refusal? Match(Statement statement, AidEvent.Matched matched, EventRow row)
    {
        var job = _streams.GetValueOrDefault(StreamId.OfJob(matched.JobId).ToString());
        return _matches.Take(statement.Stream, matched, job?.Job, job is not null, row.Position);
    }

    /// <summary>A figure that is not so makes the events after it no less legal: the stream is judged further.</summary>
    private void Figure(string? wrong, EventRow row)
    {
        if (wrong is not null)
        {
            Report("wrong_reputation", row, wrong);
        }
    }

    private void Report(string kind, EventRow row, string reason) =>
        _report(new AuditFault(kind, row.Stream, row.Version, row.Position, reason));

    /// <summary>One stream as far as it was read.</summary>
    private sealed class StreamFold
    {
        public long Version { get; set; }
        public bool Broken { get; set; }
        public bool Ended { get; set; }
        public JobState? Job { get; set; }
        public ReceiptBook? Book { get; set; }
        public AccountState? Account { get; set; }
        public Digest? LastDigest { get; set; }
    }
}
