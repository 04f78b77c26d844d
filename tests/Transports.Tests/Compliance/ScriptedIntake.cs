using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Ports;

namespace MeshLedger.Transports.Tests.Compliance;

/// <summary>
/// A small intake that keeps the contract: the same content is the same job, another content under a taken id is
/// refused, an idempotency key is answered by the first job that had it. Lives as long as the object, or, with a
/// journal file of one line a job, as long as the file.
/// </summary>
public sealed class ScriptedIntake : IIntakeUnderTest, IJobIntake
{
    public const string FailingOperation = "test.fail";
    private readonly Lock _lock = new();
    private readonly Dictionary<JobId, Job> _jobs = [];
    private readonly Dictionary<string, JobId> _keys = [];
    private readonly ConcurrentDictionary<JobId, TaskCompletionSource> _submitted = new();
    private readonly FileStream? _journal;
    private volatile TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _calls;

    public ScriptedIntake(string? journal = null)
    {
        _gate.SetResult();
        if (journal is null)
        {
            return;
        }

        foreach (var line in File.Exists(journal) ? File.ReadLines(journal) : [])
        {
            var parts = line.Split(' ');
            Record(JobId.Parse(parts[0]), new Job(Digest.Parse(parts[1]), parts[2] == "ok"), null);
        }

        _journal = new FileStream(journal, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
    }

    public IJobIntake Intake => this;

    public int Jobs
    {
        get
        {
            lock (_lock)
            {
                return _jobs.Count;
            }
        }
    }

    /// <summary>How often a document was submitted, duplicates included.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Runs first in each submission; may throw, return a refusal, or note the time.</summary>
    public Func<JobDocument, Submission?>? OnSubmit { get; set; }

    /// <summary>Runs first in each wait for a result.</summary>
    public Action<JobId>? OnResult { get; set; }

    public byte[] Succeeding(JobId jobId, string content = "", string? idempotencyKey = null) =>
        Document(jobId, "system.echo", content, idempotencyKey);

    public byte[] Failing(JobId jobId) => Document(jobId, FailingOperation, "", null);

    public void Hold() => _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Release() => _gate.TrySetResult();

    public Task SubmittedAsync(JobId jobId) => Signal(jobId).Task.WaitAsync(Eventually.Deadline);

    public Task<Submission> SubmitAsync(JobDocument document, string transport, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Interlocked.Increment(ref _calls);
        if (OnSubmit?.Invoke(document) is { } scripted)
        {
            return Task.FromResult(scripted);
        }

        var key = document.Execution.IdempotencyKey;
        lock (_lock)
        {
            if (_jobs.TryGetValue(document.JobId, out var known))
            {
                return Task.FromResult<Submission>(known.Content == document.Sha256
                    ? new Submission.Duplicate(document.JobId)
                    : new Submission.Refused("JOB_ID_TAKEN", $"{document.JobId} is a job with other content."));
            }

            if (key is not null && _keys.TryGetValue(key, out var first))
            {
                return Task.FromResult<Submission>(new Submission.Duplicate(first));
            }

            var job = new Job(document.Sha256, document.Operation != FailingOperation);
            _journal?.Write(Encoding.ASCII.GetBytes(string.Create(
                CultureInfo.InvariantCulture, $"{document.JobId} {job.Content} {(job.Succeeds ? "ok" : "failed")}\n")));
            Record(document.JobId, job, key);
        }

        Signal(document.JobId).TrySetResult();
        return Task.FromResult<Submission>(new Submission.Accepted(document.JobId));
    }

    public async Task<JobResult> ResultAsync(JobId jobId, CancellationToken cancellationToken)
    {
        OnResult?.Invoke(jobId);
        await _gate.Task.WaitAsync(cancellationToken);
        lock (_lock)
        {
            return _jobs.TryGetValue(jobId, out var job)
                ? new JobResult(jobId, job.Succeeds, ResultText(jobId, job.Succeeds))
                : throw new KeyNotFoundException($"No job {jobId}.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        Release();
        if (_journal is not null)
        {
            await _journal.DisposeAsync();
        }
    }

    public static byte[] ResultText(JobId jobId, bool succeeds) => Encoding.UTF8.GetBytes(succeeds
        ? $$"""
            {
              "job_id": "{{jobId}}",
              "status": "completed"
            }

            """
        : $$"""
            {
              "job_id": "{{jobId}}",
              "status": "failed",
              "error": { "code": "EXECUTION_ERROR", "message": "It was asked to fail.", "recoverable": false }
            }

            """);

    private static byte[] Document(JobId jobId, string operation, string content, string? idempotencyKey) =>
        JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
        {
            ["version"] = "1.0",
            ["job_id"] = jobId.ToString(),
            ["created_at"] = "2026-11-21T00:00:00Z",
            ["kind"] = "VMOperation",
            ["operation"] = operation,
            ["execution"] = idempotencyKey is null
                ? new Dictionary<string, object>()
                : new Dictionary<string, object> { ["idempotency_key"] = idempotencyKey },
            ["payload"] = new Dictionary<string, object>
            {
                ["type"] = operation + ".v1",
                ["data"] = new Dictionary<string, object> { ["message"] = content },
            },
        });

    private void Record(JobId jobId, Job job, string? key)
    {
        _jobs.Add(jobId, job);
        if (key is not null)
        {
            _keys.Add(key, jobId);
        }
    }

    private TaskCompletionSource Signal(JobId jobId) => _submitted.GetOrAdd(
        jobId, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private sealed record Job(Digest Content, bool Succeeds);
}
