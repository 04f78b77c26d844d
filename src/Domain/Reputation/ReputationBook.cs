using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Reputation;

/// <summary>What a worker's settled runs add up to, overall or for one operation.</summary>
/// <param name="MilliPoints">As of <paramref name="Step"/>.</param>
/// <param name="Step">The step of decay in which the last change fell.</param>
/// <param name="Streak">Results in a row that a majority confirmed.</param>
public readonly record struct ReputationScore(
    long MilliPoints, long Step, long Succeeded, long Failed, long TimedOut, long Lost, long Disagreed, long Streak, long Earned);

/// <summary>
/// Reputation: what settlements say of workers, and nothing else. A run that succeeded raises it by 10 points, one that
/// failed lowers it by 5, one that timed out or was lost by 10, a result that the majority contradicts by 50. It stays
/// between -1000 and 1000, and what is left of it halves in 30 days. Integers only: everybody who folds the same events
/// up to the same position gets the same. Not safe for concurrent use.
/// </summary>
public sealed class ReputationBook
{
    /// <summary>Bounds, in points.</summary>
    public const long Most = 1000;

    /// <summary>The time in which half is forgotten.</summary>
    public static readonly TimeSpan HalfLife = TimeSpan.FromDays(30);

    private const int StepsPerHalfLife = 32;
    private const long Milli = 1000;

    // 2^32 * 2^(-k/32), rounded down: exact integers, so that no machine's floating point decides anything.
    private static readonly ulong[] Factors =
    [
        4294967296, 4202935003, 4112874773, 4024744347, 3938502375, 3854108391, 3771522796, 3690706839,
        3611622602, 3534232977, 3458501653, 3384393094, 3311872529, 3240905930, 3171459999, 3103502151,
        3037000499, 2971923841, 2908241642, 2845924020, 2784941737, 2725266179, 2666869344, 2609723833,
        2553802833, 2499080104, 2445529971, 2393127307, 2341847523, 2291666560, 2242560871, 2194507416,
    ];

    private readonly Dictionary<(Did Worker, string Operation), ReputationScore> _scores = [];

    /// <summary>What the overall score is kept under; no operation is called so.</summary>
    public const string Overall = "";

    /// <summary>Every score, in no order.</summary>
    public IEnumerable<(Did Worker, string Operation, ReputationScore Score)> All =>
        _scores.Select(pair => (pair.Key.Worker, pair.Key.Operation, pair.Value));

    /// <summary>The score of a worker for an operation, or <see cref="Overall"/>.</summary>
    public ReputationScore Score(Did worker, string operation) => _scores.GetValueOrDefault((worker, operation));

    /// <summary>In points at a time, rounded towards 0; 0 for a stranger.</summary>
    public long Points(Did worker, string operation, DateTimeOffset at) =>
        Decayed(Score(worker, operation), StepOf(at)) / Milli;

    /// <summary>What is left of a score at a time, in points, rounded towards 0.</summary>
    public static long Points(ReputationScore score, DateTimeOffset at) => Decayed(score, StepOf(at)) / Milli;

    /// <summary>Puts a score that was kept elsewhere into an empty place.</summary>
    public void Restore(Did worker, string operation, ReputationScore score) => _scores[(worker, operation)] = score;

    /// <summary>Takes in an event, in log order. Those that settle nothing change nothing.</summary>
    /// <returns>The workers whose scores changed, and for which operation.</returns>
    public IReadOnlyList<(Did Worker, string Operation)> Apply(LedgerEvent body, DateTimeOffset time)
    {
        var (operation, outcomes) = body switch
        {
            JobEvent.Completed completed => (completed.Operation, completed.Outcomes),
            JobEvent.Failed failed => (failed.Operation, failed.Outcomes),
            JobEvent.AttemptEnded ended => (ended.Operation, ended.Outcomes),
            _ => ("", null),
        };
        if (outcomes is null)
        {
            return [];
        }

        var changed = new List<(Did, string)>(2 * outcomes.Count);
        foreach (var outcome in outcomes)
        {
            if (outcome.Result == RunResults.Withdrawn)
            {
                continue;
            }

            Change(outcome, operation, StepOf(time));
            Change(outcome, Overall, StepOf(time));
            changed.Add((outcome.Worker, operation));
            changed.Add((outcome.Worker, Overall));
        }

        return changed;
    }

    /// <summary>How many points an outcome is worth.</summary>
    public static long Worth(string result) => result switch
    {
        RunResults.Succeeded or RunResults.Agreed => 10,
        RunResults.Failed => -5,
        RunResults.TimedOut or RunResults.Lost => -10,
        RunResults.Disagreed => -50,
        _ => 0,
    };

    private static long StepOf(DateTimeOffset time) =>
        time.UtcTicks / (HalfLife.Ticks / StepsPerHalfLife);

    private static long Decayed(ReputationScore score, long step)
    {
        // A clock that goes back gives nothing back.
        var steps = Math.Max(0, step - score.Step);
        if (steps == 0 || score.MilliPoints == 0)
        {
            return score.MilliPoints;
        }

        var halvings = steps / StepsPerHalfLife;
        if (halvings > 40)
        {
            return 0;
        }

        var left = (long)(((ulong)Math.Abs(score.MilliPoints) * (UInt128)Factors[steps % StepsPerHalfLife]) >> 32 >> (int)halvings);
        return score.MilliPoints < 0 ? -left : left;
    }

    private void Change(AttemptOutcome outcome, string operation, long step)
    {
        var key = (outcome.Worker, operation);
        var score = _scores.GetValueOrDefault(key);
        var points = Math.Clamp(Decayed(score, step) + (Worth(outcome.Result) * Milli), -Most * Milli, Most * Milli);
        score = score with { MilliPoints = points, Step = Math.Max(step, score.Step), Earned = score.Earned + outcome.Paid };
        _scores[key] = outcome.Result switch
        {
            RunResults.Agreed => score with { Succeeded = score.Succeeded + 1, Streak = score.Streak + 1 },
            RunResults.Succeeded or RunResults.Own => score with { Succeeded = score.Succeeded + 1 },
            RunResults.Failed => score with { Failed = score.Failed + 1, Streak = 0 },
            RunResults.TimedOut => score with { TimedOut = score.TimedOut + 1, Streak = 0 },
            RunResults.Lost => score with { Lost = score.Lost + 1, Streak = 0 },
            RunResults.Disagreed => score with { Disagreed = score.Disagreed + 1, Streak = 0 },
            _ => score,
        };
    }
}
