using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using MeshLedger.EndToEnd.Tests;

namespace MeshLedger.Observability.Tests;

public sealed partial class PrometheusTests
{
    private static readonly string Examples = Path.Combine(Meshledger.Repository, "examples");

    /// <summary>What these jobs move. What only other events move is checked by LedgerMetricsTests.</summary>
    private static readonly string[] Moved =
    [
        "meshledger_ledger_events_total{type=\"job_completed\"}",
        "meshledger_ledger_statement_bytes_total",
        "meshledger_jobs_submitted_total{operation=\"system.echo\",transport=\"folder\"}",
        "meshledger_jobs_assigned_total",
        "meshledger_jobs_ended_total{operation=\"system.echo\",status=\"completed\"}",
        "meshledger_jobs_ended_total{operation=\"guestkit.inspect\",status=\"failed\"}",
        "sum(meshledger_job_failures_total)",
        "meshledger_documents_refused_total{code=\"INVALID_DOCUMENT\"}",
        "meshledger_bids_received_total",
        "meshledger_biddings_closed_total{reason=\"all_answered\"}",
        "meshledger_job_bidding_duration_seconds_count",
        "meshledger_job_assignment_duration_seconds_count",
        "meshledger_job_queue_duration_seconds_count",
        "meshledger_job_duration_seconds_count{operation=\"system.echo\",status=\"completed\"}",
        "meshledger_job_duration_seconds_sum{operation=\"system.echo\",status=\"completed\"}",
        "meshledger_job_settlement_duration_seconds_count",
        "meshledger_executions_started_total{operation=\"system.echo\"}",
        "meshledger_executions_total{operation=\"system.echo\",status=\"success\"}",
        "meshledger_executions_total{operation=\"guestkit.inspect\",status=\"error\"}",
        "meshledger_execution_duration_seconds_count{operation=\"system.echo\",status=\"success\"}",
        "meshledger_output_bytes_total",
        "meshledger_progress_reports_total",
        "meshledger_mana_operations_total{kind=\"paid\"}",
        "meshledger_mana_moved_total{kind=\"refunded\"}",
        "meshledger_jobs{status=\"bidding_open\"}",
        "meshledger_accounts",
        "meshledger_workers_registered",
        "meshledger_workers_live",
        "meshledger_nodes_live",
        "meshledger_ledger_head_position",
        "meshledger_ledger_followed_position",
        "meshledger_log_messages_total{event_id=\"4006\"}",
        "meshledger_disk_write_bytes_total",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "histogram_quantile(0.5, meshledger_job_assignment_duration_seconds_bucket)",
    ];

    [PrometheusFact]
    public async Task A_real_Prometheus_scrapes_a_node_and_sees_each_metric_move()
    {
        await using var node = await TestNode.StartAsync("--metrics-port", "0");
        var url = Url(node);
        await using var prometheus = await PrometheusServer.StartAsync(new Uri(url).Authority);
        Assert.Equal(1, await prometheus.ValueAsync("up{job=\"meshledger\"}", value => value == 1));
        Assert.Equal(0, await prometheus.ValueAsync("meshledger_jobs_assigned_total", value => value == 0));

        node.Drop("bad.json", "this is no JSON");
        node.Drop("echo.json", TestNode.Echo("scraped-job-0001"));
        node.Drop("missing.json", await File.ReadAllBytesAsync(Path.Combine(Examples, "jobs", "missing-image.json")));
        node.Drop("waits.json", TestNode.Echo("waiting-job-0001").Insert(
            1, "\"constraints\":{\"required_capabilities\":[\"nobody.has.this\"]},"));
        foreach (var query in Moved)
        {
            Assert.True(await prometheus.ValueAsync(query, value => value > 0) > 0, query);
        }

        if (Directory.EnumerateFiles("/boot", "vmlinuz-*-cloud-amd64").Any())
        {
            (await node.RunAsync("blob", "add", Path.Combine(Examples, "guests", "hello.elf"))).With(0);
            node.Drop("vm.json", await File.ReadAllBytesAsync(Path.Combine(Examples, "jobs", "hello-vm.json")));
            await prometheus.ValueAsync("meshledger_execution_peak_memory_bytes_count", value => value > 0);
        }

        using var names = JsonDocument.Parse(await prometheus.AskAsync(
            "/api/v1/label/__name__/values", text => text.Contains(
                "meshledger_projection_lag_events", StringComparison.Ordinal)));
        var seen = names.RootElement.GetProperty("data").EnumerateArray().Select(name => name.GetString()!).ToHashSet();

        // It has no value as long as nothing failed.
        Assert.Equal(
            ["meshledger_scrape_failures_total"],
            Documented().Where(name => !seen.Contains(name) && !seen.Contains(name + "_count")));
        using var targets = JsonDocument.Parse(await prometheus.AskAsync("/api/v1/targets", _ => true));
        var target = Assert.Single(
            targets.RootElement.GetProperty("data").GetProperty("activeTargets").EnumerateArray());
        Assert.Equal("up", target.GetProperty("health").GetString());
        Assert.Equal("", target.GetProperty("lastError").GetString());

        await CheckTextAsync(url);
        Assert.Equal(0, await node.StopAsync());
        await prometheus.ValueAsync("up{job=\"meshledger\"}", value => value == 0);
    }

    /// <summary>The text passes promtool, and the README tells of everything in it.</summary>
    private static async Task CheckTextAsync(string url)
    {
        using var client = new HttpClient();
        using var answer = await client.GetAsync(new Uri($"{url}/metrics"));
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        var text = await answer.Content.ReadAsStringAsync();
        using var promtool = Process.Start(new ProcessStartInfo("/usr/bin/promtool", ["check", "metrics"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var said = Task.WhenAll(promtool.StandardOutput.ReadToEndAsync(), promtool.StandardError.ReadToEndAsync());
        await promtool.StandardInput.WriteAsync(text);
        promtool.StandardInput.Close();
        Assert.Equal("", string.Concat(await said));
        await promtool.WaitForExitAsync();
        Assert.Equal(0, promtool.ExitCode);
        Assert.Equal(Documented().Order(), Family().Matches(text).Select(match => match.Groups[1].Value).Order());
    }

    private static List<string> Documented() =>
    [
        .. Row().Matches(File.ReadAllText(Path.Combine(Meshledger.Repository, "src", "Observability", "README.md")))
            .Select(match => match.Groups[1].Value),
    ];

    internal static string Url(TestNode node) => Url(node.Errors)!;

    /// <summary>Where metrics and health are, by what the node logged; null if it did not yet.</summary>
    internal static string? Url(
        string log) => Address().Match(log) is { Success: true } found ? found.Groups[1].Value : null;

    [GeneratedRegex(@"Metrics and health: (http://127\.0\.0\.1:\d+)/metrics")]
    private static partial Regex Address();

    [GeneratedRegex("^# TYPE ([a-z0-9_]+) ", RegexOptions.Multiline)]
    private static partial Regex Family();

    [GeneratedRegex(@"^\| `([a-z0-9_]+)(?:\{[a-z_, ]+\})?` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
