using System.Security.Cryptography;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker;

/// <summary>What came of running a job's document again, from its very beginning.</summary>
public sealed record Rerun
{
    public required OperationResult Result { get; init; }

    /// <summary>What a receipt of this run would say.</summary>
    public required RunClaims Claims { get; init; }

    /// <summary>By fuel, where the run was asked to stand still and came to.</summary>
    public required IReadOnlyDictionary<long, FoundState> States { get; init; }

    /// <summary>Whether everybody who runs this document gets the same.</summary>
    public required bool IsDeterministic { get; init; }

    public EngineName Engine => new(Result.EngineName, Result.EngineVersion);

    /// <summary>Why nothing follows from comparing a receipt with this run; null: it is to say the same.</summary>
    public string? WhyIncomparable(Receipt receipt)
    {
        ArgumentNullException.ThrowIfNull(receipt);
        if (!IsDeterministic)
        {
            return "the operation is not deterministic: outputs may depend on the machine, the time and chance";
        }

        if (Result.Error is { } here && !IsOfTheProgram(here.Code, here.Recoverable))
        {
            return $"the run here ended by {here.Code}, which says nothing of the program: {here.Message}";
        }

        if (receipt.Error is { } there && !IsOfTheProgram(there.Code, there.Recoverable))
        {
            return $"the receipt tells of {there.Code}, which says nothing of the program";
        }

        return receipt.Engine.Name != Result.EngineName
            ? $"it ran on {receipt.Engine.Name}, here on {Result.EngineName}"
            : receipt.Engine.Version != Result.EngineVersion && receipt.Guest?.FuelTable != Result.Guest?.FuelTable
                ? $"version {receipt.Engine.Version} of the engine counted fuel by table {receipt.Guest?.FuelTable}, this one by "
                    + $"{Result.Guest?.FuelTable}"
                : null;
    }

    /// <summary>Whether an error says something of the program, or only of the machine and the moment: then another run may
    /// end otherwise.</summary>
    private static bool IsOfTheProgram(string code, bool recoverable) =>
        !recoverable && code is not ("TIMEOUT" or "OPERATION_UNSUPPORTED" or "RECEIPT_REFUSED" or "OUTPUT_NOT_KEPT");
}

/// <summary>
/// Runs documents again, as an attempt would and with its limits, but tells nobody: no worker, no lease, no checkpoints.
/// </summary>
public sealed class Rerunner(HandlerTable handlers)
{
    /// <summary>Whether everybody who runs this document gets the same.</summary>
    /// <exception cref="FormatException">The document cannot be read, or nothing here runs its operation.</exception>
    public bool IsDeterministic(JobEvent.Submitted submission)
    {
        ArgumentNullException.ThrowIfNull(submission);
        var (document, handler) = Find(submission);
        return handler.IsDeterministic(document);
    }

    /// <param name="marks">The fuel at which a metered program is to stand still, rising.</param>
    /// <exception cref="FormatException">The document cannot be read, or nothing here runs its operation.</exception>
    public async Task<Rerun> RunAsync(
        JobEvent.Submitted submission, IReadOnlyList<long> marks, Action<OperationProgress> progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(submission);
        var (document, handler) = Find(submission);
        var places = new RunMarks(marks);
        var context = new OperationContext(document, progress) { Marks = places };
        var result = await RunAsync(handler, context, submission, cancellationToken);
        return new Rerun
        {
            Result = result,
            Claims = Claims(result),
            States = places.States,
            IsDeterministic = handler.IsDeterministic(document),
        };
    }

    private (JobDocument Document, IOperationHandler Handler) Find(JobEvent.Submitted submission) => (
        JobDocumentReader.Read(Encoding.UTF8.GetBytes(submission.Document)).Document
            ?? throw new FormatException("The job's document is not valid."),
        handlers.Find(submission.Operation) ?? throw new FormatException($"Nothing here runs {submission.Operation}."));

    private static async Task<OperationResult> RunAsync(
        IOperationHandler handler, OperationContext context, JobEvent.Submitted submission, CancellationToken cancellationToken)
    {
        var seconds = submission.Terms.TimeoutMs / 1000;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(seconds) + AttemptRunner.TimeoutGrace);
        try
        {
            return await handler.RunAsync(context, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return AttemptRunner.Failure("TIMEOUT", $"Job exceeded timeout of {seconds} s", recoverable: true);
        }
    }

    /// <summary>As an attempt's receipt would tell it.</summary>
    private static RunClaims Claims(OperationResult result) => new()
    {
        Error = result.Error?.Code,
        ExitCode = result.ExitCode,
        Outputs = RunClaims.Sorted(result.Outputs.Select(output => new ClaimedOutput(
            AttemptRunner.Clean(output.Name), output.Bytes.Length, Blake3.Hash(output.Bytes.Span),
            new Digest(SHA256.HashData(output.Bytes.Span)), output.Truncated))),
        Fuel = result.Guest?.Fuel,
        FuelTable = result.Guest?.FuelTable,
        Result = result.Guest?.Result,
        StateDigest = result.Guest?.StateDigest,
    };
}
