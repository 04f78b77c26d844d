using System.Collections.Concurrent;
using MeshLedger.Crypto;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Domain.Nodes;

/// <summary>Who is who, folded from the ledger's node, worker, federation, aid and log streams: of the past, too, since a
/// choice is judged as of the position at which it was made. Only grows. Safe for concurrent use.</summary>
public sealed class Registry : IAuthority
{
    private readonly ConcurrentDictionary<Did, byte> _nodes = new();
    private readonly ConcurrentDictionary<Digest, WorkerRegistration> _registrations = new();
    private readonly ConcurrentDictionary<Did, WorkerHistory> _workers = new();
    private readonly ConcurrentDictionary<StreamId, long> _versions = new();
    private readonly Lock _taking = new(); // Held by whoever changes anything.

    /// <summary>The key that founded the ledger; default while it is empty.</summary>
    public Did Founder { get; private set; }

    public FederationBook Federations { get; } = new();

    public AidBoard Aid { get; } = new();

    public LogKeyBook Logs { get; } = new();

    /// <summary>The latest registration of each worker.</summary>
    public IEnumerable<WorkerRegistration> Workers => _workers.Values.Select(worker => worker.Latest);

    public bool IsNode(Did key) => _nodes.ContainsKey(key);

    public WorkerRegistration? Registration(Digest registration) => _registrations.GetValueOrDefault(registration);

    /// <summary>The latest registration of a worker.</summary>
    public WorkerRegistration? Worker(Did worker) => _workers.GetValueOrDefault(worker)?.Latest;

    public WorkerStanding Standing(Did worker, long asOf) =>
        _workers.GetValueOrDefault(worker)?.Standing(asOf) ?? WorkerStanding.Active;

    public IReadOnlyList<Membership> Memberships(Did worker, long asOf) => Federations.Of(worker, asOf);

    /// <summary>The workers that an owner vouched for, and that name it as their owner.</summary>
    public IEnumerable<Did> WorkersOf(Did owner) =>
        _workers.Values.Where(worker => worker.Latest.Facts.Owner == owner && worker.IsVouchedFor)
            .Select(worker => worker.Latest.Worker);

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
        WorkerEvent worker => Check(statement, worker),
        FederationEvent federation => Federations.Check(statement, federation, version),
        AidEvent aid => Aid.Check(statement, aid, version, this),
        LogEvent.KeyChanged changed => Logs.Check(
            statement, changed, IsNode(statement.By), statement.By == Founder && !Founder.IsDefault),
        _ => new Refusal("WRONG_STREAM", $"{statement.Type} does not belong to stream {statement.Stream}"),
    };

    /// <summary>True if an event was taken in before, or is none of the registry's.</summary>
    public bool Knows(RecordedEvent recorded) =>
        recorded.Statement.Body is not (NodeEvent or WorkerEvent or FederationEvent or AidEvent or LogEvent)
        || recorded.Version <= _versions.GetValueOrDefault(recorded.Statement.Stream);

    /// <summary>Judges an event that the ledger holds, and takes it in, unless it was before. Of several who take in the same
    /// event at once, none comes back before it is there.</summary>
    /// <returns>Why it may not stand where it stands; null if it may.</returns>
    public Refusal? Take(RecordedEvent recorded)
    {
        lock (_taking)
        {
            if (Knows(recorded))
            {
                return null;
            }

            if (Check(recorded.Statement, recorded.Statement.Body, recorded.Version) is { } refusal)
            {
                return refusal;
            }

            Apply(recorded);
            return null;
        }
    }

    /// <summary>Takes in an event that was checked; a second time, it changes nothing. Events of other streams change
    /// nothing at all.</summary>
    public void Apply(RecordedEvent recorded) =>
        Apply(recorded.Statement, recorded.Statement.Body, recorded.Version, recorded.Position);

    /// <inheritdoc cref="Apply(RecordedEvent)"/>
    public void Apply(Statement statement, LedgerEvent body, long version, long position)
    {
        lock (_taking)
        {
            if (body is not (NodeEvent or WorkerEvent or FederationEvent or AidEvent or LogEvent)
                || version <= _versions.GetValueOrDefault(statement.Stream))
            {
                return;
            }

            Change(statement, body, position);

            // Last: who is told that an event is known finds what it says.
            _versions[statement.Stream] = version;
        }
    }

    private void Change(Statement statement, LedgerEvent body, long position)
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
                _registrations.TryAdd(statement.Digest, registration);
                _workers.GetOrAdd(statement.By, _ => new WorkerHistory(registration)).Register(registration, position);
                break;
            case WorkerEvent worker when statement.Stream.IsWorker(out var key):
                _workers.GetValueOrDefault(key)?.Take(worker, statement.By, position);
                break;
            case FederationEvent federation:
                Federations.Apply(statement, federation, position);
                break;
            case AidEvent aid:
                Aid.Apply(statement, aid);
                break;
            case LogEvent.KeyChanged changed:
                Logs.Apply(statement, changed);
                break;
        }
    }

    private Refusal? Check(Statement statement, WorkerEvent body)
    {
        if (!statement.Stream.IsWorker(out var key))
        {
            return new Refusal("WRONG_STREAM", $"{statement.Type} does not belong to stream {statement.Stream}");
        }

        var worker = _workers.GetValueOrDefault(key);
        if (body is WorkerEvent.Registered registered)
        {
            var has = registered.Resources;
            return has.CpuCores < 0 || has.MemoryMb < 0 || has.StorageMb < 0 || has.MaxDiskSizeGb < 0
                || registered.MaxConcurrentJobs < 0
                ? new Refusal("WRONG_RESOURCES", "nobody has less than nothing")
                : key != statement.By || statement.Cause is not null
                ? new Refusal("WRONG_STREAM", "a worker registers in its own stream, and answers nothing")
                : worker?.Standing(long.MaxValue) == WorkerStanding.Retired
                    ? new Refusal("WORKER_RETIRED", "a worker that has retired does not come back; make a new key")
                    : null;
        }

        if (worker is null || statement.Cause != worker.Latest.Digest)
        {
            return new Refusal("WRONG_CAUSE", "the cause must be the worker's latest registration");
        }

        return body switch
        {
            WorkerEvent.Vouched vouched => vouched.Worker == key && worker.Latest.Facts.Owner == statement.By
                ? null
                : new Refusal("NOT_THE_OWNER", "only the owner that the registration names vouches for a worker"),
            _ when worker.Standing(long.MaxValue) == WorkerStanding.Retired =>
                new Refusal("WORKER_RETIRED", "the worker has retired"),
            _ => key == statement.By || worker.Latest.Facts.Owner == statement.By
                ? null
                : new Refusal("NOT_THE_WORKER", "only a worker or its owner may say this"),
        };
    }
}
