using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Tests.Events;

/// <summary>Who acts in the tests, each by a key whose seed is one byte 32 times over, so that anyone can recompute
/// what they sign.</summary>
internal static class Actors
{
    public static SigningKey Node { get; } = Key(1);

    public static SigningKey Submitter { get; } = Key(2);

    public static SigningKey Worker { get; } = Key(3);

    public static SigningKey Rival { get; } = Key(4);

    public static SigningKey SecondNode { get; } = Key(5);

    public static SigningKey Stranger { get; } = Key(6);

    public static SigningKey Third { get; } = Key(7);

    /// <summary>Speaks for a federation.</summary>
    public static SigningKey North { get; } = Key(8);

    public static DateTimeOffset Time { get; } = new(2026, 11, 21, 1, 2, 3, 456, 789, TimeSpan.Zero);

    public static WorkerEvent.Registered Facts(string workerId) => new(
        workerId, null, "1.2.0", ["guestkit.inspect", "system.echo"], ["kvm"], [], ["pool-a"],
        [new Label("zone", "north")], new WorkerResources(4, 8192, 100_000, 500), false, 2);

    public static SigningKey Key(byte seed)
    {
        var bytes = new byte[32];
        Array.Fill(bytes, seed);
        return SigningKey.FromSeed(bytes);
    }

    /// <summary>A statement with an id and a time that depend on <paramref name="number"/> alone.</summary>
    public static Statement State(SigningKey by, LedgerEvent body, Digest? cause, StreamId stream, int number)
    {
        var time = Time.AddMilliseconds(number);
        var milliseconds = time.ToUnixTimeMilliseconds();
        var text = $"{milliseconds >> 16:x8}-{milliseconds & 0xffff:x4}-7000-8000-{number:x12}";
        Assert.True(EventId.TryParse(text, out var id));
        return EventCodec.State(body, by.Did, cause, stream, id, time);
    }

    /// <summary>A ledger that <see cref="Node"/> founded, where the three workers are registered.</summary>
    public static Registry Founded()
    {
        var registry = new Registry();
        Apply(registry, State(Node, new NodeEvent.Founded("home"), null, StreamId.Ledger, 1), 1);
        Apply(registry, Registration(Worker), 2);
        Apply(registry, Registration(Rival), 3);
        Apply(registry, Registration(Third), 4);
        return registry;
    }

    /// <summary>What each worker says of itself: <c>worker-1</c>, <c>worker-2</c>, <c>worker-3</c>.</summary>
    public static Statement Registration(SigningKey worker)
    {
        var number = worker == Worker ? 1 : worker == Rival ? 2 : 3;
        return State(worker, Facts($"worker-{number}"), null, StreamId.OfWorker(worker.Did), number + 1);
    }

    private static void Apply(Registry registry, Statement statement, long position) =>
        registry.Apply(statement, statement.Body, 1, position);
}
