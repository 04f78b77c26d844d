using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Ledger;

/// <summary>A request and its answer to come.</summary>
internal sealed class PendingAppend(AppendRequest request, PreparedEvent[] events)
{
    public AppendRequest Request { get; } = request;

    /// <summary>The request's events as the database takes them.</summary>
    public PreparedEvent[] Events { get; } = events;

    public TaskCompletionSource<AppendOutcome> Answer { get; } =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The database has been asked since a conflict was first suspected.</summary>
    public bool Confirmed { get; set; }

    /// <summary>The streams that the database found elsewhere than this request expects them.</summary>
    public HashSet<StreamId> Refused { get; } = [];
}

/// <summary>What is sent of an event beside its stream and version.</summary>
internal readonly record struct PreparedEvent(string Data, string Headers, string? Causation)
{
    public static PreparedEvent Of(SignedEvent signed) => new(
        System.Text.Encoding.UTF8.GetString(signed.Statement.Data.Span),
        EventHeaders.Write(signed),
        signed.Statement.Cause?.ToString());
}
