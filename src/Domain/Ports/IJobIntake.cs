using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Ports;

/// <summary>The way in for jobs: what a transport may ask of the node.</summary>
public interface IJobIntake
{
    /// <summary>
    /// Submits a document. Returns once the submission is durable in the ledger, or was found there already, or was
    /// refused. Safe to call again with the same document after a crash: the same content is the same job.
    /// </summary>
    /// <param name="document">The document.</param>
    /// <param name="transport">The transport's name, such as <c>folder</c>.</param>
    /// <param name="cancellationToken">Stops waiting; the submission may still become durable.</param>
    Task<Submission> SubmitAsync(JobDocument document, string transport, CancellationToken cancellationToken);

    /// <summary>Waits until the job has ended and returns its result. Survives restarts of the node when called again.
    /// </summary>
    /// <exception cref="KeyNotFoundException">No such job in the ledger.</exception>
    Task<JobResult> ResultAsync(JobId jobId, CancellationToken cancellationToken);
}

/// <summary>What became of a submission.</summary>
public abstract record Submission
{
    private Submission()
    {
    }

    /// <summary>The job is in the ledger now.</summary>
    public sealed record Accepted(JobId JobId) : Submission;

    /// <summary>The same content, or the same idempotency key, was submitted before: <paramref name="AnsweredBy"/> is
    /// the job whose result answers. It equals the document's own id when the content is the same.</summary>
    public sealed record Duplicate(JobId AnsweredBy) : Submission;

    /// <summary>Not accepted; nothing was written. <paramref name="Code"/> is a stable word in upper case, such as
    /// <c>JOB_ID_TAKEN</c> or <c>INSUFFICIENT_MANA</c>.</summary>
    public sealed record Refused(string Code, string Message) : Submission;
}
