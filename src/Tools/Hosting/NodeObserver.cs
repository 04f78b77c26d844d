using MeshLedger.Crypto;
using MeshLedger.Ledger;
using MeshLedger.Node;
using MeshLedger.Observability;
using MeshLedger.Projections;
using MeshLedger.Tools.Cli;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Tools.Hosting;

/// <summary>Shows a node's parts to those who look on.</summary>
internal static class NodeObserver
{
    /// <exception cref="CommandFailure">The port of the metrics is taken.</exception>
    public static async Task<NodeObservation> StartAsync(
        ObservationOptions options, DataDirectory data, ILoggerFactory logs, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        try
        {
            return await NodeObservation.StartAsync(options, data.Root, logs, clock, cancellationToken);
        }
        catch (IOException exception)
        {
            throw new CommandFailure(
                ExitCodes.Failed,
                $"--metrics-port: {exception.Message} Choose another port, or 0 for any that is free.");
        }
    }

    public static ObservedNode Describe(
        PostgresEventStore store, NpgsqlDataSource database, NodeKeys keys, IReadOnlyCollection<Did> workers,
        TimeProvider clock, ILoggerFactory logs)
    {
        var projections = new ProjectionSet(store, database, clock, logs.CreateLogger<ProjectionSet>());
        return new ObservedNode(
            store, new PostgresPresence(database), keys.Node.Did,
            workers,
            async token => [.. (await projections.ListAsync(token)).Select(at => (at.Name, at.Position))]);
    }
}
