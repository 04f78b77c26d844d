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

    public static DateTimeOffset Time { get; } = new(2026, 11, 21, 1, 2, 3, 456, 789, TimeSpan.Zero);

    public static WorkerEvent.Registered Facts(string workerId) => new(
        workerId, "1.2.0", ["guestkit.inspect", "system.echo"], ["kvm"], [], ["pool-a"],
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

    /// <summary>A ledger that <see cref="Node"/> founded, where both workers are registered.</summary>
    public static Registry Founded()
    {
        var registry = new Registry();
        Apply(registry, State(Node, new NodeEvent.Founded("home"), null, StreamId.Ledger, 1));
        Apply(registry, Registration(Worker));
        Apply(registry, Registration(Rival));
        return registry;
    }

    public static Statement Registration(SigningKey worker) => State(
        worker, Facts(worker == Worker ? "worker-1" : "worker-2"), null, StreamId.OfWorker(worker.Did),
        worker == Worker ? 2 : 3);

    private static void Apply(Registry registry, Statement statement) => registry.Apply(statement, statement.Body);
}
