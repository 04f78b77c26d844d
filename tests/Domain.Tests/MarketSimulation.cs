using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Reputation;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests;

/// <summary>
/// Nodes, submitters and workers that do what occurs to them, by a seed. What submitters and workers say arrives late, in
/// another order, twice, or altered; nodes decide by what is there. Nothing of it depends on a clock.
/// </summary>
internal sealed class MarketSimulation
{
    private const string Echo = "system.echo";
    private static readonly SigningKey[] Nodes = Keys(20, 3);
    private static readonly SigningKey[] Submitters = Keys(30, 5);
    private static readonly SigningKey[] Workers = Keys(40, 9);
    private static readonly string[] Outputs = ["same", "same", "same", "same", "other", "third"];
    private static readonly string[] Documents =
    [
        "", "", "", "\"execution\":{\"max_attempts\":3},", "\"execution\":{\"max_attempts\":4,\"retry_on\":[\"EXIT_STATUS\"]},",
        "\"execution\":{\"cancellable\":false},", "\"market\":{\"replicas\":3},", "\"market\":{\"replicas\":2,\"max_price\":70},",
        "\"execution\":{\"max_attempts\":2},\"market\":{\"replicas\":3,\"adaptive_replication\":true},",
        "\"market\":{\"min_reputation\":5},", "\"market\":{\"federations\":[\"north\"],\"trust_scope\":\"medical\"},",
        "\"market\":{\"max_price\":900,\"resources\":{\"cpu_cores\":2}},", "\"market\":{\"replicas\":5,\"max_price\":20},",
    ];

    private readonly Random _random;
    private readonly List<StreamId> _open = [];
    private readonly List<Statement> _underWay = [];
    private readonly Dictionary<Did, Digest> _registrations = [];
    private readonly Dictionary<string, int> _refused = [];
    private DateTimeOffset _now = Actors.Time;
    private int _number;

    public MarketSimulation(int seed)
    {
        _random = new Random(seed);
        Found();
    }

    public TestLedger Ledger { get; } = new();

    /// <summary>How often each rule refused.</summary>
    public IReadOnlyDictionary<string, int> Refused => _refused;

    /// <summary>One thing that somebody does.</summary>
    public void Step()
    {
        _now += TimeSpan.FromMilliseconds(_random.Next(1, 200_000));
        switch (_random.Next(20))
        {
            case 0 or 1 when _open.Count < 12:
                Submit();
                break;
            case 2:
                Regenerate(Any(Submitters).Did);
                break;
            case 3 when _random.Next(4) == 0:
                Change();
                break;
            case < 7 when _open.Count > 0:
                Decide(_open[_random.Next(_open.Count)]);
                break;
            case < 12 when _open.Count > 0:
                Say(_open[_random.Next(_open.Count)]);
                break;
            default:
                Deliver();
                break;
        }
    }

    /// <summary>Whatever is still open is ended, whatever is under way arrives after that.</summary>
    public void Finish()
    {
        foreach (var stream in _open.ToArray())
        {
            var state = Ledger.Job(stream)!;
            End(stream, new JobCommand.Settle(Silent(state, all: true), RetryPolicy.Default));
            if (!Ledger.Job(stream)!.Status.IsTerminal())
            {
                End(stream, new JobCommand.Abandon(new JobError("DEADLINE_EXCEEDED", "it is late", "market", false)));
            }
        }

        while (_underWay.Count > 0)
        {
            Deliver();
        }
    }

    private void Found()
    {
        Must(Make(Nodes[0], new NodeEvent.Founded("simulation"), null, StreamId.Ledger));
        foreach (var node in Nodes[1..])
        {
            var joined = Must(Make(node, new NodeEvent.Joined("more"), null, StreamId.OfNode(node.Did)));
            Must(Make(Nodes[0], new NodeEvent.Admitted(node.Did), joined, StreamId.OfNode(node.Did)));
        }

        for (var i = 0; i < Workers.Length; i++)
        {
            Register(i, i switch { < 2 => Submitters[0].Did, 2 or 3 => Actors.Stranger.Did, _ => null });
        }

        var first = StreamId.OfWorker(Workers[0].Did);
        Must(Make(Submitters[0], new WorkerEvent.Vouched(Workers[0].Did), _registrations[Workers[0].Did], first));
        Must(Make(Actors.North, new FederationEvent.Founded("north"), null, StreamId.OfFederation("north")));
        for (var i = 0; i < Submitters.Length; i++)
        {
            Must(Make(
                Nodes[0], new AccountEvent.Opened((i + 1) * 300, 10 * i, i == 4 ? CanonicalJson.MaxInteger : 2_000), null,
                StreamId.OfAccount(Submitters[i].Did)));
        }
    }

    private void Register(int index, Did? owner)
    {
        var worker = Workers[index];
        var facts = Actors.Facts($"w{index}") with { Owner = owner, Resources = new WorkerResources(index % 3, 100, 100, 100) };
        var statement = Make(worker, facts, null, StreamId.OfWorker(worker.Did));
        if (Try(statement))
        {
            _registrations[worker.Did] = statement.Digest;
        }
    }

    private void Submit()
    {
        var by = Any(Submitters);
        var id = JobId.Parse($"job-{++_number:D8}");
        var json = Jobs.JobSpec.Document(Any(Documents)).Replace("echo-test-001", id.ToString(), StringComparison.Ordinal);
        var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes(json)).Document!;
        var stream = StreamId.OfJob(id);
        var submission = Make(by, JobSubmission.Create(document, by.Did, "folder", 100, 1_000), null, stream);
        var opened = Job.Decide(
            Job.Evolve(null, EventFact.Of(submission)),
            new JobCommand.OpenBidding(SubmitterReputation.Of(Ledger.Book, Ledger.Registry, by.Did, _now)),
            _now,
            Ledger.Registry).Events[0];
        var node = Any(Nodes);
        var held = Make(
            node, new AccountEvent.Held(id, ((JobEvent.BiddingOpened)opened.Body).Escrow), submission.Digest, StreamId.OfAccount(by.Did));
        if (Domain.Accounts.Account.Check(Ledger.Account(by.Did), EventFact.Of(held), Ledger.Registry) is { } poor)
        {
            Assert.Equal("INSUFFICIENT_MANA", poor.Code);
            Count(poor);
            return;
        }

        Must(submission);
        Must(held);
        Must(Make(node, opened.Body, opened.Cause, stream));
        _open.Add(stream);
    }

    /// <summary>What grew, but now and then a unit more, which must not pass.</summary>
    private void Regenerate(Did owner)
    {
        var reputation = SubmitterReputation.Of(Ledger.Book, Ledger.Registry, owner, _now);
        if (Domain.Accounts.Account.Regeneration(Ledger.Account(owner), _now, reputation) is { } grown)
        {
            var isTrue = _random.Next(5) > 0;
            Assert.Equal(isTrue, Try(Make(
                Any(Nodes), isTrue ? grown : grown with { Amount = grown.Amount + 1 }, null, StreamId.OfAccount(owner))));
        }
    }

    /// <summary>Workers come and go, federations change their minds.</summary>
    private void Change()
    {
        var index = _random.Next(Workers.Length);
        var (worker, stream) = (Workers[index].Did, StreamId.OfWorker(Workers[index].Did));
        switch (_random.Next(12))
        {
            case < 3:
                Register(index, Ledger.Registry.Worker(worker)!.Facts.Owner);
                break;
            case < 5:
                Try(Make(Workers[index], new WorkerEvent.Draining("rest"), _registrations[worker], stream));
                break;
            case 5 when index > 6:
                Try(Make(Workers[index], new WorkerEvent.Retired("gone"), _registrations[worker], stream));
                break;
            default:
                FederationEvent change = _random.Next(2) == 0
                    ? new FederationEvent.MembershipGranted(worker, ["medical"])
                    : new FederationEvent.MembershipRevoked(worker, "left");
                Must(Make(Actors.North, change, null, StreamId.OfFederation("north")));
                break;
        }
    }

    /// <summary>What a node does about a job.</summary>
    private void Decide(StreamId stream)
    {
        var state = Ledger.Job(stream)!;
        switch (state.Status)
        {
            case JobStatus.Retrying when state.CancelDigest is null:
                Carry(stream, new JobCommand.OpenBidding(_random.Next(50)));
                break;
            case JobStatus.BiddingOpen or JobStatus.BiddingClosed when _random.Next(4) > 0 && state.CancelDigest is null:
                Carry(stream, new JobCommand.CloseBidding(_random.Next(2) == 0 ? "window" : "all_answered", new SelectionInput(
                    Any([.. SelectionPolicy.Names]),
                    new SelectionWeights(_random.Next(9), _random.Next(9), _random.Next(9), _random.Next(1, 9)),
                    30_000, _random.Next(2) == 0, Ledger.Position, _now, worker => Ledger.Book.Points(worker, Echo, _now),
                    worker => Ledger.Book.Score(worker, Echo).Streak + (_random.Next(2) * 20),
                    _ => _random.Next(2) == 0 ? null : _random.Next(99))));
                break;
            case JobStatus.Assigned or JobStatus.Executing:
                End(stream, new JobCommand.Settle(
                    Silent(state, all: false), RetryPolicy.Default with { MaxLosses = 3, FailedShare = _random.Next(10_001) }));
                break;
            default:
                break;
        }

        if (Ledger.Job(stream)!.CancelDigest is not null)
        {
            End(stream, new JobCommand.Cancel());
        }
        else if (_random.Next(40) == 0)
        {
            End(stream, new JobCommand.Abandon(new JobError("DEADLINE_EXCEEDED", "it is late", "market", false)));
        }
    }

    /// <summary>What a submitter or a worker says about a job; it arrives some time.</summary>
    private void Say(StreamId stream)
    {
        var state = Ledger.Job(stream)!;
        if (_random.Next(25) == 0)
        {
            var canceller = _random.Next(4) == 0 ? Any(Submitters) : Submitters.Single(key => key.Did == state.Submitter);
            _underWay.Add(Make(canceller, new JobEvent.CancelRequested("no"), state.SubmissionDigest, stream));
            return;
        }

        if (!state.Status.IsUnderWay())
        {
            var bidder = Any(Workers);
            var free = new FreeResources(_random.Next(3), _random.Next(100), 1, _random.Next(3));
            _underWay.Add(Make(
                bidder, new JobEvent.BidPlaced(state.Attempt, _random.Next(0, 110), _registrations[bidder.Did], free),
                state.SubmissionDigest, stream));
            return;
        }

        foreach (var run in state.Runs.Where(run => run.Receipt is null))
        {
            var worker = _random.Next(12) == 0 ? Any(Workers) : Workers.Single(key => key.Did == run.Worker);
            var (attempt, assignment) = (state.Attempt, state.AssignmentDigest);
            _underWay.Add(run.StartDigest is not { } started
                ? Make(worker, new JobEvent.ExecutionStarted(attempt), assignment, stream)
                : _random.Next(7) switch
                {
                    0 => Make(worker, new JobEvent.LeaseRenewed(attempt), assignment, stream),
                    1 => Make(
                        worker,
                        new JobEvent.ProgressReported(attempt, (run.Progress?.Sequence ?? 0) + 1, "run", _random.Next(14_000), null, ""),
                        started, stream),
                    2 => Make(
                        worker,
                        new JobEvent.CheckpointRecorded(
                            attempt, (run.Checkpoint?.Sequence ?? 0) + 1, Blake3.Hash([1]), 1, new EngineName("e", "1"), run.Checkpoint?.Fuel ?? 7, From(state, run)),
                        started, stream),
                    _ => Make(
                        worker,
                        ReceiptAttestation.Issue(
                            worker, state.Submission, assignment!.Value, attempt, Receipt(From(state, run))),
                        assignment, stream),
                });
        }
    }

    /// <summary>Where a run says that it began, which may have changed when it arrives.</summary>
    private static CheckpointName? From(JobState state, Run run) => state.Version % 3 == 0 ? null : state.SavedFor(run) is [.., var first] ? first.Name : null;

    private Receipt Receipt(CheckpointName? from) => VectorStory.Receipt(_random.Next(4) == 0 ? Jobs.JobSpec.Trouble : null) with
    {
        Guest = from is null ? null : VectorStory.Metered(from),
        Outputs = [VectorStory.Output("result", Any(Outputs))],
    };

    /// <summary>Something under way arrives: any of it, some of it again, some of it altered.</summary>
    private void Deliver()
    {
        if (_underWay.Count == 0)
        {
            return;
        }

        var index = _random.Next(_underWay.Count);
        var statement = _underWay[index];
        _underWay.RemoveAt(index);
        switch (_random.Next(12))
        {
            case 0:
                _underWay.Add(statement);
                break;
            case 1:
                statement = Make(
                    Workers.Concat(Submitters).Single(key => key.Did == statement.By), statement.Body,
                    Any([.. Ledger.Statements]).Digest, statement.Stream);
                break;
            case 2:
                statement = Make(Any([.. Workers, .. Submitters]), statement.Body, statement.Cause, statement.Stream);
                break;
        }

        Try(statement);
    }

    private Dictionary<Did, string> Silent(JobState state, bool all) => state.Runs
        .Where(run => run.Receipt is null && (all || _random.Next(6) == 0))
        .ToDictionary(run => run.Worker, _ => _random.Next(2) == 0 ? RunResults.Lost : RunResults.TimedOut);

    /// <summary>What a node decides must be legal, and deciding it again must add nothing.</summary>
    private void Carry(StreamId stream, JobCommand command)
    {
        var node = Any(Nodes);
        foreach (var decided in Job.Decide(Ledger.Job(stream)!, command, _now, Ledger.Registry).Events)
        {
            Must(Make(node, decided.Body, decided.Cause, stream));
        }
    }

    /// <summary>The end of an attempt or a job, and what becomes of the money.</summary>
    private void End(StreamId stream, JobCommand command)
    {
        Carry(stream, command);
        var state = Ledger.Job(stream)!;
        if (!state.Status.IsTerminal() || !_open.Remove(stream) || !stream.IsJob(out var job))
        {
            return;
        }

        var (outcomes, refunded) = state.End switch
        {
            JobEvent.Completed completed => (completed.Outcomes, completed.Refunded),
            JobEvent.Failed failed => (failed.Outcomes, failed.Refunded),
            JobEvent.Cancelled cancelled => (cancelled.Outcomes, cancelled.Refunded),
            _ => throw new InvalidOperationException(),
        };
        var (node, end, payer) = (Any(Nodes), Ledger.Statements[^1].Digest, StreamId.OfAccount(state.Submitter));
        foreach (var outcome in outcomes.Where(outcome => outcome.Paid > 0))
        {
            var earner = StreamId.OfAccount(outcome.Worker);
            Must(Make(node, new AccountEvent.Paid(job, outcome.Paid, outcome.Worker), end, payer));
            if (Ledger.Account(outcome.Worker).Version == 0)
            {
                Must(Make(node, new AccountEvent.Opened(0, 0, 0), end, earner));
            }

            Must(Make(node, new AccountEvent.Received(job, outcome.Paid, state.Submitter), end, earner));
        }

        if (refunded > 0)
        {
            Must(Make(node, new AccountEvent.Refunded(job, refunded), end, payer));
        }

        Assert.False(Ledger.Account(state.Submitter).Escrow.ContainsKey(job));
    }

    private Digest Must(Statement statement)
    {
        var refusal = Ledger.Check(statement);
        Assert.True(refusal is null, $"{refusal} at position {Ledger.Position + 1}: {statement}");
        Ledger.Take(statement);
        return statement.Digest;
    }

    private bool Try(Statement statement)
    {
        if (Ledger.Check(statement) is { } refusal)
        {
            Count(refusal);
            return false;
        }

        Ledger.Take(statement);
        return true;
    }

    private void Count(Refusal refusal) => _refused[refusal.Code] = _refused.GetValueOrDefault(refusal.Code) + 1;

    private Statement Make(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream)
    {
        var text = $"{_now.ToUnixTimeMilliseconds() >> 16:x8}-{_now.ToUnixTimeMilliseconds() & 0xffff:x4}-7000-8000-{++_number:x12}";
        Assert.True(EventId.TryParse(text, out var id));
        return EventCodec.State(body, by.Did, cause, stream, id, _now);
    }

    private T Any<T>(T[] items) => items[_random.Next(items.Length)];

    private static SigningKey[] Keys(byte first, int count) =>
        [.. Enumerable.Range(first, count).Select(seed => Actors.Key((byte)seed))];
}
