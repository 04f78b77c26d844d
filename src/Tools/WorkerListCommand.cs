using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools;

/// <summary><c>meshledger worker list</c>: who registered, who is alive, and how their attempts ended.</summary>
internal static class WorkerListCommand
{
    private static readonly Column[] Columns =
    [
        Column.Of("worker_id", heading: "WORKER"), new("STATE", row => row.Text("live") == "yes" ? "live" : "gone"),
        Column.Of("version"), Column.Of("operations"), Column.Of("pools"), Column.Of("succeeded", right: true),
        Column.Of("failed", right: true), Column.Of("earned", right: true), new("KEY", row => Names.Short(row.Text("worker"))),
    ];

    public static Command Create() => new Verb(
        "list", "List all workers that ever registered.",
        "meshledger worker list", "meshledger worker list --output jsonl").Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        await ledger.Projections.CatchUpAsync(call.Stop);
        var registry = await ledger.LoadRegistryAsync(call.Stop);
        var live = (await ledger.LiveWorkersAsync(registry, call.Stop)).Select(worker => worker.Worker).ToHashSet();
        var reputation = (await Sql.RowsAsync(
                ledger.Database, "SELECT worker, succeeded, failed, earned FROM worker_reputation WHERE operation = ''", [], call.Stop))
            .ToDictionary(row => row.Text("worker"));
        var rows = registry.Workers.OrderBy(worker => worker.Facts.WorkerId, StringComparer.Ordinal)
            .ThenBy(worker => worker.Worker.ToString(), StringComparer.Ordinal)
            .Select(worker =>
            {
                var (facts, known) = (worker.Facts, reputation.GetValueOrDefault(worker.Worker.ToString()));
                return new JsonObject
                {
                    ["worker_id"] = facts.WorkerId,
                    ["worker"] = worker.Worker.ToString(),
                    ["live"] = live.Contains(worker.Worker),
                    ["version"] = facts.Version,
                    ["operations"] = Names.List(facts.Operations),
                    ["capabilities"] = Names.List(facts.Capabilities),
                    ["features"] = Names.List(facts.Features),
                    ["pools"] = Names.List(facts.Pools),
                    ["labels"] = Names.List(facts.Labels.Select(label => $"{label.Key}={label.Value}")),
                    ["privileged"] = facts.Privileged,
                    ["max_concurrent_jobs"] = facts.MaxConcurrentJobs,
                    ["resources"] = new JsonObject
                    {
                        ["cpu_cores"] = facts.Resources.CpuCores,
                        ["memory_mb"] = facts.Resources.MemoryMb,
                        ["storage_mb"] = facts.Resources.StorageMb,
                    },
                    ["succeeded"] = known?["succeeded"]?.GetValue<long>() ?? 0,
                    ["failed"] = known?["failed"]?.GetValue<long>() ?? 0,
                    ["earned"] = known?["earned"]?.GetValue<long>() ?? 0,
                };
            }).ToList();
        call.Output.Rows(rows, Columns, "No worker has registered yet.");
        return ExitCodes.Ok;
    }
}
