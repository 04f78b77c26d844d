using MeshLedger.Crypto;

namespace MeshLedger.Domain.Workers;

/// <summary>A registration as it stands in the ledger: who registered, the event's digest, and what it says.</summary>
public sealed record WorkerRegistration(Did Worker, Digest Digest, WorkerEvent.Registered Facts)
{
    /// <summary>The version of the worker's program; null if it is none.</summary>
    public SemanticVersion? Version { get; } =
        SemanticVersion.TryParse(Facts.Version, out var version) ? version : null;
}
