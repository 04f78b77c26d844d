using System.Text.Json;
using MeshLedger.Projections.EventIndex;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Queries;

/// <summary>Who is called what: workers by the id under which they registered last, nodes by the name under which they
/// joined. Found by the index of events, so that it costs what there are of them, and not what there is of all.</summary>
internal sealed class AuthorNames
{
    private static readonly string[] Types = ["ledger_founded", "node_joined", "node_admitted", "worker_registered"];

    private readonly Dictionary<string, string> _workers = [];
    private readonly Dictionary<string, string> _nodes = [];
    private readonly HashSet<string> _admitted = [];

    public static async Task<AuthorNames> LoadAsync(LedgerSession ledger, CancellationToken cancellationToken)
    {
        var names = new AuthorNames();
        var page = await new EventSearch(ledger.Database).FindAsync(
            new EventFilter { Types = Types, Limit = int.MaxValue - 1 }, cancellationToken);
        foreach (var stored in await StoredEvents.ReadAsync(ledger.Database, page.Positions, cancellationToken))
        {
            using var data = JsonDocument.Parse(stored.Data);
            names.Take(stored.Type, stored.By ?? "", data.RootElement);
        }

        return names;
    }

    /// <summary>The keys of all who are called so, for a name may belong to several; a key is its own name.</summary>
    /// <exception cref="CommandFailure">Nobody is called so.</exception>
    public async Task<IReadOnlyList<string>> KeysOfAsync(
        string name, LedgerSession ledger, DataDirectory data, CancellationToken cancellationToken)
    {
        if (KnownKeys.Whole(name) is { } key)
        {
            return [key];
        }

        var found = _workers.Where(one => one.Value == name || $"worker {one.Value}" == name)
            .Concat(_nodes.Where(one => one.Value == name)).Select(one => one.Key).ToList();
        return found.Count > 0
            ? found
            : [KnownKeys.Find("--by", name, await new EventSearch(ledger.Database).AuthorsAsync(cancellationToken), data)
                ?? throw new CommandFailure(
                    ExitCodes.NotFound,
                    $"--by: nobody called '{SafeText.Cut(SafeText.Line(name), 80)}' is in this ledger: expected a key, whole or shortened as it is "
                    + "shown (meshledger account list --output json has all of them), a worker's id (meshledger worker list), a node's "
                    + "name, or the name of a key of this data directory (meshledger key show).")];
    }

    /// <summary>Role and shortened key.</summary>
    public string Author(string did) => $"{Role(did)} {Names.Short(did)}";

    public string? WorkerId(string did) => _workers.GetValueOrDefault(did);

    /// <summary><c>worker NAME</c>, <c>node</c>, or <c>submitter</c>.</summary>
    public string Role(string did) =>
        _workers.TryGetValue(did, out var worker) ? $"worker {worker}" : _admitted.Contains(did) ? "node" : "submitter";

    private void Take(string type, string by, JsonElement data)
    {
        string Text(string member) =>
            data.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        switch (type)
        {
            case "worker_registered":
                _workers[by] = Text("worker_id");
                break;
            case "node_joined":
                _nodes[by] = Text("name");
                break;
            case "node_admitted":
                _admitted.Add(Text("node"));
                break;
            default:
                _nodes[by] = Text("name");
                _admitted.Add(by);
                break;
        }
    }
}
