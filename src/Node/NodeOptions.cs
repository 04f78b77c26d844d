using MeshLedger.Domain.Jobs;

namespace MeshLedger.Node;

/// <summary>How a node behaves.</summary>
public sealed class NodeOptions
{
    /// <summary>What people call the node.</summary>
    public string Name { get; set; } = "node";

    /// <summary>Where the node's blobs are served, as other nodes reach it; null: nowhere.</summary>
    public string? BlobsUrl { get; set; }

    /// <summary>How mana comes into being, and how much of it may go out.</summary>
    public EconomyOptions Economy { get; set; } = new();

    /// <summary>How the node chooses among bids.</summary>
    public MarketOptions Market { get; set; } = new();

    /// <summary>Whether and when another attempt follows one that came to nothing.</summary>
    public RetryPolicy Retry { get; set; } = RetryPolicy.Default;

    /// <summary>How long a worker that runs an attempt may be silent before the attempt is lost.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long past its time limit an attempt may go on without a receipt before the node ends it.</summary>
    public TimeSpan AttemptGrace { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a job that no live worker could run waits for other workers before it fails.</summary>
    public TimeSpan WaitLimit { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How often a node says that it and its workers are alive.</summary>
    public TimeSpan PresenceInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long after its last word a node or worker counts as gone; its jobs are looked after by others.
    /// </summary>
    public TimeSpan PresenceLimit { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a node that joins waits to be admitted.</summary>
    public TimeSpan AdmissionLimit { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Admit nodes that join by themselves. Who can write the database can join.</summary>
    public bool AdmitNodes { get; set; } = true;
}

/// <summary>Whom a node chooses, and how long it listens to bids.</summary>
public sealed class MarketOptions
{
    /// <summary>One of <see cref="SelectionPolicy.Names"/>.</summary>
    public string Policy { get; set; } = SelectionPolicy.Default.Name;

    public SelectionWeights Weights { get; set; } = SelectionWeights.Default;

    /// <summary>Whether the submitter's own bid may win.</summary>
    public bool SubmitterMayBid { get; set; }

    /// <summary>The highest price of a job whose document names none.</summary>
    public long DefaultMaxPrice { get; set; } = 100;

    /// <summary>How many workers a busy market asks first for each worker that a job needs; 0: always all.</summary>
    public int AskFirst { get; set; } = 2;

    /// <summary>How long bids are taken for a job whose document does not say.</summary>
    public TimeSpan DefaultBidWindow { get; set; } = TimeSpan.FromMilliseconds(250);
}

/// <summary>Accounts and limits, in mana. A limit of 0 is none.</summary>
public sealed class EconomyOptions
{
    /// <summary>What a submitter's account is opened with.</summary>
    public long SubmitterGrant { get; set; } = 1_000_000;

    /// <summary>What a worker's account is opened with.</summary>
    public long WorkerGrant { get; set; }

    /// <summary>What the account that pays for mutual aid is opened with.</summary>
    public long PoolGrant { get; set; } = 100_000;

    /// <summary>What an account of an average owner grows by in a minute, up to <see cref="RegenerationCap"/>.</summary>
    public long RegenerationPerMinute { get; set; } = 10;

    public long RegenerationCap { get; set; } = 10_000;

    /// <summary>The most that may be held for one job.</summary>
    public long MaxEscrow { get; set; }

    /// <summary>For each submitter.</summary>
    public QuotaLimits PerSubmitter { get; set; } = new();

    /// <summary>For each namespace of documents that none of <see cref="Namespaces"/> names.</summary>
    public QuotaLimits PerNamespace { get; set; } = new();

    /// <summary>For a namespace by its name.</summary>
    public IReadOnlyDictionary<string, QuotaLimits> Namespaces { get; set; } = new Dictionary<string, QuotaLimits>();
}

/// <summary>How much somebody may ask for. 0: no limit.</summary>
public sealed class QuotaLimits
{
    /// <summary>Jobs that have not ended.</summary>
    public long OpenJobs { get; set; }

    /// <summary>Submissions in any 60 seconds.</summary>
    public long JobsPerMinute { get; set; }

    /// <summary>Mana held in any 24 hours.</summary>
    public long ManaPerDay { get; set; }

    internal bool IsNone => OpenJobs == 0 && JobsPerMinute == 0 && ManaPerDay == 0;
}
