using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>A node as a process of its own, on a temporary data directory; at the end nothing of it is left.</summary>
public sealed partial class TestNode : IAsyncDisposable
{
    private const int Terminate = 15;
    private readonly StringBuilder _errors = new();
    private Process? _process;

    private TestNode(string home, string[] options)
    {
        Home = home;
        Options = options;
    }

    public string[] Options { get; set; }

    public string Home { get; }

    public string Data => Path.Combine(Home, "data");

    public string Folder { get; init; } = "";

    public string Socket => $"Host={Path.Combine(Data, "postgres")};Username=meshledger;Database=postgres";

    public string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString();
            }
        }
    }

    public int ProcessId => _process!.Id;

    public static TestNode Create(params string[] options)
    {
        var home = Directory.CreateTempSubdirectory("ml-e2e-").FullName;

        // As root, the database runs as another user, who must be able to enter.
        File.SetUnixFileMode(home, File.GetUnixFileMode(home) | UnixFileMode.OtherExecute);
        return new TestNode(home, options) { Folder = Path.Combine(home, "data", "jobs") };
    }

    public static async Task<TestNode> StartAsync(params string[] options)
    {
        var node = Create(options);
        try
        {
            await node.StartAsync();
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    public async Task StartAsync()
    {
        lock (_errors)
        {
            _errors.Clear();
        }

        var process = Process.Start(Meshledger.Start(["up", "--data", Data, .. Options], []))!;
        _process = process;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                _errors.AppendLine(line.Data);
            }
        };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        await Meshledger.UntilAsync(
            () => Errors.Contains("meshledger is ready", StringComparison.Ordinal) || process.HasExited, "a ready node");
        Assert.False(process.HasExited, Errors);
    }

    /// <summary>Asks the node to stop and returns its exit code.</summary>
    public async Task<int> StopAsync()
    {
        _ = kill(_process!.Id, Terminate);
        using var limit = new CancellationTokenSource(Meshledger.Patience);
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    /// <summary>As when the power of the node fails, but not that of its database.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public Task<CommandResult> RunAsync(params string[] arguments) => Meshledger.RunAsync([.. arguments, "--data", Data]);

    /// <summary>What a verb says as JSON, if it succeeded.</summary>
    public async Task<JsonDocument> JsonAsync(params string[] arguments) =>
        JsonDocument.Parse((await RunAsync([.. arguments, "--output", "json"])).With(0));

    /// <summary>Waits until a job takes bids, which it goes on doing while nobody can run it.</summary>
    public async Task UntilBiddingAsync(params string[] jobs)
    {
        foreach (var job in jobs)
        {
            using var limit = new CancellationTokenSource(Meshledger.Patience);
            while ((await RunAsync("job", "list", "--status", "bidding_open", "--output", "jsonl")).With(0)
                .Contains($"\"{job}\"", StringComparison.Ordinal) is false)
            {
                limit.Token.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Asks again and again until a verb says <paramref name="expected"/>: what other processes do is seen when it is
    /// done, and not before.</summary>
    public async Task<string> UntilSaidAsync(string expected, params string[] arguments)
    {
        using var limit = new CancellationTokenSource(Meshledger.Patience);
        while (true)
        {
            var result = await RunAsync(arguments);
            if (result.ExitCode == 0 && result.Output.Contains(expected, StringComparison.Ordinal))
            {
                return result.Output;
            }

            Assert.False(
                limit.IsCancellationRequested,
                $"'{string.Join(' ', arguments)}' never said '{expected}'; at last: {result.Output}{result.Errors}");
        }
    }

    /// <summary>Drops a file as one should: under another name, then renamed.</summary>
    public void Drop(string name, string text) => Drop(name, Encoding.UTF8.GetBytes(text));

    public void Drop(string name, byte[] bytes)
    {
        var inbox = Path.Combine(Folder, "inbox");
        Directory.CreateDirectory(inbox);
        var path = Path.Combine(inbox, name);
        File.WriteAllBytes(path + ".tmp", bytes);
        File.Move(path + ".tmp", path);
    }

    public static string Echo(string id, string data = "null") =>
        $$$"""
        {"version":"1.0","job_id":"{{{id}}}","created_at":"2026-11-21T00:00:00Z","kind":"VMOperation","operation":"system.echo","payload":{"type":"system.echo.v1","data":{{{data}}}}}
        """;

    public string ResultFile(string id) => Path.Combine(Folder, "results", $"{id}.result.json");

    public string Done(string name) => Path.Combine(Folder, "done", name);

    public string Failed(string name) => Path.Combine(Folder, "failed", name);

    public async Task<JsonElement> ResultAsync(string id)
    {
        var file = ResultFile(id);
        await Meshledger.UntilAsync(() => File.Exists(file), file);
        using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(file));
        return document.RootElement.Clone();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await StopAsync();
        }

        _process?.Dispose();
        var pidFile = Path.Combine(Data, "postgres", "cluster", "postmaster.pid");
        if (File.Exists(pidFile)
            && int.TryParse(File.ReadLines(pidFile).First(), CultureInfo.InvariantCulture, out var server))
        {
            // A killed node leaves its database running.
            _ = kill(server, 2);
            await Meshledger.UntilAsync(() => !File.Exists(pidFile), "a stopped database");
        }

        Directory.Delete(Home, recursive: true);
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}
