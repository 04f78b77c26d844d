using MeshLedger.Domain.Ports;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Projections;

/// <summary>How far a projection is behind the log.</summary>
public sealed record ProjectionPosition(string Name, long Position, long Head);

/// <summary>All projections, kept up while it runs.</summary>
public sealed class ProjectionSet(
    IEventStore store, NpgsqlDataSource database, TimeProvider clock, ILogger<ProjectionSet> log)
{
    /// <summary>The names: <c>job_status</c>, <c>worker_reputation</c>, <c>accounts</c>.</summary>
    public static IReadOnlyList<string> Names { get; } = ["job_status", "worker_reputation", "accounts"];

    /// <summary>Keeps every projection up with the log until cancelled.</summary>
    public Task RunAsync(CancellationToken stopping)
    {
        _ = (store, database, clock, log);
        throw new NotSupportedException();
    }

    /// <summary>Brings every projection up to the log's head as it is now.</summary>
    public Task CatchUpAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Empties a projection and builds it again from the first event.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="progress">Gets the position reached.</param>
    public Task RebuildAsync(string name, IProgress<long>? progress, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<IReadOnlyList<ProjectionPosition>> ListAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}
