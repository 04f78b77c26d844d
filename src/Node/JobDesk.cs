using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Node;

/// <summary>Carries out what is decided about one job: appends it, moves the money with it, and says so to those who
/// follow open jobs.</summary>
internal sealed class JobDesk(
    IEventStore store, Registry registry, Standings standings, WorkerLinks workers, OpenJobs jobs, Treasury treasury,
    NodeOptions options, EventAuthor node, TimeProvider clock, ILogger log)
{
    private volatile IReadOnlySet<Did> _liveNodes = new HashSet<Did>();

    /// <summary>The nodes that are alive.</summary>
    public IReadOnlySet<Did> LiveNodes
    {
        get => _liveNodes;
        set => _liveNodes = value;
    }

    /// <summary>Ends the attempt as its verdict says: the job with it, or another attempt follows.</summary>
    /// <param name="state">After the reports.</param>
    public async Task<bool> SettleAsync(
        JobEntry entry, JobState before, JobState state, IReadOnlyList<SignedEvent> reports,
        IReadOnlyDictionary<Did, string> silent, CancellationToken cancellationToken)
    {
        var command = new JobCommand.Settle(silent, options.Retry);
        var decision = Decide(state, command);
        if (decision.Events is not [{ Body: JobEvent.AttemptEnded ended }])
        {
            return await EndAsync(entry, before, reports, command, cancellationToken);
        }

        var stream = StreamId.OfJob(entry.Id);
        var draft = NewDraft(entry.Id, before);
        foreach (var report in reports)
        {
            draft.Add(report);
        }

        var said = draft.Add(node, decision, stream)!;
        Log.AttemptEnded(log, entry.Id.ToString(), ended.Attempt, ended.Error.Code, Timestamps.Write(ended.RetryAt));
        if (ended.RetryAt <= said.Time)
        {
            draft.Add(node, Decide(Job.Evolve(state, EventFact.Of(said)), new JobCommand.OpenBidding(0)), stream);
        }

        return await AppendAsync(draft, cancellationToken);
    }

    public async Task<bool> EndAsync(
        JobEntry entry, JobState before, IReadOnlyList<SignedEvent> reports, JobCommand command,
        CancellationToken cancellationToken)
    {
        var ended = await treasury.EndAsync(entry.Id, before, reports, command, cancellationToken);
        if (ended is null)
        {
            return false;
        }

        jobs.Observe(ended);
        return true;
    }

    public static Draft NewDraft(JobId job, JobState before)
    {
        var draft = new Draft();
        draft.Expect(StreamId.OfJob(job), before.Version, before.Submission.Terms.CorrelationId);
        return draft;
    }

    public async Task<bool> AppendAsync(Draft draft, CancellationToken cancellationToken)
    {
        switch (await store.AppendAsync(draft.Sign(), cancellationToken))
        {
            case AppendOutcome.Appended appended:
                jobs.Observe(appended.Events);
                return true;
            case AppendOutcome.Rejected rejected:
                throw new InvalidOperationException($"The ledger refused an event: {rejected.Reason}");
            default:
                return false;
        }
    }

    public Decision Decide(JobState state, JobCommand command) =>
        Job.Decide(state, command, clock.GetUtcNow(), registry);

    public Decision CloseBidding(JobEntry entry, JobState state, string reason) => standings.Decide(
        options.Market,
        options.Lease,
        entry,
        state.Submission.Operation,
        input => Decide(state, new JobCommand.CloseBidding(reason, input)));

    public bool IsMine(JobState state) =>
        state.Coordinator == node.Did || state.Coordinator.IsDefault || !LiveNodes.Contains(state.Coordinator);

    public bool IsTooLate(JobState state) => state.Submission.Terms.Deadline <= clock.GetUtcNow();

    /// <summary>Why bidding ends: every live worker that was asked first and could run the job has bid or declined, or
    /// time is up. Null: it goes on.</summary>
    public string? WhyClose(JobEntry entry, JobState state)
    {
        var first = entry.First;
        return workers.Live.All(registration =>
                first?.Contains(registration.Worker) == false || state.Bids.ContainsKey(registration.Worker)
                || entry.HasDeclined(registration.Digest) || !workers.CouldRun(registration, state))
            ? "all_answered"
            : entry.InPhase.TotalMilliseconds >= state.Submission.Terms.BidWindowMs ? "window" : null;
    }
}
