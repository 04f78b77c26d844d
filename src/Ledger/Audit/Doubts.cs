using MeshLedger.Crypto;
using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Logs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Ledger.Audit;

/// <summary>Where a stream is broken: a fault that was reported.</summary>
internal sealed class BrokenPlace(string stream, long version, long position)
{
    public string Stream => stream;

    public long Position => position;

    /// <summary>The events that are not judged for it.</summary>
    public long Dependents { get; set; }

    public override string ToString() => stream.Length == 0
        ? $"the log before position {position}"
        : $"stream {stream}, version {version}, position {position},";
}

/// <summary>
/// What cannot be known, since a row before it is broken. A row that is not what its author signed says nothing; what
/// depends on it is neither right nor wrong, and to call it wrong would accuse the innocent. So it is counted. Whatever is
/// excused here is excused by one fault that was reported, and by no more than one row for each thing that is missing.
/// </summary>
internal sealed class Doubts
{
    private const int MostTold = 20;

    private readonly List<BrokenPlace> _places = [];
    private readonly List<BrokenPlace> _unknown = [];
    private readonly Dictionary<string, BrokenPlace> _kinds = [];
    private readonly Dictionary<JobId, BrokenPlace> _jobs = [];
    private long? _figuresFrom;
    private BrokenPlace? _lost;

    /// <summary>The first place for which balances are not known; null if there is none.</summary>
    public BrokenPlace? Mana { get; private set; }

    /// <summary>What was not judged, and why, a sentence each.</summary>
    /// <param name="isWhole">False of one stream alone, where neither figures nor balances are looked at.</param>
    public IEnumerable<string> Remarks(bool isWhole)
    {
        var told = _places.Where(place => place.Dependents > 0).ToList();
        foreach (var place in told.Take(MostTold))
        {
            yield return $"Not judged, since {place} is broken: "
                + (place.Dependents == 1 ? "1 event that depends on it." : $"{place.Dependents} events that depend on it.");
        }

        if (told.Count > MostTold)
        {
            yield return $"Not judged, since {told.Count - MostTold} more places are broken: "
                + $"{told.Skip(MostTold).Sum(place => place.Dependents)} events that depend on them.";
        }

        if (isWhole && _figuresFrom is { } position)
        {
            yield return $"Figures of reputation were not checked from position {position} on, where the log is broken.";
        }

        if (isWhole && Mana is { } mana)
        {
            yield return $"Balances were not added up, since {mana} is broken.";
        }
    }

    /// <summary>What reputations go by cannot be read at a position.</summary>
    public void StopFigures(long position) => _figuresFrom ??= position;

    /// <summary>A stream is broken from here on.</summary>
    public BrokenPlace Break(string stream, long version, long position)
    {
        var place = new BrokenPlace(stream, version, position);
        _places.Add(place);
        Spread(stream, place);
        return place;
    }

    /// <summary>Of a stream nothing more is known, since a place is broken, in it or elsewhere.</summary>
    public void Spread(string stream, BrokenPlace place)
    {
        if (!StreamId.TryParse(stream, out var name))
        {
            return;
        }

        _kinds.TryAdd(name.Kind, place);
        if (name.IsJob(out var job))
        {
            _jobs.TryAdd(job, place);
        }

        if (name.IsAccount(out _))
        {
            Mana ??= place;
        }
    }

    /// <summary>What stood at a place cannot be known: it may have been any one event.</summary>
    /// <param name="isMoved">True if not even its stream is known.</param>
    public void Unknown(BrokenPlace place, bool isMoved)
    {
        _unknown.Add(place);
        if (isMoved)
        {
            Mana ??= place;
            _lost ??= place;
        }
    }

    /// <summary>Positions are missing before <paramref name="position"/>: each had an event.</summary>
    public void Gap(long position, long missing)
    {
        var place = Break("", 0, position);
        Mana ??= place;
        _lost ??= place;
        _unknown.AddRange(Enumerable.Repeat(place, (int)Math.Min(missing, 10_000)));
    }

    /// <summary>What a job leads to is not known any more.</summary>
    public void Doubt(JobId job, BrokenPlace place)
    {
        _jobs.TryAdd(job, place);
        place.Dependents++;
    }

    /// <summary>Why it is not known what a job leads to; null if it is.</summary>
    public BrokenPlace? Of(JobId job) => _jobs.GetValueOrDefault(job);

    /// <summary>The first broken stream of a kind, or where an event is missing that may have been of it; null if there is
    /// none.</summary>
    public BrokenPlace? OfKind(string kind) => _kinds.GetValueOrDefault(kind) ?? _lost;

    /// <summary>True if an event that a job needs, or that it would lead to, may be one that cannot be read. Then the job is
    /// in doubt, and the unknown event is used up.</summary>
    /// <param name="stream">Where the event would stand.</param>
    /// <param name="after">In another stream the unknown event counts only if it stands behind this position.</param>
    public bool Excuse(JobId job, string stream, long after)
    {
        var found = _unknown.FindLastIndex(place => place.Stream == stream);
        found = found < 0 ? _unknown.FindLastIndex(place => place.Position > after) : found;
        if (found < 0)
        {
            return false;
        }

        Doubt(job, _unknown[found]);
        _unknown.RemoveAt(found);
        return true;
    }
}

/// <summary>The registry, with a note of each answer that may be another where a stream that it rests on is broken.</summary>
internal sealed class DoubtedAuthority(Registry registry, FoldedStreams streams, Doubts doubts) : IAuthority
{
    /// <summary>What the answers since <see cref="Begin"/> do not know; null if they are certain.</summary>
    public BrokenPlace? Doubt { get; private set; }

    public void Begin() => Doubt = null;

    public bool IsNode(Did key)
    {
        if (registry.IsNode(key))
        {
            // Nobody is made to be none.
            return true;
        }

        Doubt ??= streams.Find(StreamId.OfNode(key).ToString())?.Broken ?? doubts.OfKind(StreamId.Ledger.Kind);
        return false;
    }

    public WorkerRegistration? Registration(Digest registration)
    {
        var found = registry.Registration(registration);
        if (found is null)
        {
            Doubt ??= doubts.OfKind("worker");
        }

        return found;
    }

    public WorkerStanding Standing(Did worker, long asOf)
    {
        Doubt ??= streams.Find(StreamId.OfWorker(worker).ToString())?.Broken ?? doubts.OfKind("");
        return registry.Standing(worker, asOf);
    }

    public IReadOnlyList<Membership> Memberships(Did worker, long asOf)
    {
        Doubt ??= doubts.OfKind("federation");
        return registry.Memberships(worker, asOf);
    }

    /// <summary>Why an event of the registry's streams may not stand where it stands; null if it may.</summary>
    public Refusal? Check(Statement statement, LedgerEvent body, long version)
    {
        if (body is NodeEvent.Admitted or NodeEvent.IdempotencyKeyClaimed or AidEvent.Matched or LogEvent)
        {
            IsNode(statement.By);
        }

        if (body is AidEvent)
        {
            // A match goes by templates, each of which has a stream of its own.
            Doubt ??= doubts.OfKind("aid");
        }

        return registry.Check(statement, body, version);
    }
}
