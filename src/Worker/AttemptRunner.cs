using System.Security.Cryptography;
using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Worker;

/// <summary>Runs one attempt from its assignment to its receipt.</summary>
internal sealed class AttemptRunner(
    Outbox outbox, EventAuthor author, BlobStore blobs, TimeProvider clock, ILogger log)
{
    /// <summary>An operation that stops by itself at the time limit says more about it than one that is cut off.</summary>
    internal static readonly TimeSpan TimeoutGrace = TimeSpan.FromSeconds(5);

    private static readonly string BuiltinVersion = typeof(AttemptRunner).Assembly.GetName().Version!.ToString(3);

    /// <summary>Returns once the attempt has ended and its receipt is on its way; the inner task ends when the ledger
    /// has the receipt, or refused it.</summary>
    /// <param name="closed">Cancelled when nobody wants the receipt any more; what runs is stopped then.</param>
    public async Task<Task> RunAsync(
        WorkerNotice.Assigned assigned, IOperationHandler? handler, CancellationToken closed, CancellationToken stopping)
    {
        if (closed.IsCancellationRequested)
        {
            return Task.CompletedTask;
        }

        var stream = StreamId.OfJob(assigned.JobId);
        if (assigned.Start is not { } start)
        {
            var started = author.State(new JobEvent.ExecutionStarted(assigned.Attempt), assigned.AssignmentDigest, stream);
            _ = outbox.PostAsync(started);
            start = started.Digest;
        }

        var progress = new ProgressReporter(assigned, body => outbox.PostAsync(author.State(body, start, stream)), clock);
        var checkpoints = new Checkpoints(
            assigned, blobs, body => outbox.PostAsync(author.State(body, start, stream)), log);
        var startedAt = clock.GetUtcNow();
        var began = clock.GetTimestamp();
        OperationResult result;
        await using (var output = new OutputStreamer(
            assigned, body => outbox.PostAsync(author.State(body, start, stream)), blobs, clock))
        {
            try
            {
                result = await ExecuteAsync(assigned, handler, progress, output, checkpoints, closed, stopping);
            }
            catch (OperationCanceledException) when (closed.IsCancellationRequested)
            {
                Log.AttemptClosed(log, assigned.JobId.ToString(), assigned.Attempt);
                return Task.CompletedTask;
            }
        }

        IReadOnlyList<ReceiptOutput> outputs = [];
        try
        {
            outputs = await KeepAsync(result.Outputs, stopping);
        }
        catch (IOException exception)
        {
            result = Failure("OUTPUT_NOT_KEPT", $"The outputs could not be kept: {exception.Message}", recoverable: true);
        }

        var receipt = new Receipt
        {
            Error = result.Error is { } error ? ErrorOf(error) : null,
            Engine = new EngineName(result.EngineName, result.EngineVersion),
            KernelSha256 = result.KernelSha256,
            Program = result.Program,
            ExitCode = result.ExitCode,
            Outputs = ValueList.From(outputs),
            StartedAt = startedAt,
            FinishedAt = clock.GetUtcNow(),
            DurationUs = (long)clock.GetElapsedTime(began).TotalMicroseconds,
            PeakMemoryBytes = result.PeakMemoryBytes,
            Guest = result.Guest,
        };
        return HandInAsync(assigned, receipt);
    }

    /// <summary>A receipt that cannot stand in the ledger is replaced by one that says why: without any, the attempt would
    /// be lost when its lease ends, and the worker would be the one that was silent.</summary>
    private async Task HandInAsync(WorkerNotice.Assigned assigned, Receipt receipt)
    {
        Statement statement;
        try
        {
            statement = State(receipt);
        }
        catch (FormatException exception)
        {
            statement = State(Plain(exception.Message));
        }

        if (await outbox.PostAsync(statement) is not { } refusal)
        {
            return;
        }

        Log.ReceiptRefused(log, assigned.JobId.ToString(), refusal.ToString());
        if (refusal.Code is "WRONG_ERROR" or "WRONG_OUTPUT" or "WRONG_NAME" or "WRONG_ENGINE" or "WRONG_GUEST"
                or "WRONG_CHECKPOINT" or "WRONG_ATTESTATION"
            && await outbox.PostAsync(State(Plain(refusal.ToString()))) is { } again)
        {
            Log.ReceiptRefused(log, assigned.JobId.ToString(), again.ToString());
        }

        Statement State(Receipt what) => author.State(
            author.IssueReceipt(assigned.Submission, assigned.AssignmentDigest, assigned.Attempt, what),
            assigned.AssignmentDigest,
            StreamId.OfJob(assigned.JobId));

        Receipt Plain(string why) => receipt with
        {
            Error = new JobError(
                "RECEIPT_REFUSED",
                Clean($"The run's receipt cannot stand in the ledger: {why}"),
                "execution",
                Recoverable: true),
            Engine = why.StartsWith("WRONG_ENGINE", StringComparison.Ordinal) ? new EngineName("builtin", BuiltinVersion) : receipt.Engine,
            Outputs = [],
            Guest = null,
        };
    }

    /// <summary>Whatever an operation says, a receipt has no code that is for nodes to say.</summary>
    private static JobError ErrorOf(OperationError error) => JobError.IsForNodes(error.Code)
        ? new JobError("EXECUTION_ERROR", Clean($"{error.Code}: {error.Message}"), error.Phase, error.Recoverable)
        : new JobError(error.Code, Clean(error.Message), error.Phase, error.Recoverable);

    private static async Task<OperationResult> ExecuteAsync(
        WorkerNotice.Assigned assigned, IOperationHandler? handler, ProgressReporter progress, OutputStreamer output,
        Checkpoints checkpoints, CancellationToken closed, CancellationToken stopping)
    {
        var operation = assigned.Submission.Operation;
        if (handler is null)
        {
            return Failure("OPERATION_UNSUPPORTED", $"This worker does not run {operation} any more.", recoverable: true);
        }

        if (JobDocumentReader.Read(Encoding.UTF8.GetBytes(assigned.Submission.Document)).Document is not { } document)
        {
            return Failure("VALIDATION_ERROR", "The job's document is not valid.", recoverable: false);
        }

        var seconds = assigned.Submission.Terms.TimeoutMs / 1000;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping, closed);
        limit.CancelAfter(TimeSpan.FromSeconds(seconds) + TimeoutGrace);
        try
        {
            var context = new OperationContext(document, progress.Report)
            {
                Output = output.Write,
                Checkpoints = checkpoints,
            };
            return await handler.RunAsync(context, limit.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested && !closed.IsCancellationRequested)
        {
            return Failure("TIMEOUT", $"Job exceeded timeout of {seconds} s", recoverable: true);
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested && !closed.IsCancellationRequested)
        {
            // Whatever an operation trips over is this attempt's failure, not the worker's.
            return Failure("EXECUTION_ERROR", $"{operation} failed: {exception.Message}", recoverable: true);
        }
    }

    internal static OperationResult Failure(string code, string message, bool recoverable) => new()
    {
        EngineName = "builtin",
        EngineVersion = BuiltinVersion,
        Error = new OperationError(code, message, "execution", recoverable),
    };

    private async Task<List<ReceiptOutput>> KeepAsync(
        IReadOnlyList<OperationOutput> outputs, CancellationToken cancellationToken)
    {
        var kept = new List<ReceiptOutput>(outputs.Count);
        foreach (var output in outputs)
        {
            var bytes = output.Bytes;
            string? text = null;
            string? base64 = null;
            BlobHash hash;
            if (bytes.Length > ReceiptOutput.MaxInline)
            {
                hash = await blobs.AddBytesAsync(bytes, cancellationToken);
            }
            else
            {
                hash = Blake3.Hash(bytes.Span);
                if (System.Text.Unicode.Utf8.IsValid(bytes.Span) && !bytes.Span.Contains((byte)0))
                {
                    text = Encoding.UTF8.GetString(bytes.Span);
                }
                else
                {
                    base64 = Convert.ToBase64String(bytes.Span);
                }
            }

            var sha256 = new Digest(SHA256.HashData(bytes.Span));
            kept.Add(new ReceiptOutput(output.Name, bytes.Length, hash, sha256, output.Truncated, text, base64));
        }

        return kept;
    }

    /// <summary>One line that any event can hold: at most 2,000 characters, no controls, no lone surrogates.</summary>
    internal static string Clean(string text)
    {
        var line = new StringBuilder(Math.Min(text.Length, 2000));
        foreach (var rune in text.EnumerateRunes())
        {
            if (line.Length >= 2000)
            {
                break;
            }

            line.Append(Rune.IsControl(rune) ? ' ' : rune.ToString());
        }

        return line.ToString();
    }
}

/// <summary>Turns an operation's progress into <c>progress_reported</c>: numbered, never falling, and at most one in 50
/// ms, so that a chatty operation does not fill the ledger.</summary>
internal sealed class ProgressReporter(
    WorkerNotice.Assigned assigned, Func<JobEvent.ProgressReported, Task> post, TimeProvider clock)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private long _sequence = assigned.Progress.Sequence;
    private int _basisPoints = assigned.Progress.BasisPoints;
    private readonly long _began = clock.GetTimestamp();
    private long? _last;

    public void Report(OperationProgress progress)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            if (_last is { } last && clock.GetElapsedTime(last, now) < Interval)
            {
                return;
            }

            _last = now;
            _basisPoints = Math.Clamp(progress.BasisPoints, _basisPoints, 10_000);
            _ = post(new JobEvent.ProgressReported(
                assigned.Attempt,
                ++_sequence,
                AttemptRunner.Clean(progress.Phase),
                _basisPoints,
                EtaMs(now),
                AttemptRunner.Clean(progress.Message)));
        }
    }

    /// <summary>What is left if it goes on as fast as it went, from a twentieth on.</summary>
    private long? EtaMs(long now) => _basisPoints is >= 500 and < 10_000
        ? (long)(clock.GetElapsedTime(_began, now).TotalMilliseconds * (10_000 - _basisPoints) / _basisPoints)
        : null;
}
