namespace MeshLedger.Blobs.Peers;

/// <summary>The part of a blob that one connection is fetching.</summary>
internal sealed class RangeClaim(long next, long end)
{
    /// <summary>The first group that has not come. Changed by <see cref="RangePlan"/> alone.</summary>
    public long Next { get; set; } = next;

    /// <summary>The group after the last one. Another may have taken the end of the range over.</summary>
    public long End { get; set; } = end;
}

/// <summary>
/// Which groups are still to come, and who is on which. Invariants: every group is in exactly one of done, free, or a
/// claim; a claim that is given back frees what did not come; when nothing is free, whoever has nothing to do takes over
/// the second half of the longest claim. Safe for several threads at once.
/// </summary>
/// <param name="mostGroups">Of a claim.</param>
/// <param name="leastGroups">A claim with fewer left is not divided.</param>
internal sealed class RangePlan(int mostGroups, int leastGroups)
{
    private readonly Lock _lock = new();
    private readonly Queue<(long Start, long End)> _free = [];
    private readonly List<RangeClaim> _claims = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsDone
    {
        get
        {
            lock (_lock)
            {
                return _free.Count == 0 && _claims.Count == 0;
            }
        }
    }

    public void Add(long start, long end)
    {
        lock (_lock)
        {
            _free.Enqueue((start, end));
        }
    }

    /// <summary>Waits for something to do; null when all has come.</summary>
    public async Task<RangeClaim?> TakeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if ((TakeFree() ?? TakeOver()) is { } claim)
                {
                    return claim;
                }

                if (_claims.Count == 0)
                {
                    return null;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>The groups before <paramref name="next"/> have come.</summary>
    public void Advance(RangeClaim claim, long next)
    {
        lock (_lock)
        {
            claim.Next = next;
        }
    }

    /// <summary>How many of the next groups are this claim's, at most <paramref name="most"/>: nobody takes those over.
    /// </summary>
    public int Next(RangeClaim claim, int most)
    {
        lock (_lock)
        {
            return (int)Math.Min(most, claim.End - claim.Next);
        }
    }

    public void GiveBack(RangeClaim claim)
    {
        lock (_lock)
        {
            _claims.Remove(claim);
            if (claim.Next < claim.End)
            {
                _free.Enqueue((claim.Next, claim.End));
            }

            _changed.TrySetResult();
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private RangeClaim? TakeFree()
    {
        if (!_free.TryDequeue(out var range))
        {
            return null;
        }

        var end = Math.Min(range.End, range.Start + mostGroups);
        if (end < range.End)
        {
            _free.Enqueue((end, range.End));
        }

        return Claim(range.Start, end);
    }

    private RangeClaim? TakeOver()
    {
        var longest = _claims.MaxBy(claim => claim.End - claim.Next);
        if (longest is null || longest.End - longest.Next < 2 * leastGroups)
        {
            return null;
        }

        var middle = longest.Next + ((longest.End - longest.Next) / 2);
        var taken = Claim(middle, longest.End);
        longest.End = middle;
        return taken;
    }

    private RangeClaim Claim(long start, long end)
    {
        var claim = new RangeClaim(start, end);
        _claims.Add(claim);
        return claim;
    }
}
