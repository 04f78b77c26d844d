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
    private readonly string? _only;
    private readonly Registry _registry = new();
    private readonly ReputationFigures _figures;
    private readonly AidMatches _matches;
    private readonly Dictionary<JobId, JobEscrow> _escrow = [];
    private readonly BatchPlaces _batches = new();
    private long _position;

    /// <param name="only">The one stream that is judged: of others there is what it rests on, and of accounts what
    /// concerns it. Null: the whole ledger.</param>
    /// <param name="followed">As <see cref="FoldedStreams"/> has it.</param>
    public LedgerFold(Action<AuditFault> report, IReadOnlySet<string>? followed, string? only = null)
    {
        Streams = new FoldedStreams(followed);
        _report = report;
        _only = only;
        _figures = new ReputationFigures(_registry);
        _matches = new AidMatches(_registry.Aid);
        if (only is not null)
        {
            _figures.Stop();
        }
    }

    public Did? Founder => _registry.Founder.IsDefault ? null : _registry.Founder;

    public long Position => _position;

    public long Granted { get; private set; }

    public long Regenerated { get; private set; }

    public long Balances => Streams.Open.Sum(stream => stream.Account?.Balance ?? 0);

    public long Held => Streams.Open.Sum(stream => stream.Account?.Held ?? 0);

    public FoldedStreams Streams { get; }

    /// <summary>The assignments whose choice was made again from the bids.</summary>
    public long Selections { get; private set; }

    public void Take(AuditedRow audited)
    {
        var row = audited.Row;
        if (_only is null && row.Position != _position + 1)
        {
            Report(
                "wrong_position", row, $"position {_position + 1}", $"position {row.Position}",
                row.Position < 1 ? $"positions begin at 1, found {row.Position}"
                    : row.Position <= _position ? $"position {row.Position} stands twice"
                    : $"positions {_position + 1} to {row.Position - 1} are missing");
            _figures.Stop();
        }

        _position = row.Position;
        foreach (var fault in audited.Faults)
        {
            _report(fault);
            if (fault.Kind == "wrong_digest")
            {
                _figures.Stop();
            }
        }

        if (audited.Batch is { } batch && _batches.Disagrees(batch.Signature, batch.Proof) is { } other)
        {
            Report(
                "wrong_proof", row, other, $"index {batch.Proof.Index} of {batch.Proof.Size}",
                $"index {batch.Proof.Index} of {batch.Proof.Size} does not agree with the other events of its signature");
        }

        var stream = Streams.Of(row.Stream);
        if (row.Version != stream.Version + 1 && !IsPart(row.Stream))
        {
            Report(
                "wrong_version", row, $"version {stream.Version + 1}", $"version {row.Version}",
                $"expected version {stream.Version + 1} of the stream, found {row.Version}");
            stream.Broken = true;
        }

        stream.Created = stream.Version == 0 ? row.AppendedAt : stream.Created;
        stream.Appended = row.AppendedAt;
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
                Illegal(stream, statement, refusal, row);
                stream.Broken = true;
            }
            else
            {
                Correlation(stream, body, audited);
            }
        }

        // Nodes fold what the log holds: a settlement counts even where its stream is not judged any more.
        if (!stream.Broken || (body is JobEvent && _registry.IsNode(statement.By)))
        {
            _figures.Take(statement, body, row.Position);
        }

        if (stream.Ended && !stream.Broken)
        {
            Streams.End(row.Stream);
        }
    }

    /// <summary>What is only wrong because nothing more comes.</summary>
    public void Finish()
    {
        // Of one account, what its jobs lead to on others is not there.
        var only = _only is not null && StreamId.TryParse(_only, out var name) && name.IsAccount(out var owner) ? owner : (Did?)null;
        foreach (var (job, escrow) in _escrow)
        {
            if ((_only is null || only is not null || StreamId.OfJob(job).ToString() == _only) && escrow.Missing(only) is { } missing)
            {
                Unsettled(_only ?? StreamId.OfJob(job).ToString(), escrow.Position, missing);
            }
        }

        foreach (var (request, position, job) in _matches.Missing)
        {
            if (_only is null || request.ToString() == _only)
            {
                Unsettled(request.ToString(), position, $"job_submitted of {job}");
            }
        }

        if (_only is null && Granted + Regenerated != Balances + Held)
        {
            _report(new AuditFault(
                "mana_not_conserved", "", 0, _position, $"{Granted + Regenerated}", $"{Balances + Held}")
            {
                Reason = $"{Granted} was granted and {Regenerated} grew, but balances are {Balances} and escrow {Held}",
            });
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

                if (fact.Body is NodeEvent.IdempotencyKeyClaimed claimed)
                {
                    // As many as jobs, and nothing follows in their streams: nothing of them is kept.
                    stream.Ended = true;
                    return Key(statement, claimed, fact);
                }

                stream.LastDigest = fact.Digest;
                _registry.Apply(statement, fact.Body, row.Version, row.Position);
                return fact.Body switch
                {
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

        if (stream.IsClosed)
        {
            return Finding(stream, fact);
        }

        if (JobRules.Check(stream.Job, fact, _registry) is { } refusal)
        {
            return refusal;
        }

        if (fact.Body is JobEvent.Assigned assigned)
        {
            if (!_escrow[job].IsHeld && (_only is null || row.Stream == _only))
            {
                return new Refusal("NOT_HELD", "nobody runs a job that nothing is held for");
            }

            Selections++;
            Figure(_figures.Check(stream.Job!, assigned, fact, row.Position), row);
        }

        var state = Domain.Jobs.Job.Evolve(stream.Job, fact);
        stream.Job = state;
        stream.Correlation = state.Submission.Terms.CorrelationId;
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
            // Ended jobs are many, and but for what others find of their receipts nothing may follow.
            stream.IsClosed = true;
            stream.Ended = !Streams.IsFollowed(row.Stream);
            stream.Job = null;
            stream.Book = state.Book.Receipts.Count == 0 || stream.Ended ? null : state.Book;
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

        if (!IsPart(row.Stream))
        {
            var state = stream.Account ?? AccountState.None;
            if (Account.Check(state, fact, _registry) is { } refusal)
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

    /// <summary>An account of which there are only some events.</summary>
    private bool IsPart(string stream) =>
        _only is not null && stream != _only && stream.StartsWith("account-", StringComparison.Ordinal);

    private Refusal? Key(Statement statement, NodeEvent.IdempotencyKeyClaimed claimed, in EventFact fact) =>
        _escrow.TryGetValue(claimed.JobId, out var escrow) && escrow.TakeKey(statement.Stream, fact.Cause)
            ? null
            : new Refusal("WRONG_KEY", $"job {claimed.JobId} does not claim this key");

    private Refusal? Match(Statement statement, AidEvent.Matched matched, EventRow row)
    {
        var job = Streams.Find(StreamId.OfJob(matched.JobId).ToString());
        return _matches.Take(statement.Stream, matched, job?.Job, job is not null, row.Position);
    }

    /// <summary>The column that says what the document says, which no author signs.</summary>
    private void Correlation(StreamFold stream, LedgerEvent body, AuditedRow audited)
    {
        var expected = body is JobEvent ? stream.Correlation : null;
        if (audited.Correlation != expected)
        {
            Report("wrong_correlation", audited.Row, expected ?? "none", audited.Correlation ?? "none");
        }
    }

    /// <summary>A figure that is not so makes the events after it no less legal: the stream is judged further.</summary>
    private void Figure((string Expected, string Found, string Reason)? wrong, EventRow row)
    {
        if (wrong is { } figure)
        {
            Report("wrong_reputation", row, figure.Expected, figure.Found, figure.Reason);
        }
    }

    private void Illegal(StreamFold stream, Statement statement, Refusal refusal, EventRow row)
    {
        var (expected, found) = refusal.Code == "WRONG_CHOICE" && statement.Body is JobEvent.Assigned assigned
            ? SelectionRepeat.Compare(stream.Job!, assigned, _registry)
            : (refusal.Message, $"{statement.Type} by {statement.By}: {System.Text.Encoding.UTF8.GetString(statement.Data.Span)}");
        Report("illegal_event", row, expected, found, $"{refusal.Code}: {refusal.Message}");
    }

    private void Unsettled(string stream, long position, string missing) => _report(new AuditFault(
        "unsettled", stream, 0, position, missing, "none")
    {
        Reason = $"in the same append must stand: {missing}",
    });

    private void Report(string kind, EventRow row, string expected, string found, string? reason = null)
    {
        var fault = new AuditFault(kind, row.Stream, row.Version, row.Position, expected, found);
        _report(reason is null ? fault : fault with { Reason = reason });
    }
}
