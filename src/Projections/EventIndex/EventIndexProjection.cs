using System.Buffers.Binary;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Projections.EventIndex;

/// <summary>Where in the log each term stands: what <see cref="EventSearch"/> answers from.</summary>
internal sealed class EventIndexProjection : IProjection
{
    private const int MaxRemembered = 100_000;

    /// <summary>Where the jobs that have not ended were submitted; 0: nowhere.</summary>
    private readonly Dictionary<string, long> _submissions = [];

    public string Name => "event_index";

    public void Forget() => _submissions.Clear();

    public async Task ApplyAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await LoadSubmissionsAsync(events, connection, cancellationToken);
        var entries = new Dictionary<(string Term, int Block), Entry>();
        foreach (var recorded in events)
        {
            Add(entries, recorded);
        }

        await SaveAsync(entries, connection, cancellationToken);

        // Only now: what a worker says after its job has ended may stand in the same batch.
        foreach (var recorded in events)
        {
            if (recorded.Statement.Body is JobEvent.Completed or JobEvent.Failed or JobEvent.Cancelled)
            {
                _submissions.Remove(recorded.Statement.Stream.ToString());
            }
        }

        if (_submissions.Count > MaxRemembered)
        {
            _submissions.Clear();
        }
    }

    private void Add(Dictionary<(string Term, int Block), Entry> entries, RecordedEvent recorded)
    {
        var (statement, position) = (recorded.Statement, recorded.Position);
        var stream = statement.Stream.ToString();
        var (block, offset) = (EventTerms.BlockOf(position), EventTerms.OffsetOf(position));

        Entry At(string term)
        {
            if (!entries.TryGetValue((term, block), out var entry))
            {
                entries.Add((term, block), entry = new Entry(offset));
            }

            return entry;
        }

        At(EventTerms.Stream(stream)).AddOffset(offset);
        At(EventTerms.Kind(statement.Stream.Kind)).AddOffset(offset);
        At(EventTerms.Type(statement.Type)).AddOffset(offset);
        At(EventTerms.Author(statement.By.ToString())).AddOffset(offset);
        if (statement.Body is JobEvent.Submitted submitted)
        {
            _submissions[stream] = position;
            foreach (var term in EventTerms.Of(submitted))
            {
                At(term).AddOffset(offset);
            }
        }

        var job = _submissions.GetValueOrDefault(stream);
        At(EventTerms.Job).AddJob(offset, job == 0 || position - job >= uint.MaxValue ? 0 : (uint)(position - job + 1));
        At(EventTerms.Time).AddTime(offset, EventTimes.Of(statement.Time));
        At(EventTerms.Span).Stretch(EventTimes.Of(statement.Time));
    }

    /// <summary>A job's submission is the first event of its stream.</summary>
    private async Task LoadSubmissionsAsync(
        IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var unknown = events
            .Where(recorded => recorded.Statement.Body is JobEvent && recorded.Version > 1)
            .Select(recorded => recorded.Statement.Stream.ToString())
            .Except(events.Where(recorded => recorded.Version == 1).Select(recorded => recorded.Statement.Stream.ToString()))
            .Where(stream => !_submissions.ContainsKey(stream)).ToArray();
        if (unknown.Length == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(
            "SELECT stream_id, seq_id FROM mt_events WHERE stream_id = ANY ($1) AND version = 1", connection);
        command.AddColumn(unknown, stream => stream, NpgsqlDbType.Varchar);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            _submissions[reader.GetString(0)] = reader.GetInt64(1);
        }
    }

    private static async Task SaveAsync(
        Dictionary<(string Term, int Block), Entry> entries, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // Neighbours in the index are written together.
        var rows = entries.OrderBy(row => row.Key.Term, StringComparer.Ordinal).ThenBy(row => row.Key.Block).ToList();
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO event_index AS i (term, block, events, data, low, high)
                SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
                ON CONFLICT (term, block) DO UPDATE SET
                    events = i.events + excluded.events, data = i.data || excluded.data,
                    low = least(i.low, excluded.low), high = greatest(i.high, excluded.high)
            """,
            connection);
        command.AddColumn(rows, row => row.Key.Term, NpgsqlDbType.Text);
        command.AddColumn(rows, row => row.Key.Block, NpgsqlDbType.Integer);
        command.AddColumn(rows, row => row.Value.Events, NpgsqlDbType.Integer);
        command.AddColumn(rows, row => row.Value.Data, NpgsqlDbType.Bytea);
        command.AddColumn(rows, row => row.Value.Low, NpgsqlDbType.Bigint);
        command.AddColumn(rows, row => row.Value.High, NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>What a batch adds to one row.</summary>
    /// <param name="first">The offset in the block of the batch's first event that is in the row.</param>
    private sealed class Entry(int first)
    {
        private byte[] _data = new byte[8];
        private int _length;

        public int Events { get; private set; }

        public byte[] Data => _data[.._length];

        public long? Low { get; private set; }

        public long? High { get; private set; }

        public void AddOffset(int offset) => BinaryPrimitives.WriteUInt16BigEndian(Next(2, Events), (ushort)offset);

        /// <summary>A column has its values at their offsets, even where the log has a hole.</summary>
        public void AddJob(int offset, uint distance) =>
            BinaryPrimitives.WriteUInt32BigEndian(Next(4, offset - first), distance);

        public void AddTime(int offset, long time) =>
            BinaryPrimitives.WriteInt64BigEndian(Next(8, offset - first), time);

        public void Stretch(long time)
        {
            Events++;
            (Low, High) = (Math.Min(Low ?? time, time), Math.Max(High ?? time, time));
        }

        private Span<byte> Next(int size, int index)
        {
            _length = (index + 1) * size;
            Events++;
            if (_length > _data.Length)
            {
                Array.Resize(ref _data, Math.Max(_length, _data.Length * 2));
            }

            return _data.AsSpan(_length - size, size);
        }
    }
}

/// <summary>Times as the index holds them.</summary>
internal static class EventTimes
{
    public static long Of(DateTimeOffset time) => time.UtcTicks / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset Of(long time) => new(time * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero);
}
