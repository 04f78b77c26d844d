using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Workers;

/// <summary><c>meshledger worker list|show</c>: who registered, who is alive and takes jobs, and how their attempts ended.
/// </summary>
internal static class WorkerCommands
{
    private static readonly Column[] Columns =
    [
        Column.Of("worker_id", heading: "WORKER"), new("STATE", row => row.Text("live") == "yes" ? "live" : "gone"),
        Column.Of("standing"), new("JOBS", row => Count(row["jobs"]), Right: true), Column.Of("reputation", right: true),
        Column.Of("version"), Column.Of("operations"), Column.Of("pools"), Column.Of("succeeded", right: true),
        Column.Of("failed", right: true), Column.Of("earned", right: true), new("KEY", row => Names.Short(row.Text("worker"))),
    ];

    private static readonly Argument<string> Worker = NewArgument();

    public static Argument<string> NewArgument() => new("WORKER")
    {
        Description = "A worker's name, or its key (did:key:...).",
    };

    public static Command Create()
    {
        var worker = new Command("worker", "See the workers, and say whether they take jobs.")
        {
            new Verb(
                "list", "List all workers that ever registered.",
                "meshledger worker list", "meshledger worker list --output jsonl").Does(ListAsync),
            new Verb(
                "show",
                "Show a worker: standing, resources, the jobs that it runs, its reputation for each operation, and what "
                + "federations trust it with.",
                "meshledger worker show alpha",
                "meshledger worker show did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK --output json")
            {
                Worker,
            }.Does(ShowAsync),
        };
        foreach (var verb in WorkerStandingCommands.Create())
        {
            worker.Add(verb);
        }

        return worker;
    }

    private static async Task<int> ListAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var view = await WorkerView.LoadAsync(ledger, call.Stop);
        var rows = view.Registry.Workers.OrderBy(worker => worker.Facts.WorkerId, StringComparer.Ordinal)
            .ThenBy(worker => worker.Worker.ToString(), StringComparer.Ordinal)
            .Select(view.Of).ToList();
        call.Output.Rows(rows, Columns, "No worker has registered yet.");
        return ExitCodes.Ok;
    }

    private static async Task<int> ShowAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var view = await WorkerView.LoadAsync(ledger, call.Stop);
        var row = view.Whole(WorkerView.Find(view.Registry, call.Get(Worker)!));
        call.Output.Object(row, () => Write(call.Output, row));
        return ExitCodes.Ok;
    }

    private static void Write(Output output, JsonObject row)
    {
        var resources = (JsonObject)row["resources"]!;
        output.Pairs(
        [
            ("worker", row.Text("worker_id")),
            ("key", row.Text("worker")),
            ("owner", row["owner"] is null
                ? null
                : $"{row.Text("owner")}{(row.Text("vouched") == "yes" ? ", who vouches for it" : "")}"),
            ("standing", $"{row.Text("standing")}, {(row.Text("live") == "yes" ? "live" : "gone")}"),
            ("jobs", Count(row["jobs"]) is "" ? "none under way" : row.Text("jobs")),
            ("reputation", row.Text("reputation")),
            ("version", row.Text("version")),
            ("operations", row.Text("operations")),
            ("capabilities", row.Text("capabilities")),
            ("features", row.Text("features")),
            ("pools", row.Text("pools")),
            ("labels", row.Text("labels")),
            ("privileged", row.Text("privileged")),
            ("at once", Names.Count(row.Text("max_concurrent_jobs"), "job")),
            ("resources", $"{resources.Text("cpu_cores")} cores, {resources.Text("memory_mb")} MB memory, "
                + $"{resources.Text("storage_mb")} MB storage, disks of {resources.Text("max_disk_size_gb")} GB"),
            ("earned", row.Text("earned")),
            .. ((JsonArray)row["memberships"]!).OfType<JsonObject>().Select(membership =>
                ("member of", (string?)$"{membership.Text("federation")}: {Or(membership.Text("trust_scopes"), "no scopes")}")),
        ]);
        var reputations = ((JsonArray)row["reputations"]!).OfType<JsonObject>().ToList();
        if (reputations.Count > 0)
        {
            output.Line();
            output.Line("Reputation");
            output.Table(reputations, ReputationRows.Columns, "  ");
        }
    }

    private static string Count(JsonNode? list) => list is JsonArray { Count: > 0 and var count } ? $"{count}" : "";

    private static string Or(string text, string otherwise) => text.Length > 0 ? text : otherwise;
}
