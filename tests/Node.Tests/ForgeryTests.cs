using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Ports;
using MeshLedger.Testing;

namespace MeshLedger.Node.Tests;

/// <summary>Somebody writes validly signed events of a key of his own straight into the database.</summary>
public sealed class ForgeryTests : IAsyncLifetime
{
    private readonly EventAuthor _thief = new(SigningKey.Generate(), TimeProvider.System);
    private readonly NodeKeys _keys = NodeFixture.NewKeys();
    private PostgresDatabase _database = null!;

    public async Task InitializeAsync() => _database = await PostgresDatabase.CreateAsync();

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task A_node_does_not_start_on_a_job_that_a_stranger_closed()
    {
        await using (var node = await NodeFixture.StartAsync(_database, keys: _keys))
        {
            await node.SubmitAsync(NodeFixture.Document("job-robbed"));
            var opened = (await node.Store.LoadAsync(Stream("job-robbed"), CancellationToken.None))[^1];
            await ForgeAsync(node, new JobEvent.BiddingClosed(1, 0, "window"), opened.Event.Digest, Stream("job-robbed"));
            await Assert.ThrowsAsync<InvalidHistoryException>(() => node.Node.Failure.WaitAsync(TimeSpan.FromSeconds(30)));
        }

        var refused = await Assert.ThrowsAsync<InvalidHistoryException>(
            () => NodeFixture.StartAsync(_database, keys: _keys));
        Assert.Contains("NOT_A_NODE", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_result_is_not_told_of_a_job_that_the_worker_settled_for_itself()
    {
        await using var node = await NodeFixture.StartAsync(_database, keys: _keys);
        await node.SubmitAsync(NodeFixture.Document("job-selfish"));
        var waiting = node.Node.ResultAsync(JobId.Parse("job-selfish"), CancellationToken.None);
        var opened = (await node.Store.LoadAsync(Stream("job-selfish"), CancellationToken.None))[^1];
        await ForgeAsync(
            node, new JobEvent.Completed(1, "system.echo", [], 100), opened.Event.Digest, Stream("job-selfish"));

        await Assert.ThrowsAsync<InvalidHistoryException>(() => node.Node.Failure.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.False(waiting.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Mana_that_a_stranger_made_is_never_spent()
    {
        await using (var node = await NodeFixture.StartAsync(_database, keys: _keys))
        {
            await node.SubmitAsync(NodeFixture.Document("job-honest"));
            await ForgeAsync(
                node,
                new AccountEvent.Received(JobId.Parse("job-honest"), 5_000_000, _thief.Did),
                null,
                StreamId.OfAccount(_keys.Submitter.Did));
            await Assert.ThrowsAsync<InvalidHistoryException>(() => node.Node.Failure.WaitAsync(TimeSpan.FromSeconds(30)));
        }

        await using var again = await NodeFixture.StartAsync(_database, keys: _keys);
        await Assert.ThrowsAsync<InvalidHistoryException>(() => again.SubmitAsync(
            NodeFixture.Document("job-dear", "\"market\":{\"max_price\":4000000},")));
        await Assert.ThrowsAsync<InvalidHistoryException>(() => again.Node.Failure.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task A_stranger_does_not_admit_a_node()
    {
        await using var node = await NodeFixture.StartAsync(_database, keys: _keys);
        await ForgeAsync(node, new NodeEvent.Admitted(_thief.Did), null, StreamId.OfNode(_thief.Did));

        var refused = await Assert.ThrowsAsync<InvalidHistoryException>(
            () => node.Node.Failure.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("NOT_A_NODE", refused.Message, StringComparison.Ordinal);
    }

    private static StreamId Stream(string job) => StreamId.OfJob(JobId.Parse(job));

    private async Task ForgeAsync(NodeFixture node, LedgerEvent body, Digest? cause, StreamId stream) =>
        Assert.IsType<AppendOutcome.Appended>(await node.Store.AppendAsync(
            new AppendRequest(_thief.Sign([_thief.State(body, cause, stream)]), new Dictionary<StreamId, long>()),
            CancellationToken.None));
}
