using System.Collections.Concurrent;
using System.Text.Json;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Ports;
using MeshLedger.Transports.Folder;
using MeshLedger.Transports.Tests.Compliance;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MeshLedger.Transports.Tests.Folder;

/// <summary>A folder of its own for one test, and any number of nodes on it.</summary>
public sealed class FolderPlace : IAsyncDisposable
{
    private readonly List<RunningNode> _nodes = [];
    private int _drops;

    public string Root { get; } = Directory.CreateTempSubdirectory("meshledger-folder-").FullName;

    public CapturedLog Log { get; } = new();

    public string In(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Makes the folder's directories before any node does.</summary>
    public FolderPlace Prepared(params string[] nodes)
    {
        foreach (var name in (string[])["inbox", "done", "failed", "results", .. nodes.Select(n => "claimed/" + n)])
        {
            Directory.CreateDirectory(In(name));
        }

        return this;
    }

    public FolderTransport Transport(Action<FolderTransportOptions>? configure = null)
    {
        var options = new FolderTransportOptions
        {
            Directory = Root,
            NodeId = "node-a",
            PollInterval = TimeSpan.FromMilliseconds(50),
            GracePeriod = TimeSpan.FromMilliseconds(200),
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            TakeoverAfter = TimeSpan.FromSeconds(60),
        };
        configure?.Invoke(options);
        return new FolderTransport(Options.Create(options), TimeProvider.System, Log);
    }

    /// <summary>Starts a node and returns once it has opened the folder.</summary>
    public async Task<RunningNode> StartAsync(IJobIntake intake, Action<FolderTransportOptions>? configure = null)
    {
        var opened = Log.Count(4001);
        var node = new RunningNode(Transport(configure), intake);
        _nodes.Add(node);
        await Eventually.True(() => Log.Count(4001) > opened || node.Running.IsCompleted, "the folder is opened");
        return node;
    }

    /// <summary>Puts a file into the inbox the way that is recommended: complete, by a rename.</summary>
    public void Drop(string name, byte[] content)
    {
        Directory.CreateDirectory(In("inbox"));
        var temporary = In($"drop-{Interlocked.Increment(ref _drops)}");
        File.WriteAllBytes(temporary, content);
        File.Move(temporary, In("inbox", name), overwrite: true);
    }

    public Task GoneAsync(string name, string to) =>
        Eventually.True(() => File.Exists(In(to, name)), $"{name} is in {to}/; there are {string.Join(", ", All())}");

    public JsonElement ErrorOf(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(In("failed", name + ".error.json")));
        return document.RootElement.Clone();
    }

    /// <summary>Every file in the folder but the nodes' own, relative, sorted.</summary>
    public IReadOnlyList<string> All() => [.. Directory
        .EnumerateFileSystemEntries(Root, "*", SearchOption.AllDirectories)
        .Where(path => !Directory.Exists(path) || new FileInfo(path).LinkTarget is not null)
        .Select(path => Path.GetRelativePath(Root, path))
        .Where(path => !Path.GetFileName(path).StartsWith('.'))
        .Order(StringComparer.Ordinal)];

    public IReadOnlyList<string> Names(string directory) => Directory.Exists(In(directory))
        ? [.. Directory.EnumerateFileSystemEntries(In(directory)).Select(path => Path.GetFileName(path)!)
            .Where(name => !name.StartsWith('.')).Order(StringComparer.Ordinal)]
        : [];

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        if (Directory.Exists(Root))
        {
            Directory.Delete(Root, recursive: true);
        }
    }
}

/// <summary>A transport that runs until it is disposed. Its end leaves on disk just what a kill would leave.</summary>
public sealed class RunningNode : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();

    public RunningNode(FolderTransport transport, IJobIntake intake)
    {
        Running = transport.RunAsync(intake, _stopping.Token);
    }

    public Task Running { get; }

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await Running.WaitAsync(Eventually.Deadline);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Running.WaitAsync(Eventually.Deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }
}

/// <summary>What the transport logged.</summary>
public sealed class CapturedLog : ILogger<FolderTransport>
{
    private readonly ConcurrentQueue<(int Id, string Text)> _lines = new();

    public int Count(int id) => _lines.Count(line => line.Id == id);

    public IReadOnlyList<string> Lines(int id) => [.. _lines.Where(line => line.Id == id).Select(line => line.Text)];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue((eventId.Id, $"{formatter(state, exception)} {exception?.Message}"));
}

/// <summary>The folder as the compliance suite sees it.</summary>
public sealed class FolderHarness(IIntakeUnderTest node, Action<FolderTransportOptions>? configure = null)
    : ITransportHarness
{
    private readonly FolderPlace _place = new();
    private readonly Dictionary<string, string> _jobs = [];
    private RunningNode? _running;

    public bool TakesWhileDown => true;

    public async Task StartAsync() => _running = await _place.StartAsync(node.Intake, configure);

    public Task KillAsync() => _running!.StopAsync();

    public Task DeliverAsync(string ticket, byte[] document)
    {
        _jobs[ticket] = JobDocumentReader.Read(document).Document?.JobId.ToString() ?? "";
        _place.Drop(ticket + ".json", document);
        return Task.CompletedTask;
    }

    public async Task<DeliveryAnswer> AnswerAsync(string ticket)
    {
        var name = ticket + ".json";
        await Eventually.True(() => IsAnswered(ticket), $"an answer to {ticket}; {string.Join(", ", _place.All())}");
        var result = _place.In("results", _jobs[ticket] + ".result.json");
        if (File.Exists(_place.In("done", name)))
        {
            return new DeliveryAnswer.Result(true, await File.ReadAllTextAsync(result));
        }

        var error = _place.ErrorOf(name);
        if (error.TryGetProperty("error", out _))
        {
            return new DeliveryAnswer.Result(false, await File.ReadAllTextAsync(result));
        }

        var faults = error.TryGetProperty("faults", out var told) ? told.EnumerateArray().ToList() : [];
        return new DeliveryAnswer.Rejected(
            error.GetProperty("code").GetString()!,
            error.GetProperty("message").GetString()!,
            [.. faults.Select(fault => new DocumentFault(
                fault.GetProperty("pointer").GetString()!,
                fault.GetProperty("expected").GetString()!,
                fault.GetProperty("found").GetString()!))]);
    }

    public Task<IReadOnlyList<string>> UnansweredAsync() =>
        Task.FromResult<IReadOnlyList<string>>([.. _jobs.Keys.Where(ticket => !IsAnswered(ticket))]);

    public ValueTask DisposeAsync() => _place.DisposeAsync();

    private bool IsAnswered(string ticket) =>
        File.Exists(_place.In("done", ticket + ".json")) || File.Exists(_place.In("failed", ticket + ".json"));
}

public sealed class FolderCompliance : TransportCompliance
{
    protected override ITransportHarness CreateHarness(IIntakeUnderTest node) => new FolderHarness(node);
}

/// <summary>Polling is enough alone.</summary>
public sealed class FolderComplianceByPolling : TransportCompliance
{
    protected override ITransportHarness CreateHarness(IIntakeUnderTest node) => new FolderHarness(
        node,
        options =>
        {
            options.UseInotify = false;
            options.PollInterval = TimeSpan.FromMilliseconds(20);
            options.GracePeriod = TimeSpan.FromMilliseconds(20);
        });
}

/// <summary>With a real node, worker and ledger behind it.</summary>
public sealed class FolderComplianceWithARealNode : TransportCompliance
{
    protected override IIntakeUnderTest CreateIntake() => RealNodeIntake.Start();

    protected override ITransportHarness CreateHarness(IIntakeUnderTest node) => new FolderHarness(node);
}
