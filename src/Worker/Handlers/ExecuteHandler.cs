using System.Text.Json;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Worker.Handlers;

/// <summary><c>vm.execute</c>: hands a program to what runs its format.</summary>
/// <param name="formats">What runs which format, the default first.</param>
internal sealed class ExecuteHandler(IReadOnlyList<(string Format, IOperationHandler Handler)> formats) : IOperationHandler
{
    public IReadOnlyList<string> Operations { get; } = [JobSubmission.ExecuteOperation];

    public IReadOnlyList<string> Capabilities { get; } =
        [.. formats.Select(one => JobSubmission.FormatCapability(one.Format))];

    public bool HasNeeds => true;

    public HandlerNeeds Needs(JobDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        return Of(document).Needs(document);
    }

    public bool IsDeterministic(JobDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        return Of(document).IsDeterministic(document);
    }

    public Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        return Of(context.Document).RunAsync(context, cancellationToken);
    }

    /// <summary>A format that nobody knows is a fault like others, told with them by whoever reads the payload.</summary>
    private IOperationHandler Of(JobDocument document) =>
        document.PayloadData.ValueKind == JsonValueKind.Object
        && document.PayloadData.TryGetProperty("format", out var format) && format.ValueKind == JsonValueKind.String
        && formats.FirstOrDefault(one => format.ValueEquals(one.Format)).Handler is { } handler
            ? handler
            : formats[0].Handler;
}
