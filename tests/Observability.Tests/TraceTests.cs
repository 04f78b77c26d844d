using System.Net;
using System.Net.Sockets;
using MeshLedger.EndToEnd.Tests;

namespace MeshLedger.Observability.Tests;

public sealed class TraceTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Span = "00f067aa0ba902b7";

    private static readonly string[] Parts = ["job.submission", "job.bidding", "job.queue", "job.execution", "job.settlement"];

    [Fact]
    public async Task Each_job_is_one_trace_below_the_span_that_its_document_names()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var node = await TestNode.StartAsync("--otlp", collector.Url))
        {
            node.Drop("traced.json", With(
                TestNode.Echo("traced-job-0001"),
                $$$"""
                "observability":{"trace_id":"{{{Trace}}}","span_id":"{{{Span}}}","correlation_id":"order-7"},"metadata":{"name":"x"}
                """));
            node.Drop("plain.json", TestNode.Echo("plain-job-00001"));
            node.Drop("late.json", With(TestNode.Echo("late-job-000001"),
                """
                "execution":{"deadline":"2026-11-20T00:00:00Z"}
                """));
            await node.ResultAsync("traced-job-0001");
            await node.ResultAsync("plain-job-00001");
            await Meshledger.UntilAsync(
                () => File.Exists(node.ResultFile("late-job-000001")) || File.Exists(node.Failed("late.json")), "an end");
            Assert.Equal(0, await node.StopAsync());
        }

        Assert.Equal(["POST /v1/traces application/x-protobuf"], collector.Requests.Distinct());
        var spans = collector.Spans.Where(span => span.TraceId == Trace).ToList();
        var root = Assert.Single(spans, span => span.Name == "job");
        Assert.Equal(Span, root.ParentId);
        Assert.Equal("traced-job-0001", root.Attributes["meshledger.job.id"]);
        Assert.Equal("completed", root.Attributes["meshledger.job.status"]);
        Assert.Equal("order-7", root.Attributes["meshledger.job.correlation_id"]);
        Assert.Equal([.. Parts.Order()], spans.Where(span => span != root).Select(span => span.Name).Order());
        Assert.All(spans.Where(span => span != root), span =>
        {
            Assert.Equal(root.SpanId, span.ParentId);
            Assert.InRange(span.Start, root.Start, root.End);
            Assert.InRange(span.End, span.Start, root.End);
            Assert.Equal("system.echo", span.Attributes["meshledger.job.operation"]);
            Assert.Equal(64, span.Attributes["meshledger.event.digest"].Length);
            Assert.NotEqual(2, span.Status);
        });
        Assert.Contains("bid_placed", spans.Single(span => span.Name == "job.bidding").Events);
        Assert.Contains("progress_reported", spans.Single(span => span.Name == "job.execution").Events);
        Assert.StartsWith(
            "did:key:", spans.Single(span => span.Name == "job.execution").Attributes["meshledger.worker"],
            StringComparison.Ordinal);
        Assert.NotEqual("0", spans.Single(span => span.Name == "job.settlement").Attributes["meshledger.mana.paid"]);

        var plain = Assert.Single(collector.Spans, span =>
            span.Name == "job" && span.Attributes["meshledger.job.id"] == "plain-job-00001");
        Assert.Equal("", plain.ParentId);
        Assert.Equal(
            Convert.ToHexStringLower(
                System.Security.Cryptography.SHA256.HashData("plain-job-00001"u8))[..32], plain.TraceId);
        Assert.Equal(collector.Spans.Length, collector.Spans.Select(span => span.SpanId).Distinct().Count());

        var late = Assert.Single(collector.Spans, span =>
            span.Name == "job" && span.Attributes["meshledger.job.id"] == "late-job-000001");
        Assert.Equal(2, late.Status);
        Assert.Equal("DEADLINE_EXCEEDED", late.Attributes["error.type"]);
    }

    [Fact]
    public async Task Of_two_nodes_only_the_one_that_ended_a_job_tells_of_it()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var first = await TestNode.StartAsync("--otlp", collector.Url))
        {
            await using (var second = await TestNode.StartAsync("--otlp", collector.Url, "--postgres", first.Socket, "--no-worker"))
            {
                second.Drop("a.json", TestNode.Echo("shared-job-0001"));
                first.Drop("b.json", TestNode.Echo("shared-job-0002"));
                await second.ResultAsync("shared-job-0001");
                await first.ResultAsync("shared-job-0002");
                Assert.Equal(0, await second.StopAsync());
            }

            Assert.Equal(0, await first.StopAsync());
        }

        Assert.Equal(
            ["shared-job-0001", "shared-job-0002"],
            collector.Spans.Where(
                span => span.Name == "job").Select(span => span.Attributes["meshledger.job.id"]).Order());
    }

    [Fact]
    public async Task A_collector_that_is_not_there_disturbs_nothing_and_is_told()
    {
        string url;
        await using (var collector = await OtlpCollector.StartAsync())
        {
            url = collector.Url;
        }

        await using var node = await TestNode.StartAsync("--otlp", url);
        node.Drop("a.json", TestNode.Echo("alone-job-0001"));
        Assert.Equal("completed", (await node.ResultAsync("alone-job-0001")).GetProperty("status").GetString());
        Assert.Equal(0, await node.StopAsync());
        Assert.Contains(" 7003 ", node.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_collector_that_never_answers_holds_up_neither_jobs_nor_the_end()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var node = await TestNode.StartAsync("--otlp", $"http://{silent.LocalEndpoint}");
        for (var i = 0; i < 5; i++)
        {
            node.Drop($"{i}.json", TestNode.Echo($"silent-job-{i:D4}"));
        }

        for (var i = 0; i < 5; i++)
        {
            await node.ResultAsync($"silent-job-{i:D4}");
        }

        Assert.Equal(0, await node.StopAsync());
    }

    private static string With(string document, string members) => document.Insert(1, members.Trim() + ",");
}
