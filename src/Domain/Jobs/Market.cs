using System.Buffers.Binary;
using System.Security.Cryptography;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>How a node chooses.</summary>
/// <param name="AsOf">The position up to which the node has folded the log.</param>
/// <param name="At">Now.</param>
/// <param name="Reputation">Of a worker for the job's operation, in points, as of then.</param>
/// <param name="Streak">Of a worker: its confirmed results in a row, as of then.</param>
/// <param name="Latency">From the bidding's opening to a worker's bid, where it was measured.</param>
public sealed record SelectionInput(
    string Policy,
    SelectionWeights Weights,
    long LeaseMs,
    bool SubmitterMayBid,
    long AsOf,
    DateTimeOffset At,
    Func<Did, long> Reputation,
    Func<Did, long> Streak,
    Func<Did, long?> Latency);

/// <summary>What the market makes of the bids: every bid with why it could not win or what it is worth, and who wins;
/// nobody, if too few can.</summary>
public sealed record MarketChoice(ValueList<ConsideredBid> Considered, ValueList<Assignee> Assignees, Selection Selection);

/// <summary>
/// Who runs a job: requirements filter, then a policy orders what is left, and the first wins; for a job that asks for
/// several workers, the first ones of different owners.
/// </summary>
public static class Market
{
    /// <summary>Results in a row that others confirmed, from which on a worker is only checked now and then.</summary>
    public const long TrustedStreak = 10;

    /// <summary>The choice among the bids of the attempt that is open.</summary>
    public static MarketChoice Choose(JobState state, IAuthority authority, SelectionInput input)
    {
        var policy = SelectionPolicy.Of(input.Policy) ?? SelectionPolicy.Default;
        var bids = state.Bids.Values.ToArray();
        Array.Sort(Array.ConvertAll(bids, bid => bid.Order), bids);
        var unmet = new ValueList<string>[bids.Length];

        // Each figure is asked for once: what it is asked of may change meanwhile.
        var leastVersion = Requirements.LeastVersion(state.Submission);
        var (reputations, latencies) = (new long[bids.Length], new long?[bids.Length]);
        for (var i = 0; i < bids.Length; i++)
        {
            reputations[i] = input.Reputation(bids[i].Worker);
            latencies[i] = input.Latency(bids[i].Worker);
            unmet[i] = Unmet(state, bids[i], reputations[i], leastVersion, authority, input);
        }

        ExcludeFailed(state, bids, unmet, authority);
        var candidates = new List<Candidate>(bids.Length);
        for (var i = 0; i < bids.Length; i++)
        {
            if (unmet[i].Count == 0)
            {
                candidates.Add(new Candidate(
                    i,
                    bids[i],
                    reputations[i],
                    latencies[i],
                    SelectionPolicy.Headroom(state.Submission.Requirements, bids[i].Body.Free)));
            }
        }

        policy.Rank(candidates, input.Weights);
        var (replicas, streak, draw) = Replicas(state, candidates, input);
        var terms = new BidTerms?[bids.Length];
        foreach (var candidate in candidates)
        {
            terms[candidate.Index] = candidate.Terms;
        }

        var considered = new ConsideredBid[bids.Length];
        for (var i = 0; i < bids.Length; i++)
        {
            considered[i] = new ConsideredBid(
                bids[i].Digest, bids[i].Worker, bids[i].Body.Price, reputations[i], latencies[i], terms[i], unmet[i]);
        }

        return new MarketChoice(
            ValueList.From(considered),
            Winners(candidates, replicas, authority),
            new Selection(
                policy.Name, input.Weights, input.AsOf, input.At, input.LeaseMs, state.Submission.Terms.Replicas,
                input.SubmitterMayBid, streak, draw));
    }

    /// <summary>The choice that an assignment should have made, by what it says it knew.</summary>
    public static MarketChoice Repeat(JobState state, JobEvent.Assigned assigned, IAuthority authority)
    {
        var selection = assigned.Selection;
        var known = new Dictionary<Did, ConsideredBid>();
        foreach (var considered in assigned.Considered)
        {
            known.TryAdd(considered.Worker, considered);
        }

        return Choose(state, authority, new SelectionInput(
            selection.Policy,
            selection.Weights,
            selection.LeaseMs,
            selection.SubmitterMayBid,
            selection.AsOf,
            selection.At,
            worker => known.GetValueOrDefault(worker)?.Reputation ?? 0,
            _ => selection.Streak,
            worker => known.GetValueOrDefault(worker)?.LatencyMs));
    }

    /// <summary>
    /// What decides whether a trusted worker is checked: the first eight bytes of SHA-256 over the digests of the
    /// submission, of every bid in order, and of the bidding's closing, modulo the streak. 0 means: check. Nobody who
    /// bids knows the closing, and everybody can compute it afterwards.
    /// </summary>
    public static long Draw(JobState state, long streak)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> digest = stackalloc byte[Digest.Size];
        state.SubmissionDigest.CopyTo(digest);
        hash.AppendData(digest);
        foreach (var bid in state.Bids.Values.OrderBy(bid => bid.Order))
        {
            bid.Digest.CopyTo(digest);
            hash.AppendData(digest);
        }

        state.ClosingDigest!.Value.CopyTo(digest);
        hash.AppendData(digest);
        return (long)(BinaryPrimitives.ReadUInt64BigEndian(hash.GetHashAndReset()) % (ulong)streak);
    }

    private static (int Replicas, long Streak, long? Draw) Replicas(
        JobState state, List<Candidate> candidates, SelectionInput input)
    {
        var asked = state.Submission.Terms.Replicas;
        if (asked == 1 || !state.Submission.Terms.AdaptiveReplication || candidates.Count == 0)
        {
            return (asked, 0, null);
        }

        var streak = input.Streak(candidates[0].Bid.Worker);
        if (streak <= TrustedStreak || state.ClosingDigest is null)
        {
            return (asked, streak, null);
        }

        var draw = Draw(state, streak);
        return (draw == 0 ? asked : 1, streak, draw);
    }

    private static ValueList<Assignee> Winners(List<Candidate> candidates, int replicas, IAuthority authority)
    {
        var winners = new List<Assignee>(replicas);
        var owners = new HashSet<Did>();
        foreach (var candidate in candidates)
        {
            if (owners.Add(OwnerOf(candidate.Bid, authority)))
            {
                winners.Add(new Assignee(candidate.Bid.Digest, candidate.Bid.Worker, candidate.Bid.Body.Price));
                if (winners.Count == replicas)
                {
                    return ValueList.From(winners);
                }
            }
        }

        return [];
    }

    private static Did OwnerOf(BidFact bid, IAuthority authority) =>
        authority.Registration(bid.Body.Registration)!.Facts.Owner ?? bid.Worker;

    /// <summary>A worker that just failed is passed over as long as the others suffice.</summary>
    private static void ExcludeFailed(
        JobState state, BidFact[] bids, ValueList<string>[] unmet, IAuthority authority)
    {
        if (state.FailedLast.Count == 0)
        {
            return;
        }

        bool Failed(int i) => state.FailedLast.Contains(bids[i].Worker);
        var others = Enumerable.Range(0, bids.Length)
            .Where(i => unmet[i].Count == 0 && !Failed(i))
            .DistinctBy(i => OwnerOf(bids[i], authority))
            .Count();
        for (var i = 0; i < bids.Length; i++)
        {
            if (others >= state.Submission.Terms.Replicas && unmet[i].Count == 0 && Failed(i))
            {
                unmet[i] = ["another worker than the one that just failed"];
            }
        }
    }

    private static ValueList<string> Unmet(
        JobState state, BidFact bid, long reputation, SemanticVersion? leastVersion, IAuthority authority,
        SelectionInput input)
    {
        if (authority.Registration(bid.Body.Registration) is not { } registration || registration.Worker != bid.Worker)
        {
            return ["registration of the bidder"];
        }

        var bidder = new Bidder(
            registration,
            bid.Body.Free,
            authority.Standing(bid.Worker, input.AsOf),
            authority.Memberships(bid.Worker, input.AsOf),
            reputation);
        var unmet = Requirements.Unmet(state.Submission, bidder, leastVersion);
        var most = state.Submission.Terms.MaxPrice;
        if (bid.Body.Price > most)
        {
            unmet = [.. unmet, $"price of at most {most}, not {bid.Body.Price}"];
        }

        if (Pricing.Adjust(bid.Body.Price, state.SubmitterReputation) > state.Escrow / state.Submission.Terms.Replicas)
        {
            unmet = [.. unmet, $"a balance that covers it: {state.Escrow} is held for {state.Submission.Terms.Replicas}"];
        }

        return bid.Worker == state.Submitter && !input.SubmitterMayBid
            ? [.. unmet, "another bidder than the submitter"]
            : unmet;
    }
}
