using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Hosting;

// DATA/node.json, UTF-8 JSON of one object: {"pid":4711,"name":"n1","node":"did:key:z6Mk...","folder":"/data/jobs",
// "postgres":"private" or "external","started_at":"2026-11-21T01:02:03.123456Z","wait_limit_seconds":3600,
// "submitter_may_bid":false,"blobs_url":"http://127.0.0.1:7400","peers":[]}. Written by `up` under another name and renamed; holds no password. Checked by UpTests.

/// <summary>What a node says of itself to other verbs.</summary>
internal sealed record NodeRecord(int ProcessId, string Name, string Node, string Folder, bool External, string StartedAt)
{
    /// <summary>How long a job that nobody could run waits.</summary>
    public long WaitLimitSeconds { get; init; }
    public bool SubmitterMayBid { get; init; }

    /// <summary>Where its blobs are served; null: nowhere.</summary>
    public string? BlobsUrl { get; init; }

    /// <summary>The peers that it was given.</summary>
    public IReadOnlyList<string> Peers { get; init; } = [];
}

/// <summary>
/// A node's directory: <c>keys/</c>, <c>blobs/</c>, <c>log/</c>, <c>postgres/</c>, <c>jobs/</c> unless <c>--folder</c> is given,
/// <c>node.json</c>, and <c>node.lock</c>, which the running node holds.
/// </summary>
internal sealed partial class DataDirectory(string path)
{
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(1);

    public string Root { get; } = path;

    public string Keys => Path.Combine(Root, "keys");

    public string Blobs => Path.Combine(Root, "blobs");

    public string Log => Path.Combine(Root, "log");

    public string Witness => Path.Combine(Root, "witness");

    public string Machines => Path.Combine(Root, "machines");

    public string DefaultFolder => Path.Combine(Root, "jobs");

    private string LockFile => Path.Combine(Root, "node.lock");

    private string RecordFile => Path.Combine(Root, "node.json");

    public static DataDirectory Choose(string? given)
    {
        var chosen = given ?? Variable("MESHLEDGER_DATA");
        if (chosen is null)
        {
            chosen = geteuid() == 0
                ? "/var/lib/meshledger"
                : Path.Combine(
                    Variable("XDG_DATA_HOME") ?? Path.Combine(Variable("HOME") ?? "/tmp", ".local", "share"), "meshledger");
        }

        return new DataDirectory(Path.GetFullPath(chosen));
    }

    public string KeyFile(string name) => Path.Combine(Keys, $"{name}.key");

    /// <summary>Makes the directory and its keys' place; only the owner enters the latter.</summary>
    public void Make()
    {
        MakeDirectory("--data", Root);
        Directory.CreateDirectory(
            Keys, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Makes a directory that an option names, unless it is there.</summary>
    /// <exception cref="CommandFailure">Something else is in its place, or nobody may make it; says which option.</exception>
    public static void MakeDirectory(string option, string path)
    {
        for (var at = path; at is not null; at = Path.GetDirectoryName(at))
        {
            if (File.Exists(at))
            {
                throw new CommandFailure(
                    ExitCodes.Usage, at == path
                        ? $"{option}: expected a directory, but {path} is a file."
                        : $"{option}: {path} cannot be made, for {at} is a file.");
            }
        }

        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure(ExitCodes.Failed, $"{option}: {path} cannot be made: {exception.Message}");
        }
    }

    /// <summary>Takes the directory for a node until disposed.</summary>
    /// <exception cref="CommandFailure">Another node holds it; says which.</exception>
    public async Task<IDisposable> HoldAsync(TimeProvider clock, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (clock.GetElapsedTime(began) < LockPatience)
            {
                // A verb that only looks holds it for a moment, too.
                await Task.Delay(50, cancellationToken);
            }
            catch (IOException)
            {
                var holder = ReadRecord() is { } record
                    ? $"process {record.ProcessId} (node {record.Name}, since {record.StartedAt})"
                    : "another process";
                throw new CommandFailure(
                    ExitCodes.Failed, $"{holder} holds the data directory {Root}. Stop it, or choose another with --data.");
            }
        }
    }

    /// <summary>True while a node holds the directory.</summary>
    public bool IsHeld()
    {
        try
        {
            using var stream = new FileStream(LockFile, FileMode.Open, FileAccess.Read, FileShare.Read);
            return false;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    /// <summary>What the node that runs here, or ran here last, said of itself; null if none did.</summary>
    public NodeRecord? ReadRecord()
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(RecordFile));
            var root = document.RootElement;
            string Text(string name) => root.GetProperty(name).GetString()!;
            return new NodeRecord(
                root.GetProperty("pid").GetInt32(), Text("name"), Text("node"), Text("folder"),
                Text("postgres") == "external", Text("started_at"))
            {
                WaitLimitSeconds = root.GetProperty("wait_limit_seconds").GetInt64(),
                SubmitterMayBid = root.GetProperty("submitter_may_bid").GetBoolean(),
                BlobsUrl = root.TryGetProperty("blobs_url", out var url) ? url.GetString() : null,
                Peers = root.TryGetProperty("peers", out var peers)
                    ? [.. peers.EnumerateArray().Select(peer => peer.GetString()!)]
                    : [],
            };
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception damaged) when (damaged is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new CommandFailure(
                ExitCodes.Failed, $"{RecordFile} cannot be read: {damaged.Message} Remove it; the next start writes it anew.");
        }
    }

    public void WriteRecord(NodeRecord record)
    {
        var json = new JsonObject
        {
            ["pid"] = record.ProcessId,
            ["name"] = record.Name,
            ["node"] = record.Node,
            ["folder"] = record.Folder,
            ["postgres"] = record.External ? "external" : "private",
            ["started_at"] = record.StartedAt,
            ["wait_limit_seconds"] = record.WaitLimitSeconds,
            ["submitter_may_bid"] = record.SubmitterMayBid,
            ["blobs_url"] = record.BlobsUrl,
            ["peers"] = Names.List(record.Peers),
        };
        File.WriteAllText(RecordFile + ".tmp", json.ToJsonString() + "\n");
        File.Move(RecordFile + ".tmp", RecordFile, overwrite: true);
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    [LibraryImport("libc")]
    private static partial uint geteuid();
}
