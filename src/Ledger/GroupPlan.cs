using MeshLedger.Domain.Events;
using Npgsql;
using NpgsqlTypes;

namespace MeshLedger.Ledger;

/// <summary>Requests that go to the database together: their streams with the versions that are assumed, and their
/// events with their places in them.</summary>
internal sealed class GroupPlan
{
    /// <summary>What may come between a balance and what goes by it: it is never less afterwards.</summary>
    private static readonly string[] Passing = ["mana_paid", "mana_received", "mana_refunded"];

    private readonly Dictionary<StreamId, PlannedStream> _streams = [];
    private readonly List<PlannedStream> _order = [];
    private readonly List<PlannedStream> _streamOfEvent = [];
    private readonly List<long> _numberOfEvent = [];

    public List<PendingAppend> Pending { get; } = [];

    public bool Touched(StreamId stream) => _streams.ContainsKey(stream);

    /// <summary>The version at which a stream stands after the requests so far, as far as it is known.</summary>
    public long VersionOf(StreamId stream, Dictionary<StreamId, long> known, long otherwise) =>
        _streams.TryGetValue(stream, out var planned) ? planned.Base + planned.Count ?? otherwise
        : known.TryGetValue(stream, out var version) ? version : otherwise;

    public void Add(PendingAppend pending)
    {
        Pending.Add(pending);
        foreach (var (stream, expected) in pending.Request.Expected)
        {
            var planned = Of(stream);
            if (planned.Base is null)
            {
                planned.Base = expected - planned.Count;
                planned.IsTolerant = pending.Request.Tolerant.Contains(stream);
            }
        }

        foreach (var signed in pending.Request.Events)
        {
            var planned = Of(signed.Statement.Stream);
            planned.Count++;
            _streamOfEvent.Add(planned);
            _numberOfEvent.Add(planned.Count);
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

        parameters.Add(Sequencer.Array(_order.ConvertAll(stream => stream.Name).ToArray(), NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(_order.ConvertAll(stream => stream.Kind).ToArray(), NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(_order.ConvertAll(stream => stream.Base).ToArray(), NpgsqlDbType.Bigint));
        parameters.Add(Sequencer.Array(_order.ConvertAll(stream => stream.Count).ToArray(), NpgsqlDbType.Bigint));
        parameters.Add(Sequencer.Array(_order.ConvertAll(stream => stream.IsTolerant).ToArray(), NpgsqlDbType.Boolean));
        parameters.Add(Sequencer.Array(Passing, NpgsqlDbType.Text));
        parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = now, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        parameters.Add(Sequencer.Array(_streamOfEvent.ConvertAll(stream => stream.Name).ToArray(), NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(_streamOfEvent.ConvertAll(stream => stream.Place).ToArray(), NpgsqlDbType.Integer));
        parameters.Add(Sequencer.Array(_numberOfEvent.ToArray(), NpgsqlDbType.Bigint));
        parameters.Add(Sequencer.Array(ids, NpgsqlDbType.Uuid));
        parameters.Add(Sequencer.Array(types, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(data, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(headers, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(correlations, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(causations, NpgsqlDbType.Text));
        parameters.Add(Sequencer.Array(dotnetTypes, NpgsqlDbType.Text));
    }

    /// <summary>A stream stood elsewhere than assumed before the append.</summary>
    public void Correct(StreamId stream, long version) => _streams[stream].Base = version;

    /// <summary>The events as they now stand in the log, from <paramref name="first"/> on.</summary>
    public RecordedEvent[] Record(long first, DateTimeOffset now)
    {
        var recorded = new RecordedEvent[_numberOfEvent.Count];
        var i = 0;
        foreach (var pending in Pending)
        {
            foreach (var signed in pending.Request.Events)
            {
                recorded[i] = new RecordedEvent(signed, first + i, _streamOfEvent[i].Base!.Value + _numberOfEvent[i], now);
                i++;
            }
        }

        return recorded;
    }

    public void Remember(Dictionary<StreamId, long> known)
    {
        foreach (var (stream, planned) in _streams)
        {
            known[stream] = planned.Base!.Value + planned.Count;
        }
    }

    private PlannedStream Of(StreamId stream)
    {
        if (!_streams.TryGetValue(stream, out var planned))
        {
            planned = new PlannedStream(stream.ToString(), stream.Kind, _order.Count + 1);
            _streams.Add(stream, planned);
            _order.Add(planned);
        }

        return planned;
    }

    private sealed class PlannedStream(string name, string kind, int place)
    {
        public string Name => name;

        public string Kind => kind;

        /// <summary>From 1 on.</summary>
        public int Place => place;

        /// <summary>The version before the group; null: whatever it is.</summary>
        public long? Base { get; set; }

        public bool IsTolerant { get; set; }

        /// <summary>How many events of the group are its.</summary>
        public long Count { get; set; }
    }
}
