using System.Security.Cryptography;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Testing;

/// <summary>
/// A legal history of a ledger with as many jobs as wanted, without running any: for audits, projections and loads.
/// Every figure but the keys and ids is the same each time.
/// </summary>
public sealed class LedgerHistory
{
    private const long MaxPrice = 100;
    private const long Price = 5;
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 1, 2, 3, TimeSpan.Zero);

    private readonly Dictionary<Did, SigningKey> _keys;
    private readonly Registry _registry = new();
    private readonly List<Statement> _statements = [];
    private readonly Dictionary<StreamId, long> _versions = [];
    private readonly MeshLedger.Domain.Reputation.ReputationBook _book = new();
    private Digest _registration;
    private long _ticks;

    private LedgerHistory()
    {
        _keys = new[] { Node, Submitter, Worker }.ToDictionary(key => key.Did);
    }

    public SigningKey Node { get; } = SigningKey.Generate();

    public SigningKey Submitter { get; } = SigningKey.Generate();

    public SigningKey Worker { get; } = SigningKey.Generate();

    /// <summary>The statements in log order.</summary>
    public IReadOnlyList<Statement> Statements => _statements;

    /// <summary>A history with <paramref name="jobs"/> jobs of 13 events each, of which every seventh failed.</summary>
    public static LedgerHistory Of(int jobs)
    {
        var history = new LedgerHistory();
        history.Found((long)jobs * MaxPrice);
        for (var i = 0; i < jobs; i++)
        {
            history.Run(i);
        }

        return history;
    }

    /// <summary>The events, signed: each author's statements in batches of <paramref name="batch"/>.</summary>
    public SignedEvent[] Sign(int batch)
    {
        var signed = new SignedEvent[_statements.Count];
        foreach (var author in Enumerable.Range(0, signed.Length).GroupBy(i => _statements[i].By))
        {
            foreach (var indices in author.Chunk(batch))
            {
                var events = SignedEvent.Sign(_keys[author.Key], [.. indices.Select(i => _statements[i])]);
                for (var i = 0; i < indices.Length; i++)
                {
                    signed[indices[i]] = events[i];
                }
            }
        }

        return signed;
    }

    /// <summary>Signs and appends the whole history.</summary>
    public async Task AppendAsync(IEventStore store, int batch)
    {
        var none = new Dictionary<StreamId, long>();
        foreach (var chunk in Sign(batch).Chunk(2000))
        {
            if (await store.AppendAsync(new AppendRequest(chunk, none), CancellationToken.None)
                is not AppendOutcome.Appended)
            {
                throw new InvalidOperationException("The history was not appended.");
            }
        }
    }

    private void Found(long grant)
    {
        Say(Node, new NodeEvent.Founded("history"), null, StreamId.Ledger);
        _registration = Say(
            Worker,
            new WorkerEvent.Registered(
                "worker-1", null, "0.1.0", ["system.echo"], [], [], ["default"], [], new WorkerResources(2, 4096, 10_000, 100),
                false, 2),
            null,
            StreamId.OfWorker(Worker.Did)).Digest;
        Say(Node, new AccountEvent.Opened(grant, 0, 0), null, StreamId.OfAccount(Submitter.Did));
        Say(Node, new AccountEvent.Opened(0, 0, 0), null, StreamId.OfAccount(Worker.Did));
    }

    private void Run(int number)
    {
        var job = JobId.Parse($"job-{number:D8}");
        var stream = StreamId.OfJob(job);
        var text = $$$"""
            {"version":"1.0","job_id":"{{{job}}}","created_at":"2026-11-21T01:02:03Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{"number":{{{number}}} } } }
            """;
        var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes(text)).Document!;
        var body = JobSubmission.Create(document, Submitter.Did, "history", MaxPrice, 250);
        var submitted = Say(Submitter, body, null, stream);
        var state = Job.Evolve(null, EventFact.Of(submitted));
        Decide(ref state, new JobCommand.OpenBidding(0), stream);
        Say(Node, new AccountEvent.Held(job, MaxPrice), submitted.Digest, StreamId.OfAccount(Submitter.Did));
        Report(
            ref state,
            new JobEvent.BidPlaced(1, Price, _registration, new FreeResources(2, 4096, 10_000, 2)),
            submitted.Digest,
            stream);
        Decide(ref state, new JobCommand.CloseBidding("all_answered", new SelectionInput(
            "weighted", SelectionWeights.Default, 30_000, true, _statements.Count, Start,
            worker => _book.Points(worker, "system.echo", Start), _ => 0, _ => null)), stream);
        var started = Report(ref state, new JobEvent.ExecutionStarted(1), state.AssignmentDigest!.Value, stream);
        Report(ref state, new JobEvent.ProgressReported(1, 1, "starting", 0, null, "Starting"), started, stream);
        var receipt = ReceiptAttestation.Issue(
            Worker, state.Submission, state.AssignmentDigest!.Value, 1, ReceiptOf(number));
        Report(ref state, receipt, state.AssignmentDigest!.Value, stream);
        var end = Decide(ref state, new JobCommand.Settle(new Dictionary<Did, string>(), RetryPolicy.Default), stream);
        if (state.Status == JobStatus.Completed)
        {
            Say(Node, new AccountEvent.Paid(job, Price, Worker.Did), end, StreamId.OfAccount(Submitter.Did));
            Say(Node, new AccountEvent.Received(job, Price, Submitter.Did), end, StreamId.OfAccount(Worker.Did));
            Say(Node, new AccountEvent.Refunded(job, MaxPrice - Price), end, StreamId.OfAccount(Submitter.Did));
        }
        else
        {
            Say(Node, new AccountEvent.Refunded(job, MaxPrice), end, StreamId.OfAccount(Submitter.Did));
        }
    }

    private static Receipt ReceiptOf(int number)
    {
        var output = Encoding.UTF8.GetBytes($$"""{"echo":{{number}}}""");
        return new Receipt
        {
            Error = number % 7 == 6 ? new JobError("EXECUTION_ERROR", "It failed.", "execution", true) : null,
            Engine = new EngineName("builtin", "0.1.0"),
            Outputs = [new ReceiptOutput(
                "result", output.Length, Blake3.Hash(output), new Digest(SHA256.HashData(output)), false,
                Encoding.UTF8.GetString(output), null)],
            StartedAt = Start,
            FinishedAt = Start.AddMilliseconds(1),
            DurationUs = 1000,
        };
    }

    private Digest Decide(ref JobState state, JobCommand command, StreamId stream)
    {
        var last = default(Digest);
        foreach (var decided in Job.Decide(state, command, Start, _registry).Events)
        {
            last = Report(ref state, (JobEvent)decided.Body, decided.Cause!.Value, stream, Node);
        }

        return last;
    }

    private Digest Report(ref JobState state, JobEvent body, Digest cause, StreamId stream, SigningKey? by = null)
    {
        var statement = Say(by ?? Worker, body, cause, stream);
        state = Job.Evolve(state, EventFact.Of(statement));
        return statement.Digest;
    }

    private Statement Say(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var time = Start.AddMicroseconds(_ticks++);
        var statement = EventCodec.State(body, by.Did, cause, stream, EventId.New(time), time);
        _statements.Add(statement);
        _versions[stream] = _versions.GetValueOrDefault(stream) + 1;
        _registry.Apply(statement, body, _versions[stream], _statements.Count);
        _book.Apply(body, time);
        return statement;
    }
}
