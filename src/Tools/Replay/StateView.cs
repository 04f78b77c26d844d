using System.Text.Json.Nodes;
using MeshLedger.Domain.Workers;
using MeshLedger.Projections.AsOf;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Workers;

namespace MeshLedger.Tools.Replay;

/// <summary>The parts of a ledger's state as the objects that are shown.</summary>
/// <param name="at">As of when points of reputation are.</param>
internal sealed class StateView(LedgerAsOf ledger, DateTimeOffset at)
{
    private readonly Names _names = Names.Of(ledger.Registry);

    public static IReadOnlyList<string> Parts { get; } = ["accounts", "workers", "reputation", "federations", "jobs"];

    public JsonArray Of(string part) => part switch
    {
        "accounts" => Accounts(),
        "workers" => Workers(),
        "reputation" => Reputation(),
        "federations" => Federations(),
        _ => Jobs(),
    };

    /// <summary>What others found of receipts.</summary>
    public JsonObject Findings() => new() { ["verified"] = ledger.Verified, ["disputed"] = ledger.Disputed };

    public static void Write(Output output, string part, JsonNode rows)
    {
        var list = ((JsonArray)rows).OfType<JsonObject>().ToList();
        if (list.Count == 0)
        {
            output.Line("  none");
            return;
        }

        Column[] columns = part switch
        {
            "accounts" =>
            [
                new("OWNER", row => Names.Short(row.Text("owner"))), Column.Of("name"), Column.Of("granted", right: true),
                Column.Of("regenerated", right: true), Column.Of("balance", right: true), Column.Of("escrow", right: true),
                Column.Of("open_jobs", right: true),
            ],
            "workers" =>
            [
                Column.Of("worker_id", heading: "WORKER"), Column.Of("standing"), Column.Of("version"), Column.Of("vouched"),
                new("OWNER", row => Names.Short(row.Text("owner"))), Column.Of("operations"),
                new("KEY", row => Names.Short(row.Text("worker"))),
            ],
            "reputation" =>
            [
                Column.Of("worker_id", heading: "WORKER"),
                new("OPERATION", row => row["operation"] is null ? "(all)" : row.Text("operation")),
                Column.Of("points", right: true), Column.Of("succeeded", right: true), Column.Of("failed", right: true),
                Column.Of("timed_out", right: true), Column.Of("lost", right: true), Column.Of("disagreed", right: true),
                Column.Of("streak", right: true), Column.Of("earned", right: true),
            ],
            "federations" =>
            [
                Column.Of("name", heading: "FEDERATION"),
                new("MEMBERS", row => string.Join(
                    ", ", ((JsonArray)row["members"]!).Select(member => ((JsonObject)member!).Text("worker_id")))),
                Column.Of("key"),
            ],
            _ => [Column.Of("status"), Column.Of("jobs", right: true)],
        };
        output.Table(list, columns, "  ");
    }

    private JsonArray Accounts() => new([.. ledger.Accounts.OrderBy(pair => pair.Key.ToString(), StringComparer.Ordinal)
        .Select(pair => new JsonObject
        {
            ["owner"] = pair.Key.ToString(),
            ["name"] = _names.Role(pair.Key),
            ["granted"] = pair.Value.Granted,
            ["regenerated"] = pair.Value.Regenerated,
            ["balance"] = pair.Value.Balance,
            ["escrow"] = pair.Value.Held,
            ["open_jobs"] = pair.Value.Escrow.Count,
        })]);

    private JsonArray Workers() => new([.. ledger.Registry.Workers
        .OrderBy(worker => worker.Facts.WorkerId, StringComparer.Ordinal)
        .ThenBy(worker => worker.Worker.ToString(), StringComparer.Ordinal)
        .Select(worker => new JsonObject
        {
            ["worker_id"] = worker.Facts.WorkerId,
            ["worker"] = worker.Worker.ToString(),
            ["standing"] = ledger.Registry.Standing(worker.Worker, ledger.Position).Name(),
            ["version"] = worker.Facts.Version,
            ["owner"] = worker.Facts.Owner?.ToString(),
            ["vouched"] = worker.Facts.Owner is { } owner && ledger.Registry.WorkersOf(owner).Contains(worker.Worker),
            ["operations"] = Names.List(worker.Facts.Operations),
            ["pools"] = Names.List(worker.Facts.Pools),
        })]);

    private JsonArray Reputation() => new([.. ledger.Reputation.All
        .OrderBy(one => one.Worker.ToString(), StringComparer.Ordinal).ThenBy(one => one.Operation, StringComparer.Ordinal)
        .Select(one => ReputationRows.AddScore(
            new JsonObject
            {
                ["worker_id"] = _names.WorkerId(one.Worker),
                ["worker"] = one.Worker.ToString(),
                ["operation"] = one.Operation.Length == 0 ? null : one.Operation,
            },
            one.Score, at))]);

    private JsonArray Federations() => new([.. ledger.Registry.Federations.All.Select(federation => new JsonObject
    {
        ["name"] = federation.Name,
        ["key"] = federation.Key.ToString(),
        ["members"] = new JsonArray([.. ledger.Registry.Federations.Members(federation.Name)
            .OrderBy(member => member.Member.ToString(), StringComparer.Ordinal)
            .Select(member => new JsonObject
            {
                ["worker_id"] = _names.WorkerId(member.Member),
                ["worker"] = member.Member.ToString(),
                ["trust_scopes"] = Names.List(member.Membership.TrustScopes),
            })]),
    })]);

    private JsonArray Jobs() => new(
        [.. ledger.Jobs.Select(pair => new JsonObject { ["status"] = pair.Status, ["jobs"] = pair.Jobs })]);
}
