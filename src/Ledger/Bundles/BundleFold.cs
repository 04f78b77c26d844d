using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;
using MeshLedger.Ledger.Audit;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Bundles;

/// <summary>Goes through a bundle's events in log order and judges each by the rules by which a node took it in: versions
/// without a hole, causes, authors, legal transitions. What would need the rest of the ledger is not judged: money, and the
/// figures of reputation that nodes said they knew.</summary>
/// <param name="log">Where the hand-overs of the log's key stand.</param>
internal sealed class BundleFold(StreamId log, Action<BundleFault> report)
{
    private readonly Registry _registry = new();
    private readonly HashSet<Digest> _seen = [];
    private readonly HashSet<EventId> _ids = [];
    private readonly BatchPlaces _batches = new();
    private readonly Dictionary<StreamId, (long Version, Digest Last)> _streams = [];
    private readonly HashSet<StreamId> _broken = [];
    private readonly Dictionary<JobId, JobState> _jobs = [];
    private readonly List<(JobId Job, BundleEvent Event)> _told = [];

    public Registry Registry => _registry;

    /// <summary>The keys that the log had; null: it was never handed over.</summary>
    public LogKeys? LogKeys { get; private set; }

    public IReadOnlyDictionary<JobId, JobState> Jobs => _jobs;

    /// <summary>The events of all jobs, in log order.</summary>
    public IReadOnlyList<(JobId Job, BundleEvent Event)> Told => _told;

    public void Take(BundleEvent one)
    {
        var (entry, statement) = (one.Entry, one.Statement);
        void Wrong(string kind, string expected, string found) => report(new BundleFault(kind, one.Place, expected, found));
        if (entry.Proof is { } proof && _batches.Disagrees(Digest.OfBytes(entry.Signature.Span), proof) is { } other)
        {
            Wrong("wrong_proof", other, $"index {proof.Index} of {proof.Size}");
        }

        if (!_ids.Add(statement.Id))
        {
            Wrong("wrong_event_id", "an id that no event before it has", statement.Id.ToString());
        }

        var (version, last) = _streams.GetValueOrDefault(statement.Stream);
        if (entry.Version != version + 1)
        {
            Wrong("wrong_version", $"version {version + 1} of {statement.Stream}", $"version {entry.Version}");
            _broken.Add(statement.Stream);
        }

        _streams[statement.Stream] = (entry.Version, statement.Digest);
        if (!_broken.Contains(statement.Stream) && Judge(one, last) is { } refusal)
        {
            Wrong("illegal_event", "an event that may stand here", refusal.ToString());
            _broken.Add(statement.Stream);
        }

        _seen.Add(statement.Digest);
    }

    private Refusal? Judge(BundleEvent one, Digest last)
    {
        // A federation may answer anything, also what is not in the bundle.
        if (one.Statement.Cause is { } cause && one.Body is not FederationEvent && !_seen.Contains(cause))
        {
            return new Refusal("WRONG_CAUSE", $"{cause} is no event before it");
        }

        switch (one.Body)
        {
            case JobEvent body:
                return Job(one, body);
            case NodeEvent.IdempotencyKeyClaimed or not (NodeEvent or WorkerEvent or FederationEvent or LogEvent):
            case LogEvent when one.Statement.Stream != log:
                return new Refusal("NOT_OF_A_BUNDLE", $"{one.Statement.Type} needs the whole ledger to be judged");
        }

        if (_registry.Check(one.Statement, one.Body, one.Entry.Version) is { } refusal)
        {
            return refusal;
        }

        if (one.Body is NodeEvent.Admitted && one.Statement.Cause != last)
        {
            return new Refusal("WRONG_CAUSE", "the cause must be the joining");
        }

        _registry.Apply(one.Statement, one.Body, one.Entry.Version, one.Position);
        if (one.Body is LogEvent.KeyChanged changed)
        {
            LogKeys = (LogKeys ?? NoteKey.Parse(changed.From)).After(changed, one.Position);
        }

        return null;
    }

    private Refusal? Job(BundleEvent one, JobEvent body)
    {
        if (!one.Statement.Stream.IsJob(out var job))
        {
            return new Refusal("WRONG_STREAM", $"{one.Statement.Type} does not belong to stream {one.Statement.Stream}");
        }

        var state = _jobs.GetValueOrDefault(job);
        var refusal = JobRules.Check(state, one.Fact, _registry) ?? (body is JobEvent.Submitted submitted
            ? JobSubmission.Check(submitted, one.Statement.By, one.Statement.Stream)
            : null);
        if (refusal is not null)
        {
            return refusal;
        }

        _jobs[job] = Domain.Jobs.Job.Evolve(state, one.Fact);
        _told.Add((job, one));
        return null;
    }
}
