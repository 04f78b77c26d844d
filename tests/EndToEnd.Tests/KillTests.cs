using System.Globalization;
using System.Text.Json;
using Npgsql;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Nodes that are killed at random moments, over and over, while jobs come in and run.</summary>
public sealed class KillTests
{
    private const int Jobs = 300;
    private const int Machines = 6;

    [Theory]
    [InlineData(1, 30, 1)]
    [InlineData(2, 30, 2)]
    public async Task Every_job_is_settled_exactly_once_whatever_is_killed_when(int nodes, int kills, int seed)
    {
        var random = new Random(seed);
        var config = Path.Combine(Path.GetTempPath(), $"ml-kill-{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(config, """{"lease_seconds": 4, "retry": {"max_losses": 1000}}""");
        await using var first = TestNode.Create("--name", "first", "--config", config);
        await first.StartAsync();
        await using var second = TestNode.Create(
            "--name", "second", "--config", config, "--postgres", first.Socket, "--folder", first.Folder);
        TestNode[] running = nodes == 2 ? [first, second] : [first];
        if (nodes == 2)
        {
            await second.StartAsync();
        }

        var program = await ProgramAsync(first);
        if (nodes == 2)
        {
            await ProgramAsync(second);
        }

        string[] ids = [.. Enumerable.Range(0, Jobs).Select(i => $"kill-job-{i:D4}")];
        for (var kill = 0; kill < kills; kill++)
        {
            foreach (var id in ids.Skip(kill * Jobs / kills).Take(Jobs / kills))
            {
                first.Drop($"{id}.json", Document(id, random, program));
            }

            await Task.Delay(random.Next(20, 700));
            var victim = running[random.Next(running.Length)];
            await victim.KillAsync();
            await victim.StartAsync();
        }

        var results = Path.Combine(first.Folder, "results");
        await Meshledger.UntilAsync(() => Results(results).Count() == Jobs, "a result for every job");
        foreach (var node in running.Reverse())
        {
            Assert.Equal(0, await node.StopAsync());
        }

        Assert.Equal(ids.Select(id => $"{id}.result.json"), Results(results).Order());
        foreach (var file in Directory.EnumerateFiles(results))
        {
            // None half written.
            using var _ = JsonDocument.Parse(await File.ReadAllBytesAsync(file));
        }

        Assert.Empty(Guests(first).Concat(Guests(second)));
        await first.StartAsync();
        (await first.RunAsync("audit")).With(0);
        await AssertLedgerAsync(first);
        var before = await ProjectionsAsync(first);
        (await first.RunAsync("projections", "rebuild")).With(0);
        Assert.Equal(before, await ProjectionsAsync(first));
        File.Delete(config);
    }

    private static IEnumerable<string> Results(string directory) => Directory.Exists(directory)
        ? Directory.EnumerateFiles(directory, "*.result.json").Select(path => Path.GetFileName(path))
        : [];

    private static async Task AssertLedgerAsync(TestNode node)
    {
        Assert.Equal(Jobs, await CountAsync(node, """
            SELECT count(*) FROM mt_events WHERE type IN ('job_completed', 'job_failed', 'job_cancelled')
            """));
        Assert.Equal(Jobs, await CountAsync(node, "SELECT count(*) FROM mt_events WHERE type = 'job_completed'"));
        Assert.Equal(0, await CountAsync(node, """
            SELECT count(*) FROM (SELECT stream_id, data ->> 'attempt' FROM mt_events WHERE type = 'receipt_issued'
                GROUP BY 1, 2 HAVING count(*) > 1) AS twice
            """));
        Assert.Equal(0, await CountAsync(node, """
            SELECT count(*) FROM (SELECT data ->> 'job_id' FROM mt_events WHERE type IN ('mana_paid')
                GROUP BY 1 HAVING count(*) > 1) AS twice
            """));
        Assert.Equal(0, await CountAsync(node, "SELECT coalesce(sum(escrow), 0)::bigint FROM accounts"));
    }

    /// <summary>The projections' rows, so that they can be compared.</summary>
    private static async Task<string> ProjectionsAsync(TestNode node)
    {
        // A reading verb brings them up to the head first.
        (await node.RunAsync("worker", "list")).With(0);
        (await node.RunAsync("job", "list", "--limit", "1")).With(0);
        var texts = new List<string>();
        foreach (var table in (string[])["job_status", "worker_reputation", "accounts", "event_index", "job_runs"])
        {
            texts.Add(await TextAsync(
                node, $"SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {table} AS t"));
        }

        return string.Join(' ', texts);
    }

    private static string Document(string id, Random random, string? program)
    {
        var number = int.Parse(id[^4..], CultureInfo.InvariantCulture);
        if (program is not null && number % (Jobs / Machines) == 7)
        {
            return $$$"""
                {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
                 "operation":"vm.execute","execution":{"max_attempts":5},
                 "payload":{"type":"vm.execute.v1","data":{"type":"BlobBinary","hash":"{{{program}}}","format":"elf"} }}
                """;
        }

        return random.Next(3) == 0
            ? $$$"""
                {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation",
                 "operation":"system.sleep","payload":{"type":"system.sleep.v1","data":{"seconds":0.{{{random.Next(1, 9)}}} } }}
                """
            : TestNode.Echo(id, random.Next(1000).ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>A guest program in the node's blobs; null where it runs no machines.</summary>
    private static async Task<string> ProgramAsync(TestNode node)
    {
        var path = Path.Combine(Meshledger.Repository, "examples", "guests", "hello.elf");
        return (await node.RunAsync("blob", "add", path)).With(0).Split()[0];
    }

    /// <summary>Processes of guests that belong to a node.</summary>
    private static IEnumerable<string> Guests(TestNode node)
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            string command;
            try
            {
                command = File.ReadAllText(Path.Combine(directory, "cmdline")).Replace('\0', ' ');
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                continue;
            }

            if (command.Contains("qemu", StringComparison.Ordinal) && command.Contains(node.Data, StringComparison.Ordinal))
            {
                yield return command;
            }
        }
    }

    private static async Task<long> CountAsync(TestNode node, string sql) =>
        long.Parse(await TextAsync(node, sql), CultureInfo.InvariantCulture);

    private static async Task<string> TextAsync(TestNode node, string sql)
    {
        await using var database = NpgsqlDataSource.Create(node.Socket);
        await using var command = database.CreateCommand(sql);
        return Convert.ToString(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture)!;
    }
}
