namespace MeshLedger.Node;

/// <summary>How a node behaves.</summary>
public sealed class NodeOptions
{
    /// <summary>What people call the node.</summary>
    public string Name { get; set; } = "node";

    /// <summary>What a submitter's account is opened with, in mana.</summary>
    public long SubmitterGrant { get; set; } = 1_000_000;

    /// <summary>What a worker's account is opened with, in mana.</summary>
    public long WorkerGrant { get; set; }

    /// <summary>The highest price of a job whose document names none.</summary>
    public long DefaultMaxPrice { get; set; } = 100;

    /// <summary>How long bids are taken for a job whose document does not say.</summary>
    public TimeSpan DefaultBidWindow { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How often a node says that it and its workers are alive.</summary>
    public TimeSpan PresenceInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long after its last word a node or worker counts as gone; its jobs are looked after by others.
    /// </summary>
    public TimeSpan PresenceLimit { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long past its time limit an attempt may stay silent before the node ends it.</summary>
    public TimeSpan AttemptGrace { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a node that joins waits to be admitted.</summary>
    public TimeSpan AdmissionLimit { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Admit nodes that join by themselves. Who can write the database can join.</summary>
    public bool AdmitNodes { get; set; } = true;
}
