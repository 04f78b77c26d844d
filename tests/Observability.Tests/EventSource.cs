using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Observability.Tests;

/// <summary>Events as a store gives them, of any type, also of those that the domain does not know.</summary>
internal sealed class EventSource
{
    private readonly Dictionary<StreamId, long> _versions = [];
    private long _position;

    public static readonly DateTimeOffset Start = new(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);

    public Did Node { get; } = SigningKey.Generate().Did;

    public Did Worker { get; } = SigningKey.Generate().Did;

    public RecordedEvent Job(string type, double seconds, object data, Did? by = null, string job = "some-job-0001") =>
        Say(StreamId.OfJob(JobId.Parse(job)), type, seconds, data, by ?? Node);

    public RecordedEvent Say(StreamId stream, string type, double seconds, object data, Did? by = null)
    {
        var time = Start.AddSeconds(seconds);
        var statement = Statement.Create(
            by ?? Node, null, JsonSerializer.SerializeToUtf8Bytes(data), EventId.New(time), stream, time, type);
        var version = _versions[stream] = _versions.GetValueOrDefault(stream) + 1;
        return new RecordedEvent(
            new SignedEvent(statement, new byte[64], null), ++_position, version, time.AddSeconds(0.25));
    }
}
