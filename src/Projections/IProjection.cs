using MeshLedger.Domain.Events;
using Npgsql;

namespace MeshLedger.Projections;

/// <summary>
/// A read model: tables that the events alone determine. One instance folds for one reader; what it remembers between
/// batches is forgotten when somebody else has written in between.
/// </summary>
internal interface IProjection
{
    /// <summary>The table's name, and in <c>mt_event_progression</c> the name before <c>:All</c>.</summary>
    string Name { get; }

    /// <summary>Writes what <paramref name="events"/> change, in the connection's transaction.</summary>
    Task ApplyAsync(IReadOnlyList<RecordedEvent> events, NpgsqlConnection connection, CancellationToken cancellationToken);

    /// <summary>Forgets what is remembered from earlier batches.</summary>
    void Forget();
}
