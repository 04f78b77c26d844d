using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Tests.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Nodes;

public sealed class RegistryTests
{
    private readonly Registry _registry = Actors.Founded();
    private readonly Dictionary<StreamId, long> _versions = [];
    private long _position = 10;
    private readonly NodeEvent.IdempotencyKeyClaimed _claim = new(JobId.Parse("job-00000001"));
    private readonly StreamId _key = StreamId.OfKey(Digest.OfBytes("key"u8));

    [Fact]
    public void A_ledger_is_founded_once_by_the_first_event_of_its_stream()
    {
        Accepted(new NodeEvent.Founded("home"), Actors.Node, StreamId.Ledger, 1);
        Refused("FOUNDED_ONCE", new NodeEvent.Founded("home"), Actors.Node, StreamId.Ledger, 2);
        Refused("FOUNDED_ONCE", new NodeEvent.Founded("home"), Actors.Node, StreamId.OfNode(Actors.Node.Did), 1);
        Refused("FOUNDED_ONCE", new NodeEvent.Founded("home"), Actors.Node, StreamId.Ledger, 1, Digest.OfBytes([1]));
    }

    [Fact]
    public void A_node_joins_once_in_its_own_stream()
    {
        var stream = StreamId.OfNode(Actors.SecondNode.Did);
        Accepted(new NodeEvent.Joined("b"), Actors.SecondNode, stream, 1);
        Refused("WRONG_STREAM", new NodeEvent.Joined("b"), Actors.SecondNode, stream, 2);
        Refused("WRONG_STREAM", new NodeEvent.Joined("b"), Actors.Stranger, stream, 1);
    }

    [Fact]
    public void A_node_is_admitted_by_a_node_after_it_joined()
    {
        var (body, stream) = (new NodeEvent.Admitted(Actors.SecondNode.Did), StreamId.OfNode(Actors.SecondNode.Did));
        Accepted(body, Actors.Node, stream, 2);
        Refused("NOT_A_NODE", body, Actors.SecondNode, stream, 2);
        Refused("WRONG_STREAM", body, Actors.Node, stream, 1);
        Refused("WRONG_STREAM", body, Actors.Node, stream, 3);
        Refused("WRONG_STREAM", body, Actors.Node, StreamId.OfNode(Actors.Node.Did), 2);
    }

    /// <summary>A node that registers a worker takes that in itself, and follows the log that holds it.</summary>
    [Fact]
    public void Of_two_who_take_in_one_event_at_once_both_find_it_when_they_come_back()
    {
        const int Rounds = 20_000;
        var facts = new WorkerEvent.Registered(
            "worker", null, "1.0.0", ["system.echo"], [], [], [], [], new WorkerResources(1, 1, 1, 1), false, 1);
        var told = Enumerable.Range(0, Rounds).Select(i =>
        {
            var by = SigningKey.FromSeed([.. BitConverter.GetBytes(i), .. new byte[28]]).Did;
            return EventCodec.State(facts, by, null, StreamId.OfWorker(by), EventId.New(Actors.Time), Actors.Time);
        }).ToArray();
        var missed = 0;
        using var together = new Barrier(2);
        void TakeAll()
        {
            foreach (var statement in told)
            {
                together.SignalAndWait();
                _registry.Apply(statement, facts, 1, 100);
                if (_registry.Registration(statement.Digest) is null)
                {
                    Interlocked.Increment(ref missed);
                }
            }
        }

        var other = new Thread(TakeAll);
        other.Start();
        TakeAll();
        other.Join();
        Assert.Equal(0, missed);
    }

    [Fact]
    public void An_admitted_node_admits_others()
    {
        Assert.False(_registry.IsNode(Actors.SecondNode.Did));
        Apply(new NodeEvent.Joined("b"), Actors.SecondNode, StreamId.OfNode(Actors.SecondNode.Did));
        Assert.False(_registry.IsNode(Actors.SecondNode.Did));
        Apply(new NodeEvent.Admitted(Actors.SecondNode.Did), Actors.Node, StreamId.OfNode(Actors.SecondNode.Did));
        Assert.True(_registry.IsNode(Actors.SecondNode.Did));
        Assert.Equal(Actors.Node.Did, _registry.Founder);
        Accepted(new NodeEvent.Admitted(Actors.Stranger.Did), Actors.SecondNode, StreamId.OfNode(Actors.Stranger.Did), 2);
    }

    [Fact]
    public void An_idempotency_key_is_claimed_once_by_a_node()
    {
        Accepted(_claim, Actors.Node, _key, 1);
        Refused("NOT_A_NODE", _claim, Actors.Submitter, _key, 1);
        Refused("WRONG_STREAM", _claim, Actors.Node, _key, 2);
        Refused("WRONG_STREAM", _claim, Actors.Node, StreamId.Ledger, 1);
    }

    [Fact]
    public void A_worker_registers_in_its_own_stream_as_often_as_it_likes()
    {
        var stream = StreamId.OfWorker(Actors.Worker.Did);
        Accepted(Actors.Facts("worker-1"), Actors.Worker, stream, 7);
        Refused("WRONG_STREAM", Actors.Facts("worker-1"), Actors.Rival, stream, 7);
    }

    [Fact]
    public void A_later_registration_replaces_an_earlier_one_that_bids_still_stand_on()
    {
        var earlier = Actors.Registration(Actors.Worker).Digest;
        var later = Apply(Actors.Facts("renamed"), Actors.Worker, StreamId.OfWorker(Actors.Worker.Did));
        Assert.Equal("renamed", _registry.Worker(Actors.Worker.Did)!.Facts.WorkerId);
        Assert.Equal("worker-1", _registry.Registration(earlier)!.Facts.WorkerId);
        Assert.Equal("renamed", _registry.Registration(later)!.Facts.WorkerId);
        Assert.Equal(3, _registry.Workers.Count());
    }

    [Fact]
    public void What_belongs_to_jobs_and_accounts_has_no_place_here() =>
        Refused("WRONG_STREAM", new AccountEvent.Opened(1, 0, 0), Actors.Node, StreamId.Ledger, 1);

    private void Accepted(LedgerEvent body, SigningKey by, StreamId stream, long version) =>
        Assert.Null(Check(body, by, stream, version, null));

    private void Refused(
        string code, LedgerEvent body, SigningKey by, StreamId stream, long version, Digest? cause = null) =>
        Assert.Equal(code, Check(body, by, stream, version, cause)?.Code);

    private Refusal? Check(LedgerEvent body, SigningKey by, StreamId stream, long version, Digest? cause) =>
        _registry.Check(Actors.State(by, body, cause, stream, 50), body, version);

    private Digest Apply(LedgerEvent body, SigningKey by, StreamId stream, Digest? cause = null)
    {
        var statement = Actors.State(by, body, cause, stream, 60);
        var version = _versions[stream] = _versions.GetValueOrDefault(stream, stream.IsWorker(out _) ? 1 : 0) + 1;
        _registry.Apply(statement, body, version, ++_position);
        return statement.Digest;
    }
}
