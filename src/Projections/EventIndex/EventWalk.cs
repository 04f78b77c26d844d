using System.Buffers.Binary;
using Npgsql;

namespace MeshLedger.Projections.EventIndex;

/// <summary>One search: the walk that <see cref="EventSearch"/> tells of.</summary>
internal sealed class EventWalk(
    NpgsqlConnection connection, EventFilter filter, long first, long last, CancellationToken cancellationToken)
{
    private const int FirstWindow = 16;
    private const int FirstWindowOfPrefix = 64;
    private const int LargestWindow = 2048;

    /// <summary>The streams of so few jobs are looked up rather than each event's job.</summary>
    private const int FewJobs = 200;

    private readonly IndexReader _index = new(connection, cancellationToken);

    /// <summary>Of each list one must stand at an event.</summary>
    private readonly List<string[]> _terms = [];

    /// <summary>A stream's name must begin so. Within a few blocks that is quickly told; beyond them all are read at once,
    /// for each reading goes over every name that begins so.</summary>
    private string? _prefix;
    private PositionSet? _streams;

    /// <summary>The submissions of the jobs that are asked for; null if none are.</summary>
    private PositionSet? _jobs;

    private readonly long _from = filter.From is { } from ? EventTimes.Of(from) : long.MinValue;
    private readonly long _to = filter.To is { } to ? EventTimes.Of(to) : long.MaxValue;

    /// <summary>The blocks with events of the time that is asked for, true where all are; null if any time will do.
    /// </summary>
    private Dictionary<int, bool>? _spans;

    public async Task<List<long>> FindAsync()
    {
        if (!await FindSpansAsync() || !await FindJobsAsync())
        {
            return [];
        }

        if (filter.Types.Count > 0)
        {
            _terms.Add([.. filter.Types.Select(EventTerms.Type)]);
        }

        if (filter.Authors.Count > 0)
        {
            _terms.Add([.. filter.Authors.Select(EventTerms.Author)]);
        }

        AddStream();
        return await WalkAsync();
    }

    private void AddStream()
    {
        switch (filter.Stream)
        {
            case null or "*":
                break;
            case [.. var kind, '-', '*'] when !kind.Contains('-', StringComparison.Ordinal):
                _terms.Add([EventTerms.Kind(kind)]);
                break;
            case [.. var prefix, '*']:
                _prefix = EventTerms.Stream(prefix);
                break;
            default:
                _terms.Add([EventTerms.Stream(filter.Stream)]);
                break;
        }
    }

    /// <summary>False if nothing is of that time.</summary>
    private async Task<bool> FindSpansAsync()
    {
        if (filter.From is null && filter.To is null)
        {
            return true;
        }

        _spans = await _index.SpansAsync(EventTerms.BlockOf(first), EventTerms.BlockOf(last), _from, _to);
        if (_spans.Count == 0)
        {
            return false;
        }

        first = Math.Max(first, ((long)_spans.Keys.Min() * EventTerms.Block) + 1);
        last = Math.Min(last, (_spans.Keys.Max() + 1L) * EventTerms.Block);
        return true;
    }

    /// <summary>False if there is no such job.</summary>
    private async Task<bool> FindJobsAsync()
    {
        var terms = new List<string>();
        if (filter.Operation is { } operation)
        {
            terms.Add(EventTerms.Operation(operation));
        }

        if (filter.Namespace is { } name)
        {
            terms.Add(EventTerms.Namespace(name));
        }

        terms.AddRange(filter.Labels.Select(label => EventTerms.Label(label)));
        var words = TextWord.Of(filter.Text ?? "").Distinct().ToList();
        terms.AddRange(words.Where(word => !word.IsPrefix).Select(word => EventTerms.Word(word.Word)));
        foreach (var term in terms.Distinct())
        {
            if (!Restrict(await _index.TermsAsync([term], 0, EventTerms.BlockOf(last))))
            {
                return false;
            }
        }

        foreach (var word in words.Where(word => word.IsPrefix))
        {
            if (!Restrict(await _index.PrefixAsync(EventTerms.Word(word.Word), 0, EventTerms.BlockOf(last))))
            {
                return false;
            }
        }

        if (_jobs is { } jobs)
        {
            first = Math.Max(first, jobs.Positions().First());
            if (jobs.Count <= FewJobs)
            {
                _terms.Add(await _index.StreamsAsync([.. jobs.Positions()]));
                _jobs = null;
            }
        }

        return true;

        bool Restrict(PositionSet set)
        {
            _jobs?.Keep(set);
            _jobs ??= set;
            return !_jobs.IsEmpty;
        }
    }

    private async Task<List<long>> WalkAsync()
    {
        var found = new List<long>();
        var (low, high) = (EventTerms.BlockOf(first), EventTerms.BlockOf(last));
        for (var size = _prefix is null ? FirstWindow : FirstWindowOfPrefix; low <= high && found.Count <= filter.Limit; size = Math.Min(size * 2, LargestWindow))
        {
            var blocks = Math.Min(size, high - low + 1);
            var from = filter.NewestFirst ? high - blocks + 1 : low;
            var set = await MatchAsync(from, blocks);
            found.AddRange((filter.NewestFirst ? set.Positions().Reverse() : set.Positions())
                .Take(filter.Limit + 1 - found.Count));
            (low, high) = filter.NewestFirst ? (low, high - blocks) : (low + blocks, high);
        }

        return found;
    }

    /// <summary>What is asked for in some blocks.</summary>
    private async Task<PositionSet> MatchAsync(int from, int blocks)
    {
        var set = new PositionSet(from, blocks);
        set.AddRange(first, last);
        if (_spans is not null)
        {
            set.RemoveBlocks(block => !_spans.ContainsKey(block));
        }

        foreach (var terms in _terms)
        {
            if (set.IsEmpty)
            {
                return set;
            }

            set.Keep(await _index.TermsAsync(terms, from, from + blocks - 1));
        }

        if (_prefix is not null && !set.IsEmpty)
        {
            set.Keep(_streams is null && blocks <= FirstWindowOfPrefix
                ? await _index.PrefixAsync(_prefix, from, from + blocks - 1)
                : _streams ??= await _index.PrefixAsync(_prefix, EventTerms.BlockOf(first), EventTerms.BlockOf(last)));
        }

        await KeepJobsAsync(set);
        if (_spans is not null)
        {
            await KeepTimesAsync(set);
        }

        return set;
    }

    private async Task KeepJobsAsync(PositionSet set)
    {
        if (_jobs is null || set.IsEmpty)
        {
            return;
        }

        await KeepAsync(set, set.Blocks(), EventTerms.Job, (column, position) =>
        {
            var at = EventTerms.OffsetOf(position) * 4;
            var distance = at + 4 <= column.Length ? BinaryPrimitives.ReadUInt32BigEndian(column.AsSpan(at)) : 0;
            return distance > 0 && _jobs.Contains(position - distance + 1);
        });
    }

    private async Task KeepTimesAsync(PositionSet set)
    {
        var partly = set.Blocks().Where(block => !_spans!.GetValueOrDefault(block)).ToArray();
        if (partly.Length == 0)
        {
            return;
        }

        await KeepAsync(set, partly, EventTerms.Time, (column, position) =>
        {
            var at = EventTerms.OffsetOf(position) * 8;
            return at + 8 <= column.Length
                && BinaryPrimitives.ReadInt64BigEndian(column.AsSpan(at)) is var time && time >= _from && time < _to;
        });
    }

    /// <summary>Keeps, of these blocks, the positions whose value in a column is as asked for.</summary>
    private async Task KeepAsync(PositionSet set, int[] blocks, string column, Func<byte[], long, bool> isSo)
    {
        var left = blocks.ToHashSet();
        await foreach (var (block, values) in _index.ColumnAsync(column, blocks))
        {
            left.Remove(block);
            foreach (var position in set.PositionsOf(block).Where(position => !isSo(values, position)))
            {
                set.Remove(position);
            }
        }

        foreach (var position in left.SelectMany(set.PositionsOf).ToList())
        {
            set.Remove(position);
        }
    }
}
