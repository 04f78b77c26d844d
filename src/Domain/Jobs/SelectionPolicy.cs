namespace MeshLedger.Domain.Jobs;

/// <summary>A bid that may win.</summary>
/// <param name="Index">Its place among all bids of the attempt.</param>
/// <param name="Headroom">How much more than the job asks for the bidder has free: <see cref="SelectionPolicy.Headroom"/>.
/// </param>
public sealed record Candidate(int Index, BidFact Bid, long Reputation, long? LatencyMs, long Headroom)
{
    public BidTerms Terms { get; set; } = new(0, 0, 0, 0, 0);
}

/// <summary>
/// The order in which bids win. Every figure is an integer, so everybody who recomputes a choice gets the same; ties go
/// to the earliest in the log. Terms are normalised over the candidates to 0..<see cref="Scale"/>: the best has the
/// scale, the worst 0, or more if it is less than <see cref="ReputationSpan"/> or <see cref="LatencySpan"/> behind.
/// </summary>
public sealed class SelectionPolicy
{
    /// <summary>What stands for 1.</summary>
    public const long Scale = 1_000_000;

    /// <summary>Reputations that differ by this many points, and latencies by this many ms, differ by all of
    /// their weight; less by less. Otherwise the first success would outweigh everything else, and one worker get all.
    /// </summary>
    public const long ReputationSpan = 100;
    public const long LatencySpan = 100;

    private const long MaxRatio = 2;
    private const long Small = 1L << 40;

    private static readonly SelectionPolicy[] All =
    [
        new("weighted", (weights, terms) => Weighted(weights, terms)),
        new("cheapest", (_, terms) => terms.Price),
        new("best_reputation", (_, terms) => terms.Reputation),
        new("least_loaded", (_, terms) => terms.Resources),
        new("first", (_, _) => 0),
    ];

    private readonly Func<SelectionWeights, BidTerms, long> _score;

    private SelectionPolicy(string name, Func<SelectionWeights, BidTerms, long> score)
    {
        Name = name;
        _score = score;
    }

    public static SelectionPolicy Default => All[0];

    /// <summary><c>weighted</c>, <c>cheapest</c>, <c>best_reputation</c>, <c>least_loaded</c>, <c>first</c>.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(policy => policy.Name)];

    public string Name { get; }

    /// <summary>The policy of a name; null if there is none.</summary>
    public static SelectionPolicy? Of(string name) => Array.Find(All, policy => policy.Name == name);

    /// <summary>
    /// The mean, over CPU, memory, storage and slots, of what is free by what is asked for (at least 1 of each), each
    /// cut off at twice, in parts of <see cref="Scale"/>. So a boundless claim gains no more than twice what is needed.
    /// </summary>
    public static long Headroom(JobRequirements needs, FreeResources free) =>
        (Ratio(free.CpuCores, needs.CpuCores) + Ratio(free.MemoryMb, needs.MemoryMb)
            + Ratio(free.StorageMb, needs.StorageMb) + Ratio(free.Slots, 1)) / 4;

    /// <summary>Gives every candidate its terms, and puts the best first.</summary>
    public void Rank(List<Candidate> candidates, SelectionWeights weights)
    {
        if (candidates.Count == 0)
        {
            return;
        }

        var price = Range.Of(candidates, c => c.Bid.Body.Price);
        var reputation = Range.Of(candidates, c => c.Reputation, ReputationSpan);
        var headroom = Range.Of(candidates, c => c.Headroom);
        var timed = candidates.FindAll(candidate => candidate.LatencyMs is not null);
        var latency = timed.Count > 0 ? Range.Of(timed, c => c.LatencyMs!.Value, LatencySpan) : default;
        foreach (var candidate in candidates)
        {
            var terms = new BidTerms(
                price.Low(candidate.Bid.Body.Price),
                reputation.High(candidate.Reputation),
                headroom.High(candidate.Headroom),
                candidate.LatencyMs is { } ms ? latency.Low(ms) : 0,
                0);
            candidate.Terms = terms with { Score = _score(weights, terms) };
        }

        // Keys beside the candidates: thousands of them are put in order without a call for each comparison.
        var keys = candidates.ConvertAll(candidate => new Place(candidate.Terms.Score, candidate.Bid.Order)).ToArray();
        var ordered = candidates.ToArray();
        Array.Sort(keys, ordered);
        candidates.Clear();
        candidates.AddRange(ordered);
    }

    private static long Weighted(SelectionWeights weights, BidTerms terms)
    {
        if (weights is { Price: < Small / Scale, Reputation: < Small / Scale, Resources: < Small / Scale, Latency: < Small / Scale })
        {
            return ((weights.Price * terms.Price) + (weights.Reputation * terms.Reputation)
                + (weights.Resources * terms.Resources) + (weights.Latency * terms.Latency))
                / (weights.Price + weights.Reputation + weights.Resources + weights.Latency);
        }

        var sum = ((Int128)weights.Price * terms.Price) + ((Int128)weights.Reputation * terms.Reputation)
            + ((Int128)weights.Resources * terms.Resources) + ((Int128)weights.Latency * terms.Latency);
        var weight = (Int128)weights.Price + weights.Reputation + weights.Resources + weights.Latency;
        return (long)(sum / weight);
    }

    private static long Ratio(long free, long? needed) =>
        free / MaxRatio >= Math.Max(needed ?? 1, 1) ? MaxRatio * Scale : Parts(free, Math.Max(needed ?? 1, 1));

    /// <summary>A part of a whole in parts of <see cref="Scale"/>, rounded down. Wide figures are rare, and wide
    /// divisions slow.</summary>
    private static long Parts(Int128 part, Int128 whole) => part < Small && whole < Small
        ? (long)part * Scale / (long)whole
        : (long)(part * Scale / whole);

    private readonly struct Place(long score, long order) : IComparable<Place>
    {
        private readonly long _score = score;
        private readonly long _order = order;

        public int CompareTo(Place other) =>
            _score != other._score ? other._score.CompareTo(_score) : _order.CompareTo(other._order);
    }

    /// <summary>What the best has, and how much less is worth nothing: as much as the worst has less, or a span that is
    /// told, if that is more.</summary>
    private readonly record struct Range(long Least, long Most, long Span)
    {
        public static Range Of(List<Candidate> candidates, Func<Candidate, long> value, long leastSpan = 0)
        {
            var (least, most) = (long.MaxValue, long.MinValue);
            foreach (var candidate in candidates)
            {
                var one = value(candidate);
                (least, most) = (Math.Min(least, one), Math.Max(most, one));
            }

            return new Range(least, most, leastSpan);
        }

        /// <summary>1 for the greatest.</summary>
        public long High(long value) => Left((Int128)Most - value);

        /// <summary>1 for the least.</summary>
        public long Low(long value) => Left((Int128)value - Least);

        private long Left(Int128 behind)
        {
            var span = Int128.Max((Int128)Most - Least, Span);
            return behind == 0 ? Scale : Parts(span - behind, span);
        }
    }
}
