using MeshLedger.Crypto;

namespace MeshLedger.Domain.Workers;

/// <summary>A registration as it stands in the ledger: who registered, the event's digest, and what it says.</summary>
public sealed record WorkerRegistration(Did Worker, Digest Digest, WorkerEvent.Registered Facts);
