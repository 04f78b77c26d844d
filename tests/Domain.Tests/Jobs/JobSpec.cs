using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Documents;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>Something said about a job: by whom, in answer to what, of the state at that moment.</summary>
internal sealed record Said(SigningKey By, Func<JobState?, Digest?> Cause, Func<JobState?, LedgerEvent> Body)
{
    public Said Changed<T>(Func<T, T> change)
        where T : LedgerEvent => this with { Body = state => change((T)Body(state)) };

    public Said Answering(Digest? cause) => this with { Cause = _ => cause };
}

/// <summary>Given(events).When(command, at).Then(events), and Given(events).WhenSaid(event).Refused(code).</summary>
internal sealed class JobSpec
{
    public static readonly JobError Trouble = new("EXIT_STATUS", "the program ended with status 3", "run", true);
    public static readonly JobError Late = new("DEADLINE_EXCEEDED", "no worker took the job in time", "bidding", false);
    public static readonly DateTimeOffset At = Actors.Time.AddMinutes(1);

    private int _number = 100;

    private JobSpec()
    {
    }

    public Registry Registry { get; } = Actors.Founded();

    public JobState? State { get; private set; }

    public List<EventFact> Facts { get; } = [];

    public static Said[] Submitted { get; } = [Submit()];

    public static Said[] Open { get; } = [.. Submitted, OpenBidding()];

    public static Said[] Closed { get; } =
        [.. Open, Bid(Actors.Rival, 60), Bid(Actors.Worker, 40), CloseBidding()];

    public static Said[] Assigned { get; } = [.. Closed, Assign()];

    public static Said[] Executing { get; } = [.. Assigned, Start()];

    public static Said[] Succeeded { get; } = [.. Executing, Progress(1, 5_000), Receipt(null)];

    public static Said[] Erred { get; } = [.. Executing, Receipt(Trouble)];

    public static Said[] Completed { get; } = [.. Succeeded, Complete()];

    public static Said[] Failed { get; } = [.. Erred, Fail(Trouble)];

    public static JobSpec Given(params ReadOnlySpan<Said> history)
    {
        var spec = new JobSpec();
        foreach (var said in history)
        {
            var fact = spec.Fact(said);
            Assert.Null(JobRules.Check(spec.State, fact, spec.Registry));
            spec.Take(fact);
        }

        return spec;
    }

    public static Said Submit() => new(Actors.Submitter, _ => null, _ => Submission(JobDocumentSamples.Minimal));

    public static JobEvent.Submitted Submission(string json) => JobSubmission.Create(
        Assert.IsType<JobDocument>(JobDocumentSamples.Read(json).Document), Actors.Submitter.Did, "folder", 100, 1_000);

    public static Said OpenBidding() =>
        new(Actors.Node, state => state?.SubmissionDigest, _ => new JobEvent.BiddingOpened(1, At));

    public static Said Bid(SigningKey worker, long price) => new(
        worker,
        state => state?.SubmissionDigest,
        _ => new JobEvent.BidPlaced(1, price, Actors.Registration(worker).Digest, new FreeResources(2, 4_096, 50_000)));

    public static Said CloseBidding() => new(
        Actors.Node, state => state?.BiddingDigest, state => new JobEvent.BiddingClosed(1, state?.Bids.Count ?? 0, "window"));

    public static Said Assign() => new(
        Actors.Node,
        state => state is null ? null : Market.Choose(state, Actors.Founded()).Winner?.Digest,
        state =>
        {
            var choice = state is null ? null : Market.Choose(state, Actors.Founded());
            return new JobEvent.Assigned(
                1, choice?.Winner?.Worker ?? Actors.Worker.Did, choice?.Winner?.Body.Price ?? 1, Market.Cheapest,
                choice?.Considered ?? []);
        });

    public static Said Start() =>
        new(Actors.Worker, state => state?.AssignmentDigest, _ => new JobEvent.ExecutionStarted(1));

    public static Said Progress(long sequence, int basisPoints) => new(
        Actors.Worker,
        state => state?.StartDigest,
        _ => new JobEvent.ProgressReported(1, sequence, "run", basisPoints, "under way"));

    public static Said Receipt(JobError? error) => new(
        Actors.Worker,
        state => state?.AssignmentDigest,
        _ => new JobEvent.ReceiptIssued(1, VectorStory.Receipt(error)));

    public static Said Complete() => new(
        Actors.Node,
        state => state?.ReceiptDigest,
        state => new JobEvent.Completed(
            1, Actors.Worker.Did, state?.Assignment?.Price ?? 1, 100 - (state?.Assignment?.Price ?? 1)));

    public static Said Fail(JobError error) => new(
        Actors.Node,
        state => state?.Milestone,
        state => new JobEvent.Failed(state?.Attempt ?? 0, state?.Assignment?.Worker, error, 100));

    public Decided When(JobCommand command, DateTimeOffset at) =>
        new(this, Job.Decide(Assert.IsType<JobState>(State), command, at, Registry));

    public Judged WhenSaid(Said said) => new(JobRules.Check(State, Fact(said), Registry));

    public EventFact Fact(Said said) => Fact(said.By, said.Body(State), said.Cause(State));

    public EventFact Fact(SigningKey by, LedgerEvent body, Digest? cause) => EventFact.Of(
        Actors.State(by, body, cause, StreamId.Parse("job-echo-test-001"), ++_number));

    public void Take(EventFact fact)
    {
        State = Job.Evolve(State, fact);
        Facts.Add(fact);
    }

    /// <summary>Takes in what the node decided, each event judged first.</summary>
    public void Take(Decision decision)
    {
        Digest? before = null;
        foreach (var decided in decision.Events)
        {
            var fact = Fact(Actors.Node, decided.Body, decided.Cause ?? before);
            Assert.Null(JobRules.Check(State, fact, Registry));
            Take(fact);
            before = fact.Digest;
        }
    }

    internal sealed record Decided(JobSpec Spec, Decision Decision)
    {
        public Decided Then(params LedgerEvent[] events)
        {
            Assert.Null(Decision.Refusal);
            Assert.Equal(events, Decision.Events.Select(decided => decided.Body));
            return this;
        }

        /// <summary>The causes, the event before standing as null.</summary>
        public void Answering(params Digest?[] causes) =>
            Assert.Equal(causes, Decision.Events.Select(decided => decided.Cause));
    }

    internal sealed record Judged(Refusal? Refusal)
    {
        public void Accepted() => Assert.Null(Refusal);

        public void Refused(string code) => Assert.Equal(code, Refusal?.Code);
    }
}
