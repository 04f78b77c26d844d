using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>Which checkpoint of a job: whose, and of which attempt.</summary>
/// <param name="State">The blob that holds it.</param>
public sealed record CheckpointName(int Attempt, long Sequence, Did Worker, BlobHash State);

/// <summary>A checkpoint that a run may go on from. That it is a state of this program, and one that was reached
/// honestly, is its author's claim.</summary>
public sealed record SavedState(Did Worker, JobEvent.CheckpointRecorded Checkpoint)
{
    public CheckpointName Name => new(Checkpoint.Attempt, Checkpoint.Sequence, Worker, Checkpoint.State);
}

/// <summary>What a run may go on from. Runs of a job that several workers are to agree on begin at the beginning: one that
/// takes over another's state would agree with whatever that says.</summary>
internal static class CheckpointRules
{
    /// <summary>A run's own checkpoints and behind them those that the attempts before left, the last first.</summary>
    public static ValueList<SavedState> Of(JobState state, Run run) => ValueList.From(
        run.Checkpoints.Select(own => new SavedState(run.Worker, own)).Concat(state.Saved).Take(JobState.KeptCheckpoints));

    /// <summary>What is left to the attempts that follow this one. What a failed run had from another may be why it
    /// failed.</summary>
    public static ValueList<SavedState> After(JobState state, JobError error)
    {
        if (state.Submission.Terms.Replicas > 1 || state.Runs is not [var run])
        {
            return [];
        }

        var isSuspect = error.Code is not (JobError.LeaseLost or JobError.Timeout)
            && run.Receipt?.Guest?.ResumedFrom is { } from && from.Worker != run.Worker;
        return isSuspect ? [] : Of(state, run);
    }

    /// <summary>Whether a run may say that it began at a checkpoint.</summary>
    public static Refusal? Check(ValueList<SavedState> saved, Run run, int attempt, CheckpointName? from) => JobRules.Require(
        from is null || (from.Attempt == attempt && from.Worker == run.Worker ? IsOwn(run, from) : saved.Any(one => one.Name == from)),
        "WRONG_CHECKPOINT",
        "a run goes on from a checkpoint of its own, or from one of the last that the attempts before left, or from none");

    private static bool IsOwn(Run run, CheckpointName from) =>
        run.Checkpoint is { } last && from.Sequence >= 1
            && (from.Sequence < last.Sequence || (from.Sequence == last.Sequence && from.State == last.State));
}
