using System.Diagnostics;
using System.Text.Json;
using MeshLedger.Testing;
using Npgsql;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>A whole node with jobs under way, whose database fails. The node says so, stays, goes on by itself, and answers
/// every job once.</summary>
public sealed class DatabaseFaultTests
{
    private const int Jobs = 400;
    private static readonly string[] Ids = [.. Enumerable.Range(0, Jobs).Select(i => $"fault-job-{i:D4}")];

    [Fact]
    public async Task A_database_that_is_restarted_crashes_and_has_its_backends_killed_costs_no_job()
    {
        await using var node = await TestNode.StartAsync();
        DropAll(node);
        await ResultsAsync(node, 20);
        for (var i = 0; i < 5; i++)
        {
            await TerminateBackendsAsync(node);
            await Task.Delay(50);
        }

        await ResultsAsync(node, 60);
        await SignalAsync("-INT", node);
        await Meshledger.UntilAsync(() => Said(node, 1004) >= 1, "a word about the restart");
        await ResultsAsync(node, 120);
        await SignalAsync("-KILL", node);
        await Meshledger.UntilAsync(() => Said(node, 1004) >= 2, "a word about the crash");
        await CheckAsync(node);
        Assert.True(Said(node, 1000) > 0 && Said(node, 1009) > 0, node.Errors);
    }

    [Fact]
    public async Task A_full_disk_stops_a_node_only_for_as_long_as_it_is_full()
    {
        // All that the node has lies on it: its database, its jobs' files, its results.
        using var disk = SmallDisk.Mount(megabytes: 160);
        await using var node = TestNode.Create();
        var data = Path.Combine(disk.Root, "d");
        Directory.CreateDirectory(data);
        Directory.CreateSymbolicLink(node.Data, data);
        await node.StartAsync();
        DropAll(node);
        await ResultsAsync(node, 20);
        disk.Fill();
        await Meshledger.UntilAsync(
            () => node.Errors.Contains("disk is full", StringComparison.Ordinal)
                || node.Errors.Contains("No space left", StringComparison.Ordinal),
            "a word about the full disk");

        // It stands still, and does not end.
        int before;
        do
        {
            before = Results(node);
            await Task.Delay(1000);
        }
        while (before < Results(node));
        Assert.True(before < Jobs, "The disk was not full.");
        disk.Free();
        await CheckAsync(node);
    }

    private static void DropAll(TestNode node)
    {
        foreach (var id in Ids)
        {
            node.Drop($"{id}.json", TestNode.Echo(id));
        }
    }

    private static int Results(TestNode node)
    {
        var results = Path.Combine(node.Folder, "results");
        return Directory.Exists(results) ? Directory.EnumerateFiles(results).Count() : 0;
    }

    private static Task ResultsAsync(TestNode node, int count) =>
        Meshledger.UntilAsync(() => Results(node) >= count, $"{count} results");

    private static int Said(TestNode node, int eventId) => node.Errors.Split($" {eventId} ").Length - 1;

    private static async Task TerminateBackendsAsync(TestNode node)
    {
        await using var admin = new NpgsqlConnection(node.Socket + ";Pooling=false");
        await admin.OpenAsync();
        await using var command = new NpgsqlCommand(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            + "AND pid <> pg_backend_pid()",
            admin);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task SignalAsync(string signal, TestNode node)
    {
        // A server that is just being started again has none yet.
        var file = new FileInfo(Path.Combine(node.Data, "postgres", "cluster", "postmaster.pid"));
        await Meshledger.UntilAsync(
            () =>
            {
                file.Refresh();
                return file is { Exists: true, Length: > 0 };
            },
            "a server");
        var server = File.ReadLines(file.FullName).First();
        using var kill = Process.Start("kill", [signal, server]);
        await kill.WaitForExitAsync();
    }

    /// <summary>One result a job, all completed, all paid, nothing held, and a clean audit; by the same process that the
    /// fault hit.</summary>
    private static async Task CheckAsync(TestNode node)
    {
        await Meshledger.UntilAsync(
            () => Directory.EnumerateFiles(Path.Combine(node.Folder, "done")).Count() == Jobs, "all files in done/");
        Assert.Equal(
            Ids.Select(id => $"{id}.result.json"),
            Directory.EnumerateFiles(Path.Combine(node.Folder, "results")).Select(Path.GetFileName).Order());
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(node.Folder, "failed")));
        await node.RunAsync("projections", "rebuild");
        using var accounts = JsonDocument.Parse((await node.RunAsync("account", "show", "--output", "json")).With(0));
        Assert.Equal(5 * Jobs, accounts.RootElement.EnumerateArray().Sum(owner => owner.GetProperty("paid").GetInt64()));
        Assert.Equal(0, accounts.RootElement.EnumerateArray().Sum(owner => owner.GetProperty("escrow").GetInt64()));
        var listed = (await node.RunAsync("job", "list", "--limit", "1000", "--status", "completed", "--output", "jsonl"))
            .With(0).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Jobs, listed.Length);
        (await node.RunAsync("audit")).With(0);
        Assert.Equal(0, await node.StopAsync());
    }
}
