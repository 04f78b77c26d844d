using System.Security.Cryptography;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Reputation;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Testing;

/// <summary>
/// A small ledger in which everything happens once that may: a job that fails and is tried again, one whose worker is
/// thought lost, one that three workers run, one that is cancelled, aid, owners, federations, accounts that grow. It can
/// be told wrongly: every event goes through <see cref="Twist"/>, and is signed by whoever must sign it.
/// </summary>
public sealed class LedgerStory
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);

    private readonly List<SignedEvent> _events = [];
    private readonly Registry _registry = new();
    private readonly ReputationBook _book = new();
    private readonly Dictionary<StreamId, long> _versions = [];
    private readonly Dictionary<Did, AccountState> _accounts = [];
    private readonly Dictionary<Did, Digest> _registrations = [];
    private TimeSpan _later;

    /// <summary>What is said in place of an event: usually itself.</summary>
    public Func<LedgerEvent, IEnumerable<LedgerEvent>> Twist { get; init; } = body => [body];

    /// <summary>What the node goes by when it assigns.</summary>
    public Func<SelectionInput, SelectionInput> Choosing { get; init; } = input => input;

    public SigningKey Node { get; init; } = SigningKey.Generate();

    /// <summary>Has an account that grows, and no worker.</summary>
    public SigningKey Submitter { get; init; } = SigningKey.Generate();

    /// <summary>Submits, too, and owns the first worker.</summary>
    public SigningKey Owner { get; init; } = SigningKey.Generate();

    public SigningKey Stranger { get; init; } = SigningKey.Generate();

    public SigningKey[] Workers { get; init; } = [SigningKey.Generate(), SigningKey.Generate(), SigningKey.Generate()];

    public IReadOnlyList<SignedEvent> Events => _events;

    public Registry Registry => _registry;

    /// <summary>A log's key, and the one that follows it.</summary>
    public static IReadOnlyList<SigningKey> LogKeys { get; } =
        [.. Enumerable.Range(1, 2).Select(i => SigningKey.FromSeed([.. Enumerable.Repeat((byte)(200 + i), 32)]))];

    /// <summary>Its origin.</summary>
    public static string LogName => "log.example/story";

    public DateTimeOffset Now => Start + _later + TimeSpan.FromMilliseconds(_events.Count);

    /// <summary>The whole story.</summary>
    public LedgerStory Tell()
    {
        Found();
        RunAlone("job-alone-1", Owner, Workers[0], """{"idempotency_key":"once"}""");
        RunAlone("job-alone-2", Submitter, Workers[0]);
        RunAlone("job-owned", Owner, Workers[0]);
        RunAgain();
        RunLost();
        RunByThree("job-three-1");
        RunByThree("job-three-2");
        Fail();
        Cancel();
        _later += TimeSpan.FromMinutes(10);
        Grow(Owner.Did);
        Grow(Submitter.Did);
        Aid();
        Log();
        Leave();
        return this;
    }

    /// <summary>Appends all of it, each event by itself as signed.</summary>
    public async Task AppendAsync(IEventStore store)
    {
        var outcome = await store.AppendAsync(
            new AppendRequest(_events, new Dictionary<StreamId, long>()) { Correlations = Correlations }, CancellationToken.None);
        if (outcome is not AppendOutcome.Appended)
        {
            throw new InvalidOperationException($"The story was not appended: {outcome}");
        }
    }

    /// <summary>What the jobs' documents say, by stream.</summary>
    public IReadOnlyDictionary<StreamId, string> Correlations => _events.Select(signed => signed.Statement)
        .Where(statement => statement.Body is JobEvent.Submitted { Terms.CorrelationId: not null })
        .DistinctBy(statement => statement.Stream)
        .ToDictionary(statement => statement.Stream, statement => ((JobEvent.Submitted)statement.Body).Terms.CorrelationId!);

    /// <summary>One more event.</summary>
    public Digest Say(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var digest = default(Digest);
        foreach (var said in Twist(body))
        {
            digest = SayAsIs(by, said, cause, stream).Digest;
        }

        return digest;
    }

    /// <summary>The latest event of a type in a job's stream.</summary>
    public Statement Latest<T>(string job)
        where T : LedgerEvent => _events.Select(signed => signed.Statement)
            .Last(statement => statement.Body is T && statement.Stream == StreamId.OfJob(JobId.Parse(job)));

    private void Found()
    {
        Say(Node, new NodeEvent.Founded("story"), null, StreamId.Ledger);
        for (var i = 0; i < Workers.Length; i++)
        {
            Register(i, i == 0 ? Owner.Did : null);
        }

        var first = StreamId.OfWorker(Workers[0].Did);
        Say(Owner, new WorkerEvent.Vouched(Workers[0].Did), _registrations[Workers[0].Did], first);
        Say(Node, new AccountEvent.Opened(100_000, 10, 200_000), null, StreamId.OfAccount(Submitter.Did));
        Say(Node, new AccountEvent.Opened(50_000, 60, 200_000), null, StreamId.OfAccount(Owner.Did));
        foreach (var worker in Workers)
        {
            Say(Node, new AccountEvent.Opened(0, 0, 0), null, StreamId.OfAccount(worker.Did));
        }

        var federation = StreamId.OfFederation("north");
        Say(Owner, new FederationEvent.Founded("north"), null, federation);
        Say(Owner, new FederationEvent.MembershipGranted(Workers[0].Did, ["medical"]), null, federation);
    }

    private void Register(int number, Did? owner) => _registrations[Workers[number].Did] = Say(
        Workers[number],
        new WorkerEvent.Registered(
            $"worker-{number}", owner, "0.1.0", ["system.echo"], [], [], ["default"], [],
            new WorkerResources(2, 4096, 10_000, 100), false, 2),
        null,
        StreamId.OfWorker(Workers[number].Did));

    /// <summary>One worker runs it well.</summary>
    private void RunAlone(string id, SigningKey by, SigningKey worker, string execution = "{}")
    {
        var job = Submit(id, by, execution);
        Attempt(job, worker);
        Receive(job, worker, "same");
        End(job, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default));
    }

    /// <summary>The first attempt fails, the second, by another worker, does not.</summary>
    private void RunAgain()
    {
        var job = Submit("job-again", Submitter, """{"max_attempts":3,"priority":7}""", observability: """{"correlation_id":"again"}""");
        Attempt(job, Workers[1]);
        Receive(job, Workers[1], null);
        Decide(job, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default));
        Decide(job, new JobCommand.OpenBidding(0));
        Attempt(job, Workers[1], Workers[2]);
        Receive(job, Workers.Single(key => key.Did == job.State.Runs[0].Worker), "same");
        End(job, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default));
    }

    /// <summary>A worker is given up, and has the result after all.</summary>
    private void RunLost()
    {
        var job = Submit("job-was-lost", Submitter, "{}");
        Attempt(job, Workers[2]);
        Decide(
            job,
            new JobCommand.Settle(
                new Dictionary<Did, string> { [Workers[2].Did] = RunResults.Lost }, RetryPolicy.Default));
        Decide(job, new JobCommand.OpenBidding(0));
        Receive(job, Workers[2], "same", attempt: 1, job.State.Lost!.AssignmentDigest);
        End(job, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default));
    }

    /// <summary>Two agree, the third does not.</summary>
    private void RunByThree(string id)
    {
        var job = Submit(id, Submitter, "{}", """{"replicas":3,"adaptive_replication":true}""");
        Attempt(job, Workers);
        Receive(job, Workers[0], "same");
        Receive(job, Workers[2], "same");
        Receive(job, Workers[1], "other");
        End(job, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default));
        Judge(job);
    }

    /// <summary>Who runs the job again finds the third worker right, and the second wrong.</summary>
    private void Judge(Telling job)
    {
        var history = new ReceiptHistory(_events.Select(signed => signed.Statement)
            .Where(statement => statement.Stream == StreamId.OfJob(job.Id)).Select(EventFact.Of));
        var found = RunClaims.Of(history.Receipts[0].Receipt);
        foreach (var (i, by, registration) in new (int, SigningKey, Digest?)[]
        {
            (1, Node, null), (2, Workers[2], _registrations[Workers[2].Did]),
        })
        {
            var receipt = history.Receipts[i];
            var compared = RunComparison.Of(RunClaims.Of(receipt.Receipt), [], found, new Dictionary<long, FoundState>());
            Report(
                job, by, compared.Tell(receipt, registration, new EngineName("builtin", "0.1.0"), Now, by), receipt.Digest);
        }
    }

    /// <summary>Fails for good, and the worker gets a part for its trouble. Its submitter runs it again.</summary>
    private void Fail()
    {
        foreach (var id in (string[])["job-that-failed", "job-redriven"])
        {
            var job = Submit(id, Submitter, "{}");
            Attempt(job, Workers[1]);
            Receive(job, Workers[1], null);
            End(
                job,
                new JobCommand.Settle(
                    new Dictionary<Did, string>(), RetryPolicy.Default with { FailedShare = 5000 }));
        }

        var again = Submit("job-redrive", Submitter, "{}", metadata: """{"annotations":{"meshledger.redrive_of":"job-redriven"}}""");
        Attempt(again, Workers[0]);
        Receive(again, Workers[0], "same");
        End(again, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default));
    }

    private void Cancel()
    {
        var job = Submit("job-cancelled", Submitter, "{}");
        Attempt(job, Workers[0]);
        Report(job, Submitter, new JobEvent.CancelRequested("not needed"), job.State.SubmissionDigest);
        End(job, new JobCommand.Cancel());
    }

    /// <summary>What grew on an account until now.</summary>
    private void Grow(Did owner) => Say(
        Node,
        Account.Regeneration(_accounts[owner], Now, SubmitterReputation.Of(_book, _registry, owner, Now))!,
        null,
        StreamId.OfAccount(owner));

    private void Aid()
    {
        var template = StreamId.OfAid(Ulid.Parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        var offered = Say(
            Stranger,
            new AidEvent.TemplateRegistered(
                "echo",
                ["help", "echo"],
                """{"version":"1.0","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{"number":1} } }"""),
            null,
            template);
        var request = StreamId.OfAid(Ulid.Parse("01ARZ3NDEKTSV4RRFFQ69G5FAW"));
        var asked = Say(Stranger, new AidEvent.Requested(["echo"], """{"number":2}"""), null, request);
        var id = JobId.Parse("job-for-aid");
        if (AidBoard.Fill(
            _registry.Aid.Templates[0], _registry.Aid.Requests[0], id, Now).Document is not { } document)
        {
            throw new InvalidOperationException("Template and request make no document.");
        }

        var job = Submit(document, Submitter);
        Say(Node, new AidEvent.Matched(offered, id), asked, request);
        Attempt(job, Workers[0]);
        Receive(job, Workers[0], "same");
        End(job, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default));
    }

    /// <summary>The log's key is handed over.</summary>
    private void Log()
    {
        var from = new NoteKey(LogName, NoteKeyType.Signature, LogKeys[0].Did);
        Say(Node, LogEvent.Change(from, LogKeys[0], LogKeys[1]), null, StreamId.OfLog(from.Name));
    }

    /// <summary>A member is none any more, a worker takes no more jobs, and one is gone for good.</summary>
    private void Leave()
    {
        var federation = StreamId.OfFederation("north");
        Say(Owner, new FederationEvent.MembershipRevoked(Workers[0].Did, "moved"), null, federation);
        foreach (var (worker, body) in new (SigningKey, WorkerEvent)[]
        {
            (Workers[1], new WorkerEvent.Draining("maintenance")), (Workers[2], new WorkerEvent.Retired("sold")),
        })
        {
            Say(worker, body, _registrations[worker.Did], StreamId.OfWorker(worker.Did));
        }
    }

    private Telling Submit(
        string id, SigningKey by, string execution, string market = "{}", string metadata = "{}", string observability = "{}")
    {
        var text = $$$"""
            {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T01:02:03Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":null},"execution":{{{execution}}},"market":{{{market}}},"metadata":{{{metadata}}},"observability":{{{observability}}}}
            """;
        var reading = JobDocumentReader.Read(Encoding.UTF8.GetBytes(text));
        return Submit(
            reading.Document ?? throw new InvalidOperationException(string.Join("; ", reading.Faults)), by);
    }

    private Telling Submit(JobDocument document, SigningKey by)
    {
        var body = JobSubmission.Create(document, by.Did, "story", 100, 250);
        var job = new Telling(document.JobId, by);
        Report(job, by, body, null);
        Decide(job, new JobCommand.OpenBidding(SubmitterReputation.Of(_book, _registry, by.Did, Now)));
        var submission = job.State.SubmissionDigest;
        Say(Node, new AccountEvent.Held(job.Id, job.State.Escrow), submission, StreamId.OfAccount(by.Did));
        if (body.Terms.IdempotencyKey is { } key)
        {
            Say(Node, new NodeEvent.IdempotencyKeyClaimed(job.Id), submission, StreamId.OfKey(key));
        }

        return job;
    }

    /// <summary>Bids, the choice, and the start of all who won, with progress.</summary>
    private void Attempt(Telling job, params SigningKey[] bidders)
    {
        var price = 20L;
        foreach (var bidder in bidders)
        {
            Report(
                job,
                bidder,
                new JobEvent.BidPlaced(
                    job.State.Attempt, price++, _registrations[bidder.Did], new FreeResources(2, 4096, 10_000, 2)),
                job.State.SubmissionDigest);
        }

        // A node has folded what was there a while ago.
        var (asOf, at) = ((long)_events.Count, Now);
        while (job.State.Status is JobStatus.BiddingOpen or JobStatus.BiddingClosed)
        {
            Decide(job, new JobCommand.CloseBidding("all_answered", Choosing(new SelectionInput(
                "weighted",
                SelectionWeights.Default,
                30_000,
                true,
                asOf,
                at,
                worker => _book.Points(worker, "system.echo", at),
                worker => _book.Score(worker, "system.echo").Streak,
                _ => 5))));
        }

        foreach (var run in job.State.Runs)
        {
            var worker = Workers.Single(key => key.Did == run.Worker);
            var start = Report(job, worker, new JobEvent.ExecutionStarted(job.State.Attempt), job.State.AssignmentDigest);
            Report(job, worker, new JobEvent.ProgressReported(job.State.Attempt, 1, "running", 5000, 40, "Half"), start);
            Report(job, worker, new JobEvent.LeaseRenewed(job.State.Attempt), job.State.AssignmentDigest);
            Report(job, worker, new JobEvent.PartialOutputProduced(
                job.State.Attempt, 1, "notes", 0, 4, Blake3.Hash("half"u8), "half", null), start);
            Report(job, worker, new JobEvent.CheckpointRecorded(
                job.State.Attempt, 1, Blake3.Hash("state"u8), 5, new EngineName("builtin", "0.1.0"), null, null), start);
        }
    }

    /// <param name="output">Null: an error.</param>
    private void Receive(
        Telling job, SigningKey worker, string? output, int? attempt = null, Digest? assignment = null)
    {
        var bytes = Encoding.UTF8.GetBytes(output ?? "");
        Report(
            job,
            worker,
            ReceiptAttestation.Issue(
                worker,
                job.State.Submission,
                (assignment ?? job.State.AssignmentDigest)!.Value,
                attempt ?? job.State.Attempt,
                new Receipt
                {
                    Error = output is null ? new JobError("EXECUTION_ERROR", "It failed.", "execution", true) : null,
                    Engine = new EngineName("builtin", "0.1.0"),
                    Outputs = [new ReceiptOutput(
                        "result", bytes.Length, Blake3.Hash(bytes), new Digest(SHA256.HashData(bytes)), false, output ?? "", null)],
                    StartedAt = Start,
                    FinishedAt = Start.AddMilliseconds(1),
                    DurationUs = 1000,
                }),
            assignment ?? job.State.AssignmentDigest);
    }

    private Digest Report(Telling job, SigningKey by, LedgerEvent body, Digest? cause)
    {
        var stream = StreamId.OfJob(job.Id);
        var digest = default(Digest);
        foreach (var said in Twist(body))
        {
            var statement = SayAsIs(by, said, cause, stream);
            job.Evolve(statement);
            digest = statement.Digest;
        }

        return digest;
    }

    private void Decide(Telling job, JobCommand command)
    {
        var decision = Job.Decide(job.State, command, Now, _registry);
        if (decision.Events.Count == 0)
        {
            throw new InvalidOperationException($"{command} leads to nothing: {decision.Refusal}");
        }

        foreach (var decided in decision.Events)
        {
            Report(job, Node, decided.Body, decided.Cause);
        }
    }

    /// <summary>Ends the job, and moves the mana as its end says.</summary>
    private void End(Telling job, JobCommand command)
    {
        Decide(job, command);
        var (outcomes, refunded) = job.State.End switch
        {
            JobEvent.Completed completed => (completed.Outcomes, completed.Refunded),
            JobEvent.Failed failed => (failed.Outcomes, failed.Refunded),
            JobEvent.Cancelled cancelled => (cancelled.Outcomes, cancelled.Refunded),
            var other => throw new InvalidOperationException($"{other} ends nothing."),
        };
        var end = _events[^1].Digest;
        var payer = StreamId.OfAccount(job.By.Did);
        foreach (var outcome in outcomes.Where(outcome => outcome.Paid > 0))
        {
            Say(Node, new AccountEvent.Paid(job.Id, outcome.Paid, outcome.Worker), end, payer);
            Say(
                Node, new AccountEvent.Received(job.Id, outcome.Paid, job.By.Did), end, StreamId.OfAccount(outcome.Worker));
        }

        if (refunded > 0)
        {
            Say(Node, new AccountEvent.Refunded(job.Id, refunded), end, payer);
        }
    }

    private Statement SayAsIs(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var statement = EventCodec.State(body, by.Did, cause, stream, EventId.New(Now), Now);
        _events.AddRange(SignedEvent.Sign(by, [statement]));
        _versions[stream] = _versions.GetValueOrDefault(stream) + 1;
        _registry.Apply(statement, body, _versions[stream], _events.Count);
        _book.Apply(body, statement.Time);
        if (body is AccountEvent && stream.IsAccount(out var owner))
        {
            try
            {
                _accounts[owner] = Account.Evolve(_accounts.GetValueOrDefault(owner, AccountState.None), body, statement.Time);
            }
            catch (InvalidHistoryException)
            {
                // Told wrongly: whoever audits is to find it.
            }
        }

        return statement;
    }

    private sealed class Telling(JobId id, SigningKey by)
    {
        private JobState? _state;

        public JobId Id => id;

        public SigningKey By => by;

        public JobState State => _state!;

        public void Evolve(Statement statement) => _state = Job.Evolve(_state, EventFact.Of(statement));
    }
}
