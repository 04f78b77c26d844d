using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>
/// A job that has not ended, as the node sees it. <see cref="Gate"/> is held by whoever decides about the job, over the
/// append that follows; <see cref="State"/> changes under its own lock, by events that the log holds, in order.
/// </summary>
internal sealed class JobEntry(JobId id)
{
    private readonly Lock _lock = new();
    private JobState? _state;

    public JobId Id { get; } = id;

    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>Workers that said they will not bid on the current attempt, by registration.</summary>
    public HashSet<Crypto.Digest> Declined { get; } = [];

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

    /// <summary>Takes in an event that the log holds; one that was taken in before changes nothing. After a gap the
    /// state is unknown.</summary>
    /// <exception cref="InvalidHistoryException">The log holds what no rule allows.</exception>
    public AdvanceResult Advance(RecordedEvent recorded, IAuthority authority, out JobState? state)
    {
        lock (_lock)
        {
            var version = _state?.Version ?? 0;
            state = _state;
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
            return AdvanceResult.Applied;
        }
    }

    /// <summary>What stops a node that meets an event which no rule allows.</summary>
    public static InvalidHistoryException NeverWritten(RecordedEvent recorded, Refusal refusal) => new(
        $"Event {recorded.Statement.Type} at position {recorded.Position} ({recorded.Statement.Stream} version "
        + $"{recorded.Version}) should never have been written: {refusal}.");

    /// <summary>Replaces the state by one that was folded from the whole stream, if that is newer.</summary>
    public void Reset(JobState? state)
    {
        lock (_lock)
        {
            if (state is null || state.Version > (_state?.Version ?? 0))
            {
                _state = state;
            }
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
