using System.Globalization;
using System.Text;
using System.Text.Json;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Machines;

namespace MeshLedger.Worker.Handlers;

/// <summary>
/// <c>system.sleep</c>: waits, and then ends as it was asked to; for trying things out. With an interval it writes the
/// line <c>NUMBER TIME ms</c> to <c>stdout</c> in every one. Output <c>result</c>: <c>{"slept_ms": milliseconds}</c>.
/// </summary>
public sealed class SleepHandler(TimeProvider time) : IOperationHandler
{
    private const string PayloadType = "system.sleep.v1";
    private const string DataPointer = "/payload/data";
    private const string FailPointer = DataPointer + "/fail";
    private const long MaxSeconds = 86_400;
    private const int Steps = 10;
    private const long MinIntervalMs = 10;

    public IReadOnlyList<string> Operations { get; } = ["system.sleep"];

    public HandlerNeeds Needs(JobDocument document) => HandlerNeeds.None;

    public async Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        cancellationToken.ThrowIfCancellationRequested();
        var reader = new PayloadReader();
        if (Read(context.Document, reader) is not { } asked)
        {
            return reader.ToResult(EchoHandler.Engine, EchoHandler.Version);
        }

        var written = new MemoryStream();
        var truncated = await SleepAsync(asked, context, written, cancellationToken);
        OperationOutput[] stdout = asked.Interval is null ? [] : [new("stdout", written.ToArray(), truncated)];
        var result = Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"{{\"slept_ms\": {(long)asked.Duration.TotalMilliseconds}}}"));
        return new OperationResult
        {
            EngineName = EchoHandler.Engine,
            EngineVersion = EchoHandler.Version,
            Error = asked.Failure,
            Outputs = asked.Failure is null ? [.. stdout, new OperationOutput("result", result, false)] : stdout,
        };
    }

    /// <summary>Returns whether there were more lines than are kept.</summary>
    private async Task<bool> SleepAsync(
        Asked asked, OperationContext context, MemoryStream written, CancellationToken cancellationToken)
    {
        var truncated = false;
        var lines = 0L;
        var step = 0;
        var start = time.GetTimestamp();
        context.Progress(new OperationProgress("sleeping", 0, "Sleeping"));
        while (step < Steps)
        {
            // Both are counted from the start, so that nothing adds up.
            var nextStep = asked.Duration * (step + 1) / Steps;
            var nextLine = asked.Interval * (lines + 1);
            var wait = (nextLine < nextStep ? nextLine.Value : nextStep) - time.GetElapsedTime(start);
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(Ceiling(wait), time, cancellationToken);
            }

            cancellationToken.ThrowIfCancellationRequested();
            var elapsed = time.GetElapsedTime(start);
            if (nextLine <= elapsed && nextLine <= asked.Duration)
            {
                lines++;
                truncated |= !Write(context, written, lines, nextLine.Value);
            }
            else if (nextStep <= elapsed)
            {
                step++;
                context.Progress(new OperationProgress("sleeping", step * 10_000 / Steps, "Sleeping"));
            }
        }

        return truncated;
    }

    private static bool Write(OperationContext context, MemoryStream written, long number, TimeSpan at)
    {
        var line = Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"{number} {(long)at.TotalMilliseconds} ms\n"));
        if (written.Length + line.Length > MicroVmRequest.DefaultOutputBytes)
        {
            return false;
        }

        written.Write(line);
        context.Output("stdout", line);
        return true;
    }

    // Timers count whole milliseconds, and one that is cut to none would be a loop.
    private static TimeSpan Ceiling(TimeSpan wait) => TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds));

    private static Asked? Read(JobDocument document, PayloadReader reader)
    {
        var data = document.PayloadData;
        if (document.PayloadType != PayloadType)
        {
            reader.Fault("/payload/type", $"'{PayloadType}'", $"'{document.PayloadType}'");
        }

        if (data.ValueKind != JsonValueKind.Object)
        {
            reader.Fault(DataPointer, "an object", data.ValueKind.ToString());
            return null;
        }

        var duration = reader.Seconds(data, DataPointer, "seconds", MaxSeconds);
        var interval = reader.Number(data, DataPointer, "output_interval_ms", MinIntervalMs, MaxSeconds * 1000);
        var failure = ReadFailure(data, reader);
        return reader.Faults.Count > 0
            ? null
            : new Asked(duration!.Value, interval is { } ms ? TimeSpan.FromMilliseconds(ms) : null, failure);
    }

    private static OperationError? ReadFailure(JsonElement data, PayloadReader reader)
    {
        if (reader.Member(data, DataPointer, "fail", JsonValueKind.Object) is not { } fail)
        {
            return null;
        }

        var code = reader.Text(fail, FailPointer, "code", required: true);
        if (code is not null && (code.Length is 0 or > 64 || code.AsSpan().ContainsAnyExcept(CodeCharacters)))
        {
            reader.Fault($"{FailPointer}/code", "1 to 64 characters from A-Z 0-9 _", $"'{code}'");
        }
        else if (code is not null && JobError.IsForNodes(code))
        {
            reader.Fault($"{FailPointer}/code", "a code that a worker may give", $"'{code}', which only nodes say");
        }

        var message = reader.Text(fail, FailPointer, "message", required: true);
        var recoverable = reader.Member(fail, FailPointer, "recoverable", JsonValueKind.True)?.GetBoolean() ?? false;
        return new OperationError(code ?? "", message ?? "", "sleeping", recoverable);
    }

    private static readonly System.Buffers.SearchValues<char> CodeCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    private sealed record Asked(TimeSpan Duration, TimeSpan? Interval, OperationError? Failure);
}
