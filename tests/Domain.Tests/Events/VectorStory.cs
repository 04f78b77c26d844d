using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Documents;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>
/// The ledger that schemas/vectors/events.json holds: founded, joined by a second node, with a job that completes, one
/// that fails, one that is tried again and then cancelled, and one that three workers run; every kind of event at least
/// once, some signed alone and some in batches, with awkward strings.
/// </summary>
internal sealed class VectorStory
{
    private const string AwkwardName = "N\u0153ud \"A\" \\ /\u0001\u001f\u007f\b\t\n\f\r \u00e9 \u20ac \u2028 \ufb00 \ud83d\ude00";

    private const string EchoDocument =
        """
        {"version":"1.0","job_id":"echo-vector-001","created_at":"2026-11-21T01:00:00Z","kind":"VMOperation",
         "operation":"system.echo","metadata":{"namespace":"tests"},
         "execution":{"idempotency_key":"nightly","timeout_seconds":60,"deadline":"2026-11-21T02:00:00Z"},
         "routing":{"affinity":{"zone":"north"}},
         "market":{"max_price":100,"bid_window_ms":250,"resources":{"cpu_cores":1},"federations":["north"],
         "trust_scope":"medical"},
         "observability":{"correlation_id":"c-1"},
         "payload":{"type":"system.echo.v1","data":{"message":"hello"}}}
        """;

    /// <summary>Members that UTF-8 and UTF-16 order differently, and every kind of escape: kept as they are.</summary>
    private const string AwkwardDocument =
        """{"version":"1.0","job_id":"echo-vector-002","created_at":"2026-11-21T01:00:00Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{"ﬀ":"\u00e9\/\"\\","😀":"\u0001\t","b":1.50,"a":-0}}}""";

    private const string RetriedDocument =
        """{"version":"1.0","job_id":"echo-vector-003","created_at":"2026-11-21T01:00:00Z","kind":"VMOperation","operation":"system.echo","execution":{"max_attempts":3,"retry_on":["EXIT_STATUS"]},"payload":{"type":"system.echo.v1","data":null}}""";

    private const string Template =
        """{"version":"1.0","kind":"VMOperation","operation":"system.echo","market":{"max_price":30,"replicas":3},"payload":{"type":"system.echo.v1","data":{"dose":1}}}""";

    private static readonly FreeResources Free = new(2, 4_096, 50_000, 1);
    private static readonly JobError Trouble = new("EXIT_STATUS", "the program ended with status 3", "run", true);
    private static readonly SigningKey[] Workers = [Actors.Worker, Actors.Rival, Actors.Third];
    private static readonly StreamId Account = StreamId.OfAccount(Actors.Submitter.Did);

    private readonly List<(SignedEvent Event, long Version)> _told = [];
    private readonly Dictionary<StreamId, long> _versions = [];
    private readonly Dictionary<StreamId, JobState> _jobs = [];
    private readonly Dictionary<StreamId, AccountState> _accounts = [];
    private readonly Dictionary<Did, Digest> _registrations = [];
    private readonly Registry _registry = new();
    private int _number;

    private VectorStory()
    {
    }

    public static IReadOnlyList<(SignedEvent Event, long Version)> Tell()
    {
        var story = new VectorStory();
        story.Begin();
        story.CompleteJob();
        story.FailJob();
        story.RetryAndCancelJob();
        story.Aid();
        story.Log();
        story.End();
        return story._told;
    }

    public static Receipt Receipt(JobError? error) => new()
    {
        Error = error,
        Engine = new EngineName("qemu-microvm", "7.2.22"),
        KernelSha256 = Digest.OfBytes("kernel"u8),
        Program = Blake3.Hash("program"u8),
        ExitCode = error is null ? 0 : 3,
        Outputs =
        [
            Output("result", """{"foo":"bar","n":[1,2.50]}"""),
            new ReceiptOutput("raw", 3, Blake3.Hash([0, 255, 128]), Digest.OfBytes([0, 255, 128]), true, null, "AP+A"),
        ],
        StartedAt = Actors.Time.AddSeconds(1),
        FinishedAt = Actors.Time.AddSeconds(3),
        DurationUs = 1_999_871,
        PeakMemoryBytes = 41_943_040,
    };

    /// <summary>The worker's first checkpoint.</summary>
    public static CheckpointName Saved => new(1, 1, Actors.Worker.Did, Blake3.Hash("state"u8));

    public static GuestAccount Metered(CheckpointName? from = null) => new()
    {
        Fuel = 9_007_199_254_740_991,
        FuelTable = 1,
        Tier = GuestAccount.CompiledTier,
        Result = "-9223372036854775808",
        StateDigest = Blake3.Hash("final state"u8),
        Checkpoints = 2,
        ResumedFrom = from,
    };

    public static ReceiptOutput Output(string name, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return new ReceiptOutput(name, bytes.Length, Blake3.Hash(bytes), Digest.OfBytes(bytes), false, text, null);
    }

    private void Begin()
    {
        var second = Actors.SecondNode.Did;
        Say(Actors.Node, new NodeEvent.Founded(AwkwardName), null, StreamId.Ledger);
        var joined = Say(Actors.SecondNode, new NodeEvent.Joined("cellar"), null, StreamId.OfNode(second));
        Say(Actors.Node, new NodeEvent.Admitted(second), joined, StreamId.OfNode(second));
        foreach (var (worker, name) in Workers.Zip(["worker-1", "worker-2", "worker-3"]))
        {
            Did? owner = worker == Actors.Third ? Actors.Stranger.Did : null;
            _registrations[worker.Did] = Say(
                worker, Actors.Facts(name) with { Owner = owner }, null, StreamId.OfWorker(worker.Did));
        }

        var third = Actors.Third.Did;
        Say(Actors.Stranger, new WorkerEvent.Vouched(third), _registrations[third], StreamId.OfWorker(third));
        var north = StreamId.OfFederation("north");
        var founded = Say(Actors.North, new FederationEvent.Founded("north"), null, north);
        Batch(
            Actors.North,
            (new FederationEvent.MembershipGranted(Actors.Worker.Did, ["medical"]), founded, north),
            (new FederationEvent.MembershipGranted(Actors.Rival.Did, ["medical"]), founded, north),
            (new FederationEvent.MembershipRevoked(Actors.Rival.Did, "left"), founded, north));
    }

    private void CompleteJob()
    {
        Say(Actors.Node, new AccountEvent.Opened(1_000, 100, 1_000), null, Account);
        var (job, stream, body) = Submit(EchoDocument, Actors.Submitter);
        var submitted = _jobs[stream].SubmissionDigest;
        var (opening, cause) = Decide(stream, new JobCommand.OpenBidding(25))[0];
        Batch(
            Actors.Node,
            (new AccountEvent.Held(job, 80), submitted, Account),
            (new NodeEvent.IdempotencyKeyClaimed(job), submitted, StreamId.OfKey(body.Terms.IdempotencyKey!.Value)),
            (opening, cause, stream));
        Bid(Actors.Rival, 20, stream);
        Bid(Actors.Worker, 60, stream);
        Bid(Actors.Worker, 50, stream);
        Close(stream, (_, reputation) => reputation);

        var assigned = _jobs[stream].AssignmentDigest;
        var started = Make(Actors.Worker, new JobEvent.ExecutionStarted(1), assigned, stream);
        Sign(
            Actors.Worker,
            started,
            Make(Actors.Worker, new JobEvent.ProgressReported(1, 1, "run", 5_000, 1_000, AwkwardName), started.Digest, stream),
            Make(Actors.Worker, new JobEvent.LeaseRenewed(1), assigned, stream),
            Make(Actors.Worker, Piece(1, 0, "begin\n"), started.Digest, stream),
            Make(
                Actors.Worker,
                new JobEvent.CheckpointRecorded(
                    1, 1, Saved.State, 5, new EngineName("meshledger-wasm", "0.1.0"), 9_007_199_254_740_000, null),
                started.Digest,
                stream),
            Make(Actors.Worker, Piece(2, 6, "end\n"), started.Digest, stream),
            Make(Actors.Worker, new JobEvent.ProgressReported(1, 2, "run", 10_000, null, ""), started.Digest, stream),
            Make(
                Actors.Worker,
                new JobEvent.CheckpointRecorded(
                    1, 2, Blake3.Hash("later"u8), 6, new EngineName("meshledger-wasm", "0.1.0"), 9_007_199_254_740_500, Saved),
                started.Digest,
                stream),
            Make(
                Actors.Worker,
                ReceiptAttestation.Issue(
                    Actors.Worker, _jobs[stream].Submission, assigned!.Value, 1, Receipt(null) with { Guest = Metered(Saved) }),
                assigned,
                stream));
        Settle(Actors.Node, stream, new Dictionary<Did, string>());
    }

    private void FailJob()
    {
        var (job, stream, body) = Submit(AwkwardDocument, Actors.Submitter);
        var (opening, cause) = Decide(stream, new JobCommand.OpenBidding(0))[0];
        Batch(
            Actors.SecondNode,
            (new AccountEvent.Held(job, body.Terms.MaxPrice), _jobs[stream].SubmissionDigest, Account),
            (opening, cause, stream));
        End(
            Actors.SecondNode,
            stream,
            new JobCommand.Abandon(new JobError("DEADLINE_EXCEEDED", "no worker took the job in time", "bidding", false)));
    }

    private void RetryAndCancelJob()
    {
        var (job, stream, body) = Submit(RetriedDocument, Actors.Submitter);
        var (opening, cause) = Decide(stream, new JobCommand.OpenBidding(0))[0];
        Batch(
            Actors.Node,
            (new AccountEvent.Held(job, body.Terms.MaxPrice), _jobs[stream].SubmissionDigest, Account),
            (opening, cause, stream));
        Bid(Actors.Rival, 20, stream);
        Close(stream, (_, _) => 0);
        Run(Actors.Rival, stream, Receipt(Trouble));
        Settle(Actors.Node, stream, new Dictionary<Did, string>());
        Say(Actors.Node, Decide(stream, new JobCommand.OpenBidding(0))[0], stream);
        Bid(Actors.Worker, 30, stream);
        Bid(Actors.Rival, 20, stream);
        Close(stream, (_, _) => 0);
        Settle(Actors.Node, stream, new Dictionary<Did, string> { [Actors.Worker.Did] = RunResults.Lost });
        Say(
            Actors.Submitter, new JobEvent.CancelRequested("not needed any more"), _jobs[stream].SubmissionDigest, stream);
        End(Actors.Node, stream, new JobCommand.Cancel());
    }

    private void Aid()
    {
        Assert.True(Ulid.TryParse("01KAJ00000000000000000000A", out var first) & Ulid.TryParse("01KAJ00000000000000000000B", out var next));
        var (template, request) = (StreamId.OfAid(first), StreamId.OfAid(next));
        var offered = Say(
            Actors.Stranger, new AidEvent.TemplateRegistered("first aid", ["medical", "north"], Template), null, template);
        var asked = Say(
            Actors.Submitter, new AidEvent.Requested(["medical"], "{\"dose\":2}"), null, request);
        Say(Actors.Node, new AccountEvent.Opened(500, 0, 0), null, StreamId.OfAccount(Actors.Node.Did));
        var match = Assert.Single(_registry.Aid.Matches());
        var filled = AidBoard.Fill(match.Template, match.Request, JobId.Parse("echo-vector-004"), Actors.Time);
        var document = Encoding.UTF8.GetString(Assert.IsType<JobDocument>(filled.Document).Bytes.Span);
        var (job, stream, body) = Read(document, Actors.Node);
        var submission = Make(Actors.Node, body, null, stream);
        var state = Job.Evolve(null, EventFact.Of(submission));
        var opening = Job.Decide(state, new JobCommand.OpenBidding(0), Actors.Time, _registry).Events[0];
        Sign(
            Actors.Node,
            submission,
            Make(Actors.Node, new AidEvent.Matched(offered, job), asked, request),
            Make(Actors.Node, new AccountEvent.Held(job, 90), submission.Digest, StreamId.OfAccount(Actors.Node.Did)),
            Make(Actors.Node, opening.Body, opening.Cause, stream));
        foreach (var worker in Workers)
        {
            Bid(worker, 20, stream);
        }

        Close(stream, (_, _) => 0);
        var differs = Receipt(null) with { Outputs = [Output("result", "{}")] };
        Run(Actors.Worker, stream, Receipt(null));
        Run(Actors.Rival, stream, differs);
        Run(Actors.Third, stream, Receipt(null));
        Settle(Actors.Node, stream, new Dictionary<Did, string>());
        Say(Actors.Stranger, new AidEvent.TemplateWithdrawn(), offered, template);
    }

    /// <summary>The log's key is handed over, and then lost.</summary>
    private void Log()
    {
        SigningKey[] keys = [.. Enumerable.Range(1, 3).Select(i => SigningKey.FromSeed([.. Enumerable.Repeat((byte)(200 + i), 32)]))];
        var first = new NoteKey("log.example/mesh", NoteKeyType.Signature, keys[0].Did);
        var stream = StreamId.OfLog(first.Name);
        var changed = LogEvent.Change(first, keys[0], keys[1]);
        var handed = Say(Actors.Node, changed, null, stream);
        Say(Actors.Node, LogEvent.Change(NoteKey.Parse(changed.To), null, keys[2]), handed, stream);
    }

    private void End()
    {
        _number += 120_000;
        var grown = Domain.Accounts.Account.Regeneration(_accounts[Account], Actors.Time.AddMilliseconds(_number), 20);
        Say(Actors.Node, grown!, null, Account);
        var (rival, third) = (Actors.Rival.Did, Actors.Third.Did);
        Say(Actors.Rival, new WorkerEvent.Draining("maintenance"), _registrations[rival], StreamId.OfWorker(rival));
        Say(Actors.Stranger, new WorkerEvent.Retired("sold"), _registrations[third], StreamId.OfWorker(third));
        Judge();
    }

    /// <summary>A node gets what the first job's worker got; the third worker gets something else from the second
    /// checkpoint on.</summary>
    private void Judge()
    {
        var stream = StreamId.OfJob(JobId.Parse("echo-vector-001"));
        var history = new ReceiptHistory(_told.Select(told => told.Event.Statement)
            .Where(statement => statement.Stream == stream).Select(EventFact.Of));
        var (receipt, engine) = (history.Receipts[0], new EngineName("meshledger-wasm", "0.1.0"));
        var (claims, saved) = (RunClaims.Of(receipt.Receipt), history.Of(receipt));
        var states = saved.ToDictionary(one => one.Fuel, one => new FoundState(one.Fuel, one.State, one.Size));
        var time = Actors.Time.AddMilliseconds(_number + 1);
        Say(
            Actors.SecondNode,
            RunComparison.Of(claims, saved, claims, states).Tell(receipt, null, engine, time, Actors.SecondNode),
            receipt.Digest,
            stream);

        states[saved[1].Fuel] = new FoundState(saved[1].Fuel, Blake3.Hash("honest"u8), 6);
        var honest = Output("result", AwkwardName);
        var found = claims with
        {
            Error = "GUEST_TRAPPED",
            Outputs = [new ClaimedOutput(honest.Name, honest.Size, honest.Blake3, honest.Sha256, false)],
            StateDigest = null,
        };
        Say(
            Actors.Third,
            RunComparison.Of(claims, saved, found, states)
                .Tell(receipt, _registrations[Actors.Third.Did], engine, time, Actors.Third),
            receipt.Digest,
            stream);
    }

    private static JobEvent.PartialOutputProduced Piece(long sequence, long offset, string text)
    {
        var output = Output("log", text);
        return new JobEvent.PartialOutputProduced(1, sequence, "log", offset, output.Size, output.Blake3, text, null);
    }

    private (JobId Job, StreamId Stream, JobEvent.Submitted Body) Submit(string json, SigningKey by)
    {
        var read = Read(json, by);
        Say(by, read.Body, null, read.Stream);
        return read;
    }

    private static (JobId Job, StreamId Stream, JobEvent.Submitted Body) Read(string json, SigningKey by)
    {
        var document = Assert.IsType<JobDocument>(JobDocumentSamples.Read(json).Document);
        return (
            document.JobId,
            StreamId.OfJob(document.JobId),
            JobSubmission.Create(document, by.Did, "folder", defaultMaxPrice: 50, defaultBidWindowMs: 1_000));
    }

    private void Bid(SigningKey worker, long price, StreamId stream)
    {
        var state = _jobs[stream];
        var body = new JobEvent.BidPlaced(state.Attempt, price, _registrations[worker.Did], Free);
        Say(worker, body, state.SubmissionDigest, stream);
    }

    private void Close(StreamId stream, Func<Did, long, long> reputation)
    {
        var input = new SelectionInput(
            "weighted", SelectionWeights.Default, 30_000, false, _told.Count, Actors.Time,
            worker => reputation(worker, 10), _ => 0, worker => worker == Actors.Worker.Did ? 12 : null);
        foreach (var decided in Decide(stream, new JobCommand.CloseBidding("all_answered", input)))
        {
            Say(Actors.Node, decided, stream);
        }
    }

    private void Run(SigningKey worker, StreamId stream, Receipt receipt)
    {
        var state = _jobs[stream];
        Batch(
            worker,
            (new JobEvent.ExecutionStarted(state.Attempt), state.AssignmentDigest, stream),
            (
                ReceiptAttestation.Issue(worker, state.Submission, state.AssignmentDigest!.Value, state.Attempt, receipt),
                state.AssignmentDigest,
                stream));
    }

    private void Settle(SigningKey node, StreamId stream, Dictionary<Did, string> silent) => End(
        node, stream, new JobCommand.Settle(silent, RetryPolicy.Default with { FirstDelay = TimeSpan.FromMilliseconds(1) }));

    /// <summary>The end of an attempt or a job, and what becomes of the money, signed as one batch.</summary>
    private void End(SigningKey node, StreamId stream, JobCommand command)
    {
        var state = _jobs[stream];
        Assert.True(stream.IsJob(out var job));
        var decided = Assert.Single(Decide(stream, command));
        var end = Make(node, decided.Body, decided.Cause, stream);
        var (outcomes, refunded) = decided.Body switch
        {
            JobEvent.Completed completed => (completed.Outcomes, completed.Refunded),
            JobEvent.Failed failed => (failed.Outcomes, failed.Refunded),
            JobEvent.Cancelled cancelled => (cancelled.Outcomes, cancelled.Refunded),
            _ => ([], 0),
        };
        var (batch, payer) = (new List<Statement> { end }, StreamId.OfAccount(state.Submitter));
        foreach (var outcome in outcomes.Where(outcome => outcome.Paid > 0))
        {
            var earner = StreamId.OfAccount(outcome.Worker);
            batch.Add(Make(node, new AccountEvent.Paid(job, outcome.Paid, outcome.Worker), end.Digest, payer));
            if (!_accounts.ContainsKey(earner))
            {
                batch.Add(Make(node, new AccountEvent.Opened(0, 0, 0), end.Digest, earner));
            }

            batch.Add(Make(node, new AccountEvent.Received(job, outcome.Paid, state.Submitter), end.Digest, earner));
        }

        if (refunded > 0)
        {
            batch.Add(Make(node, new AccountEvent.Refunded(job, refunded), end.Digest, payer));
        }

        Sign(node, [.. batch]);
    }

    private IReadOnlyList<(LedgerEvent Body, Digest? Cause)> Decide(StreamId stream, JobCommand command) =>
        [.. Job.Decide(_jobs[stream], command, Actors.Time, _registry).Events.Select(decided => (decided.Body, decided.Cause))];

    private Statement Make(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream) =>
        Actors.State(by, body, cause, stream, ++_number);

    private void Say(SigningKey by, (LedgerEvent Body, Digest? Cause) said, StreamId stream) =>
        Say(by, said.Body, said.Cause, stream);

    private Digest Say(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var statement = Make(by, body, cause, stream);
        Sign(by, statement);
        return statement.Digest;
    }

    private void Batch(SigningKey by, params (LedgerEvent Body, Digest? Cause, StreamId Stream)[] said) =>
        Sign(by, Array.ConvertAll(said, one => Make(by, one.Body, one.Cause, one.Stream)));

    private void Sign(SigningKey by, params Statement[] statements)
    {
        foreach (var signed in SignedEvent.Sign(by, statements))
        {
            var statement = signed.Statement;
            var version = _versions[statement.Stream] = _versions.GetValueOrDefault(statement.Stream) + 1;
            _told.Add((signed, version));
            _registry.Apply(statement, statement.Body, version, _told.Count);
            if (statement.Body is JobEvent)
            {
                _jobs[statement.Stream] = Job.Evolve(_jobs.GetValueOrDefault(statement.Stream), EventFact.Of(statement));
            }
            else if (statement.Body is AccountEvent)
            {
                _accounts[statement.Stream] = Domain.Accounts.Account.Evolve(
                    _accounts.GetValueOrDefault(statement.Stream) ?? AccountState.None, statement.Body, statement.Time);
            }
        }
    }
}
