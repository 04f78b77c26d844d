using System.Text;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger;
using MeshLedger.Node;
using MeshLedger.Testing;
using MeshLedger.Worker;
using MeshLedger.Worker.Handlers;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshLedger.EndToEnd.Tests;

public sealed class NodeAndWorkerTests
{
    private sealed class Echo : IOperationHandler
    {
        public IReadOnlyList<string> Operations => ["system.echo"];

        public Task<OperationResult> RunAsync(OperationContext context, CancellationToken cancellationToken)
        {
            context.Progress(new OperationProgress("starting", 0, "go"));
            return Task.FromResult(new OperationResult
            {
                EngineName = "builtin",
                EngineVersion = "1",
                Outputs = [new OperationOutput("result", Encoding.UTF8.GetBytes("{\"echo\":1}"), false)],
            });
        }
    }

    [Fact]
    public async Task Jobs_flow()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var store = new PostgresEventStore(database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        await using var node = new MeshNode(
            store, new PostgresPresence(database.Source), new NodeKeys(SigningKey.Generate(), SigningKey.Generate()),
            new NodeOptions(), TimeProvider.System, NullLogger<MeshNode>.Instance);
        await node.StartAsync(CancellationToken.None);
        var directory = Directory.CreateTempSubdirectory().FullName;
        var worker = new JobWorker(
            node, SigningKey.Generate(), new WorkerOptions { Resources = MachineResources.Measure("/") },
            new Dictionary<string, IOperationHandler> { ["system.echo"] = new Echo() }, BlobDirectory.Open(directory),
            TimeProvider.System, NullLogger<JobWorker>.Instance);
        using var stop = new CancellationTokenSource();
        var running = worker.RunAsync(stop.Token);
        for (var round = 0; round < 4; round++)
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var count = round == 0 ? 1 : 1000;
            await Task.WhenAll(Enumerable.Range(0, count).Select(async i =>
            {
                var text = $$"""
                {"version":"1.0","job_id":"job-{{round}}-{{i}}-abcdef","created_at":"2026-01-30T16:00:00Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":null} }
                """;
                var document = JobDocumentReader.Read(Encoding.UTF8.GetBytes(text)).Document!;
                var submission = await node.SubmitAsync(document, "test", CancellationToken.None);
                Assert.IsType<Submission.Accepted>(submission);
                var result = await node.ResultAsync(document.JobId, CancellationToken.None);
                Assert.True(result.Succeeded, Encoding.UTF8.GetString(result.Json.Span));
                if (round == 0) Console.WriteLine(Encoding.UTF8.GetString(result.Json.Span));
            }));
            Console.WriteLine($"round {round}: {count} jobs in {clock.ElapsedMilliseconds} ms");
        }

        await stop.CancelAsync();
        await running;
        Console.WriteLine(string.Join('\n', await database.RowsAsync("SELECT type, count(*) FROM mt_events GROUP BY 1 ORDER BY 2")));
        Console.WriteLine(string.Join('\n', await database.RowsAsync("SELECT data FROM mt_events WHERE stream_id = 'job-job-0-0-abcdef' ORDER BY version")));
    }
}
