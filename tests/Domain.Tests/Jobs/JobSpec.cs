using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Documents;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>Something said about a job: by whom, in answer to what, of how the job stands at that moment.</summary>
internal sealed record Said(SigningKey By, Func<JobSpec, Digest?> Cause, Func<JobSpec, LedgerEvent> Body)
{
    public Said Changed<T>(Func<T, T> change)
        where T : LedgerEvent => this with { Body = spec => change((T)Body(spec)) };

    public Said Answering(Digest? cause) => this with { Cause = _ => cause };
}

/// <summary>Given(events).When(command, at).Then(events), and Given(events).WhenSaid(event).Refused(code).</summary>
internal sealed class JobSpec
{
    public static readonly JobError Trouble = new("EXIT_STATUS", "the program ended with status 3", "run", true);
    public static readonly JobError Late = new("DEADLINE_EXCEEDED", "no worker took the job in time", "bidding", false);
    public static readonly DateTimeOffset At = Actors.Time.AddMinutes(1);

    private static readonly BlobHash State1 = Blake3.Hash("state"u8);
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

    /// <summary>A job that may be tried three times, and whose first attempt is under way.</summary>
    public static Said[] Retriable { get; } =
    [
        Submit("\"execution\":{\"max_attempts\":3},"), OpenBidding(), Bid(Actors.Rival, 60), Bid(Actors.Worker, 40),
        CloseBidding(), Assign(), Start(),
    ];

    public static Said[] Retrying { get; } = [.. Retriable, Receipt(Trouble), EndAttempt()];

    /// <summary>The only assigned worker was silent for too long.</summary>
    public static Said[] Lost { get; } = [.. Retriable, EndAttempt(RunResults.Lost)];

    /// <summary>Three workers are to agree, and have started.</summary>
    public static Said[] Quorum { get; } =
    [
        Submit("\"market\":{\"replicas\":3},"), OpenBidding(), Bid(Actors.Rival, 60), Bid(Actors.Worker, 40),
        Bid(Actors.Third, 50), CloseBidding(), Assign(), Start(), Start(Actors.Third), Start(Actors.Rival),
    ];

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

    /// <param name="members">Put into the document, such as <c>"market":{"replicas":3},</c>.</param>
    public static Said Submit(string members = "") =>
        new(Actors.Submitter, _ => null, _ => Submission(Document(members)));

    public static string Document(string members) =>
        JobDocumentSamples.Minimal.Replace("\"payload\"", members + "\"payload\"", StringComparison.Ordinal);

    public static JobEvent.Submitted Submission(string json) => JobSubmission.Create(
        Assert.IsType<JobDocument>(JobDocumentSamples.Read(json).Document), Actors.Submitter.Did, "folder", 100, 1_000);

    public static Said OpenBidding(long reputation = 0) => new(
        Actors.Node,
        spec => spec.State?.RetryDigest ?? spec.State?.SubmissionDigest,
        spec => new JobEvent.BiddingOpened(
            (spec.State?.Attempt ?? 0) + 1,
            At,
            spec.State is { } state ? Pricing.Escrow(state.Submission.Terms, reputation) : 1,
            reputation));

    public static Said Bid(SigningKey worker, long price) => new(
        worker,
        spec => spec.State?.SubmissionDigest,
        spec => new JobEvent.BidPlaced(
            spec.Attempt, price, Actors.Registration(worker).Digest, new FreeResources(2, 4_096, 50_000, 1)));

    public static Said CloseBidding() => new(
        Actors.Node,
        spec => spec.State?.BiddingDigest,
        spec => new JobEvent.BiddingClosed(spec.Attempt, spec.State?.Bids.Count ?? 0, "window"));

    /// <summary>How the node chooses where nothing else is said: nobody has a reputation.</summary>
    public static SelectionInput Choice { get; } = new(
        "weighted", SelectionWeights.Default, 30_000, false, 1_000, At, _ => 0, _ => 0, _ => null);

    public static Said Assign(SelectionInput? input = null) => new(
        Actors.Node,
        spec => spec.Choose(input) is { Assignees: [var first, ..] } ? first.Bid : null,
        spec => spec.Choose(input) is { } choice
            ? new JobEvent.Assigned(spec.Attempt, choice.Assignees, choice.Selection, choice.Considered)
            : new JobEvent.Assigned(1, [], new Selection("first", SelectionWeights.Default, 0, At, 1, 1, true, 0, null), []));

    public static Said Start(SigningKey? by = null) => new(
        by ?? Actors.Worker, spec => spec.State?.AssignmentDigest, spec => new JobEvent.ExecutionStarted(spec.Attempt));

    public static Said Renew(SigningKey? by = null) => new(
        by ?? Actors.Worker, spec => spec.State?.AssignmentDigest, spec => new JobEvent.LeaseRenewed(spec.Attempt));

    public static Said Progress(long sequence, int basisPoints) => OfRun(
        spec => new JobEvent.ProgressReported(spec.Attempt, sequence, "run", basisPoints, 1_000, "under way"));

    public static Said Output(long sequence, string name, long offset, string text) => OfRun(spec =>
    {
        var output = VectorStory.Output(name, text);
        return new JobEvent.PartialOutputProduced(
            spec.Attempt, sequence, name, offset, output.Size, output.Blake3, text, null);
    });

    public static Said Checkpoint(long sequence, CheckpointName? from = null, SigningKey? by = null) => OfRun(
        spec => new JobEvent.CheckpointRecorded(
            spec.Attempt, sequence, State1, 5, new EngineName("meshledger-wasm", "0.1.0"), 1_000 * sequence, from),
        by);

    public static Said Receipt(JobError? error, SigningKey? by = null, string? output = null) => new(
        by ?? Actors.Worker,
        spec => spec.State?.AssignmentDigest ?? spec.State?.Lost?.AssignmentDigest,
        spec =>
        {
            var receipt = VectorStory.Receipt(error);
            return new JobEvent.ReceiptIssued(
                spec.State?.Lost?.Attempt ?? spec.Attempt,
                output is null ? receipt : receipt with { Outputs = [VectorStory.Output("result", output)] },
                Attestation: null);
        });

    /// <param name="silent">What became of the runs without a receipt.</param>
    public static Said Complete(string silent = RunResults.Lost) => new(
        Actors.Node,
        spec => spec.State?.ReceiptDigest,
        spec => new JobEvent.Completed(
            spec.Attempt, spec.Operation, spec.Outcomes(silent), spec.Escrow - spec.Outcomes(silent).Sum(one => one.Paid)));

    public static Said EndAttempt(string silent = RunResults.Lost) => new(
        Actors.Node,
        spec => spec.State?.Milestone,
        spec => new JobEvent.AttemptEnded(
            spec.Attempt, spec.Operation, spec.Verdict(silent)?.Error ?? Trouble, spec.Outcomes(silent), At));

    /// <summary>As the receipts say if they say this, else for a reason of the node's.</summary>
    public static Said Fail(JobError error, string silent = RunResults.Lost) => new(
        Actors.Node,
        spec => spec.State?.Milestone,
        spec => new JobEvent.Failed(
            spec.State?.Attempt ?? 0,
            spec.Operation,
            error,
            spec.Verdict(silent)?.Error == error ? spec.Outcomes(silent) : spec.Withdrawn(),
            spec.Escrow));

    public static Said RequestCancel() => new(
        Actors.Submitter, spec => spec.State?.SubmissionDigest, _ => new JobEvent.CancelRequested("not needed any more"));

    public static Said Cancel() => new(
        Actors.Node,
        spec => spec.State?.CancelDigest,
        spec => new JobEvent.Cancelled(spec.State?.Attempt ?? 0, spec.Operation, spec.Withdrawn(), spec.Escrow));

    public Decided When(JobCommand command, DateTimeOffset at) =>
        new(this, Job.Decide(Assert.IsType<JobState>(State), command, at, Registry));

    public Judged WhenSaid(Said said) => new(JobRules.Check(State, Fact(said), Registry));

    public EventFact Fact(Said said) => Fact(said.By, said.Body(this), said.Cause(this));

    /// <summary>A receipt is attested by whoever hands it in, unless what is attested is what the test is about.</summary>
    public EventFact Fact(SigningKey by, LedgerEvent body, Digest? cause) => EventFact.Of(Actors.State(
        by,
        body is JobEvent.ReceiptIssued { Attestation: null } issued && State is not null && cause is { } assignment
            ? ReceiptAttestation.Issue(by, State.Submission, assignment, issued.Attempt, issued.Receipt)
            : body,
        cause,
        StreamId.Parse("job-echo-test-001"),
        ++_number));

    /// <summary>A receipt as its honest author would attest it.</summary>
    public JobEvent.ReceiptIssued Attested(Said said) =>
        (JobEvent.ReceiptIssued)Fact(said).Body;

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

    private static Said OfRun(Func<JobSpec, JobEvent> body, SigningKey? by = null) =>
        new(by ?? Actors.Worker, spec => spec.State?.RunOf((by ?? Actors.Worker).Did)?.StartDigest, body);

    private int Attempt => Math.Max(1, State?.Attempt ?? 1);

    private string Operation => State?.Submission.Operation ?? "system.echo";

    private long Escrow => State?.Escrow ?? 0;

    private MarketChoice? Choose(SelectionInput? input) =>
        State is null ? null : Market.Choose(State, Registry, input ?? Choice);

    private Verdict? Verdict(string silent) => State is null
        ? null
        : Domain.Jobs.Verdict.Of(State, State.Runs.ToDictionary(run => run.Worker, _ => silent), Registry);

    private ValueList<AttemptOutcome> Outcomes(string silent) => Verdict(silent)?.Outcomes ?? [];

    private ValueList<AttemptOutcome> Withdrawn() => ValueList.From(
        (State?.Runs ?? []).Select(run => new AttemptOutcome(run.Worker, RunResults.Withdrawn, 0)));

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
