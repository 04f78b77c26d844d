using MeshLedger.Domain.Events;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger;

/// <summary>Requests that go to the database together: their streams with the versions that are assumed, and their
/// events with the versions that follow.</summary>
internal sealed class GroupPlan
{
    private readonly Dictionary<StreamId, long> _next = [];
    private readonly List<string> _streams = [];
    private readonly List<string> _kinds = [];
    private readonly List<long> _assumed = [];
    private readonly List<string> _streamOfEvent = [];
    private readonly List<long> _versionOfEvent = [];

    public List<PendingAppend> Pending { get; } = [];

    public bool Touched(StreamId stream) => _next.ContainsKey(stream);

    /// <summary>The version at which a stream stands after the requests so far.</summary>
    public long VersionOf(StreamId stream, Dictionary<StreamId, long> known, long otherwise) =>
        _next.TryGetValue(stream, out var next) ? next : known.TryGetValue(stream, out var version) ? version : otherwise;

    public void Add(PendingAppend pending, Dictionary<StreamId, long> known)
    {
        Pending.Add(pending);
        foreach (var signed in pending.Request.Events)
        {
            var stream = signed.Statement.Stream;
            if (!_next.TryGetValue(stream, out var next))
            {
                var assumed = known.TryGetValue(stream, out var version)
                    ? version
                    : pending.Request.Expected.GetValueOrDefault(stream);
                _streams.Add(stream.ToString());
                _kinds.Add(stream.Kind);
                _assumed.Add(assumed);
                next = assumed;
            }

            _next[stream] = ++next;
            _streamOfEvent.Add(stream.ToString());
            _versionOfEvent.Add(next);
        }
    }

    public void Fill(NpgsqlParameterCollection parameters, DateTimeOffset now)
    {
        var count = _streamOfEvent.Count;
        var ids = new Guid[count];
        var types = new string[count];
        var data = new string[count];
        var headers = new string[count];
        var correlations = new string?[count];
        var causations = new string?[count];
        var dotnetTypes = new string[count];
        var i = 0;
        foreach (var pending in Pending)
        {
            for (var e = 0; e < pending.Events.Length; e++)
            {
                var statement = pending.Request.Events[e].Statement;
                ids[i] = statement.Id.Value;
                types[i] = statement.Type;
                data[i] = pending.Events[e].Data;
                headers[i] = pending.Events[e].Headers;
                correlations[i] = pending.Request.Correlations?.GetValueOrDefault(statement.Stream);
                causations[i] = pending.Events[e].Causation;
                dotnetTypes[i] = EventCodec.DotnetTypeOf(statement.Type);
                i++;
            }
        }

        parameters.Add(Sequencer.Array(_streams.ToArray(), NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(_kinds.ToArray(), NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(_assumed.ToArray(), NpgsqlDbType.Bigint));
        parameters.Add(Sequencer.Array(_streams.ConvertAll(After).ToArray(), NpgsqlDbType.Bigint));
        parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = now, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        parameters.Add(Sequencer.Array(_streamOfEvent.ToArray(), NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(_versionOfEvent.ToArray(), NpgsqlDbType.Bigint));
        parameters.Add(Sequencer.Array(ids, NpgsqlDbType.Uuid));
        parameters.Add(Sequencer.Array(types, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(data, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(headers, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(correlations, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(causations, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(dotnetTypes, NpgsqlDbType.Text));
    }

    private long After(string stream) => _next[StreamId.Parse(stream)];

    /// <summary>The events as they now stand in the log, from <paramref name="first"/> on.</summary>
    public RecordedEvent[] Record(long first, DateTimeOffset now)
    {
        var recorded = new RecordedEvent[_versionOfEvent.Count];
        var i = 0;
        foreach (var pending in Pending)
        {
            foreach (var signed in pending.Request.Events)
            {
                recorded[i] = new RecordedEvent(signed, first + i, _versionOfEvent[i], now);
                i++;
            }
        }

        return recorded;
    }

    public void Remember(Dictionary<StreamId, long> known)
    {
        foreach (var (stream, next) in _next)
        {
            known[stream] = next;
        }
    }
}
