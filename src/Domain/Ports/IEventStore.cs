using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Ports;

/// <summary>The ledger: signed events in order, appended once, never changed.</summary>
public interface IEventStore
{
    /// <summary>
    /// Appends events, all or none, in the order given. Returns once they are durable. Every signature is verified
    /// first. Safe to repeat after any failure: an event id is appended once.
    /// </summary>
    Task<AppendOutcome> AppendAsync(AppendRequest request, CancellationToken cancellationToken);

    /// <summary>A stream's events in order, each verified; empty if there is no such stream.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    Task<IReadOnlyList<RecordedEvent>> LoadAsync(StreamId stream, CancellationToken cancellationToken);

    /// <summary>A stream's events after a version, in order, each verified.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    Task<IReadOnlyList<RecordedEvent>> LoadTailAsync(StreamId stream, long version, CancellationToken cancellationToken);

    /// <summary>The events of every stream of these kinds (<c>job</c>, <c>account</c>, <c>worker</c>, <c>node</c>,
    /// <c>ledger</c>, <c>key</c>, <c>federation</c>, <c>aid</c>), in log order, each verified.</summary>
    Task<IReadOnlyList<RecordedEvent>> LoadKindsAsync(IReadOnlyList<string> kinds, CancellationToken cancellationToken);

    /// <summary>The events of these types (wire names), in log order, each verified.</summary>
    /// <param name="since">Only those that the store took in at this time or later, by its own clock; null: all.</param>
    Task<IReadOnlyList<RecordedEvent>> LoadTypesAsync(
        IReadOnlyList<string> types, DateTimeOffset? since, CancellationToken cancellationToken);

    /// <summary>The streams of a kind whose last event is of none of <paramref name="endTypes"/>.</summary>
    Task<IReadOnlyList<StreamId>> OpenStreamsAsync(
        string kind, IReadOnlyList<string> endTypes, CancellationToken cancellationToken);

    /// <summary>The last position; 0 for an empty log.</summary>
    Task<long> HeadAsync(CancellationToken cancellationToken);

    /// <summary>All events after <paramref name="position"/> in log order, in batches, for ever: waits for more at the
    /// end. Each is verified, unless this process appended it.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    IAsyncEnumerable<IReadOnlyList<RecordedEvent>> FollowAsync(long position, CancellationToken cancellationToken);

    /// <summary>At most <paramref name="count"/> events after <paramref name="position"/>, in log order, as they are
    /// stored; not verified again.</summary>
    Task<IReadOnlyList<RecordedEvent>> ReadAfterAsync(long position, int count, CancellationToken cancellationToken);

    /// <summary>The same, each verified, unless this process appended it.</summary>
    /// <exception cref="InvalidHistoryException">What is stored is not what was signed.</exception>
    Task<IReadOnlyList<RecordedEvent>> ReadVerifiedAfterAsync(long position, int count, CancellationToken cancellationToken);
}

/// <summary>Events to append together.</summary>
/// <param name="Events">In log order.</param>
/// <param name="Expected">The version at which each of these streams must stand before; a stream that is not named
/// takes the events at whatever version it has.</param>
public sealed record AppendRequest(IReadOnlyList<SignedEvent> Events, IReadOnlyDictionary<StreamId, long> Expected)
{
    /// <summary>Streams of <see cref="Expected"/> that may have had payments and refunds since: those take nothing from
    /// an account's balance, so what was possible before is possible after them.</summary>
    public IReadOnlySet<StreamId> Tolerant { get; init; } = EmptySet;

    private static readonly HashSet<StreamId> EmptySet = [];

    /// <summary>Kept beside the events of these streams, for those who look for them by it.</summary>
    public IReadOnlyDictionary<StreamId, string>? Correlations { get; init; }
}

/// <summary>What became of an append.</summary>
public abstract record AppendOutcome
{
    private AppendOutcome()
    {
    }

    /// <summary>Durable. <paramref name="Before"/> is true when an earlier call had appended them already.</summary>
    public sealed record Appended(IReadOnlyList<RecordedEvent> Events, bool Before) : AppendOutcome;

    /// <summary>A stream was not at the expected version; nothing was appended.</summary>
    public sealed record Conflict(StreamId Stream, long Expected, long Actual) : AppendOutcome;

    /// <summary>An event is not what it claims to be; nothing was appended.</summary>
    public sealed record Rejected(Refusal Reason) : AppendOutcome;
}
