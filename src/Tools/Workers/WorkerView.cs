using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Reputation;
using MeshLedger.Domain.Workers;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Workers;

/// <summary>Workers as the objects that are shown.</summary>
internal sealed class WorkerView
{
    private readonly Dictionary<string, JsonArray> _jobs = [];
    private readonly ReputationBook _book;
    private readonly HashSet<Did> _live;

    private WorkerView(Registry registry, ReputationBook book, HashSet<Did> live)
    {
        Registry = registry;
        _book = book;
        _live = live;
    }

    public Registry Registry { get; }

    public static async Task<WorkerView> LoadAsync(LedgerSession ledger, CancellationToken cancellationToken)
    {
        var view = new WorkerView(
            await ledger.LoadRegistryAsync(cancellationToken),
            await ledger.LoadReputationAsync(cancellationToken),
            [.. (await ledger.PresentAsync(cancellationToken)).Workers.Select(worker => worker.Worker)]);
        var jobs = await Sql.RowsAsync(
            ledger.Database,
            """
            SELECT w AS worker, job_id FROM job_status, unnest(workers) AS w
            WHERE ended_at IS NULL AND status IN ('assigned', 'executing') ORDER BY submitted_position
            """,
            [], cancellationToken);
        foreach (var job in jobs)
        {
            if (!view._jobs.TryGetValue(job.Text("worker"), out var list))
            {
                view._jobs.Add(job.Text("worker"), list = []);
            }

            list.Add(job.Text("job_id"));
        }

        return view;
    }

    /// <summary>The worker of a key, or the only one of a name.</summary>
    /// <exception cref="CommandFailure">There is none, or several.</exception>
    public static WorkerRegistration Find(Registry registry, string wanted)
    {
        if (Did.TryParse(wanted, out var key))
        {
            return registry.Worker(key)
                ?? throw new CommandFailure(ExitCodes.NotFound, $"no worker {key} has registered in this ledger.");
        }

        var named = registry.Workers.Where(worker => worker.Facts.WorkerId == wanted).ToList();
        return named.Count switch
        {
            1 => named[0],
            0 => throw new CommandFailure(
                ExitCodes.NotFound, $"no worker called {wanted} has registered in this ledger: meshledger worker list"),
            _ => throw new CommandFailure(
                ExitCodes.Usage, $"{named.Count} workers are called {wanted}; name one by its key: "
                + string.Join(", ", named.Select(worker => worker.Worker.ToString()).Order(StringComparer.Ordinal))),
        };
    }

    public JsonObject Of(WorkerRegistration worker)
    {
        var (facts, score) = (worker.Facts, _book.Score(worker.Worker, ReputationBook.Overall));
        return new JsonObject
        {
            ["worker_id"] = facts.WorkerId,
            ["worker"] = worker.Worker.ToString(),
            ["standing"] = Registry.Standing(worker.Worker, long.MaxValue).Name(),
            ["live"] = _live.Contains(worker.Worker),
            ["jobs"] = _jobs.GetValueOrDefault(worker.Worker.ToString())?.DeepClone() ?? new JsonArray(),
            ["reputation"] = _book.Points(worker.Worker, ReputationBook.Overall, TimeProvider.System.GetUtcNow()),
            ["version"] = facts.Version,
            ["owner"] = facts.Owner?.ToString(),
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
                ["max_disk_size_gb"] = facts.Resources.MaxDiskSizeGb,
            },
            ["succeeded"] = score.Succeeded,
            ["failed"] = score.Failed + score.TimedOut + score.Lost + score.Disagreed,
            ["earned"] = score.Earned,
        };
    }

    /// <summary>A worker with what <c>worker show</c> has beyond <c>worker list</c>.</summary>
    public JsonObject Whole(WorkerRegistration worker)
    {
        var row = Of(worker);
        row["vouched"] = worker.Facts.Owner is { } owner && Registry.WorkersOf(owner).Contains(worker.Worker);
        row["registration"] = worker.Digest.ToString();
        row["reputations"] = new JsonArray([.. ReputationRows.Of(_book, worker.Worker, null, TimeProvider.System.GetUtcNow())]);
        row["memberships"] = new JsonArray([.. Registry.Memberships(worker.Worker, long.MaxValue).Select(membership =>
            new JsonObject
            {
                ["federation"] = membership.Federation,
                ["trust_scopes"] = Names.List(membership.TrustScopes),
            })]);
        return row;
    }
}

/// <summary>Reputations as the objects that are shown.</summary>
internal static class ReputationRows
{
    public static readonly Column[] Columns =
    [
        Column.Of("operation"), Column.Of("points", right: true), Column.Of("succeeded", right: true),
        Column.Of("failed", right: true), Column.Of("timed_out", right: true), Column.Of("lost", right: true),
        Column.Of("disagreed", right: true), Column.Of("streak", right: true), Column.Of("earned", right: true),
    ];

    /// <summary>A worker's, the overall one first.</summary>
    public static IEnumerable<JsonObject> Of(ReputationBook book, Did worker, string? workerId, DateTimeOffset at) =>
        book.All.Where(one => one.Worker == worker).OrderBy(one => one.Operation, StringComparer.Ordinal).Select(one =>
        {
            var row = new JsonObject
            {
                ["operation"] = one.Operation == ReputationBook.Overall ? "(all)" : one.Operation,
            };
            AddScore(row, one.Score, at);
            if (workerId is not null)
            {
                row.Insert(0, "worker_id", workerId);
                row.Insert(1, "worker", worker.ToString());
            }

            return row;
        });

    /// <summary>What a score says, as of a time.</summary>
    public static JsonObject AddScore(JsonObject row, ReputationScore score, DateTimeOffset at)
    {
        row["points"] = ReputationBook.Points(score, at);
        row["succeeded"] = score.Succeeded;
        row["failed"] = score.Failed;
        row["timed_out"] = score.TimedOut;
        row["lost"] = score.Lost;
        row["disagreed"] = score.Disagreed;
        row["streak"] = score.Streak;
        row["earned"] = score.Earned;
        return row;
    }
}
