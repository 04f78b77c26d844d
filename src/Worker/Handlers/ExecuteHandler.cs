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
        return (Of(document) ?? formats[0].Handler).Needs(document);
    }

    public Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (Of(context.Document) is { } handler)
        {
            return handler.RunAsync(context, cancellationToken);
        }

        var reader = new PayloadReader();
        if (ProgramMembers.IsRead(context.Document, reader))
        {
            var expected = string.Join(" or ", formats.Select(one => $"'{one.Format}'"));
            var found = reader.Text(context.Document.PayloadData, ProgramMembers.DataPointer, "format", required: true);
            if (found is not null)
            {
                reader.Fault($"{ProgramMembers.DataPointer}/format", expected, $"'{found}'");
            }
        }

        return Task.FromResult(reader.ToResult(
            "builtin", typeof(ExecuteHandler).Assembly.GetName().Version!.ToString(3)));
    }

    private IOperationHandler? Of(JobDocument document) =>
        document.PayloadData.ValueKind == JsonValueKind.Object
        && document.PayloadData.TryGetProperty("format", out var format) && format.ValueKind == JsonValueKind.String
            ? formats.FirstOrDefault(one => format.ValueEquals(one.Format)).Handler
            : null;
}
