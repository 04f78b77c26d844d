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
/// was illegal, or is not what its author signed, is not judged further, for everything after would be; nor is what
/// follows from it elsewhere (<see cref="Doubts"/>). Movements of mana are still compared with their jobs.
/// </summary>
internal sealed class LedgerFold
{
    private readonly Action<AuditFault> _report;
    private readonly string? _only;
    private readonly Registry _registry = new();
    private readonly ReputationFigures _figures;
    private readonly AidMatches _matches;
    private readonly Doubts _doubts = new();
    private readonly DoubtedAuthority _authority;
    private readonly EscrowBook _escrow;
    private readonly ManaFold _mana;
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
        _escrow = new EscrowBook(_doubts);
        _authority = new DoubtedAuthority(_registry, Streams, _doubts);
        _mana = new ManaFold(_escrow, _authority);
        if (only is not null)
        {
            _figures.Stop();
        }
    }

    public Did? Founder => _registry.Founder.IsDefault ? null : _registry.Founder;

    public long Position => _position;

    public long Granted => _mana.Granted;

    public long Regenerated => _mana.Regenerated;

    public long Balances => Streams.Open.Sum(stream => stream.Account?.Balance ?? 0);

    public long Held => Streams.Open.Sum(stream => stream.Account?.Held ?? 0);

    /// <summary>False if a row from which balances follow is broken.</summary>
    public bool IsManaKnown => _doubts.Mana is null;

    public FoldedStreams Streams { get; }

    /// <summary>The assignments whose choice was made again from the bids.</summary>
    public long Selections { get; private set; }

    /// <summary>What was not judged, and why, a sentence each.</summary>
    public IEnumerable<string> Remarks => _doubts.Remarks(isWhole: _only is null);

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
            _doubts.StopFigures(row.Position);
            if (row.Position > _position)
            {
                _doubts.Gap(row.Position, row.Position - _position - 1);
            }
        }

        _position = row.Position;
        foreach (var fault in audited.Faults)
        {
            _report(fault);
        }

        var stream = Streams.Of(row.Stream);
        var fits = row.Version == stream.Version + 1 || IsPart(row.Stream);
        if (!fits)
        {
            Report(
                "wrong_version", row, $"version {stream.Version + 1}", $"version {row.Version}",
                $"expected version {stream.Version + 1} of the stream, found {row.Version}");
            Break(stream, row);
        }

        stream.Created = stream.Version == 0 ? row.AppendedAt : stream.Created;
        stream.Appended = row.AppendedAt;
        stream.Version = row.Version;
        if (!audited.IsBelieved)
        {
            _doubts.Unknown(Break(stream, row), isMoved: !fits);
            _figures.Stop();
            _doubts.StopFigures(row.Position);
            return;
        }

        if (audited.Batch is { } batch && _batches.Disagrees(batch.Signature, batch.Proof) is { } other)
        {
            Report(
                "wrong_proof", row, other, $"index {batch.Proof.Index} of {batch.Proof.Size}",
                $"index {batch.Proof.Index} of {batch.Proof.Size} does not agree with the other events of its signature");
        }

        var (statement, body) = (audited.Statement!, audited.Body!);
        var fact = new EventFact(statement.By, statement.Cause, statement.Digest, statement.Time, body);
        _authority.Begin();
        if (stream.Broken is { } broken)
        {
            broken.Dependents += broken.Position == row.Position ? 0 : 1;
            if (body is AccountEvent money && Money(stream, statement, fact, money, row) is { } wrong && _authority.Doubt is null)
            {
                Illegal(stream, statement, wrong, row);
            }
        }
        else if (Judge(stream, statement, fact, row) is not { } refusal)
        {
            Correlation(stream, body, audited);
        }
        else if (_authority.Doubt is { } doubt)
        {
            // It may be legal: who its author was is not known.
            stream.Broken = doubt;
            doubt.Dependents++;
            _doubts.Spread(row.Stream, doubt);
        }
        else
        {
            Illegal(stream, statement, refusal, row);
            Break(stream, row);
        }

        // Nodes fold what the log holds: a settlement counts even where its stream is not judged any more.
        if (stream.Broken is null || (body is JobEvent && _registry.IsNode(statement.By)))
        {
            _figures.Take(statement, body, row.Position);
        }

        if (stream.Ended && stream.Broken is null)
        {
            Streams.End(row.Stream);
        }
    }

    /// <summary>What is only wrong because nothing more comes.</summary>
    public void Finish()
    {
        // Of one account, what its jobs lead to on others is not there.
        var only = _only is not null && StreamId.TryParse(_only, out var name) && name.IsAccount(out var owner) ? owner : (Did?)null;
        foreach (var (job, position, missing) in _escrow.Missing(only))
        {
            if (_only is null || only is not null || StreamId.OfJob(job).ToString() == _only)
            {
                Unsettled(_only ?? StreamId.OfJob(job).ToString(), position, missing);
            }
        }

        foreach (var (request, position, job) in _matches.Missing)
        {
            if ((_only is null || request.ToString() == _only) && _doubts.Of(job) is null
                && !_doubts.Excuse(job, StreamId.OfJob(job).ToString(), 0))
            {
                Unsettled(request.ToString(), position, $"job_submitted of {job}");
            }
        }

        if (_only is null && IsManaKnown && Granted + Regenerated != Balances + Held)
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
                if (_authority.Check(statement, fact.Body, row.Version) is { } refusal)
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
                    return _escrow.TakeKey(claimed.JobId, statement.Stream, fact.Cause);
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

        if (JobRules.Check(stream.Job, fact, _authority) is { } refusal)
        {
            return refusal;
        }

        if (fact.Body is JobEvent.Assigned assigned)
        {
            if ((_only is null || row.Stream == _only) && !_escrow.IsHeld(job))
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
                _escrow.Submit(job, new JobEscrow(row.Position, state.Submitter, fact.Digest, submitted.Terms.IdempotencyKey));
                return _matches.Take(job, submitted);
            case JobEvent.BiddingOpened { Attempt: 1 } opened:
                _escrow.Open(job, row.Position, opened.Escrow);
                Figure(_figures.Check(state.Submitter, opened.SubmitterReputation, fact.Time, row.Position), row);
                break;
            case JobEvent.Completed completed:
                _escrow.End(job, row.Position, fact.Digest, completed.Outcomes, completed.Refunded);
                break;
            case JobEvent.Failed failed:
                _escrow.End(job, row.Position, fact.Digest, failed.Outcomes, failed.Refunded);
                break;
            case JobEvent.Cancelled cancelled:
                _escrow.End(job, row.Position, fact.Digest, cancelled.Outcomes, cancelled.Refunded);
                break;
        }

        if (state.Status.IsTerminal())
        {
            // Ended jobs are many, and but for what others find of their receipts nothing may follow.
            stream.IsClosed = true;
            stream.Ended = !Streams.IsFollowed(row.Stream);
            stream.Job = null;
            stream.Book = state.Book.Receipts.Count == 0 || stream.Ended ? null : state.Book;
            _escrow.Close(job);
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
        if (FindingRules.Check(book, fact, _authority) is { } refusal)
        {
            return refusal;
        }

        stream.Book = book.Add(finding, fact);
        return null;
    }

    private Refusal? Money(StreamFold stream, Statement statement, in EventFact fact, AccountEvent body, EventRow row)
    {
        var refusal = _mana.Take(stream, statement.Stream, fact, body, IsPart(row.Stream));
        if (refusal is null && body is AccountEvent.Regenerated grown && statement.Stream.IsAccount(out var owner))
        {
            Figure(_figures.Check(owner, grown.Reputation, fact.Time, row.Position), row);
        }

        return refusal;
    }

    /// <summary>An account of which there are only some events.</summary>
    private bool IsPart(string stream) =>
        _only is not null && stream != _only && stream.StartsWith("account-", StringComparison.Ordinal);

    private Refusal? Match(Statement statement, AidEvent.Matched matched, EventRow row)
    {
        if (_doubts.Of(matched.JobId) is { } place)
        {
            place.Dependents++;
            return null;
        }

        var job = Streams.Find(StreamId.OfJob(matched.JobId).ToString());
        return _matches.Take(statement.Stream, matched, job?.Job, job is not null, row.Position);
    }

    /// <summary>From here on the stream is not judged; and its author's word was not told, or was not legal.</summary>
    private BrokenPlace Break(StreamFold stream, EventRow row)
    {
        if (stream.Broken is { } broken && broken.Position == row.Position)
        {
            return broken;
        }

        var place = _doubts.Break(row.Stream, row.Version, row.Position);
        stream.Broken ??= place;
        return place;
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
