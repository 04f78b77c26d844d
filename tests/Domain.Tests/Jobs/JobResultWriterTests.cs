using System.Text.Json;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

public sealed class JobResultWriterTests
{
    private static readonly JobId Id = JobId.Parse("echo-test-001");

    [Fact]
    public void A_completed_job()
    {
        var result = JobResultWriter.Write(JobSpec.Given(JobSpec.Completed).State!, Id, "worker-1");
        Assert.True(result.Succeeded);
        Snapshot.Matches("Jobs/completed.verified.json", result.Json.Span);
    }

    [Fact]
    public void A_failed_job()
    {
        var result = JobResultWriter.Write(JobSpec.Given(JobSpec.Failed).State!, Id, "worker-1");
        Assert.False(result.Succeeded);
        Snapshot.Matches("Jobs/failed.verified.json", result.Json.Span);
    }

    [Theory]
    [InlineData("not needed any more", "not needed any more")]
    [InlineData("", "Its submitter did:key:")]
    public void A_cancelled_job_says_why_or_who_cancelled_it(string reason, string message)
    {
        var state = JobSpec.Given(JobSpec.Completed).State! with { Status = JobStatus.Cancelled, CancelReason = reason };
        using var json = JsonDocument.Parse(JobResultWriter.Write(state, Id, null).Json);
        var error = json.RootElement.GetProperty("error");
        Assert.Equal("CANCELLED", error.GetProperty("code").GetString());
        Assert.StartsWith(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_job_that_nobody_took_in_time()
    {
        var story = VectorStory.Tell().Select(told => told.Event.Statement)
            .Where(said => said.Stream == StreamId.Parse("job-echo-vector-002"));
        var state = story.Aggregate((JobState?)null, (state, said) => Job.Evolve(state, EventFact.Of(said)));
        var result = JobResultWriter.Write(state!, JobId.Parse("echo-vector-002"), null);
        Assert.False(result.Succeeded);
        Snapshot.Matches("Jobs/deadline.verified.json", result.Json.Span);
    }

    [Fact]
    public void The_idempotency_key_is_told_as_it_was_asked()
    {
        var story = VectorStory.Tell().Select(told => told.Event.Statement)
            .Where(said => said.Stream == StreamId.Parse("job-echo-vector-001"));
        var state = story.Aggregate((JobState?)null, (state, said) => Job.Evolve(state, EventFact.Of(said)));
        using var json = JsonDocument.Parse(JobResultWriter.Write(state!, Id, null).Json);
        Assert.Equal(
            "nightly",
            json.RootElement.GetProperty("execution_summary").GetProperty("idempotency_key").GetString());
    }

    [Fact]
    public void A_job_that_has_not_ended_has_no_result() =>
        Assert.Throws<ArgumentException>(() => JobResultWriter.Write(JobSpec.Given(JobSpec.Executing).State!, Id, null));

    [Theory]
    [InlineData("plain words")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"\\udc00\":1}")]
    [InlineData("{")]
    [InlineData("")]
    public void A_result_that_cannot_be_told_as_json_is_told_as_text(string text) =>
        Assert.Equal(text, Data(text).GetString());

    [Theory]
    [InlineData("{\"a\":\"\\u0000\\ud83d\\ude00\",\"a\":1.50}")]
    [InlineData("[1e999]")]
    [InlineData("null")]
    public void A_result_that_is_json_is_told_as_json(string text) =>
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(text), Data(text)));

    private static JsonElement Data(string text)
    {
        var receipt = JobSpec.Receipt(null).Changed<JobEvent.ReceiptIssued>(body => body with
        {
            Receipt = body.Receipt with { Outputs = [VectorStory.Output("result", text)] },
        });
        var state = JobSpec.Given([.. JobSpec.Executing, receipt, JobSpec.Complete()]).State!;
        return JsonElement.Parse(JobResultWriter.Write(state, Id, null).Json.Span).GetProperty("data");
    }
}
