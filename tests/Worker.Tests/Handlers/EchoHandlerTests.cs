using MeshLedger.Worker.Handlers;

namespace MeshLedger.Worker.Tests.Handlers;

public sealed class EchoHandlerTests
{
    [Theory]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("{ \"b\" : 1.50, \"a\": [1e3, \"\\u00e9\"],  \"n\": null }")]
    public async Task Data_comes_back_to_the_byte(string data)
    {
        var given = Given.Job("system.echo", "system.echo.v1", data);

        var result = await given.RunAsync(new EchoHandler());

        Assert.Null(result.Error);
        Assert.Equal(("builtin", "0.1.0"), (result.EngineName, result.EngineVersion));
        Assert.Equal($"{{\"echo\": {data}, \"message\": \"Echo handler executed successfully\"}}",
            Given.Text(result, "result"));
        Assert.Equal([("starting", 0), ("processing", 5_000), ("completing", 10_000)],
            given.Progress.Select(step => (step.Phase, step.BasisPoints)));
    }

    [Fact]
    public async Task What_is_cancelled_does_not_begin()
    {
        var given = Given.Job("system.echo", "system.echo.v1", "1");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => given.RunAsync(new EchoHandler(), new CancellationToken(canceled: true)));
        Assert.Empty(given.Progress);
        Assert.Equal(HandlerNeeds.None, ((IOperationHandler)new EchoHandler()).Needs(given.Document));
    }
}
