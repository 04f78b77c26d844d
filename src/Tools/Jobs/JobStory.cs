using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary>A job's stream, folded, with what its state alone does not keep: since when it is in its phase, how the
/// attempts before ended, and when each worker last spoke.</summary>
internal sealed class JobStory
{
    private readonly List<(JobEvent.AttemptEnded Ended, DateTimeOffset At)> _attempts = [];
    private readonly Dictionary<Did, DateTimeOffset> _lastWords = [];
    private JobState? _state;

    public JobState State => _state!;

    /// <summary>When the phase began.</summary>
    public DateTimeOffset Since { get; private set; }

    /// <summary>The attempts that came to nothing.</summary>
    public IReadOnlyList<(JobEvent.AttemptEnded Ended, DateTimeOffset At)> Attempts => _attempts;

    /// <exception cref="CommandFailure">There is no such job.</exception>
    public static async Task<JobStory> LoadAsync(LedgerSession ledger, JobId job, CancellationToken cancellationToken)
    {
        var story = new JobStory();
        foreach (var recorded in await ledger.Store.LoadAsync(StreamId.OfJob(job), cancellationToken))
        {
            story.Apply(recorded.Statement);
        }

        return story._state is null
            ? throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.")
            : story;
    }

    /// <summary>When a worker last said anything about its run.</summary>
    public DateTimeOffset? LastWordOf(Did worker) => _lastWords.TryGetValue(worker, out var time) ? time : null;

    private void Apply(Statement statement)
    {
        var fact = EventFact.Of(statement);
        var before = _state;
        _state = Job.Evolve(_state, fact);
        if (before is null || before.Status != _state.Status || before.Attempt != _state.Attempt)
        {
            Since = fact.Time;
        }

        if (fact.Body is JobEvent.AttemptEnded ended)
        {
            _attempts.Add((ended, fact.Time));
        }

        if (_state.RunOf(fact.By) is not null)
        {
            _lastWords[fact.By] = fact.Time;
        }
    }
}
