using MeshLedger.Domain.Aid;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Audit;

/// <summary>A match and the submission of its job stand together, in either order, and the job is what template and
/// request make.</summary>
internal sealed class AidMatches(AidBoard board)
{
    private readonly HashSet<JobId> _matched = [];
    private readonly Dictionary<JobId, (AidRequest Request, AidTemplate Template, long Position)> _expected = [];

    /// <summary>The matches whose job was never submitted.</summary>
    public IEnumerable<(StreamId Request, long Position, JobId Job)> Missing =>
        _expected.Select(pair => (pair.Value.Request.Stream, pair.Value.Position, pair.Key));

    /// <summary>A match that the board accepted.</summary>
    /// <param name="job">The job's state; null if it was not submitted yet.</param>
    /// <param name="isKnown">True if the job's stream has begun.</param>
    public Refusal? Take(StreamId request, AidEvent.Matched matched, JobState? job, bool isKnown, long position)
    {
        var (asked, template) = (board.Request(request)!, board.Template(matched.Template)!);
        if (!_matched.Add(matched.JobId) || (isKnown && job is not { Version: <= 2 }))
        {
            return new Refusal("WRONG_MATCH", $"job {matched.JobId} was submitted for something else");
        }

        if (job is not null)
        {
            return Compare(asked, template, matched.JobId, job.Submission);
        }

        _expected.Add(matched.JobId, (asked, template, position));
        return null;
    }

    /// <summary>A submission.</summary>
    public Refusal? Take(JobId job, JobEvent.Submitted submission) => _expected.Remove(job, out var match)
        ? Compare(match.Request, match.Template, job, submission)
        : null;

    private static Refusal? Compare(AidRequest request, AidTemplate template, JobId job, JobEvent.Submitted submission)
    {
        var document = JobDocumentReader.Read(System.Text.Encoding.UTF8.GetBytes(submission.Document)).Document;
        return document is not null
            && AidBoard.Fill(template, request, job, document.CreatedAt).Document?.Sha256 == submission.DocumentSha256
                ? null
                : new Refusal("WRONG_MATCH", $"the document of job {job} is not what template and request make");
    }
}
