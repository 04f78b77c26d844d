using MeshLedger.Crypto;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Bundles;

/// <summary>What does not hold.</summary>
/// <param name="Kind">A stable word, such as <c>bad_signature</c>.</param>
/// <param name="Place">The entry of the bundle.</param>
public sealed record BundleFault(string Kind, string Place, string Expected, string Found)
{
    public override string ToString() => $"{Kind}: {Place}: expected {Expected}; found {Found}";
}

/// <summary>What a verification of a bundle came to.</summary>
/// <param name="Log">The tree head, once its signature held; null otherwise.</param>
/// <param name="Key">Who signed it.</param>
/// <param name="Cosigned">The policy's witnesses that cosigned it, and when, in Unix seconds by their clocks.</param>
public sealed record BundleReport(
    BundlePolicy Policy,
    TreeHead? Log,
    NoteKey? Key,
    IReadOnlyList<VerifiedSignature> Cosigned,
    Did? Founder,
    int Events,
    IReadOnlyList<BundledBlob> Blobs,
    IReadOnlyList<BundledJob> Jobs,
    IReadOnlyList<BundleFault> Faults)
{
    /// <summary>The policy's key that stands behind <see cref="Key"/>: the same, or one from which the log was handed over.
    /// </summary>
    public NoteKey? TrustedKey { get; init; }

    /// <summary>How many lines of signatures under the tree head nobody checked: those by keys that the policy does not name,
    /// and a second one by one key.</summary>
    public int UncheckedSignatures { get; init; }

    /// <summary>True if everything that a bundle can prove was proven.</summary>
    public bool IsProven => Faults.Count == 0;
}

/// <summary>A job's events as they stand in the bundle, each signed by its author, held by the log, and legal.</summary>
/// <param name="Position">Of the submission.</param>
/// <param name="Versions">How many events of the job there are.</param>
/// <param name="EndPosition">Of its end; null where it has not ended.</param>
/// <param name="EndedBy">The node that said so.</param>
public sealed record BundledJob(
    JobId Job,
    JobStatus Status,
    Did Submitter,
    string Operation,
    DateTimeOffset SubmittedAt,
    long Position,
    Digest DocumentSha256,
    long Versions,
    IReadOnlyList<BundledReceipt> Receipts,
    long? EndPosition,
    Did? EndedBy,
    IReadOnlyList<BlobHash> MissingBlobs);

/// <summary>A worker's signed account of an attempt.</summary>
/// <param name="Name">What the worker calls itself.</param>
/// <param name="IsResult">True if the job ended with this as its result.</param>
public sealed record BundledReceipt(
    Did Worker,
    string? Name,
    long Position,
    Digest Digest,
    int Attempt,
    Receipt Receipt,
    bool IsAttested,
    bool IsResult,
    IReadOnlyList<Reexecution> Reexecutions);

/// <summary>Somebody signed that he ran the job again.</summary>
/// <param name="Agrees">True if he got what the receipt says.</param>
public sealed record Reexecution(Did By, bool Agrees, long Position);
