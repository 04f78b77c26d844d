using System.Diagnostics;
using System.Net;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Ports;
using MeshLedger.EndToEnd.Tests;
using MeshLedger.Ledger;
using MeshLedger.Observability.Metrics;
using MeshLedger.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace MeshLedger.Observability.Tests;

public sealed class HealthTests
{
    [Fact]
    public async Task A_node_is_ready_once_everything_in_it_is()
    {
        await using var node = await TestNode.StartAsync("--metrics-port", "0");
        using var client = new HttpClient();
        var url = PrometheusTests.Url(node);
        (HttpStatusCode Status, JsonElement Answer) ready;
        do
        {
            ready = await AskAsync(client, $"{url}/health/ready");
        }
        while (ready.Status != HttpStatusCode.OK);

        Assert.Equal("ready", ready.Answer.GetProperty("status").GetString());
        Assert.Equal(
            ["database", "disk", "following", "node", "projections", "worker"],
            ready.Answer.GetProperty(
                "checks").EnumerateArray().Select(check => check.GetProperty("name").GetString()).Order());
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(client, $"{url}/health/live")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(new Uri($"{url}/"))).StatusCode);
        Assert.Equal(
            HttpStatusCode.MethodNotAllowed, (await client.PostAsync(new Uri($"{url}/metrics"), null)).StatusCode);
        using var foreign = new HttpRequestMessage(HttpMethod.Get, $"{url}/metrics");
        foreign.Headers.Host = "rebound.example";
        Assert.Equal(HttpStatusCode.MisdirectedRequest, (await client.SendAsync(foreign)).StatusCode);
    }

    [Fact]
    public async Task A_taken_port_is_one_line_that_says_what_to_do()
    {
        await using var node = await TestNode.StartAsync("--metrics-port", "0");
        await using var other = TestNode.Create();
        var port = new Uri(PrometheusTests.Url(node)).Port;
        var result = await other.RunAsync("up", "--metrics-port", $"{port}");
        result.With(1);
        Assert.Contains("--metrics-port", Assert.Single(result.Errors.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_waits_to_be_admitted_says_so()
    {
        await using var closed = await TestNode.StartAsync("--no-admit");
        await using var waiting = TestNode.Create();
        var errors = new System.Text.StringBuilder();
        using var process = Process.Start(
            Meshledger.Start(["up", "--data", waiting.Data, "--postgres", closed.Socket, "--metrics-port", "0"], []))!;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (errors)
            {
                errors.AppendLine(line.Data);
            }
        };
        process.BeginErrorReadLine();
        try
        {
            string? url = null;
            await Meshledger.UntilAsync(
                () =>
                {
                    lock (errors)
                    {
                        url = PrometheusTests.Url(errors.ToString());
                        return url is not null && errors.ToString().Contains(" 2001 ", StringComparison.Ordinal);
                    }
                },
                "a node that waits");
            using var client = new HttpClient();
            var (status, answer) = await AskAsync(client, $"{url}/health/ready");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
            var check = answer.GetProperty("checks")[0];
            Assert.Equal("node", check.GetProperty("name").GetString());
            Assert.Contains("waits to be admitted", check.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.Contains("--no-admit", check.GetProperty("what_to_do").GetString(), StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(client, $"{url}/health/live")).Status);
        }
        finally
        {
            PrometheusServer.Terminate(process);
            await process.WaitForExitAsync();
        }

        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public async Task What_is_wrong_is_named_with_what_to_do()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var store = new PostgresEventStore(
            database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        var node = new ObservedNode(
            store, new PostgresPresence(database.Source), SigningKey.Generate().Did, [SigningKey.Generate().Did],
            _ => Task.FromResult<IReadOnlyList<(string, long)>>([("accounts", -1000)]));
        var data = Directory.CreateTempSubdirectory("ml-health-");
        using var stop = new CancellationTokenSource();
        await using var observation = await NodeObservation.StartAsync(
            new ObservationOptions { MetricsPort = 0, LeastFreeBytes = long.MaxValue, MostLag = 100 }, data.FullName,
            NullLoggerFactory.Instance, TimeProvider.System, stop.Token);
        using var client = new HttpClient();
        Assert.Equal(["node", "disk"], await FailingAsync(client, observation.Url!));

        // Nobody announces this node and its worker, and its read model was never brought up.
        var running = observation.RunAsync(node, stop.Token);
        await UntilFailingAsync(client, observation.Url!, ["node", "disk", "worker", "projections"]);
        await using (var admin = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database.ConnectionString) { Database = "postgres" }.ConnectionString))
        {
            await using var close = admin.CreateCommand(
                $"ALTER DATABASE {database.Name} ALLOW_CONNECTIONS false; "
                + $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.Name}'");
            await close.ExecuteNonQueryAsync();
        }

        await UntilFailingAsync(
            client, observation.Url!, ["node", "disk", "database", "following", "worker", "projections"]);
        using var answer = await client.GetAsync(new Uri($"{observation.Url}/health/live"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains(
            "meshledger_scrape_failures_total{metric=\"meshledger_ledger_head_position\"}",
            await client.GetStringAsync(new Uri($"{observation.Url}/metrics")), StringComparison.Ordinal);
        await stop.CancelAsync();
        await running;
        data.Delete(recursive: true);
    }

    [Fact]
    public async Task Jobs_that_were_open_before_are_in_the_gauges_and_in_no_counter()
    {
        await using var database = await PostgresDatabase.CreateAsync();
        await using var store = new PostgresEventStore(
            database.Source, TimeProvider.System, NullLogger<PostgresEventStore>.Instance);
        var events = LedgerHistory.Of(2).Sign(batch: 1);
        var opened = Array.FindLastIndex(events, signed => signed.Statement.Type == "bidding_opened");
        await AppendAsync(store, events[..(opened + 1)]);
        var registry = new MetricRegistry();
        var follower = new LedgerFollower(
            store, new LedgerMetrics(registry, TimeProvider.System, [], TimeSpan.FromMinutes(1)), TimeProvider.System,
            NullLogger.Instance);
        using var stop = new CancellationTokenSource();
        var following = follower.RunAsync(stop.Token);
        await Meshledger.UntilAsync(() => follower.Position == opened + 1, "a follower at the head");
        var before = await registry.WriteAsync(CancellationToken.None);
        Assert.Contains("meshledger_jobs{status=\"bidding_open\"} 1\n", before, StringComparison.Ordinal);
        Assert.Contains("meshledger_accounts 2\n", before, StringComparison.Ordinal);
        Assert.Contains("meshledger_workers_registered 1\n", before, StringComparison.Ordinal);
        Assert.DoesNotContain("meshledger_ledger_events_total{", before, StringComparison.Ordinal);

        await AppendAsync(store, events[(opened + 1)..]);
        await Meshledger.UntilAsync(() => follower.Position == events.Length, "a follower at the new head");
        var after = await registry.WriteAsync(CancellationToken.None);
        Assert.Contains("meshledger_jobs{status=\"bidding_open\"} 0\n", after, StringComparison.Ordinal);
        Assert.Contains(
            "meshledger_jobs_ended_total{operation=\"system.echo\",status=\"completed\"} 1\n", after, StringComparison.Ordinal);
        Assert.Contains("meshledger_job_bidding_duration_seconds_count 1\n", after, StringComparison.Ordinal);
        Assert.DoesNotContain("meshledger_jobs_submitted_total{", after, StringComparison.Ordinal);
        await stop.CancelAsync();
        await following;
    }

    private static async Task AppendAsync(PostgresEventStore store, SignedEvent[] events) =>
        Assert.IsType<AppendOutcome.Appended>(await store.AppendAsync(
            new AppendRequest(events, new Dictionary<StreamId, long>()), CancellationToken.None));

    private static async Task<(HttpStatusCode Status, JsonElement Answer)> AskAsync(HttpClient client, string url)
    {
        using var answer = await client.GetAsync(new Uri(url));
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return (answer.StatusCode, json.RootElement.Clone());
    }

    private static async Task<string[]> FailingAsync(HttpClient client, string url)
    {
        var (status, answer) = await AskAsync(client, $"{url}/health/ready");
        var failing = answer.GetProperty("checks").EnumerateArray()
            .Where(check => check.GetProperty("status").GetString() == "failing").ToList();
        Assert.Equal(failing.Count == 0 ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable, status);
        Assert.All(failing, check => Assert.NotEmpty(check.GetProperty("message").GetString()!));
        Assert.All(failing, check => Assert.NotEmpty(check.GetProperty("what_to_do").GetString()!));
        return [.. failing.Select(check => check.GetProperty("name").GetString()!)];
    }

    private static async Task UntilFailingAsync(HttpClient client, string url, string[] expected)
    {
        using var limit = new CancellationTokenSource(Meshledger.Patience);
        string[] found;
        do
        {
            found = await FailingAsync(client, url);
        }
        while (!found.Order().SequenceEqual(expected.Order()) && !limit.IsCancellationRequested);

        Assert.Equal(expected.Order(), found.Order());
    }
}
