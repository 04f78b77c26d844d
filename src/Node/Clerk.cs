using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node;

/// <summary>
/// Appends what somebody has to say about a worker, a federation, mutual aid or a job of its own, after it was judged by
/// what the ledger holds. Needs no running node: nodes follow the log.
/// </summary>
public sealed class Clerk(IEventStore store)
{
    private const int MaxRounds = 20;

    /// <summary>Says something in a stream that the registry judges.</summary>
    /// <param name="body">Makes the body and its cause from what is known now; null says nothing.</param>
    /// <returns>Null once it is durable, or why not.</returns>
    public async Task<Refusal?> SayAsync(
        EventAuthor author, StreamId stream, Func<Registry, (LedgerEvent Body, Digest? Cause)?> body,
        CancellationToken cancellationToken)
    {
        for (var round = 0; round < MaxRounds; round++)
        {
            var registry = new Registry();
            await RegistryReader.ReadAsync(store, registry, cancellationToken);
            var version = (await store.LoadAsync(stream, cancellationToken)).Count;
            if (body(registry) is not var (said, cause))
            {
                return null;
            }

            var statement = author.State(said, cause, stream);
            if (registry.Check(statement, said, version + 1) is { } refusal)
            {
                return refusal;
            }

            if (await TryAppendAsync(author, statement, version, null, cancellationToken) is { } answer)
            {
                return answer.Refusal;
            }
        }

        return Busy;
    }

    /// <summary>Asks for a job's end, as its submitter.</summary>
    /// <returns>Null once the request is durable, or why not.</returns>
    public Task<Refusal?> CancelAsync(EventAuthor submitter, JobId job, string reason, CancellationToken cancellationToken) =>
        SayAsync(
            submitter, job, new Registry(), new JobEvent.CancelRequested(reason), state => state?.SubmissionDigest,
            cancellationToken);

    /// <summary>Says what was found of a receipt of a job that has ended.</summary>
    /// <returns>Null once it is durable, or why not.</returns>
    public async Task<Refusal?> FindAsync(
        EventAuthor author, JobId job, JobEvent finding, Digest receipt, CancellationToken cancellationToken)
    {
        var registry = new Registry();
        await RegistryReader.ReadAsync(store, registry, cancellationToken);
        return await SayAsync(author, job, registry, finding, _ => receipt, cancellationToken);
    }

    private async Task<Refusal?> SayAsync(
        EventAuthor author, JobId job, Registry registry, JobEvent said, Func<JobState?, Digest?> cause,
        CancellationToken cancellationToken)
    {
        var stream = StreamId.OfJob(job);
        for (var round = 0; round < MaxRounds; round++)
        {
            var events = await store.LoadAsync(stream, cancellationToken);
            JobState? state = null;
            foreach (var recorded in events)
            {
                state = Job.Evolve(state, EventFact.Of(recorded.Statement));
            }

            var statement = author.State(said, cause(state), stream);
            if (JobRules.Check(state, EventFact.Of(statement), registry) is { } refusal)
            {
                return refusal;
            }

            var correlation = state!.Submission.Terms.CorrelationId;
            if (await TryAppendAsync(author, statement, events.Count, correlation, cancellationToken) is { } answer)
            {
                return answer.Refusal;
            }
        }

        return Busy;
    }

    private static Refusal Busy { get; } = new("BUSY", "others keep writing this stream; say it again");

    /// <summary>Null if the stream was written meanwhile.</summary>
    private async Task<Answer?> TryAppendAsync(
        EventAuthor author, Statement statement, long version, string? correlation,
        CancellationToken cancellationToken)
    {
        var request = new AppendRequest(
            author.Sign([statement]), new Dictionary<StreamId, long> { [statement.Stream] = version })
        {
            Correlations = correlation is null ? null : new Dictionary<StreamId, string> { [statement.Stream] = correlation },
        };
        return await store.AppendAsync(request, cancellationToken) switch
        {
            AppendOutcome.Appended => new Answer(null),
            AppendOutcome.Rejected rejected => new Answer(rejected.Reason),
            _ => null,
        };
    }

    private sealed record Answer(Refusal? Refusal);
}
