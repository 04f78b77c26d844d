using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker;

/// <summary>
/// The offers that a worker has not bid on, in the order in which it will. A job's turn is its submission's time, put
/// forward by <see cref="Aging"/> for each step of priority: of two that wait, the higher priority goes first, unless the
/// lower one has waited longer by as much. So nothing waits for ever, however many important jobs come. The order of two
/// jobs never changes, so no clock is asked. An offer for which others were asked first stands one step of priority lower.
/// Not safe for concurrent use.
/// </summary>
public sealed class OfferQueue
{
    /// <summary>How much waiting outweighs one step of priority.</summary>
    public static readonly TimeSpan Aging = TimeSpan.FromSeconds(30);

    private readonly SortedSet<Entry> _order = [];
    private readonly Dictionary<JobId, Entry> _entries = [];

    public int Count => _entries.Count;

    /// <summary>The offers, first turn first.</summary>
    public IEnumerable<WaitingOffer> InOrder => _order.Select(entry => entry.Offer);

    public bool Contains(JobId job) => _entries.ContainsKey(job);

    /// <summary>Takes in an offer; a later one of the same job replaces it.</summary>
    /// <param name="since">When it came: <see cref="TimeProvider.GetTimestamp"/>.</param>
    public void Add(WorkerNotice.Offered offer, HandlerNeeds needs, long since)
    {
        Remove(offer.JobId);
        var turn = offer.SubmittedAt - ((offer.Submission.Terms.Priority - (offer.AskedLater ? 1 : 0)) * Aging);
        var entry = new Entry(turn, offer.JobId, new WaitingOffer(offer, needs, since));
        _order.Add(entry);
        _entries.Add(offer.JobId, entry);
    }

    public void Remove(JobId job)
    {
        if (_entries.Remove(job, out var entry))
        {
            _order.Remove(entry);
        }
    }

    private sealed record Entry(DateTimeOffset Turn, JobId Job, WaitingOffer Offer) : IComparable<Entry>
    {
        public int CompareTo(Entry? other) => Turn != other!.Turn
            ? Turn.CompareTo(other.Turn)
            : Job.CompareTo(other.Job);
    }
}

/// <summary>An offer, what running it takes, and when it came.</summary>
public sealed record WaitingOffer(WorkerNotice.Offered Offer, HandlerNeeds Needs, long Since);
