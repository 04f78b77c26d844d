using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node;

/// <summary>What the workers that listen to this node are told of jobs. A notice may come twice.</summary>
internal sealed class Notices(WorkerLinks workers)
{
    /// <summary>Tells every worker that listens here what concerns it.</summary>
    public void TellAll(JobEntry entry, JobState state)
    {
        foreach (var link in workers.Local)
        {
            Tell(link, entry, state);
        }
    }

    /// <summary>Tells one worker what concerns it.</summary>
    public void Tell(WorkerLink link, JobEntry entry, JobState state)
    {
        var worker = link.Registration.Worker;
        if (state.CancelDigest is not null)
        {
            return;
        }

        if (state.Status.IsUnderWay())
        {
            if (state.RunOf(worker) is { Receipt: null } run)
            {
                link.Notices.Writer.TryWrite(new WorkerNotice.Assigned(
                    entry.Id,
                    state.Attempt,
                    state.AssignmentDigest!.Value,
                    state.Submission,
                    run.StartDigest,
                    (run.Progress?.Sequence ?? 0, run.Progress?.BasisPoints ?? 0))
                {
                    Lease = TimeSpan.FromMilliseconds(state.Assignment!.Selection.LeaseMs),
                    OutputSequence = run.OutputSequence,
                    OutputEnds = run.OutputEnds,
                    Checkpoints = run.Checkpoint?.Sequence ?? 0,
                    Saved = state.SavedFor(run),
                });
            }
        }
        else if (state.Status == JobStatus.BiddingOpen && !state.Bids.ContainsKey(worker))
        {
            var isFirst = entry.First?.Contains(worker) ?? true;
            if ((isFirst || entry.IsForAll) && workers.CouldRun(link.Registration, state))
            {
                link.Notices.Writer.TryWrite(new WorkerNotice.Offered(
                    entry.Id, state.Attempt, state.SubmissionDigest, state.Submission, state.SubmittedAt)
                {
                    AskedLater = !isFirst,
                });
            }
        }
    }

    /// <summary>Tells the workers that listen here, but those that run it, that an attempt is no concern of theirs.
    /// </summary>
    public void Close(JobEntry entry, int attempt, IEnumerable<Did> except)
    {
        foreach (var link in workers.Local)
        {
            if (!except.Contains(link.Registration.Worker))
            {
                link.Notices.Writer.TryWrite(new WorkerNotice.Closed(entry.Id, attempt));
            }
        }
    }
}
