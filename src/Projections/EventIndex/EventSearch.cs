using System.Buffers.Binary;
using System.Data;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.EventIndex;

/// <summary>
/// Finds events by <c>event_index</c> alone. First the jobs that are asked for: their submissions are where all of the
/// job's terms stand. Then the log is walked in the order asked for, some blocks at a time and twice as many each time,
/// until the page is full: positions at which all of the events' terms stand, that are of such a job, and in the time.
/// Every read is of the index' key, and of 512 positions at least; so a page of a million events never costs more than
/// a few thousand rows, whatever is common, rare or absent.
/// </summary>
public sealed class EventSearch(NpgsqlDataSource database)
{
    private const int FirstWindow = 16;
    private const int LargestWindow = 2048;

    /// <summary>The streams of so few jobs are looked up rather than each event's job.</summary>
    private const int FewJobs = 200;

    private const string ReadTerms = "SELECT block, data FROM event_index WHERE term = ANY ($1) AND block BETWEEN $2 AND $3";

    private const string ReadPrefix =
        "SELECT block, string_agg(data, '') FROM event_index WHERE term >= $1 AND term < $2 AND block BETWEEN $3 AND $4 "
        + "GROUP BY block";

    private const string ReadJobs = "SELECT block, data FROM event_index WHERE term = 'job' AND block = ANY ($1)";

    private const string ReadTimes = "SELECT block, data FROM event_index WHERE term = 'time' AND block = ANY ($1)";

    private const string ReadSpans =
        "SELECT block, low, high FROM event_index WHERE term = 'span' AND block BETWEEN $1 AND $2 AND high >= $3 AND low < $4";

    private const string ReadStreams = "SELECT stream_id FROM mt_events WHERE seq_id = ANY ($1)";

    /// <summary>The queries, by what they read: tests look at how they are planned.</summary>
    internal static IReadOnlyDictionary<string, string> Queries { get; } = new Dictionary<string, string>
    {
        ["terms"] = ReadTerms, ["prefix"] = ReadPrefix, ["jobs"] = ReadJobs, ["times"] = ReadTimes,
        ["spans"] = ReadSpans, ["streams"] = ReadStreams,
    };

    public async Task<EventPage> FindAsync(EventFilter filter, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);

        // One view of the index, however it grows meanwhile.
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var indexed = await IndexedToAsync(connection, cancellationToken);
        var (first, last) = (Math.Max(filter.After, 0) + 1, Math.Min(filter.Before - 1, indexed));
        var found = first > last
            ? []
            : await new Walk(connection, filter, first, last, cancellationToken).FindAsync();
        var more = found.Count > filter.Limit;
        return new EventPage(more ? found[..filter.Limit] : found, more, indexed);
    }

    private static async Task<long> IndexedToAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT coalesce((SELECT last_seq_id FROM mt_event_progression WHERE name = 'event_index:All'), 0)", connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>One search.</summary>
    private sealed class Walk(
        NpgsqlConnection connection, EventFilter filter, long first, long last, CancellationToken cancellationToken)
    {
        /// <summary>Of each list one must stand at an event.</summary>
        private readonly List<string[]> _terms = [];

        /// <summary>Streams whose names begin so, read at once.</summary>
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

            await AddStreamAsync();
            return await WalkAsync();
        }

        private async Task AddStreamAsync()
        {
            switch (filter.Stream)
            {
                case null or "*":
                    break;
                case [.. var kind, '-', '*'] when !kind.Contains('-', StringComparison.Ordinal):
                    _terms.Add([EventTerms.Kind(kind)]);
                    break;
                case [.. var prefix, '*']:
                    _streams = await PrefixAsync(EventTerms.Stream(prefix), EventTerms.BlockOf(first));
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

            await using var command = new NpgsqlCommand(ReadSpans, connection);
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = EventTerms.BlockOf(first) });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = EventTerms.BlockOf(last) });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _from });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _to });
            _spans = [];
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                _spans[reader.GetInt32(0)] = reader.GetInt64(1) >= _from && reader.GetInt64(2) < _to;
            }

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
                if (!Restrict(await TermsAsync([term], 0, EventTerms.BlockOf(last))))
                {
                    return false;
                }
            }

            foreach (var word in words.Where(word => word.IsPrefix))
            {
                if (!Restrict(await PrefixAsync(EventTerms.Word(word.Word), 0)))
                {
                    return false;
                }
            }

            if (_jobs is { } jobs)
            {
                first = Math.Max(first, jobs.Positions().First());
                if (jobs.Count <= FewJobs)
                {
                    _terms.Add(await StreamsAsync([.. jobs.Positions()]));
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
            for (var size = FirstWindow; low <= high && found.Count <= filter.Limit; size = Math.Min(size * 2, LargestWindow))
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

            if (_streams is not null)
            {
                set.Keep(_streams);
            }

            foreach (var terms in _terms)
            {
                if (set.IsEmpty)
                {
                    return set;
                }

                set.Keep(await TermsAsync(terms, from, from + blocks - 1));
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

            await using var command = new NpgsqlCommand(ReadJobs, connection);
            var blocks = set.Blocks();
            command.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = blocks });
            await KeepAsync(set, blocks, command, (column, position) =>
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

            await using var command = new NpgsqlCommand(ReadTimes, connection);
            command.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = partly });
            await KeepAsync(set, partly, command, (column, position) =>
            {
                var at = EventTerms.OffsetOf(position) * 8;
                return at + 8 <= column.Length
                    && BinaryPrimitives.ReadInt64BigEndian(column.AsSpan(at)) is var time && time >= _from && time < _to;
            });
        }

        /// <summary>Keeps, of these blocks, the positions whose value in a column is as asked for.</summary>
        private async Task KeepAsync(PositionSet set, int[] blocks, NpgsqlCommand command, Func<byte[], long, bool> isSo)
        {
            var left = blocks.ToHashSet();
            await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
            {
                while (await reader.ReadAsync(cancellationToken))
                {
                    var (block, column) = (reader.GetInt32(0), reader.GetFieldValue<byte[]>(1));
                    left.Remove(block);
                    foreach (var position in set.PositionsOf(block).Where(position => !isSo(column, position)))
                    {
                        set.Remove(position);
                    }
                }
            }

            foreach (var position in left.SelectMany(set.PositionsOf).ToList())
            {
                set.Remove(position);
            }
        }

        private async Task<PositionSet> TermsAsync(string[] terms, int from, int to)
        {
            await using var command = new NpgsqlCommand(ReadTerms, connection);
            command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = terms });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = from });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = to });
            return await ReadAsync(command, from, to);
        }

        private async Task<PositionSet> PrefixAsync(string prefix, int from)
        {
            var to = EventTerms.BlockOf(last);
            await using var command = new NpgsqlCommand(ReadPrefix, connection);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = prefix });

            // The last character there is: what begins so sorts before it.
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = prefix + "\U0010FFFF" });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = from });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = to });
            return await ReadAsync(command, from, to);
        }

        private async Task<PositionSet> ReadAsync(NpgsqlCommand command, int from, int to)
        {
            var set = new PositionSet(from, Math.Max(to - from + 1, 0));
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                set.Add(reader.GetInt32(0), reader.GetFieldValue<byte[]>(1));
            }

            return set;
        }

        private async Task<string[]> StreamsAsync(long[] submissions)
        {
            await using var command = new NpgsqlCommand(ReadStreams, connection);
            command.Parameters.Add(new NpgsqlParameter
            {
                Value = submissions, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint,
            });
            var streams = new List<string>();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                streams.Add(EventTerms.Stream(reader.GetString(0)));
            }

            return [.. streams];
        }
    }
}
