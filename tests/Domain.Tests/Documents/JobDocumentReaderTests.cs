using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using static MeshLedger.Domain.Tests.Documents.JobDocumentSamples;

namespace MeshLedger.Domain.Tests.Documents;

public sealed class JobDocumentReaderTests
{
    [Fact]
    public void The_samples_are_valid()
    {
        Assert.Equal(["echo-test.json", "inspect-full.json", "inspect-minimal.json"], Files.Select(file => file.Name));
        Assert.All(Files, file => Assert.Empty(JobDocumentReader.Read(file.Bytes).Faults));
    }

    [Fact]
    public void Every_member_is_read()
    {
        var job = Valid(Full);

        Assert.Equal("job-01JAB3Y7X5K4M8F9W2T6QZ0RSN", job.JobId.ToString());
        Assert.Equal(new DateTimeOffset(2026, 1, 30, 9, 0, 0, 250, TimeSpan.Zero), job.CreatedAt);
        Assert.Equal(TimeSpan.Zero, job.CreatedAt.Offset);
        Assert.Equal(("guestkit.inspect", "guestkit.inspect.v1"), (job.Operation, job.PayloadType));
        Assert.Equal("qcow2", job.PayloadData.GetProperty("image").GetProperty("format").GetString());
        Assert.Equal(Digest.OfBytes(Encoding.UTF8.GetBytes(Full)), job.Sha256);

        Assert.Equal(("scan", "production"), (job.Metadata.Name, job.Metadata.Namespace));
        Assert.Equal("platform", Assert.Single(job.Metadata.Labels).Value);
        Assert.Equal("INC-12345", job.Metadata.Annotations["ticket"]);

        Assert.Equal(["TIMEOUT"], job.Execution.RetryOn);
        Assert.Equal(
            new JobExecution
            {
                IdempotencyKey = "weekly-scan-2026-w04",
                Attempt = 2,
                MaxAttempts = 3,
                TimeoutSeconds = 7200,
                Deadline = new DateTimeOffset(2026, 1, 30, 14, 0, 0, TimeSpan.Zero),
                Priority = 7,
                Cancellable = false,
            },
            job.Execution with { RetryOn = [] });

        Assert.Equal(["guestkit.inspect", "disk.qcow2"], job.Constraints.RequiredCapabilities);
        Assert.Equal(["lvm"], job.Constraints.RequiredFeatures);
        Assert.Equal(
            ("0.4.0-rc.1+b.2", 1000, true),
            (job.Constraints.MinimumWorkerVersion, job.Constraints.MaximumDiskSizeGb, job.Constraints.RequirePrivileged));
        Assert.Equal(["pool-secure", "pool-prod"], job.Constraints.AllowedWorkerPools);

        Assert.Equal(("worker-7", "pool-prod"), (job.Routing.WorkerId, job.Routing.WorkerPool));
        Assert.Equal("/mnt/vms", job.Routing.Affinity["disk_locality"]);
        Assert.Equal(["r1", "r2"], job.Routing.AntiAffinity["rack"]);

        Assert.Equal((500, 10, "acme", 250, 3, true), (
            job.Market.MaxPrice, job.Market.MinReputation, job.Market.TrustScope, job.Market.BidWindowMs,
            job.Market.Replicas, job.Market.AdaptiveReplication));
        Assert.Equal(new JobResources { CpuCores = 2, MemoryMb = 2048, StorageMb = 10000 }, job.Market.Resources);
        Assert.Equal(["north", "south"], job.Market.Federations);

        Assert.Equal(
            new JobObservability { TraceId = "t-1", SpanId = "s-2", ParentSpanId = "s-1", CorrelationId = "c-1" },
            job.Observability);
        Assert.Equal(
            new JobAudit
            {
                SubmittedBy = "api",
                SubmittedFrom = "10.0.1.50",
                AuthorizationMethod = "bearer_token",
                AuthorizationSubject = "scanner",
            },
            job.Audit);
    }

    [Fact]
    public void What_is_left_out_has_its_default()
    {
        var job = Valid(Minimal);

        Assert.Equivalent(new JobExecution(), job.Execution, strict: true);
        Assert.Equal((1, 1, 3600, 5, true), (
            job.Execution.Attempt, job.Execution.MaxAttempts, job.Execution.TimeoutSeconds, job.Execution.Priority,
            job.Execution.Cancellable));
        Assert.Empty(job.Metadata.Labels);
        Assert.Empty(job.Constraints.RequiredCapabilities);
        Assert.False(job.Constraints.RequirePrivileged);
        Assert.Equal(new JobResources(), job.Market.Resources);
        Assert.Equal(System.Text.Json.JsonValueKind.Null, job.PayloadData.ValueKind);
    }

    [Fact]
    public void Null_says_absent_for_optional_members_and_sections()
    {
        var job = Valid(Minimal[..^1] + """
            ,"$schema":null,"metadata":null,"constraints":{"required_features":null,"require_privileged":null},
            "routing":{"anti_affinity":null},"market":{"resources":null,"max_price":null},"observability":null,
            "audit":{"authorization":null},"execution":{"idempotency_key":null,"deadline":null,"retry_on":null}}
            """);

        Assert.Equivalent(new JobExecution(), job.Execution, strict: true);
        Assert.Empty(job.Constraints.RequiredFeatures);
    }

    [Fact]
    public void Unknown_members_are_kept_byte_for_byte()
    {
        const string json = " \n" + """
            { "version" : "1.0","x-new":{"a":[1.50,1e2]}, "job_id":"echo\u002dtest-001","created_at":"2026-01-30T16:00:00Z",
              "kind":"VMOperation","operation":"system.echo","execution":{"x":null,"\u0070riority":9},
              "payload":{"type":"system.echo.v1","data":[],"compress":true} }
            """ + "\n";
        var job = Valid(json);

        Assert.Equal(json, Encoding.UTF8.GetString(job.Bytes.Span));
        Assert.Equal("echo-test-001", job.JobId.ToString());
        Assert.Equal(9, job.Execution.Priority);
    }

    [Fact]
    public void The_document_does_not_share_the_callers_buffer()
    {
        var buffer = Encoding.UTF8.GetBytes(Full);
        var job = JobDocumentReader.Read(buffer).Document!;
        Array.Clear(buffer);

        Assert.Equal(Full, Encoding.UTF8.GetString(job.Bytes.Span));
        Assert.Equal("/vms/web.qcow2", job.PayloadData.GetProperty("image").GetProperty("path").GetString());
    }

    [Theory]
    [InlineData("60", 60)]
    [InlineData("60.0", 60)]
    [InlineData("6e1", 60)]
    [InlineData("6000E-2", 60)]
    [InlineData("0.6e+2", 60)]
    [InlineData("0.00000000000000000000000000000006e33", 60)]
    public void An_integer_is_a_number_without_a_fraction_however_it_is_written(string number, long value) =>
        Assert.Equal(value, Valid(WithExecution($"\"timeout_seconds\":{number}")).Execution.TimeoutSeconds);

    [Theory]
    [InlineData("2026-01-30T16:00:00Z", "2026-01-30T16:00:00.0000000+00:00")]
    [InlineData("2026-01-30t16:00:00z", "2026-01-30T16:00:00.0000000+00:00")]
    [InlineData("2026-01-30T16:00:00.123456789Z", "2026-01-30T16:00:00.1234567+00:00")]
    [InlineData("2024-02-29T00:30:00+23:59", "2024-02-28T00:31:00.0000000+00:00")]
    [InlineData("2026-01-30T16:00:00-00:00", "2026-01-30T16:00:00.0000000+00:00")]
    [InlineData("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000+00:00")]
    public void Timestamps_are_read_to_utc(string text, string expected) => Assert.Equal(
        expected,
        Valid(WithExecution($"\"deadline\":\"{text}\"")).Execution.Deadline!.Value.ToString("O"));

    [Fact]
    public void Characters_are_counted_not_their_code_units()
    {
        var key = string.Concat(Enumerable.Repeat("𝄞", 512));

        Assert.Equal(key, Valid(WithExecution($"\"idempotency_key\":\"{key}\"")).Execution.IdempotencyKey);
        Assert.False(Read(WithExecution($"\"idempotency_key\":\"{key}x\"")).IsValid);
    }

    private static string WithExecution(string members) => $"{Minimal[..^1]},\"execution\":{{{members}}}}}";

    private static JobDocument Valid(string json)
    {
        var reading = Read(json);
        Assert.Empty(reading.Faults);
        return reading.Document!;
    }
}
