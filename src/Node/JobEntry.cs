using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>
/// A job that has not ended, as the node sees it. <see cref="Gate"/> is held by whoever decides about the job, over the
/// append that follows; <see cref="State"/> changes under its own lock, by events that the log holds, in order. Beside
/// the state stands how long ago, by this node's own clock that nobody can set, what was heard: windows, leases and time
/// limits go by that, so a wall clock that jumps, here or at a worker, ends nothing.
/// </summary>
internal sealed class JobEntry(JobId id, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly HashSet<Digest> _declined = [];
    private readonly Dictionary<Did, long> _latencies = [];
    private readonly Dictionary<Did, long> _heard = [];
    private readonly Dictionary<Did, long> _started = [];
    private JobState? _state;

    /// <summary>The latest version that was heard of, be it after a gap.</summary>
    private long _seen;
    private long _since = clock.GetTimestamp();
    private bool _sawOpening;
    private IReadOnlySet<Did>? _first;
    private bool _isForAll = true;
    private long? _waitsSince;
    private readonly long _zero = clock.GetTimestamp();
    private TimeSpan _nextLook;

    public JobId Id { get; } = id;

    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>Null until the job's first event was seen, and after events were missed.</summary>
    public JobState? State
    {
        get
        {
            lock (_lock)
            {
                return _state;
            }
        }
    }

    /// <summary>How long the job is in its phase: bidding, or waiting for the next attempt.</summary>
    public TimeSpan InPhase
    {
        get
        {
            lock (_lock)
            {
                return clock.GetElapsedTime(_since);
            }
        }
    }

    /// <summary>A worker will not bid on the current attempt for now.</summary>
    public void Decline(Digest registration)
    {
        lock (_lock)
        {
            _declined.Add(registration);
        }
    }

    public bool HasDeclined(Digest registration)
    {
        lock (_lock)
        {
            return _declined.Contains(registration);
        }
    }

    /// <summary>From the bidding's opening to a worker's bid, in ms; null if this node did not see both.</summary>
    public long? LatencyOf(Did worker)
    {
        lock (_lock)
        {
            return _latencies.TryGetValue(worker, out var ms) ? ms : null;
        }
    }

    /// <summary>A worker said something about its run, be it durable or not.</summary>
    public void Hear(Did worker)
    {
        lock (_lock)
        {
            _heard[worker] = clock.GetTimestamp();
        }
    }

    /// <summary>This node could not hear for a while: every silence begins anew.</summary>
    public void HearAll()
    {
        lock (_lock)
        {
            foreach (var run in _state?.Runs ?? [])
            {
                _heard[run.Worker] = clock.GetTimestamp();
            }
        }
    }

    /// <summary>How long a run may still be silent, and how long it may still take. Negative: it is over.</summary>
    public (TimeSpan Lease, TimeSpan Limit) Left(Run run, JobState state, TimeSpan grace)
    {
        lock (_lock)
        {
            var lease = TimeSpan.FromMilliseconds(state.Assignment!.Selection.LeaseMs);
            var limit = TimeSpan.FromMilliseconds(state.Submission.Terms.TimeoutMs) + grace;
            return (
                lease - clock.GetElapsedTime(_heard.GetValueOrDefault(run.Worker, _since)),
                run.StartDigest is null
                    ? limit
                    : limit - clock.GetElapsedTime(_started.GetValueOrDefault(run.Worker, _since)));
        }
    }

    /// <summary>Whom a busy market asked first; null: everybody is asked.</summary>
    public IReadOnlySet<Did>? First
    {
        get
        {
            lock (_lock)
            {
                return _first;
            }
        }

        set
        {
            lock (_lock)
            {
                (_first, _isForAll) = (value, value is null);
            }
        }
    }

    /// <summary>True from when all workers are asked.</summary>
    public bool IsForAll
    {
        get
        {
            lock (_lock)
            {
                return _isForAll;
            }
        }
    }

    /// <summary>From now on all workers are asked.</summary>
    /// <returns>False if they were before.</returns>
    public bool OpenToAll()
    {
        lock (_lock)
        {
            var was = _isForAll;
            _isForAll = true;
            return !was;
        }
    }

    /// <summary>True if nobody alive could run the job when it was last looked at.</summary>
    public bool IsStuck
    {
        get
        {
            lock (_lock)
            {
                return _waitsSince is not null;
            }
        }
    }

    /// <summary>For how long nobody alive could run the job; restarts when somebody could.</summary>
    public TimeSpan Waiting(bool nobody)
    {
        lock (_lock)
        {
            if (!nobody)
            {
                _waitsSince = null;
                return TimeSpan.Zero;
            }

            return clock.GetElapsedTime(_waitsSince ??= clock.GetTimestamp());
        }
    }

    /// <summary>True if nobody planned to look at the job so soon.</summary>
    public bool PlanLook(TimeSpan delay)
    {
        lock (_lock)
        {
            var planned = clock.GetElapsedTime(_zero) + delay;
            if (_nextLook > clock.GetElapsedTime(_zero) && _nextLook <= planned)
            {
                return false;
            }

            _nextLook = planned;
            return true;
        }
    }

    /// <summary>Takes in an event that the log holds; one that was taken in before changes nothing. After a gap the
    /// state is unknown.</summary>
    /// <exception cref="InvalidHistoryException">The log holds what no rule allows.</exception>
    public AdvanceResult Advance(RecordedEvent recorded, IAuthority authority, out JobState? before, out JobState? state)
    {
        lock (_lock)
        {
            var version = _state?.Version ?? 0;
            _seen = Math.Max(_seen, recorded.Version);
            before = state = _state;
            if (recorded.Version <= version)
            {
                return AdvanceResult.Old;
            }

            if (recorded.Version > version + 1)
            {
                state = _state = null;
                return AdvanceResult.Gap;
            }

            var fact = EventFact.Of(recorded.Statement);
            if (JobRules.Check(_state, fact, authority) is { } refusal)
            {
                throw NeverWritten(recorded, refusal);
            }

            state = _state = Job.Evolve(_state, fact);
            Note(fact.Body, fact.By);
            return AdvanceResult.Applied;
        }
    }

    /// <summary>What stops a node that meets an event which no rule allows.</summary>
    public static InvalidHistoryException NeverWritten(RecordedEvent recorded, Refusal refusal) => new(
        $"Event {recorded.Statement.Type} at position {recorded.Position} ({recorded.Statement.Stream} version "
        + $"{recorded.Version}) should never have been written: {refusal}.");

    /// <summary>Replaces the state by one that was folded from the whole stream, if that is newer; not by one that lacks
    /// events which were heard of while it was read. What was heard when is not known then, and begins now.</summary>
    /// <returns>False if it was not replaced.</returns>
    public bool Reset(JobState? state)
    {
        lock (_lock)
        {
            if (state is null)
            {
                _state = null;
                return true;
            }

            if (state.Version <= (_state?.Version ?? 0) || state.Version < _seen)
            {
                return false;
            }

            _state = state;
            _since = clock.GetTimestamp();
            _sawOpening = false;
            _latencies.Clear();
            _heard.Clear();
            _started.Clear();
            return true;
        }
    }

    private void Note(LedgerEvent body, Did by)
    {
        var now = clock.GetTimestamp();
        switch (body)
        {
            case JobEvent.BiddingOpened:
                (_since, _sawOpening, _waitsSince) = (now, true, null);
                (_first, _isForAll) = (null, true);
                _declined.Clear();
                _latencies.Clear();
                break;
            case JobEvent.BidPlaced when _sawOpening:
                _latencies[by] = (long)clock.GetElapsedTime(_since, now).TotalMilliseconds;
                break;
            case JobEvent.Assigned assigned:
                _since = now;
                _heard.Clear();
                _started.Clear();
                foreach (var assignee in assigned.Assignees)
                {
                    _heard[assignee.Worker] = now;
                }

                break;
            case JobEvent.ExecutionStarted:
                _started[by] = _heard[by] = now;
                break;
            case JobEvent.LeaseRenewed or JobEvent.ProgressReported or JobEvent.PartialOutputProduced
                or JobEvent.CheckpointRecorded or JobEvent.ReceiptIssued:
                _heard[by] = now;
                break;
            case JobEvent.AttemptEnded:
                _since = now;
                break;
        }
    }
}

/// <summary>What an event did to an entry.</summary>
internal enum AdvanceResult
{
    Applied,
    Old,
    Gap,
}
