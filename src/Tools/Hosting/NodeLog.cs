using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Ports;
using MeshLedger.Ledger.Transparency;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshLedger.Tools.Hosting;

/// <summary>What a node does with its log.</summary>
internal sealed record NodeLogConfig
{
    public bool Enabled { get; init; } = true;

    /// <summary>The log's name; null: one that is made from its key.</summary>
    public string? Origin { get; init; }

    /// <summary>How far the log may be behind.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Where its files stand; null: in the data directory.</summary>
    public string? Directory { get; init; }

    /// <summary>Who cosigns each head before it is published, and how many must.</summary>
    public IReadOnlyList<WitnessAddress> Witnesses { get; init; } = [];
    public int Quorum { get; init; }

    public static NodeLogConfig Read(ConfigSection log)
    {
        var defaults = new NodeLogConfig();
        var origin = log.Text("origin");
        if (origin is not null && !NoteKey.IsName(origin))
        {
            log.Fault("origin", "expected a name without spaces and +, such as example.com/mesh");
        }

        var witnesses = new List<WitnessAddress>();
        foreach (var (url, key) in log.TextMap("witnesses") ?? new Dictionary<string, string>())
        {
            if (Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
                && NoteKey.TryParse(key, out var read) && read!.Type == NoteKeyType.Cosignature)
            {
                witnesses.Add(new WitnessAddress(address, read));
            }
            else
            {
                log.Fault("witnesses", $"expected URLs with the keys of witnesses as they tell them, found '{url}': '{key}'");
            }
        }

        foreach (var same in witnesses.GroupBy(witness => witness.Key.Key).Where(same => same.Count() > 1))
        {
            log.Fault(
                "witnesses", $"expected witnesses with keys of their own, found one key of {string.Join(" and ", same.Select(one => one.Url))}");
        }

        var config = new NodeLogConfig
        {
            Enabled = log.Flag("enabled", defaults.Enabled),
            Origin = origin,
            Interval = TimeSpan.FromMilliseconds(
                log.Integer("interval_ms", (long)defaults.Interval.TotalMilliseconds, 10, 60_000)),
            Directory = log.Text("directory"),
            Witnesses = witnesses,
            Quorum = (int)log.Integer("quorum", 0, 0, witnesses.Count),
        };
        log.End();
        return config;
    }

    public JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["enabled"] = Enabled,
            ["interval_ms"] = (long)Interval.TotalMilliseconds,
            ["witnesses"] = new JsonObject(Witnesses.Select(
                witness => KeyValuePair.Create(witness.Url.ToString(), (JsonNode?)JsonValue.Create(witness.Key.ToString())))),
            ["quorum"] = Quorum,
        };
        foreach (var (name, text) in new[] { ("origin", Origin), ("directory", Directory) })
        {
            if (text is not null)
            {
                json[name] = text;
            }
        }

        return json;
    }
}

/// <summary>The log of a node: published beside it, and served.</summary>
internal static class NodeLog
{
    /// <summary>Where a log is served, below the node's address.</summary>
    public const string Path = "/log/";

    // A full tile never changes; everything else may within the second.
    private const string ForEver = "public, max-age=31536000, immutable";
    private const string ForAMoment = "public, max-age=1";
    private const string Octets = "application/octet-stream";
    private const string Text = "text/plain; charset=utf-8";

    public static string DirectoryOf(NodeLogConfig config, DataDirectory data) => config.Directory is { } given
        ? System.IO.Path.GetFullPath(given)
        : data.Log;

    /// <summary>The log's key is made when it is needed first.</summary>
    public static LogOptions Options(NodeLogConfig config, DataDirectory data) => new()
    {
        Directory = DirectoryOf(config, data),
        Key = SigningKey.LoadOrCreate(data.KeyFile(LogKeyFiles.Current)),
        FindKey = key => LogKeyFiles.Find(data, key),
        Origin = config.Origin,
        Interval = config.Interval,
        Witnesses = config.Witnesses,
        Quorum = config.Quorum,
    };

    /// <summary>Publishes until cancelled; does nothing where the log is off.</summary>
    public static Task RunAsync(
        NodeLogConfig config, DataDirectory data, IEventStore store, NpgsqlDataSource database, TimeProvider clock,
        ILoggerFactory logs, CancellationToken stop) => config.Enabled
        ? new LogPublisher(store, database, Options(config, data), clock, logs.CreateLogger<LogPublisher>()).RunAsync(stop)
        : Task.Delay(Timeout.InfiniteTimeSpan, stop);

    /// <summary>The routes of the log's files.</summary>
    public static Action<IEndpointRouteBuilder>? Routes(NodeLogConfig config, DataDirectory data)
    {
        if (!config.Enabled)
        {
            return null;
        }

        var source = new DirectoryLogSource(DirectoryOf(config, data));
        return routes => routes.MapMethods(
            Path + "{**file}", ["GET", "HEAD"], (HttpContext context, string file) => SendAsync(context, source, file))
            .ExcludeFromDescription();
    }

    private static async Task SendAsync(HttpContext context, DirectoryLogSource source, string file)
    {
        // What was asked for becomes a path only where it is one of the log's own.
        var (type, cache) = file switch
        {
            "checkpoint" or "heads" or "key" or "keys" => (Text, ForAMoment),
            _ when LogTile.TryParse(file, out var tile) => (Octets, tile.IsFull ? ForEver : ForAMoment),
            _ => (null, null),
        };
        await using var stream = type is null ? null : await source.OpenAsync(file, context.RequestAborted);
        if (stream is null)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.ContentType = type;
        context.Response.Headers.CacheControl = cache;
        context.Response.ContentLength = stream.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await SendAsync(context, stream, stream.Length);
        }
    }

    /// <summary>As much as was promised, though the file grows meanwhile.</summary>
    private static async Task SendAsync(HttpContext context, Stream stream, long length)
    {
        var bytes = new byte[65_536];
        while (length > 0)
        {
            var count = await stream.ReadAsync(bytes.AsMemory(0, (int)Math.Min(bytes.Length, length)), context.RequestAborted);
            if (count == 0)
            {
                context.Abort();
                return;
            }

            await context.Response.Body.WriteAsync(bytes.AsMemory(0, count), context.RequestAborted);
            length -= count;
        }
    }
}
