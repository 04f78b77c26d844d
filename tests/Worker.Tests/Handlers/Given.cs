using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker.Tests.Handlers;

/// <summary>Documents for handlers, and what they said on the way.</summary>
internal sealed class Given
{
    private readonly JobDocument _document;

    private Given(JobDocument document)
    {
        _document = document;
    }

    public List<OperationProgress> Progress { get; } = [];

    /// <summary>What came while the operation ran.</summary>
    public ConcurrentQueue<(string Name, byte[] Bytes)> Live { get; } = [];

    public JobDocument Document => _document;

    /// <summary>Where the operation may begin, and what it saves.</summary>
    public Checkpoints Checkpoints { get; init; } = Checkpoints.None;

    public static Given Job(string operation, string payloadType, string data, long timeoutSeconds = 60, Checkpoints? checkpoints = null) => new(
        new JobDocument
        {
            Bytes = Encoding.UTF8.GetBytes(data),
            Sha256 = Digest.OfBytes(Encoding.UTF8.GetBytes(data)),
            JobId = JobId.Parse("job-handlers-0001"),
            CreatedAt = DateTimeOffset.UnixEpoch,
            Operation = operation,
            PayloadType = payloadType,
            PayloadData = JsonDocument.Parse(data).RootElement,
            Execution = new JobExecution { TimeoutSeconds = timeoutSeconds },
        })
    {
        Checkpoints = checkpoints ?? Checkpoints.None,
    };

    public Task<OperationResult> RunAsync(IOperationHandler handler) => RunAsync(handler, CancellationToken.None);

    public async Task<OperationResult> RunAsync(IOperationHandler handler, CancellationToken cancellationToken)
    {
        var context = new OperationContext(_document, Progress.Add)
        {
            Output = (name, bytes) => Live.Enqueue((name, bytes.ToArray())),
            Checkpoints = Checkpoints,
        };
        var result = await handler.RunAsync(context, cancellationToken);
        Xunit.Assert.Equal(Progress.Select(step => step.BasisPoints).Order(), Progress.Select(step => step.BasisPoints));
        return result;
    }

    public string Heard(string output) =>
        Encoding.UTF8.GetString([.. Live.Where(piece => piece.Name == output).SelectMany(piece => piece.Bytes)]);

    public static string Text(OperationResult result, string output) =>
        Encoding.UTF8.GetString(result.Outputs.Single(entry => entry.Name == output).Bytes.Span);
}
