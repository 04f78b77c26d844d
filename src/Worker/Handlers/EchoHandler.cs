using System.Runtime.InteropServices;
using MeshLedger.Domain.Documents;

namespace MeshLedger.Worker.Handlers;

/// <summary>
/// Gives the payload's <c>data</c> back, to the byte as it was written. Output <c>result</c>:
/// <c>{"echo": data, "message": "Echo handler executed successfully"}</c>.
/// </summary>
public sealed class EchoHandler : IOperationHandler
{
    internal const string Engine = "builtin";

    public IReadOnlyList<string> Operations { get; } = ["system.echo", "test.echo"];

    internal static string Version { get; } = typeof(EchoHandler).Assembly.GetName().Version!.ToString(3);

    public HandlerNeeds Needs(JobDocument document) => HandlerNeeds.None;

    public bool IsDeterministic(JobDocument document) => true;

    public Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        cancellationToken.ThrowIfCancellationRequested();
        context.Progress(new OperationProgress("starting", 0, "Echo starts"));
        var data = JsonMarshal.GetRawUtf8Value(context.Document.PayloadData);
        context.Progress(new OperationProgress("processing", 5_000, "Echoing the payload"));
        cancellationToken.ThrowIfCancellationRequested();
        byte[] result = [.. "{\"echo\": "u8, .. data, .. ", \"message\": \"Echo handler executed successfully\"}"u8];
        context.Progress(new OperationProgress("completing", 10_000, "Echo is done"));
        return Task.FromResult(new OperationResult
        {
            EngineName = Engine,
            EngineVersion = Version,
            Outputs = [new OperationOutput("result", result, Truncated: false)],
        });
    }
}
