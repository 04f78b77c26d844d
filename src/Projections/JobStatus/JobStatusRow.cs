using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using Npgsql;

namespace MeshLedger.Projections.JobStatus;

/// <summary>A row of <c>job_status</c>.</summary>
internal sealed class JobStatusRow
{
    public required string JobId { get; init; }
    public string Status { get; private set; } = "";
    public string Operation { get; private set; } = "";
    public string Submitter { get; private set; } = "";
    public string Transport { get; private set; } = "";
    public long MaxPrice { get; private set; }
    public string DocumentSha256 { get; private set; } = "";
    public int Attempt { get; private set; }
    public int Bids { get; private set; }
    public string? Worker { get; private set; }
    public long? Price { get; private set; }
    public string? Phase { get; private set; }
    public int? ProgressBp { get; private set; }
    public string? Message { get; private set; }
    public string? ErrorCode { get; private set; }
    public string? ErrorMessage { get; private set; }
    public DateTimeOffset SubmittedAt { get; private set; }
    public DateTimeOffset? AssignedAt { get; private set; }
    public DateTimeOffset? StartedAt { get; private set; }
    public DateTimeOffset? EndedAt { get; private set; }
    public long Version { get; private set; }
    public long SubmittedPosition { get; private set; }
    public long Position { get; private set; }

    /// <summary>The columns that <see cref="Read"/> reads, in its order.</summary>
    public const string Columns =
        "job_id, status, operation, submitter, transport, max_price, document_sha256, attempt, bids, worker, price, "
        + "phase, progress_bp, message, error_code, error_message, submitted_at, assigned_at, started_at, ended_at, "
        + "version, submitted_position, position";

    public static JobStatusRow Read(NpgsqlDataReader reader)
    {
        T? Value<T>(int column) => reader.IsDBNull(column) ? default : reader.GetFieldValue<T>(column);
        return new JobStatusRow
        {
            JobId = reader.GetString(0),
            Status = reader.GetString(1),
            Operation = reader.GetString(2),
            Submitter = reader.GetString(3),
            Transport = reader.GetString(4),
            MaxPrice = reader.GetInt64(5),
            DocumentSha256 = reader.GetString(6),
            Attempt = reader.GetInt32(7),
            Bids = reader.GetInt32(8),
            Worker = Value<string>(9),
            Price = Value<long?>(10),
            Phase = Value<string>(11),
            ProgressBp = Value<int?>(12),
            Message = Value<string>(13),
            ErrorCode = Value<string>(14),
            ErrorMessage = Value<string>(15),
            SubmittedAt = reader.GetFieldValue<DateTimeOffset>(16),
            AssignedAt = Value<DateTimeOffset?>(17),
            StartedAt = Value<DateTimeOffset?>(18),
            EndedAt = Value<DateTimeOffset?>(19),
            Version = reader.GetInt64(20),
            SubmittedPosition = reader.GetInt64(21),
            Position = reader.GetInt64(22),
        };
    }

    /// <summary>Takes in the next event of the job.</summary>
    public void Apply(RecordedEvent recorded)
    {
        var statement = recorded.Statement;
        switch (statement.Body)
        {
            case JobEvent.Submitted submitted:
                Status = Domain.Jobs.JobStatus.Submitted.Name();
                Operation = submitted.Operation;
                Submitter = statement.By.ToString();
                Transport = submitted.Transport;
                MaxPrice = submitted.Terms.MaxPrice;
                DocumentSha256 = submitted.DocumentSha256.ToString();
                SubmittedAt = statement.Time;
                SubmittedPosition = recorded.Position;
                break;
            case JobEvent.BiddingOpened opened:
                Status = Domain.Jobs.JobStatus.BiddingOpen.Name();
                Attempt = opened.Attempt;
                break;
            case JobEvent.BidPlaced:
                Bids++;
                break;
            case JobEvent.BiddingClosed:
                Status = Domain.Jobs.JobStatus.BiddingClosed.Name();
                break;
            case JobEvent.Assigned assigned:
                Status = Domain.Jobs.JobStatus.Assigned.Name();
                Worker = assigned.Worker.ToString();
                Price = assigned.Price;
                AssignedAt = statement.Time;
                break;
            case JobEvent.ExecutionStarted:
                Status = Domain.Jobs.JobStatus.Executing.Name();
                StartedAt = statement.Time;
                break;
            case JobEvent.ProgressReported progress:
                (Phase, ProgressBp, Message) = (progress.Phase, progress.BasisPoints, progress.Message);
                break;
            case JobEvent.Completed:
                Status = Domain.Jobs.JobStatus.Completed.Name();
                EndedAt = statement.Time;
                ProgressBp = 10_000;
                break;
            case JobEvent.Failed failed:
                Status = Domain.Jobs.JobStatus.Failed.Name();
                (ErrorCode, ErrorMessage) = (failed.Error.Code, failed.Error.Message);
                EndedAt = statement.Time;
                break;
        }

        Version = recorded.Version;
        Position = recorded.Position;
    }
}
