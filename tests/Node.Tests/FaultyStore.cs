using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Node.Tests;

/// <summary>A real store whose next append of an event of one type fails towards its caller, be it before or after it was
/// made durable.</summary>
internal sealed class FaultyStore(IEventStore inner) : IEventStore
{
    private readonly Lock _lock = new();
    private string? _type;
    private bool _isPersisted;

    /// <summary>How many appends have failed.</summary>
    public int Failures { get; private set; }

    /// <summary>The next append that holds an event of this type fails.</summary>
    public void FailNext(string type, bool isPersisted)
    {
        lock (_lock)
        {
            (_type, _isPersisted) = (type, isPersisted);
        }
    }

    public async Task<AppendOutcome> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        bool fails;
        bool isPersisted;
        lock (_lock)
        {
            fails = _type is not null && request.Events.Any(one => one.Statement.Type == _type);
            isPersisted = _isPersisted;
            if (fails)
            {
                _type = null;
                Failures++;
            }
        }

        if (!fails || isPersisted)
        {
            var outcome = await inner.AppendAsync(request, cancellationToken);
            if (!fails)
            {
                return outcome;
            }
        }

        throw new IOException($"The connection was lost {(isPersisted ? "after" : "before")} the commit.");
    }

    public Task<IReadOnlyList<RecordedEvent>> LoadAsync(StreamId stream, CancellationToken cancellationToken) =>
        inner.LoadAsync(stream, cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> LoadTailAsync(
        StreamId stream, long version, CancellationToken cancellationToken) =>
        inner.LoadTailAsync(stream, version, cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> LoadKindsAsync(
        IReadOnlyList<string> kinds, CancellationToken cancellationToken) => inner.LoadKindsAsync(kinds, cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> LoadTypesAsync(
        IReadOnlyList<string> types, DateTimeOffset? since, CancellationToken cancellationToken) =>
        inner.LoadTypesAsync(types, since, cancellationToken);

    public Task<IReadOnlyList<StreamId>> OpenStreamsAsync(
        string kind, IReadOnlyList<string> endTypes, CancellationToken cancellationToken) =>
        inner.OpenStreamsAsync(kind, endTypes, cancellationToken);

    public Task<long> HeadAsync(CancellationToken cancellationToken) => inner.HeadAsync(cancellationToken);

    public IAsyncEnumerable<IReadOnlyList<RecordedEvent>> FollowAsync(long position, CancellationToken cancellationToken) =>
        inner.FollowAsync(position, cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> ReadAfterAsync(
        long position, int count, CancellationToken cancellationToken) =>
        inner.ReadAfterAsync(position, count, cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> ReadVerifiedAfterAsync(
        long position, int count, CancellationToken cancellationToken) =>
        inner.ReadVerifiedAfterAsync(position, count, cancellationToken);
}
