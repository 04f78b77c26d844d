using System.Text;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker.Tests.Handlers;

public sealed class SleepHandlerTests
{
    private readonly SleepHandler _handler = new(TimeProvider.System);

    [Fact]
    public async Task It_writes_a_line_each_interval_and_reports_evenly()
    {
        var given = Sleep("""{"seconds": 0.1, "output_interval_ms": 30}""");

        var result = await given.RunAsync(_handler);

        Assert.Null(result.Error);
        Assert.Equal("1 30 ms\n2 60 ms\n3 90 ms\n", given.Heard("stdout"));
        Assert.Equal(3, given.Live.Count);
        Assert.Equal(["stdout", "result"], result.Outputs.Select(output => output.Name));
        Assert.Equal(given.Heard("stdout"), Given.Text(result, "stdout"));
        Assert.Equal("{\"slept_ms\": 100}", Given.Text(result, "result"));
        Assert.Equal(Enumerable.Range(0, 11).Select(step => step * 1000), given.Progress.Select(step => step.BasisPoints));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("0.05")]
    [InlineData("5e-2")]
    public async Task Without_an_interval_it_says_nothing(string seconds)
    {
        var given = Sleep($$"""{"seconds": {{seconds}}}""");
        var result = await given.RunAsync(_handler);
        Assert.Null(result.Error);
        Assert.Empty(given.Live);
        Assert.Equal("result", result.Outputs.Single().Name);
    }

    [Fact]
    public async Task It_fails_as_it_was_asked_to()
    {
        var given = Sleep("""
            {"seconds": 0.02, "output_interval_ms": 10,
             "fail": {"code": "OUT_OF_LUCK", "message": "as it was asked", "recoverable": true} }
            """);
        var result = await given.RunAsync(_handler);
        Assert.Equal(new OperationError("OUT_OF_LUCK", "as it was asked", "sleeping", Recoverable: true), result.Error);
        Assert.Equal("1 10 ms\n2 20 ms\n", Given.Text(result, "stdout"));
    }

    [Fact]
    public async Task It_does_not_fail_with_a_code_that_is_for_nodes_to_say()
    {
        var given = Sleep("""{"seconds": 0, "fail": {"code": "LEASE_LOST", "message": "no"}}""");

        var result = await given.RunAsync(_handler);

        Assert.Equal("VALIDATION_ERROR", result.Error!.Code);
        Assert.Contains("/payload/data/fail/code", result.Error.Message, StringComparison.Ordinal);
        Assert.Contains("LEASE_LOST", result.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_wakes_it()
    {
        using var cancelling = new CancellationTokenSource();
        var given = Sleep("""{"seconds": 86400, "output_interval_ms": 10}""");
        var lines = new List<string>();
        var context = new OperationContext(given.Document, given.Progress.Add)
        {
            Output = (name, bytes) =>
            {
                lines.Add($"{name} {Encoding.UTF8.GetString(bytes.Span)}");
                cancelling.Cancel();
            },
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _handler.RunAsync(context, cancelling.Token));

        Assert.Equal(["stdout 1 10 ms\n"], lines);
    }

    [Theory]
    [InlineData("null", "/payload/data:")]
    [InlineData("{}", "/payload/data/seconds:")]
    [InlineData("""{"seconds": -1}""", "/payload/data/seconds:")]
    [InlineData("""{"seconds": 1e99}""", "/payload/data/seconds:")]
    [InlineData("""{"seconds": 86400.001}""", "/payload/data/seconds:")]
    [InlineData("""{"seconds": 1, "output_interval_ms": 9}""", "/payload/data/output_interval_ms:")]
    [InlineData("""{"seconds": 1, "fail": {"code": "out of luck"} }""",
        "/payload/data/fail/code:", "/payload/data/fail/message:")]
    public async Task Every_fault_is_named_and_nothing_is_waited_for(string data, params string[] pointers)
    {
        var given = Sleep(data);
        var result = await given.RunAsync(_handler);
        Assert.Equal("VALIDATION_ERROR", result.Error!.Code);
        Assert.All(pointers, pointer => Assert.Contains(pointer, result.Error.Message, StringComparison.Ordinal));
        Assert.Equal(HandlerNeeds.None, _handler.Needs(given.Document));
    }

    private static Given Sleep(string data) => Given.Job("system.sleep", "system.sleep.v1", data);
}
