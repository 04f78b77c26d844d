using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>Which runs of an attempt are given up, because nothing was heard of them for too long.</summary>
internal static class Silent
{
    /// <summary>Nobody is given up.</summary>
    public static IReadOnlyDictionary<Did, string> None { get; } = new Dictionary<Did, string>();

    /// <summary>The runs past their lease or their time limit, and when to look next if they are not all.</summary>
    public static (IReadOnlyDictionary<Did, string> Workers, TimeSpan Next) Of(
        JobEntry entry, JobState state, TimeSpan grace, Hearing hearing)
    {
        if (!hearing.IsGood)
        {
            return (None, TimeSpan.FromSeconds(1));
        }

        var silent = new Dictionary<Did, string>();
        var next = TimeSpan.FromMinutes(1);
        foreach (var run in state.Runs.Where(run => run.Receipt is null))
        {
            var (lease, limit) = entry.Left(run, state, grace);
            if (limit <= TimeSpan.Zero)
            {
                silent[run.Worker] = RunResults.TimedOut;
            }
            else if (lease <= TimeSpan.Zero)
            {
                silent[run.Worker] = RunResults.Lost;
            }
            else
            {
                var first = lease < limit ? lease : limit;
                next = first < next ? first : next;
            }
        }

        return (silent, next);
    }
}

/// <summary>Whether this node can hear what workers say: for as long as it reaches the ledger, without a gap. After a gap
/// (the database was away, the process was stopped) every silence begins anew, so that a node's own trouble is never
/// taken for a worker's.</summary>
internal sealed class Hearing(TimeProvider clock, TimeSpan interval)
{
    private readonly Lock _lock = new();
    private long _last = clock.GetTimestamp();

    /// <summary>True while the ledger was reached lately.</summary>
    public bool IsGood
    {
        get
        {
            lock (_lock)
            {
                return clock.GetElapsedTime(_last) < 3 * interval;
            }
        }
    }

    /// <summary>The ledger was reached.</summary>
    /// <returns>True if there was a gap before.</returns>
    public bool Reached()
    {
        lock (_lock)
        {
            var gap = clock.GetElapsedTime(_last) >= 3 * interval;
            _last = clock.GetTimestamp();
            return gap;
        }
    }
}
