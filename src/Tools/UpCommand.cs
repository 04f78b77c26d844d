using System.CommandLine;
using System.Net;
using System.Text.Json.Nodes;
using MeshLedger.Blobs.Peers;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Observability;
using MeshLedger.Observability.Traces;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Tools;

/// <summary><c>meshledger up</c>: a node in the foreground.</summary>
internal static class UpCommand
{
    private static readonly Option<string?> Folder = new("--folder")
    {
        Description = "The folder to take jobs from (default: DATA/jobs).",
        HelpName = "DIR",
    };

    private static readonly Option<string?> Name = new("--name")
    {
        Description = "What people call the node (default: the machine's name).",
        HelpName = "NAME",
    };

    private static readonly Option<bool> NoWorker = new(
        "--no-worker") { Description = "Take jobs, but run none here." };

    private static readonly Option<int?> Concurrency =
        GlobalOptions.Number("--concurrency", "How many jobs each worker runs at once (default: one a core).", 1, 1024);

    private static readonly Option<string?> WorkerId = new("--worker-id")
    {
        Description = "What people call the worker (default: the node's name); further ones are called ID-2, ID-3...",
        HelpName = "ID",
    };

    private static readonly Option<string[]> Pools = Several("--pool", "P", "A pool of the worker (default: default).");
    private static readonly Option<string[]> Capabilities = Several("--capability", "C", "A capability of the worker.");
    private static readonly Option<string[]> Features = Several("--feature", "F", "A feature of the worker.");
    private static readonly Option<string[]> Labels = Several("--label", "K=V", "A label of the worker.");

    private static readonly Option<bool> Privileged = new("--privileged")
    {
        Description = "Run jobs that require a privileged worker, too.",
    };

    private static readonly Option<string[]> ImageDirectories =
        Several("--image-dir", "DIR", "A directory that disk images may be read from.");

    private static readonly Option<long?> BasePrice =
        GlobalOptions.Number(
            "--base-price", "The worker's price of a job that asks for nothing (default: 5).", 1L, 1_000_000L);

    private static readonly Option<bool> NoInotify = new("--no-inotify")
    {
        Description = "Find new files by polling alone.",
    };

    private static readonly Option<bool> NoAdmit = new("--no-admit")
    {
        Description = "Admit no other node. Otherwise who can write the database can join as a node.",
    };

    private static readonly Option<int?> MetricsPort = GlobalOptions.Number(
        "--metrics-port",
        "Serve /metrics, /health/live and /health/ready on this port of 127.0.0.1; 0 takes a free one (default: do not).",
        0, 65_535);

    private static readonly Option<Uri?> Otlp = new("--otlp")
    {
        Description = "Send a trace of each job to this OTLP collector (default: OTEL_EXPORTER_OTLP_ENDPOINT).",
        HelpName = "URL",
        CustomParser = result => Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url)
            && url.Scheme is "http" or "https"
            ? url
            : Refuse<Uri>(result, $"--otlp: expected an http or https URL, found '{result.Tokens[0].Value}'."),
    };

    private static readonly Option<IPEndPoint?> Listen = new("--listen")
    {
        Description = "Serve this node's blobs and its log over HTTP on this address; whoever reaches it can read them. Port 0 takes a "
            + "free one (default: do not).",
        HelpName = "ADDRESS:PORT",
        CustomParser = result => IPEndPoint.TryParse(result.Tokens[0].Value, out var address)
            && result.Tokens[0].Value.LastIndexOf(':') > result.Tokens[0].Value.LastIndexOf(']')
            ? address
            : Refuse<IPEndPoint>(
                result, $"--listen: expected an IP address and a port, such as 127.0.0.1:7400, found '{result.Tokens[0].Value}'."),
    };

    private static readonly Option<Uri?> Advertise = new("--advertise")
    {
        Description = "How other nodes reach what --listen serves (default: as it listens).",
        HelpName = "URL",
        CustomParser = result => PeerList.TryParse(result.Tokens[0].Value, out var url)
            ? url
            : Refuse<Uri>(result, $"--advertise: expected http://HOST:PORT or https://HOST:PORT, found '{result.Tokens[0].Value}'."),
    };

    private static readonly Option<string[]> Peers =
        Several("--peer", "URL", "A node that is asked for blobs, beside those of this ledger that serve theirs.");

    private static readonly Option<string?> LogFormat = new("--log-format")
    {
        Description = "How logs are written: text is for people; json is one object a line (default: as --output).",
        HelpName = "text|json",
        CustomParser = result => result.Tokens[0].Value is "text" or "json"
            ? result.Tokens[0].Value
            : Refuse<string>(result, $"--log-format: expected text or json, found '{result.Tokens[0].Value}'."),
    };

    private static readonly Option<int?> Workers = GlobalOptions.Number(
        "--workers", "How many workers, each with a key and a share of the resources of its own (default: 1).", 1, 64);

    private static readonly Option<string?> Owner = new("--owner")
    {
        Description = "Whose the workers are: a key, or submitter for this node's own submitter, who vouches for them then "
            + "(default: each its own). What they do for others makes their owner's jobs cheaper.",
        HelpName = "DID|submitter",
    };

    private static readonly Option<string?> Config = new("--config")
    {
        Description = "How the node chooses, what it grants and allows, and what its workers are like; options given here "
            + "go before. --print-config shows the members.",
        HelpName = "FILE.json",
    };

    private static readonly Option<bool> PrintConfig = new("--print-config")
    {
        Description = "Print the configuration as it is in effect, as JSON, and start nothing.",
    };

    /// <summary>The longest name of a node, a worker, a pool or a label.</summary>
    private const int MaxName = 200;

    public static Command Create() => new Verb(
        "up", "Start a node: its database, its folder and its workers. Ctrl-C stops all of it in order.",
        "meshledger up",
        "meshledger up --data /srv/mesh --folder /srv/drop --pool gpu --label zone=a",
        "meshledger up --metrics-port 9464 --otlp http://127.0.0.1:4318 --log-format json",
        "meshledger up --workers 3 --owner submitter --config node.json",
        "meshledger up --postgres 'Host=db;Username=mesh;Database=mesh' --no-worker")
    {
        GlobalOptions.NotEmpty(Folder), GlobalOptions.NotEmpty(Name, MaxName), NoWorker, Concurrency,
        GlobalOptions.NotEmpty(WorkerId, MaxName), GlobalOptions.NotEmpty(Pools, MaxName),
        GlobalOptions.NotEmpty(Capabilities, MaxName), GlobalOptions.NotEmpty(Features, MaxName),
        GlobalOptions.NotEmpty(Labels, MaxName), Privileged, GlobalOptions.NotEmpty(ImageDirectories), BasePrice, NoInotify,
        NoAdmit, MetricsPort, Otlp, LogFormat, Workers, Owner, Listen, Advertise, Peers,
        GlobalOptions.NotEmpty(Config), PrintConfig,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var name = call.Get(Name) ?? Environment.MachineName;
        var config = call.Get(Config) is { } file ? NodeConfig.Load(file) : NodeConfig.Default;
        config = config with { Worker = Worker(call, config.Worker), Blobs = Blobs(call, config.Blobs) };
        var owner = call.Get(Owner);
        if (owner is not (null or "submitter") && !Did.TryParse(owner, out _))
        {
            throw new CommandFailure(ExitCodes.Usage, $"--owner: expected submitter or {Did.Expected}, found '{owner}'.");
        }

        if (call.Get(PrintConfig))
        {
            call.Output.Document(config.ToJson());
            return ExitCodes.Ok;
        }

        if (call.Postgres is { } server)
        {
            // Said before anything is made.
            await LedgerSession.Source(server).DisposeAsync();
        }

        config.Node.Name = name;
        config.Node.AdmitNodes = !call.Get(NoAdmit);
        var options = new NodeHostOptions
        {
            Data = call.Data,
            Folder = Path.GetFullPath(call.Get(Folder) ?? call.Data.DefaultFolder),
            Node = config.Node,
            Postgres = call.Postgres,
            Worker = call.Get(NoWorker) ? null : config.Worker,
            WorkerCount = call.Get(Workers) ?? 1,
            WorkerId = call.Get(WorkerId) ?? name,
            Owner = Did.TryParse(owner, out var key) ? key : null,
            AreSubmitters = owner == "submitter",
            ImageDirectories = [.. (call.Get(ImageDirectories) ?? []).Select(Path.GetFullPath)],
            UseInotify = !call.Get(NoInotify),
            Blobs = config.Blobs,
            Log = config.Log,
            Listen = call.Get(Listen),
            Advertise = call.Get(Advertise),
            Observation = new ObservationOptions
            {
                MetricsPort = call.Get(MetricsPort),
                Traces = TraceOptions.Choose(call.Get(Otlp)),
            },
        };
        var logsAreJson = call.Get(LogFormat) is { } format ? format == "json" : !call.Output.IsText;
        using var logs = new StderrLog(logsAreJson, LogLevel.Information, TimeProvider.System);
        try
        {
            await new NodeHost(options, logs, TimeProvider.System).RunAsync(
                record => Announce(
                    call, record, logsAreJson ? logs.CreateLogger(typeof(UpCommand).FullName!) : null), call.Stop);
            return ExitCodes.Ok;
        }
        catch (InvalidHistoryException exception)
        {
            throw new CommandFailure(
                ExitCodes.AuditFault, $"the ledger's history is broken, so the node stopped: {exception.Message} "
                + $"Run: meshledger audit --data {call.Data.Root}");
        }
        catch (OperationCanceledException) when (call.Stop.IsCancellationRequested)
        {
            // Stopped before it was ready.
            return ExitCodes.Ok;
        }
    }

    /// <param name="log">Where logs are JSON, nothing else is written beside them.</param>
    private static void Announce(Call call, NodeRecord record, ILogger? log)
    {
        var inbox = Path.Combine(record.Folder, "inbox");
        if (log is not null)
        {
            Log.Ready(log, record.Name, record.ProcessId, inbox);
        }
        else if (call.Output.IsText)
        {
            Messages.Say($"meshledger is ready: node {record.Name}, process {record.ProcessId}");
            Messages.Say($"Drop job files (*.json) into {inbox}");
        }

        if (call.Output.IsText)
        {
            return;
        }

        call.Output.Object(
            new JsonObject
            {
                ["ready"] = true,
                ["pid"] = record.ProcessId,
                ["name"] = record.Name,
                ["node"] = record.Node,
                ["inbox"] = inbox,
                ["started_at"] = record.StartedAt,
            },
            () => { });
        call.Output.Flush();
    }

    /// <summary>What was typed goes before what the file says.</summary>
    private static WorkerConfig Worker(Call call, WorkerConfig file) => file with
    {
        Pools = Given(call.Get(Pools)) ?? file.Pools,
        Labels = Given(call.Get(Labels)) is { } labels ? ReadLabels(labels) : file.Labels,
        Capabilities = Given(call.Get(Capabilities)) ?? file.Capabilities,
        Features = Given(call.Get(Features)) ?? file.Features,
        Privileged = call.Get(Privileged) || file.Privileged,
        BasePrice = call.Get(BasePrice) ?? file.BasePrice,
        MaxConcurrentJobs = call.Get(Concurrency) ?? file.MaxConcurrentJobs,
    };

    private static NodeBlobsConfig Blobs(Call call, NodeBlobsConfig file)
    {
        var peers = call.Get(Peers) ?? [];
        if (peers.FirstOrDefault(peer => !PeerList.TryParse(peer, out _)) is { } wrong)
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--peer: expected http://HOST:PORT or https://HOST:PORT, found '{wrong}'.");
        }

        return file with { Peers = [.. file.Peers.Union(peers, StringComparer.Ordinal)] };
    }

    private static string[]? Given(string[]? values) => values is { Length: > 0 } ? values : null;

    private static Dictionary<string, string> ReadLabels(string[] given)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var label in given)
        {
            var parts = label.Split('=', 2);
            if (parts.Length != 2 || parts[0].Length == 0 || !labels.TryAdd(parts[0], parts[1]))
            {
                throw new CommandFailure(
                    ExitCodes.Usage, $"--label: expected KEY=VALUE, each key once, found '{label}'.");
            }
        }

        return labels;
    }

    private static T? Refuse<T>(System.CommandLine.Parsing.ArgumentResult result, string message)
        where T : class
    {
        result.AddError(message);
        return null;
    }

    private static Option<string[]> Several(string name, string value, string description) => new(name)
    {
        Description = $"{description} May be given several times.",
        HelpName = value,
        Arity = ArgumentArity.ZeroOrMore,
    };
}
