using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Accounts;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Workers;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;
using MeshLedger.Wasm;
using MeshLedger.Wasm.Wasi;

namespace MeshLedger.Tools.Hosting;

// The file of `up --config`: UTF-8 JSON of one object; this room's README.md shows all of its members with what they are
// if they are absent, and what they mean. Checked by ConfigTests.

/// <summary>How a node and its workers are set up: what a configuration file says, and defaults for what it does not.
/// </summary>
internal sealed record NodeConfig
{
    private const long MaxWeight = 1_000_000;
    private const long MaxSeconds = 31_536_000;
    private const long MaxMana = CanonicalJson.MaxInteger;
    private const long MaxPrice = 1_000_000_000_000;

    public required NodeOptions Node { get; init; }
    public required WorkerConfig Worker { get; init; }
    public required NodeBlobsConfig Blobs { get; init; }
    public required NodeLogConfig Log { get; init; }

    public static NodeConfig Default => Read(new ConfigSection(null, "", []));

    /// <exception cref="CommandFailure">The file is not as it must be; all of its faults were said.</exception>
    public static NodeConfig Load(string file)
    {
        try
        {
            using var stream = InputFile.Open(file);
            using var document = JsonDocument.Parse(stream, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var faults = new List<string>();
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new CommandFailure(ExitCodes.Usage, $"{file}: expected a JSON object.");
            }

            var config = Read(new ConfigSection(document.RootElement, "", faults));
            faults.ForEach(fault => Messages.Say($"{file}: {fault}"));
            return faults.Count == 0
                ? config
                : throw new CommandFailure(ExitCodes.Usage, $"{file} is no configuration; nothing was started.");
        }
        catch (JsonException)
        {
            throw new CommandFailure(ExitCodes.Usage, $"{file} is no JSON: {JsonSyntax.Explain(File.ReadAllBytes(file))}.");
        }
    }

    /// <summary>As a file would say it, nothing left out.</summary>
    public JsonObject ToJson()
    {
        var (market, economy) = (Node.Market, Node.Economy);
        return new JsonObject
        {
            ["market"] = new JsonObject
            {
                ["policy"] = market.Policy,
                ["weights"] = new JsonObject
                {
                    ["price"] = market.Weights.Price,
                    ["reputation"] = market.Weights.Reputation,
                    ["resources"] = market.Weights.Resources,
                    ["latency"] = market.Weights.Latency,
                },
                ["submitter_may_bid"] = market.SubmitterMayBid,
                ["default_max_price"] = market.DefaultMaxPrice,
                ["default_bid_window_ms"] = (long)market.DefaultBidWindow.TotalMilliseconds,
                ["ask_first"] = market.AskFirst,
            },
            ["economy"] = new JsonObject
            {
                ["submitter_grant"] = economy.SubmitterGrant,
                ["worker_grant"] = economy.WorkerGrant,
                ["pool_grant"] = economy.PoolGrant,
                ["regeneration_per_minute"] = economy.RegenerationPerMinute,
                ["regeneration_cap"] = economy.RegenerationCap,
                ["max_escrow"] = economy.MaxEscrow,
                ["per_submitter"] = ToJson(economy.PerSubmitter),
                ["per_namespace"] = ToJson(economy.PerNamespace),
                ["namespaces"] = new JsonObject(economy.Namespaces.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                    .Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)ToJson(pair.Value)))),
            },
            ["retry"] = new JsonObject
            {
                ["first_delay_ms"] = (long)Node.Retry.FirstDelay.TotalMilliseconds,
                ["max_delay_ms"] = (long)Node.Retry.MaxDelay.TotalMilliseconds,
                ["max_losses"] = Node.Retry.MaxLosses,
                ["failed_share_bp"] = Node.Retry.FailedShare,
            },
            ["lease_seconds"] = (long)Node.Lease.TotalSeconds,
            ["attempt_grace_seconds"] = (long)Node.AttemptGrace.TotalSeconds,
            ["wait_limit_seconds"] = (long)Node.WaitLimit.TotalSeconds,
            ["blobs"] = Blobs.ToJson(),
            ["log"] = Log.ToJson(),
            ["worker"] = Worker.ToJson(),
        };
    }

    private static NodeConfig Read(ConfigSection file)
    {
        var defaults = new NodeOptions();
        var node = new NodeOptions
        {
            Market = Market(file.Section("market"), defaults.Market),
            Economy = Economy(file.Section("economy"), defaults.Economy),
            Retry = Retry(file.Section("retry")),
            Lease = Seconds(file, "lease_seconds", defaults.Lease, 3),
            AttemptGrace = Seconds(file, "attempt_grace_seconds", defaults.AttemptGrace, 0),
            WaitLimit = Seconds(file, "wait_limit_seconds", defaults.WaitLimit, 0),
        };
        var config = new NodeConfig
        {
            Node = node,
            Worker = WorkerConfig.Read(file.Section("worker")),
            Blobs = NodeBlobsConfig.Read(file.Section("blobs")),
            Log = NodeLogConfig.Read(file.Section("log")),
        };
        file.End();
        return config;
    }

    private static MarketOptions Market(ConfigSection market, MarketOptions defaults)
    {
        var weights = market.Section("weights");
        long Weight(string name, long otherwise) => weights.Integer(name, otherwise, 0, MaxWeight);
        var given = new SelectionWeights(
            Weight("price", defaults.Weights.Price), Weight("reputation", defaults.Weights.Reputation),
            Weight("resources", defaults.Weights.Resources), Weight("latency", defaults.Weights.Latency));
        weights.End();
        if (given is { Price: 0, Reputation: 0, Resources: 0, Latency: 0 })
        {
            market.Fault("weights", "expected at least one that is not 0");
        }

        var options = new MarketOptions
        {
            Policy = market.OneOf("policy", defaults.Policy, SelectionPolicy.Names),
            Weights = given,
            SubmitterMayBid = market.Flag("submitter_may_bid", defaults.SubmitterMayBid),
            DefaultMaxPrice = market.Integer("default_max_price", defaults.DefaultMaxPrice, 1, MaxPrice),
            DefaultBidWindow = Milliseconds(market, "default_bid_window_ms", defaults.DefaultBidWindow, 600_000),
            AskFirst = (int)market.Integer("ask_first", defaults.AskFirst, 0, 1000),
        };
        market.End();
        return options;
    }

    private static EconomyOptions Economy(ConfigSection economy, EconomyOptions defaults)
    {
        long Mana(string name, long otherwise) => economy.Integer(name, otherwise, 0, MaxMana);
        var namespaces = economy.Section("namespaces");
        var teams = namespaces.Sections();
        if (teams.ContainsKey(""))
        {
            namespaces.Fault("", "a namespace has a name of at least one character");
        }

        var options = new EconomyOptions
        {
            SubmitterGrant = Mana("submitter_grant", defaults.SubmitterGrant),
            WorkerGrant = Mana("worker_grant", defaults.WorkerGrant),
            PoolGrant = Mana("pool_grant", defaults.PoolGrant),
            RegenerationPerMinute = economy.Integer(
                "regeneration_per_minute", defaults.RegenerationPerMinute, 0, Account.MaxRate),
            RegenerationCap = Mana("regeneration_cap", defaults.RegenerationCap),
            MaxEscrow = Mana("max_escrow", defaults.MaxEscrow),
            PerSubmitter = Limits(economy.Section("per_submitter")),
            PerNamespace = Limits(economy.Section("per_namespace")),
            Namespaces = teams.ToDictionary(pair => pair.Key, pair => Limits(pair.Value)),
        };
        economy.End();
        return options;
    }

    private static QuotaLimits Limits(ConfigSection limits)
    {
        var given = new QuotaLimits
        {
            OpenJobs = limits.Integer("open_jobs", 0, 0, MaxMana),
            JobsPerMinute = limits.Integer("jobs_per_minute", 0, 0, MaxMana),
            ManaPerDay = limits.Integer("mana_per_day", 0, 0, MaxMana),
        };
        limits.End();
        return given;
    }

    private static JsonObject ToJson(QuotaLimits limits) => new()
    {
        ["open_jobs"] = limits.OpenJobs,
        ["jobs_per_minute"] = limits.JobsPerMinute,
        ["mana_per_day"] = limits.ManaPerDay,
    };

    private static RetryPolicy Retry(ConfigSection retry)
    {
        var defaults = RetryPolicy.Default;
        var policy = new RetryPolicy(
            Milliseconds(retry, "first_delay_ms", defaults.FirstDelay, MaxSeconds * 1000),
            Milliseconds(retry, "max_delay_ms", defaults.MaxDelay, MaxSeconds * 1000),
            (int)retry.Integer("max_losses", defaults.MaxLosses, 1, 1000),
            (int)retry.Integer("failed_share_bp", defaults.FailedShare, 0, 10_000));
        if (policy.MaxDelay < policy.FirstDelay)
        {
            retry.Fault("max_delay_ms", $"expected at least first_delay_ms, which is {policy.FirstDelay.TotalMilliseconds}");
        }

        retry.End();
        return policy;
    }

    private static TimeSpan Seconds(ConfigSection section, string name, TimeSpan otherwise, long least) =>
        TimeSpan.FromSeconds(section.Integer(name, (long)otherwise.TotalSeconds, least, MaxSeconds));

    private static TimeSpan Milliseconds(ConfigSection section, string name, TimeSpan otherwise, long most) =>
        TimeSpan.FromMilliseconds(section.Integer(name, (long)otherwise.TotalMilliseconds, 0, most));
}

/// <summary>What the workers of a node are like. The resources are those of all of them together.</summary>
internal sealed record WorkerConfig
{
    public IReadOnlyList<string> Pools { get; init; } = ["default"];
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();
    public IReadOnlyList<string> Capabilities { get; init; } = [];
    public IReadOnlyList<string> Features { get; init; } = [];
    public bool Privileged { get; init; }
    public long BasePrice { get; init; } = 5;

    /// <summary>How WebAssembly programs are run, which their results do not show.</summary>
    public Tier WasmTier { get; init; } = Tier.Adaptive;

    /// <summary>Directories of this machine that WebAssembly programs get whose documents ask for them.</summary>
    public IReadOnlyList<GuestDirectory> WasmDirectories { get; init; } = [];

    /// <summary>Of each worker; null: one for each core of its share.</summary>
    public int? MaxConcurrentJobs { get; init; }

    /// <summary>Null where the machine is measured.</summary>
    public long? CpuCores { get; init; }
    public long? MemoryMb { get; init; }
    public long? StorageMb { get; init; }
    public long? MaxDiskSizeGb { get; init; }

    public static WorkerConfig Read(ConfigSection worker)
    {
        var defaults = new WorkerConfig();
        var resources = worker.Section("resources");
        var config = new WorkerConfig
        {
            Pools = worker.Texts("pools") ?? defaults.Pools,
            Labels = worker.TextMap("labels") ?? defaults.Labels,
            Capabilities = worker.Texts("capabilities") ?? defaults.Capabilities,
            Features = worker.Texts("features") ?? defaults.Features,
            Privileged = worker.Flag("privileged", defaults.Privileged),
            BasePrice = worker.Integer("base_price", defaults.BasePrice, 1, 1_000_000),
            WasmTier = Enum.Parse<Tier>(
                worker.OneOf("wasm_tier", GuestAccount.AdaptiveTier, GuestAccount.Tiers), ignoreCase: true),
            WasmDirectories = ReadDirectories(worker.Section("wasm_directories")),
            MaxConcurrentJobs = (int?)worker.Integer("max_concurrent_jobs", 1, 1024),
            CpuCores = resources.Integer("cpu_cores", 1, 4096),
            MemoryMb = resources.Integer("memory_mb", 1, 67_108_864),
            StorageMb = resources.Integer("storage_mb", 0, 1_000_000_000_000),
            MaxDiskSizeGb = resources.Integer("max_disk_size_gb", 0, 1_000_000_000),
        };
        resources.End();
        worker.End();
        return config;
    }

    private static List<GuestDirectory> ReadDirectories(ConfigSection section)
    {
        var directories = new List<GuestDirectory>();
        foreach (var (guest, entry) in section.Sections())
        {
            var path = entry.Text("path");
            if (path is null || !Path.IsPathFullyQualified(path))
            {
                entry.Fault("path", "an absolute path of this machine");
            }
            else if (!GuestDirectory.IsPath(guest))
            {
                section.Fault(guest, "a path of the guest's such as /data, none of /in, /scratch, /out");
            }
            else
            {
                directories.Add(new GuestDirectory(guest, path, entry.Flag("writable", false)));
            }

            entry.End();
        }

        section.End();
        return [.. directories.OrderBy(directory => directory.GuestPath, StringComparer.Ordinal)];
    }

    /// <summary>What the workers have together, on a machine that has <paramref name="measured"/>.</summary>
    public WorkerResources Resources(WorkerResources measured) => new(
        CpuCores ?? measured.CpuCores, MemoryMb ?? measured.MemoryMb, StorageMb ?? measured.StorageMb,
        MaxDiskSizeGb ?? measured.MaxDiskSizeGb);

    public JsonObject ToJson()
    {
        var worker = new JsonObject
        {
            ["pools"] = Names.List(Pools),
            ["labels"] = new JsonObject(Labels.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)JsonValue.Create(pair.Value)))),
            ["capabilities"] = Names.List(Capabilities),
            ["features"] = Names.List(Features),
            ["privileged"] = Privileged,
            ["base_price"] = BasePrice,
            ["wasm_tier"] = GuestAccount.Tiers[(int)WasmTier],
            ["wasm_directories"] = new JsonObject(WasmDirectories.Select(directory => KeyValuePair.Create(
                directory.GuestPath,
                (JsonNode?)new JsonObject { ["path"] = directory.HostPath, ["writable"] = directory.Writable }))),
        };
        if (MaxConcurrentJobs is { } most)
        {
            worker["max_concurrent_jobs"] = most;
        }

        var resources = new JsonObject();
        (string, long?)[] figures =
        [
            ("cpu_cores", CpuCores), ("memory_mb", MemoryMb), ("storage_mb", StorageMb), ("max_disk_size_gb", MaxDiskSizeGb),
        ];
        foreach (var (name, figure) in figures.Where(figure => figure.Item2 is not null))
        {
            resources[name] = figure;
        }

        worker["resources"] = resources;
        return worker;
    }
}
