using System.Diagnostics;
using MeshLedger.Domain.Jobs;
using MeshLedger.Observability.Traces;

namespace MeshLedger.Observability.Tests;

public sealed class TraceContextTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Span = "00f067aa0ba902b7";

    private static readonly JobId Job = JobId.Parse("traced-job-0001");

    [Theory]
    [InlineData(Trace, Span, null, Trace, Span)]
    [InlineData("4BF92F3577B34DA6A3CE929D0E0E4736", "00F067AA0BA902B7", null, Trace, Span)]
    [InlineData(Trace, null, Span, Trace, Span)]
    [InlineData(Trace, "0000000000000000", Span, Trace, Span)]
    [InlineData(Trace, "no", null, Trace, "0000000000000000")]
    [InlineData(Trace, null, null, Trace, "0000000000000000")]
    [InlineData("00000000000000000000000000000000", Span, null, Derived, "0000000000000000")]
    [InlineData("4bf92f3577b34da6a3ce929d0e0e473", Span, null, Derived, "0000000000000000")]
    [InlineData("4bf92f3577b34da6a3ce929d0e0e473x", Span, null, Derived, "0000000000000000")]
    [InlineData(null, Span, null, Derived, "0000000000000000")]
    public void The_documents_ids_are_honoured_if_they_are_valid(
        string? trace, string? span, string? parent, string expectedTrace, string expectedSpan)
    {
        var document = System.Text.Json.JsonSerializer.Serialize(
            new { observability = new { trace_id = trace, span_id = span, parent_span_id = parent } });
        var context = TraceContext.Of(Job, document);
        Assert.Equal(expectedTrace, context.TraceId.ToString());
        Assert.Equal(expectedSpan, context.SpanId.ToString());
        Assert.Equal(ActivityTraceFlags.Recorded, context.TraceFlags);
    }

    // printf traced-job-0001 | sha256sum | cut -c 1-32
    private const string Derived = "c2b343105e16a9b1ed79d97f570bb298";

    [Fact]
    public void Without_any_the_trace_is_found_by_the_job_id() =>
        Assert.Equal(Derived, TraceContext.Of(Job, "{\"observability\":null}").TraceId.ToString());
}
