using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node;

/// <summary>Judges what workers say about jobs, and appends it with what follows from it.</summary>
internal sealed class Reports(
    IEventStore store, Registry registry, OpenJobs jobs, JobDesk desk, EventAuthor node, TimeProvider clock)
{
    private const int MaxRounds = 20;

    /// <summary>Judges and appends what one worker said about one job; an answer an event.</summary>
    public async Task<Refusal?[]> ReportAsync(
        JobId job, IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken)
    {
        var entry = jobs.Find(job) ?? new JobEntry(job, clock);
        entry.Hear(events[0].Statement.By);
        await entry.Gate.WaitAsync(cancellationToken);
        try
        {
            for (var round = 0; round < MaxRounds; round++)
            {
                var before = entry.State;
                if (before is null)
                {
                    before = await jobs.RefreshAsync(entry, cancellationToken);
                }

                if (await TryReportAsync(entry, before, events, cancellationToken) is { } answers)
                {
                    return answers;
                }

                // Another node wrote the stream: judge again by what it holds now.
                entry.Reset(null);
            }
        }
        finally
        {
            entry.Gate.Release();
        }

        var busy = new Refusal("BUSY", "other nodes keep writing this job's stream; say it again");
        return [.. events.Select(_ => busy)];
    }

    /// <summary>Null if the stream was not as <paramref name="before"/> has it.</summary>
    private async Task<Refusal?[]?> TryReportAsync(
        JobEntry entry, JobState? before, IReadOnlyList<SignedEvent> events, CancellationToken cancellationToken)
    {
        var answers = new Refusal?[events.Count];
        var accepted = new List<SignedEvent>();
        var state = before;
        for (var i = 0; i < events.Count; i++)
        {
            var fact = EventFact.Of(events[i].Statement);
            answers[i] = JobRules.Check(state, fact, registry);
            if (answers[i] is null)
            {
                state = Job.Evolve(state, fact);
                accepted.Add(events[i]);
            }
        }

        if (accepted.Count < events.Count)
        {
            await ForgiveRepeatsAsync(entry.Id, before, events, answers, cancellationToken);
        }

        if (accepted.Count == 0)
        {
            return answers;
        }

        if (state!.CancelDigest is not null)
        {
            return await desk.EndAsync(entry, before!, accepted, new JobCommand.Cancel(), cancellationToken) ? answers : null;
        }

        if (accepted.Exists(one => one.Statement.Body is JobEvent.ReceiptIssued)
            && Verdict.Of(state, Silent.None, registry) is not null)
        {
            return await desk.SettleAsync(entry, before!, state, accepted, Silent.None, cancellationToken) ? answers : null;
        }

        var draft = JobDesk.NewDraft(entry.Id, before!);
        accepted.ForEach(draft.Add);
        if (state.Status == JobStatus.BiddingOpen && desk.IsMine(state) && !desk.IsTooLate(state)
            && desk.WhyClose(entry, state) is { } reason)
        {
            draft.Add(node, desk.CloseBidding(entry, state, reason), StreamId.OfJob(entry.Id));
        }

        return await desk.AppendAsync(draft, cancellationToken) ? answers : null;
    }

    /// <summary>An event that the stream holds already is not refused: its author did not hear the answer.</summary>
    private async Task ForgiveRepeatsAsync(
        JobId job, JobState? before, IReadOnlyList<SignedEvent> events, Refusal?[] answers,
        CancellationToken cancellationToken)
    {
        var others = false;
        for (var i = 0; i < events.Count; i++)
        {
            if (events[i].Statement.Body is JobEvent.BidPlaced)
            {
                // Bids come too late all the time: the state tells which it holds, without reading the stream again.
                if (before?.Bids.GetValueOrDefault(events[i].Statement.By)?.Digest == events[i].Digest)
                {
                    answers[i] = null;
                }
            }
            else
            {
                others |= answers[i] is not null;
            }
        }

        if (!others)
        {
            return;
        }

        var held = (await store.LoadAsync(StreamId.OfJob(job), cancellationToken))
            .Select(recorded => recorded.Event.Digest)
            .ToHashSet();
        for (var i = 0; i < events.Count; i++)
        {
            if (answers[i] is not null && held.Contains(events[i].Digest))
            {
                answers[i] = null;
            }
        }
    }
}
