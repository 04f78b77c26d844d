using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Worker.Handlers;

/// <summary>Runs one kind of job. Handlers stand in one visible table, <c>HandlerTable</c>.</summary>
public interface IOperationHandler
{
    /// <summary>The operations it runs, such as <c>system.echo</c>.</summary>
    IReadOnlyList<string> Operations { get; }

    /// <summary>What it can beside, for jobs that ask for it.</summary>
    IReadOnlyList<string> Capabilities => [];

    /// <summary>
    /// What running this document takes of this machine, so that the worker can set it aside. Never throws: a payload
    /// that cannot be read counts with the operation's defaults, and its run will tell the fault.
    /// </summary>
    HandlerNeeds Needs(JobDocument document) => HandlerNeeds.None;

    /// <summary>
    /// Runs the job to its end. A guest's or an input's failure is a result that did not succeed, never an exception.
    /// Cancellation (time limit, worker stopping) ends everything that the handler started, and then throws
    /// <see cref="OperationCanceledException"/>.
    /// </summary>
    Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken);

    /// <summary>Whether whoever runs this document gets the same outputs, error and exit code, whatever the machine, as
    /// long as the run is not stopped by time.</summary>
    bool IsDeterministic(JobDocument document) => false;

    /// <summary>False if <see cref="Needs"/> is nothing for every document, so that nobody has to read one for it.</summary>
    bool HasNeeds => false;
}

/// <summary>Resources that a run takes.</summary>
public sealed record HandlerNeeds(long CpuCores, long MemoryMb, long StorageMb)
{
    public static HandlerNeeds None { get; } = new(0, 0, 0);

    /// <summary>The greater of each.</summary>
    public HandlerNeeds Most(HandlerNeeds other) => new(
        Math.Max(CpuCores, other.CpuCores), Math.Max(MemoryMb, other.MemoryMb), Math.Max(StorageMb, other.StorageMb));

    public HandlerNeeds Plus(HandlerNeeds other) =>
        new(CpuCores + other.CpuCores, MemoryMb + other.MemoryMb, StorageMb + other.StorageMb);

    public HandlerNeeds Minus(HandlerNeeds other) =>
        new(CpuCores - other.CpuCores, MemoryMb - other.MemoryMb, StorageMb - other.StorageMb);
}

/// <summary>What a handler is given.</summary>
/// <param name="Document">The job's document.</param>
/// <param name="Progress">Tells the ledger how far the attempt is; cheap, may be called often.</param>
public sealed record OperationContext(JobDocument Document, Action<OperationProgress> Progress)
{
    /// <summary>Takes the next bytes of an output, <c>stdout</c> or <c>stderr</c>, while the operation runs. All that
    /// was given of one is what the result keeps of it. May be called from any thread, one call at a time.</summary>
    public Action<string, ReadOnlyMemory<byte>> Output { get; init; } = static (_, _) => { };

    /// <summary>Where a run stands still to be compared with another; null: it is not compared, and may save its state.
    /// </summary>
    internal RunMarks? Marks { get; init; }

    /// <summary>Where the run may begin, and where it puts its state.</summary>
    public Checkpoints Checkpoints { get; init; } = Checkpoints.None;
}

/// <param name="Phase">A lower-case word, such as <c>boot</c>.</param>
/// <param name="BasisPoints">0 to 10000, never falling.</param>
/// <param name="Message">One line for people.</param>
public sealed record OperationProgress(string Phase, int BasisPoints, string Message);

/// <summary>How an attempt ended. <see cref="Error"/> is null exactly when it succeeded.</summary>
public sealed record OperationResult
{
    public OperationError? Error { get; init; }

    /// <summary>What ran: name and version, such as <c>qemu-microvm-tcg</c> <c>7.2.19</c>.</summary>
    public required string EngineName { get; init; }
    public required string EngineVersion { get; init; }

    /// <summary>SHA-256 of the kernel that booted, where there was one.</summary>
    public Digest? KernelSha256 { get; init; }

    /// <summary>The program that ran, where it was a blob.</summary>
    public BlobHash? Program { get; init; }
    public int? ExitCode { get; init; }

    /// <summary>The guest's peak resident memory, where the engine can tell.</summary>
    public long? PeakMemoryBytes { get; init; }

    /// <summary>What a metered guest came to.</summary>
    public GuestAccount? Guest { get; init; }
    public IReadOnlyList<OperationOutput> Outputs { get; init; } = [];
}

/// <param name="Code">Stable upper-case word: VALIDATION_ERROR, EXECUTION_ERROR, TIMEOUT, BLOB_NOT_FOUND, GUEST_FAILED...</param>
/// <param name="Message">One line for people: what happened, and what to do.</param>
/// <param name="Phase">The phase in which it happened.</param>
/// <param name="Recoverable">True if another attempt, here or elsewhere, may succeed.</param>
public sealed record OperationError(string Code, string Message, string Phase, bool Recoverable);

/// <summary>One output: stdout, stderr, a collected file, or the result data of an operation.</summary>
/// <param name="Name">As the document names it; unique in the result.</param>
/// <param name="Bytes">What was kept.</param>
/// <param name="Truncated">True if more came than the cap lets through.</param>
public sealed record OperationOutput(string Name, ReadOnlyMemory<byte> Bytes, bool Truncated);
