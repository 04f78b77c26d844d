using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Domain.Tests.Documents;

public sealed class JobDocumentBuilderTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly Ulid Id = new(Now, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

    [Fact]
    public void The_shortest_document_has_no_sections() => Assert.Equal(
        $$$$"""
        {"$schema":"https://guestkit.dev/schemas/job-v1.json","version":"1.0","job_id":"job-{{{{Id}}}}","created_at":"2026-11-21T12:00:00Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{"message":"grüße"}}}
        """,
        Encoding.UTF8.GetString(Echo().WithData(new { message = "grüße" }).Build(Now, Id).Bytes.Span));

    [Fact]
    public void Sections_hold_only_what_is_not_the_default()
    {
        var json = Encoding.UTF8.GetString(Echo()
            .WithData(1)
            .With(new JobExecution { Priority = 5, TimeoutSeconds = 60 })
            .With(new JobConstraints())
            .WithResources(new JobResources { MemoryMb = 512 })
            .Build(Now, Id).Bytes.Span);

        Assert.Contains("\"execution\":{\"timeout_seconds\":60},", json, StringComparison.Ordinal);
        Assert.Contains("\"market\":{\"resources\":{\"memory_mb\":512}}}", json, StringComparison.Ordinal);
        Assert.DoesNotContain("constraints", json, StringComparison.Ordinal);
    }

    [Fact]
    public void The_clock_and_the_id_source_give_time_and_id()
    {
        var job = Echo().WithData(JsonElement.Parse("null")).Build(TimeProvider.System, new UlidFactory(TimeProvider.System, b => b.Fill(1)));

        Assert.True(Ulid.TryParse(job.JobId.ToString().AsSpan(4), out _));
    }

    [Fact]
    public void All_faults_come_in_one_exception()
    {
        var builder = JobDocumentBuilder.For("echo", "echo.v1")
            .WithPriority(11)
            .WithTimeout(TimeSpan.Zero)
            .WithLabel("broken", "\ud800")
            .WithAnnotation("nul", "a\0b");

        var refusal = Assert.Throws<InvalidJobDocumentException>(() => builder.Build(Now, Id));

        Assert.Equal(
            [
                "/execution/priority", "/execution/timeout_seconds", "/metadata/annotations/nul",
                "/metadata/labels/broken", "/operation", "/payload/data", "/payload/type",
            ],
            refusal.Faults.Select(fault => fault.Pointer).Order(StringComparer.Ordinal));
        Assert.All(refusal.Faults, fault => Assert.Contains(fault.ToString(), refusal.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Payload_data_is_written_as_it_stands()
    {
        var data = JsonElement.Parse("""{ "n":1.50, "escaped":"\u0041", "big":1e400 }""");

        Assert.Equal(data.GetRawText(), Echo().WithData(data).Build(Now, Id).PayloadData.GetRawText());
        var twice = Echo().WithData(JsonElement.Parse("""{"a":1,"a":2}"""));
        Assert.Equal("/payload/data/a", Assert.Single(Assert.Throws<InvalidJobDocumentException>(() => twice.Build(Now, Id)).Faults).Pointer);
    }

    [Fact]
    public void Whatever_is_built_reads_back() => Prop.ForAll(
            Gen.Choose(0, int.MaxValue).ToArbitrary(),
            seed => ReadsBack(new Random(seed)))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    private static void ReadsBack(Random random)
    {
        var execution = new JobExecution
        {
            IdempotencyKey = Maybe(random, () => Text(random, 1)),
            MaxAttempts = random.Next(1, 101),
            TimeoutSeconds = random.Next(1, 604_801),
            Deadline = random.Next(2) == 0 ? null : Now.AddTicks(random.NextInt64(1L << 50)),
            Priority = random.Next(1, 11),
            RetryOn = List(random),
            Cancellable = random.Next(2) == 0,
        };
        execution = execution with { Attempt = random.Next(1, execution.MaxAttempts + 1) };
        var constraints = new JobConstraints
        {
            RequiredCapabilities = List(random),
            RequiredFeatures = List(random),
            MinimumWorkerVersion = Maybe(random, () => $"{random.Next()}.0.{random.Next()}-rc.{random.Next()}"),
            MaximumDiskSizeGb = random.Next(2) == 0 ? null : random.NextInt64(1L << 53),
            RequirePrivileged = random.Next(2) == 0,
            AllowedWorkerPools = List(random),
        };
        var routing = new JobRouting
        {
            WorkerId = Maybe(random, () => Text(random, 0)),
            Affinity = Map(random, () => Text(random, 0)),
            AntiAffinity = Map<IReadOnlyList<string>>(random, () => List(random)),
        };
        var market = new JobMarket
        {
            MaxPrice = random.Next(2) == 0 ? null : random.NextInt64(1, 1_000_000_000_001),
            Resources = new JobResources { CpuCores = random.Next(2) == 0 ? null : random.Next(1, 4097) },
            MinReputation = random.Next(2) == 0 ? null : random.NextInt64(1L << 53),
            TrustScope = Maybe(random, () => Text(random, 1)),
            Federations = List(random),
            BidWindowMs = random.Next(2) == 0 ? null : random.Next(600_001),
            Replicas = random.Next(1, 16),
            AdaptiveReplication = random.Next(2) == 0,
        };
        var observability = new JobObservability { TraceId = Maybe(random, () => Text(random, 0)) };
        var audit = new JobAudit
        {
            SubmittedBy = Maybe(random, () => Text(random, 0)),
            AuthorizationMethod = Text(random, 0),
            AuthorizationSubject = Text(random, 0),
        };
        var labels = Map(random, () => Text(random, 0));
        var name = Text(random, 0);
        var data = Text(random, 0);
        var createdAt = Now.AddTicks(random.NextInt64(1L << 50)).ToOffset(TimeSpan.FromMinutes(random.Next(-840, 841)));
        var builder = JobDocumentBuilder.For("guestkit.inspect", "guestkit.inspect.v1")
            .WithJobId(JobId.Parse($"test:{random.Next():D8}"))
            .WithName(name)
            .WithData(data)
            .With(execution)
            .With(constraints)
            .With(routing)
            .With(market)
            .With(observability)
            .With(audit);
        foreach (var (label, value) in labels)
        {
            builder.WithLabel(label, value);
        }

        var built = builder.Build(createdAt, Id);
        var read = JobDocumentReader.Read(built.Bytes).Document!;

        Assert.Equal(built.Sha256, read.Sha256);
        Assert.Equal(createdAt, read.CreatedAt);
        Assert.Equal(data, read.PayloadData.GetString());
        Assert.Equal(name, read.Metadata.Name);
        Assert.Equal(labels, read.Metadata.Labels);
        Assert.Equivalent(execution, read.Execution, strict: true);
        Assert.Equivalent(constraints, read.Constraints, strict: true);
        Assert.Equivalent(routing, read.Routing, strict: true);
        Assert.Equivalent(market, read.Market, strict: true);
        Assert.Equal(observability, read.Observability);
        Assert.Equal(audit, read.Audit);
    }

    private static JobDocumentBuilder Echo() => JobDocumentBuilder.For("system.echo", "system.echo.v1");

    private static string? Maybe(Random random, Func<string> text) => random.Next(2) == 0 ? null : text();

    private static List<string> List(Random random) =>
        Enumerable.Range(0, random.Next(4)).Select(_ => Text(random, 1)).ToList();

    private static Dictionary<string, T> Map<T>(Random random, Func<T> value)
    {
        var map = new Dictionary<string, T>(StringComparer.Ordinal);
        for (var entries = random.Next(4); entries > 0; entries--)
        {
            map[Text(random, 0)] = value();
        }

        return map;
    }

    private static string Text(Random random, int min) => string.Concat(
        random.GetItems(["a", "Z", "/", "~", "\"", "\\", "\n", "\u007f", "ä", "中", "𝄞", "\u2028", "<", "\uFFFD", "…"],
            random.Next(min, 12)));
}
