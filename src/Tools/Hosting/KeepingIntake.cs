using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Tools.Hosting;

/// <summary>Before a job is submitted, the blobs that it names are asked to stay: a collection that is under way has not
/// seen the job among those that need them.</summary>
internal sealed class KeepingIntake(IJobIntake intake, BlobStore blobs) : IJobIntake
{
    public Task<Submission> SubmitAsync(JobDocument document, string transport, CancellationToken cancellationToken)
    {
        foreach (var hash in DocumentBlobs.Of(Encoding.UTF8.GetString(document.Bytes.Span)))
        {
            blobs.Stay(hash);
        }

        return intake.SubmitAsync(document, transport, cancellationToken);
    }

    public Task<JobResult> ResultAsync(JobId jobId, CancellationToken cancellationToken) =>
        intake.ResultAsync(jobId, cancellationToken);
}
