using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

public sealed class CrashTests
{
    private const int Jobs = 300;

    [Fact]
    public async Task A_node_that_is_killed_in_the_middle_settles_every_job_exactly_once_when_it_is_back()
    {
        await using var node = await TestNode.StartAsync();
        var ids = Enumerable.Range(0, Jobs).Select(i => $"crash-job-{i:D4}").ToArray();
        foreach (var id in ids)
        {
            node.Drop($"{id}.json", TestNode.Echo(id));
        }

        var results = Path.Combine(node.Folder, "results");
        for (var crash = 1; crash <= 2; crash++)
        {
            var enough = crash * Jobs / 10;
            await Meshledger.UntilAsync(
                () => Directory.Exists(results) && Directory.EnumerateFiles(results).Count() >= enough, "some results");
            await node.KillAsync();
            await node.StartAsync();
        }

        await Meshledger.UntilAsync(
            () => Directory.EnumerateFiles(Path.Combine(node.Folder, "done")).Count() == Jobs, "all files in done/");
        Assert.Equal(
            ids.Select(id => $"{id}.result.json"), Directory.EnumerateFiles(results).Select(Path.GetFileName).Order());
        var listed = (await node.RunAsync("job", "list", "--limit", "1000", "--output", "jsonl")).With(0)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(ids, listed.Select(job => job.GetProperty("job_id").GetString()!).Order());
        Assert.All(listed, job => Assert.Equal("completed", job.GetProperty("status").GetString()));

        using var accounts = JsonDocument.Parse((await node.RunAsync("account", "show", "--output", "json")).With(0));
        Assert.Equal(5 * Jobs, accounts.RootElement.EnumerateArray().Sum(owner => owner.GetProperty("paid").GetInt64()));
        Assert.Equal(0, accounts.RootElement.EnumerateArray().Sum(owner => owner.GetProperty("escrow").GetInt64()));
        (await node.RunAsync("audit")).With(0);
    }

    [Fact]
    public async Task Two_nodes_on_one_database_share_one_folder()
    {
        await using var first = await TestNode.StartAsync("--name", "first");
        await using var second = TestNode.Create(
            "--name", "second", "--postgres", first.Socket, "--folder", first.Folder);
        await second.StartAsync();
        var ids = Enumerable.Range(0, 100).Select(i => $"shared-job-{i:D4}").ToArray();
        foreach (var id in ids)
        {
            first.Drop($"{id}.json", TestNode.Echo(id));
        }

        await Meshledger.UntilAsync(
            () => Directory.EnumerateFiles(Path.Combine(first.Folder, "done")).Count() == ids.Length, "all files in done/");
        var workers = (await second.RunAsync("worker", "list", "--output", "json", "--postgres", first.Socket)).With(0);
        using var document = JsonDocument.Parse(workers);
        Assert.Equal(2, document.RootElement.GetArrayLength());
        Assert.Equal(
            ids.Length, document.RootElement.EnumerateArray().Sum(worker => worker.GetProperty("succeeded").GetInt32()));
        Assert.Equal(0, await second.StopAsync());
        (await first.RunAsync("audit")).With(0);
    }
}
