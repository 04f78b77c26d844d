using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using Npgsql;

namespace MeshLedger.Projections.JobStatus;

/// <summary>A row of <c>job_status</c>.</summary>
internal sealed class JobStatusRow
{
    /// <summary>The annotation by which a job names the failed one that it runs again.</summary>
    private const string RedriveOf = "meshledger.redrive_of";

    public required string JobId { get; init; }
    public string Status { get; private set; } = "";
    public string Operation { get; private set; } = "";
    public string Submitter { get; private set; } = "";
    public string Transport { get; private set; } = "";
    public string? Namespace { get; private set; }
    public int Priority { get; private set; }
    public long MaxPrice { get; private set; }
    public string DocumentSha256 { get; private set; } = "";
    public string? RedrivenOf { get; private set; }
    public int Attempt { get; private set; }
    public int Failures { get; private set; }
    public int Losses { get; private set; }
    public int Bids { get; private set; }

    /// <summary>Of the attempt that was assigned last; the first is in <see cref="Worker"/>, too.</summary>
    public string[] Workers { get; private set; } = [];
    public string? Worker { get; private set; }

    /// <summary>Of all workers together, as they bid.</summary>
    public long? Price { get; private set; }

    /// <summary>Held now: 0 once the job has ended.</summary>
    public long? Escrow { get; private set; }
    public long? Paid { get; private set; }
    public long? Refunded { get; private set; }

    /// <summary>Of the first worker's run, while it is under way.</summary>
    public string? Phase { get; private set; }
    public int? ProgressBp { get; private set; }
    public long? EtaMs { get; private set; }
    public string? Message { get; private set; }
    public string? ErrorCode { get; private set; }
    public string? ErrorMessage { get; private set; }
    public string? CancelReason { get; private set; }
    public DateTimeOffset SubmittedAt { get; private set; }
    public DateTimeOffset? AssignedAt { get; private set; }
    public DateTimeOffset? StartedAt { get; private set; }
    public DateTimeOffset? RetryAt { get; private set; }
    public DateTimeOffset? EndedAt { get; private set; }
    public long Version { get; private set; }
    public long SubmittedPosition { get; private set; }
    public long Position { get; private set; }

    public static JobStatusRow Read(NpgsqlDataReader reader)
    {
        T? Value<T>(string column) =>
            reader.GetOrdinal(column) is var i && reader.IsDBNull(i) ? default : reader.GetFieldValue<T>(i);
        return new JobStatusRow
        {
            JobId = Value<string>("job_id")!,
            Status = Value<string>("status")!,
            Operation = Value<string>("operation")!,
            Submitter = Value<string>("submitter")!,
            Transport = Value<string>("transport")!,
            Namespace = Value<string>("namespace"),
            Priority = Value<int>("priority"),
            MaxPrice = Value<long>("max_price"),
            DocumentSha256 = Value<string>("document_sha256")!,
            RedrivenOf = Value<string>("redriven_of"),
            Attempt = Value<int>("attempt"),
            Failures = Value<int>("failures"),
            Losses = Value<int>("losses"),
            Bids = Value<int>("bids"),
            Workers = Value<string[]>("workers")!,
            Worker = Value<string>("worker"),
            Price = Value<long?>("price"),
            Escrow = Value<long?>("escrow"),
            Paid = Value<long?>("paid"),
            Refunded = Value<long?>("refunded"),
            Phase = Value<string>("phase"),
            ProgressBp = Value<int?>("progress_bp"),
            EtaMs = Value<long?>("eta_ms"),
            Message = Value<string>("message"),
            ErrorCode = Value<string>("error_code"),
            ErrorMessage = Value<string>("error_message"),
            CancelReason = Value<string>("cancel_reason"),
            SubmittedAt = Value<DateTimeOffset>("submitted_at"),
            AssignedAt = Value<DateTimeOffset?>("assigned_at"),
            StartedAt = Value<DateTimeOffset?>("started_at"),
            RetryAt = Value<DateTimeOffset?>("retry_at"),
            EndedAt = Value<DateTimeOffset?>("ended_at"),
            Version = Value<long>("version"),
            SubmittedPosition = Value<long>("submitted_position"),
            Position = Value<long>("position"),
        };
    }

    /// <summary>Takes in the next event of the job.</summary>
    public void Apply(RecordedEvent recorded)
    {
        var statement = recorded.Statement;
        switch (statement.Body)
        {
            case JobEvent.Submitted submitted:
                Submit(submitted, recorded);
                break;
            case JobEvent.BiddingOpened opened:
                Status = Domain.Jobs.JobStatus.BiddingOpen.Name();
                (Attempt, Bids, Escrow, RetryAt) = (opened.Attempt, 0, opened.Escrow, null);
                break;
            case JobEvent.BidPlaced:
                Bids++;
                break;
            case JobEvent.BiddingClosed:
                Status = Domain.Jobs.JobStatus.BiddingClosed.Name();
                break;
            case JobEvent.Assigned assigned:
                Status = Domain.Jobs.JobStatus.Assigned.Name();
                Workers = [.. assigned.Assignees.Select(assignee => assignee.Worker.ToString())];
                Worker = Workers[0];
                Price = assigned.Assignees.Sum(assignee => assignee.Price);
                (AssignedAt, StartedAt) = (statement.Time, null);
                (Phase, ProgressBp, EtaMs, Message) = (null, null, null, null);
                break;
            case JobEvent.ExecutionStarted:
                Status = Domain.Jobs.JobStatus.Executing.Name();
                StartedAt ??= statement.Time;
                break;
            case JobEvent.ProgressReported progress when statement.By.ToString() == Worker:
                (Phase, ProgressBp, EtaMs, Message) =
                    (progress.Phase, progress.BasisPoints, progress.EtaMs, progress.Message);
                break;
            case JobEvent.ReceiptIssued issued when !IsUnderWay():
                // The result of an attempt that was thought lost: it is under way again.
                Status = Domain.Jobs.JobStatus.Executing.Name();
                (Attempt, RetryAt) = (issued.Attempt, null);
                break;
            case JobEvent.AttemptEnded ended:
                Status = Domain.Jobs.JobStatus.Retrying.Name();
                var isLost = ended.Error.Code == JobError.LeaseLost;
                (Failures, Losses) = (Failures + (isLost ? 0 : 1), Losses + (isLost ? 1 : 0));
                (ErrorCode, ErrorMessage, RetryAt) = (ended.Error.Code, ended.Error.Message, ended.RetryAt);
                (Phase, ProgressBp, EtaMs, Message) = (null, null, null, null);
                break;
            case JobEvent.CancelRequested request:
                CancelReason = request.Reason;
                break;
            case JobEvent.Completed completed:
                End(Domain.Jobs.JobStatus.Completed, null, completed.Outcomes, completed.Refunded, statement.Time);
                ProgressBp = 10_000;
                break;
            case JobEvent.Failed failed:
                End(Domain.Jobs.JobStatus.Failed, failed.Error, failed.Outcomes, failed.Refunded, statement.Time);
                break;
            case JobEvent.Cancelled cancelled:
                End(Domain.Jobs.JobStatus.Cancelled, null, cancelled.Outcomes, cancelled.Refunded, statement.Time);
                break;
        }

        Version = recorded.Version;
        Position = recorded.Position;
    }

    private void Submit(JobEvent.Submitted submitted, RecordedEvent recorded)
    {
        Status = Domain.Jobs.JobStatus.Submitted.Name();
        Operation = submitted.Operation;
        Submitter = recorded.Statement.By.ToString();
        Transport = submitted.Transport;
        Namespace = submitted.Terms.Namespace;
        Priority = submitted.Terms.Priority;
        MaxPrice = submitted.Terms.MaxPrice;
        DocumentSha256 = submitted.DocumentSha256.ToString();
        SubmittedAt = recorded.Statement.Time;
        SubmittedPosition = recorded.Position;

        // Few documents have it, and reading one costs more than all else here.
        if (submitted.Document.Contains(RedriveOf, StringComparison.Ordinal))
        {
            RedrivenOf = JobDocumentReader.Read(System.Text.Encoding.UTF8.GetBytes(submitted.Document))
                .Document?.Metadata.Annotations.GetValueOrDefault(RedriveOf);
        }
    }

    private void End(
        Domain.Jobs.JobStatus status, JobError? error, ValueList<AttemptOutcome> outcomes, long refunded,
        DateTimeOffset time)
    {
        Status = status.Name();
        (ErrorCode, ErrorMessage) = (error?.Code, error?.Message);
        (Escrow, Paid, Refunded) = (0, outcomes.Sum(outcome => outcome.Paid), refunded);
        (Phase, EtaMs, Message) = (null, null, null);
        (RetryAt, EndedAt) = (null, time);
    }

    private bool IsUnderWay() =>
        Status == Domain.Jobs.JobStatus.Assigned.Name() || Status == Domain.Jobs.JobStatus.Executing.Name();
}
