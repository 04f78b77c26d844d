using System.Collections.Concurrent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Nodes;

/// <summary>Who is who, folded from the ledger's node and worker streams. Only grows. Safe for concurrent use.</summary>
public sealed class Registry : IAuthority
{
    private readonly ConcurrentDictionary<Did, byte> _nodes = new();
    private readonly ConcurrentDictionary<Digest, WorkerRegistration> _registrations = new();
    private readonly ConcurrentDictionary<Did, WorkerRegistration> _latest = new();

    /// <summary>The key that founded the ledger; default while it is empty.</summary>
    public Did Founder { get; private set; }

    /// <summary>The latest registration of each worker.</summary>
    public IEnumerable<WorkerRegistration> Workers => _latest.Values;

    public bool IsNode(Did key) => _nodes.ContainsKey(key);

    public WorkerRegistration? Registration(Digest registration) => _registrations.GetValueOrDefault(registration);

    /// <summary>The latest registration of a worker.</summary>
    public WorkerRegistration? Worker(Did worker) => _latest.GetValueOrDefault(worker);

    /// <summary>Why an event of these streams may not stand where it stands; null if it may.</summary>
    public Refusal? Check(Statement statement, LedgerEvent body, long version) => body switch
    {
        NodeEvent.Founded => statement.Stream == StreamId.Ledger && version == 1 && statement.Cause is null
            ? null
            : new Refusal("FOUNDED_ONCE", "a ledger is founded once, by the first event of its stream"),
        NodeEvent.Joined => statement.Stream == StreamId.OfNode(statement.By) && version == 1 && statement.Cause is null
            ? null
            : new Refusal("WRONG_STREAM", "a node joins once, in its own stream"),
        NodeEvent.Admitted admitted => !IsNode(statement.By)
            ? new Refusal("NOT_A_NODE", $"only an admitted node may admit another, not {statement.By}")
            : statement.Stream == StreamId.OfNode(admitted.Node) && version == 2
                ? null
                : new Refusal("WRONG_STREAM", "a node is admitted once, after it joined"),
        NodeEvent.IdempotencyKeyClaimed => !IsNode(statement.By)
            ? new Refusal("NOT_A_NODE", $"only an admitted node may say this, not {statement.By}")
            : statement.Stream.IsKey && version == 1
                ? null
                : new Refusal("WRONG_STREAM", "an idempotency key is claimed once, in its own stream"),
        WorkerEvent.Registered => statement.Stream == StreamId.OfWorker(statement.By) && statement.Cause is null
            ? null
            : new Refusal("WRONG_STREAM", "a worker registers in its own stream"),
        _ => new Refusal("WRONG_STREAM", $"{statement.Type} does not belong to stream {statement.Stream}"),
    };

    /// <summary>Takes in an event that was checked; others than those of nodes and workers change nothing.</summary>
    public void Apply(Statement statement, LedgerEvent body)
    {
        switch (body)
        {
            case NodeEvent.Founded:
                Founder = statement.By;
                _nodes.TryAdd(statement.By, 0);
                break;
            case NodeEvent.Admitted admitted:
                _nodes.TryAdd(admitted.Node, 0);
                break;
            case WorkerEvent.Registered registered:
                var registration = new WorkerRegistration(statement.By, statement.Digest, registered);
                if (_registrations.TryAdd(statement.Digest, registration))
                {
                    _latest[statement.By] = registration;
                }

                break;
        }
    }
}
