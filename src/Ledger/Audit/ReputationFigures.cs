using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Reputation;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Ledger.Audit;

/// <summary>
/// Folds reputation as nodes do, and checks the figures that they put into events. A node has folded the log up to some
/// position before its event: an assignment names it, for the others any one of the latest will do.
/// </summary>
internal sealed class ReputationFigures(Registry registry)
{
    /// <summary>How many positions behind its own event a node may have folded the log.</summary>
    public const long Window = 200_000;

    private const int MaxSteps = 5000;
    private static readonly TimeSpan ClockRoom = TimeSpan.FromHours(1);
    private static readonly TimeSpan BetweenFigureAndEvent = TimeSpan.FromMinutes(1);

    private readonly ReputationBook _book = new();
    private readonly Dictionary<(Did Worker, string Operation), Changes<ReputationScore>> _scores = [];
    private readonly Dictionary<Did, Changes<Did[]>> _keys = [];
    private readonly Dictionary<Did, Did> _owners = [];
    private readonly Queue<(long Position, (Did Worker, string Operation) Key)> _recent = [];
    private bool _unsure;

    /// <summary>From now on nothing is checked: what reputation goes by cannot be read.</summary>
    public void Stop() => _unsure = true;

    /// <summary>Takes in an event of the log, after the registry did.</summary>
    public void Take(Statement statement, LedgerEvent body, long position)
    {
        foreach (var key in _book.Apply(body, statement.Time))
        {
            Of(_scores, key).Add(position, _book.Score(key.Worker, key.Operation));
            _recent.Enqueue((position, key));
        }

        while (_recent.TryPeek(out var oldest) && oldest.Position < position - Window)
        {
            _recent.Dequeue();
            _scores[oldest.Key].ForgetBefore(oldest.Position);
        }

        switch (body)
        {
            case WorkerEvent.Registered registered:
                if (_owners.Remove(statement.By, out var before))
                {
                    TakeKeys(before, position);
                }

                if (registered.Owner is { } owner)
                {
                    _owners[statement.By] = owner;
                    TakeKeys(owner, position);
                }

                break;
            case WorkerEvent.Vouched:
                TakeKeys(statement.By, position);
                break;
        }
    }

    /// <summary>What is wrong with the figures of an assignment that is otherwise as the bids lead to; null if nothing.
    /// </summary>
    public (string Expected, string Found, string Reason)? Check(JobState state, JobEvent.Assigned assigned, in EventFact fact, long position)
    {
        var (selection, operation) = (assigned.Selection, state.Submission.Operation);
        if (_unsure)
        {
            return null;
        }

        if (selection.AsOf < Math.Max(0, position - Window) || selection.AsOf >= position)
        {
            return (
                $"reputations as of a position from {Math.Max(0, position - Window)} to {position - 1}", $"as of {selection.AsOf}",
                $"reputations are of position {selection.AsOf}, which is not shortly before {position}");
        }

        if ((fact.Time - selection.At).Duration() > ClockRoom)
        {
            return (
                $"reputations as of about {Timestamps.Write(fact.Time)}", $"as of {Timestamps.Write(selection.At)}",
                $"reputations are of {Timestamps.Write(selection.At)}, which is not about when it was said");
        }

        foreach (var considered in assigned.Considered)
        {
            var points = ReputationBook.Points(Score(considered.Worker, operation, selection.AsOf), selection.At);
            if (points != considered.Reputation)
            {
                return (
                    $"a reputation of {points} of {considered.Worker} for {operation}", $"{considered.Reputation}",
                    $"{considered.Worker} had a reputation of {points} for {operation}, not {considered.Reputation}");
            }
        }

        var best = assigned.Considered.Where(bid => bid.Unmet.Count == 0).MaxBy(bid => bid.Terms!.Score);
        if (best is not null && state.Submission.Terms is { Replicas: > 1, AdaptiveReplication: true }
            && Score(best.Worker, operation, selection.AsOf).Streak is var streak && streak != selection.Streak)
        {
            return (
                $"a streak of {streak} of {best.Worker} for {operation}", $"{selection.Streak}",
                $"{best.Worker} had a streak of {streak} for {operation}, not {selection.Streak}");
        }

        return null;
    }

    /// <summary>What is wrong with a submitter's or owner's reputation as an event gives it; null if nothing.</summary>
    public (string Expected, string Found, string Reason)? Check(Did submitter, long reputation, DateTimeOffset time, long position)
    {
        if (_unsure)
        {
            return null;
        }

        var asOf = position - 1;
        for (var step = 0; step < MaxSteps && asOf >= Math.Max(0, position - Window); step++)
        {
            var keys = Keys(submitter, asOf);
            if (Is(keys, asOf) || LaterKeys(submitter, asOf).Any(later => Is(later, asOf)))
            {
                return null;
            }

            var change = _keys.TryGetValue(submitter, out var owned) ? owned.PositionAsOf(asOf) : 0;
            foreach (var key in keys)
            {
                if (_scores.TryGetValue((key, ReputationBook.Overall), out var scores))
                {
                    change = Math.Max(change, scores.PositionAsOf(asOf));
                }
            }

            asOf = change - 1;
        }

        bool Is(Did[] keys, long at) =>
            Sum(keys, at, time) == reputation || Sum(keys, at, time - BetweenFigureAndEvent) == reputation;

        var now = Sum(Keys(submitter, position - 1), position - 1, time);
        return (
            $"a reputation of {now} of {submitter}, or one that it had shortly before", $"{reputation}",
            $"the reputation of {submitter} was {now}, and shortly before not {reputation} either");
    }

    private long Sum(Did[] keys, long asOf, DateTimeOffset at) => SubmitterReputation.Sum(
        keys.Select(key => ReputationBook.Points(Score(key, ReputationBook.Overall, asOf), at)));

    private ReputationScore Score(Did worker, string operation, long asOf) =>
        _scores.TryGetValue((worker, operation), out var changes) ? changes.AsOf(asOf) : default;

    private Did[] Keys(Did submitter, long asOf) =>
        (_keys.TryGetValue(submitter, out var changes) ? changes.AsOf(asOf) : null) ?? [submitter];

    /// <summary>A node's registry may be ahead of its reputations.</summary>
    private IEnumerable<Did[]> LaterKeys(Did submitter, long asOf) =>
        _keys.TryGetValue(submitter, out var changes) ? changes.After(asOf) : [];

    private void TakeKeys(Did owner, long position)
    {
        var (known, now) = (Keys(owner, position), SubmitterReputation.Keys(registry, owner).ToArray());
        if (!known.ToHashSet().SetEquals(now))
        {
            Of(_keys, owner).Add(position, now);
        }
    }

    private static Changes<T> Of<TKey, T>(Dictionary<TKey, Changes<T>> all, TKey key)
        where TKey : notnull
    {
        if (!all.TryGetValue(key, out var changes))
        {
            all.Add(key, changes = new Changes<T>());
        }

        return changes;
    }

    /// <summary>A value as of any position since the one up to which it was forgotten.</summary>
    private sealed class Changes<T>
    {
        private readonly List<(long Position, T Value)> _items = [];
        private int _first;

        public void Add(long position, T value) => _items.Add((position, value));

        /// <summary>Forgets what was before the change at <paramref name="position"/>.</summary>
        public void ForgetBefore(long position)
        {
            while (_items[_first].Position < position)
            {
                _first++;
            }

            if (_first > 64 && _first > _items.Count / 2)
            {
                _items.RemoveRange(0, _first);
                _first = 0;
            }
        }

        /// <summary>The default before the first change.</summary>
        public T? AsOf(long position) => IndexOf(position) is var i && i < _first ? default : _items[i].Value;

        /// <summary>Where the value that held as of a position began to; 0 before the first change.</summary>
        public long PositionAsOf(long position) => IndexOf(position) is var i && i < _first ? 0 : _items[i].Position;

        /// <summary>The values that came later.</summary>
        public IEnumerable<T> After(long position) => _items.Skip(IndexOf(position) + 1).Select(item => item.Value);

        private int IndexOf(long position)
        {
            var (low, high) = (_first, _items.Count - 1);
            while (low <= high)
            {
                var middle = (low + high) / 2;
                if (_items[middle].Position <= position)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle - 1;
                }
            }

            return high;
        }
    }
}
