using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using MeshLedger.EndToEnd.Tests;

namespace MeshLedger.Observability.Tests;

/// <summary>A Prometheus of its own: configuration, data and port, on loopback. Nothing of it is left at the
/// end.</summary>
internal sealed partial class PrometheusServer : IAsyncDisposable
{
    private readonly string _home;
    private readonly Process _process;
    private readonly HttpClient _client = new();
    private readonly System.Text.StringBuilder _log = new();

    private PrometheusServer(string home, Process process, string url)
    {
        _home = home;
        _process = process;
        Url = url;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_log)
            {
                _log.AppendLine(line.Data);
            }
        };
        process.BeginErrorReadLine();
    }

    public string Url { get; }

    public static bool IsInstalled => File.Exists("/usr/bin/prometheus") && File.Exists("/usr/bin/promtool");

    /// <param name="target">Host and port of what is scraped.</param>
    public static async Task<PrometheusServer> StartAsync(string target)
    {
        var home = Directory.CreateTempSubdirectory("ml-prometheus-").FullName;
        var configuration = Path.Combine(home, "prometheus.yml");
        await File.WriteAllTextAsync(
            configuration,
            $"""
            global:
              scrape_interval: 200ms
              scrape_timeout: 200ms
            scrape_configs:
              - job_name: meshledger
                scrape_interval: 1s
                scrape_timeout: 1s
                static_configs:
                  - targets: ['{target}']

            """);
        var address = $"127.0.0.1:{FreePort()}";
        var start = new ProcessStartInfo(
            "/usr/bin/prometheus",
            [
                $"--config.file={configuration}", $"--storage.tsdb.path={Path.Combine(home, "data")}",
                $"--web.listen-address={address}", "--log.level=warn",
            ])
        {
            RedirectStandardError = true,
            WorkingDirectory = home,
        };
        var server = new PrometheusServer(home, Process.Start(start)!, $"http://{address}");
        try
        {
            await server.UntilAsync("/-/ready", _ => true, "a ready Prometheus");
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>The values of a query, by their labels; waits until they are as expected.</summary>
    public async Task<double> ValueAsync(string query, Func<double, bool> isExpected)
    {
        var value = double.NaN;
        await UntilAsync(
            $"/api/v1/query?query={Uri.EscapeDataString(query)}",
            text =>
            {
                using var answer = JsonDocument.Parse(text);
                var results = answer.RootElement.GetProperty("data").GetProperty("result");
                value = results.GetArrayLength() == 0
                    ? double.NaN
                    : double.Parse(results[0].GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture);
                return isExpected(value);
            },
            $"{query} as expected");
        return value;
    }

    /// <summary>An answer of the HTTP API; waits until it is as expected.</summary>
    public Task<string> AskAsync(string path, Func<string, bool> isExpected) => UntilAsync(path, isExpected, path);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            Terminate(_process);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _client.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    /// <summary>Asks a process to end.</summary>
    internal static void Terminate(Process process) => _ = kill(process.Id, 15);

    private async Task<string> UntilAsync(string path, Func<string, bool> isExpected, string expected)
    {
        using var limit = new CancellationTokenSource(Meshledger.Patience);
        var last = "nothing";
        while (!limit.IsCancellationRequested && !_process.HasExited)
        {
            try
            {
                using var answer = await _client.GetAsync(new Uri(Url + path), limit.Token);
                last = await answer.Content.ReadAsStringAsync(limit.Token);
                if (answer.IsSuccessStatusCode && isExpected(last))
                {
                    return last;
                }
            }
            catch (HttpRequestException exception)
            {
                last = exception.Message;
            }

            await Task.Delay(100, CancellationToken.None);
        }

        lock (_log)
        {
            throw new TimeoutException($"Expected {expected}; the last answer was {last}\n{_log}");
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}

/// <summary>Needs Debian's package prometheus: skipped without it, but failed in CI.</summary>
public sealed class PrometheusFactAttribute : FactAttribute
{
    public PrometheusFactAttribute()
    {
        if (!PrometheusServer.IsInstalled && Environment.GetEnvironmentVariable("CI") != "true")
        {
            Skip = "Prometheus is not installed: apt-get install prometheus";
        }
    }
}
