using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Reputation;
using MeshLedger.Projections.Reputation;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Tools.Replay;
using MeshLedger.Tools.Workers;

namespace MeshLedger.Tools;

/// <summary><c>meshledger reputation show|list</c>: what settlements say of workers, now or as of any position.</summary>
internal static class ReputationCommands
{
    private static readonly Argument<string> Worker = WorkerCommands.NewArgument();

    private static readonly Option<string?> AsOf = GlobalOptions.NotEmpty(PointInTime.NewOption(
        "As of this point, as a node that chose then saw it (default: now):", PointInTime.ExpectedOfLedger, "--as-of"));

    public static Command Create() => new("reputation", "What settlements say of workers.")
    {
        new Verb(
            "show", "Show a worker's reputation, overall and for each operation. Points halve in 30 days.",
            "meshledger reputation show alpha", "meshledger reputation show alpha --as-of 4711 --output json")
        {
            Worker, AsOf,
        }.Does(ShowAsync),
        new Verb(
            "list", "List the overall reputation of every worker, best first.",
            "meshledger reputation list", "meshledger reputation list --as-of 4711")
        {
            AsOf,
        }.Does(ListAsync),
    };

    private static async Task<int> ShowAsync(Call call)
    {
        var asOf = ReadAsOf(call);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var worker = WorkerView.Find(await ledger.LoadRegistryAsync(call.Stop), call.Get(Worker)!);
        var (book, position, at) = await LoadAsync(call, ledger, asOf);
        var rows = ReputationRows.Of(book, worker.Worker, null, at).ToList();
        var json = new JsonObject
        {
            ["worker_id"] = worker.Facts.WorkerId,
            ["worker"] = worker.Worker.ToString(),
            ["position"] = position,
            ["at"] = Timestamps.Write(at),
            ["reputations"] = new JsonArray([.. rows]),
        };
        call.Output.Object(json, () =>
        {
            if (rows.Count == 0)
            {
                Messages.Say($"No run of worker {worker.Facts.WorkerId} was settled up to position {position}: 0 points.");
                return;
            }

            call.Output.Table(rows, ReputationRows.Columns);
        });
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(Call call)
    {
        var asOf = ReadAsOf(call);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var registry = await ledger.LoadRegistryAsync(call.Stop);
        var (book, _, at) = await LoadAsync(call, ledger, asOf);
        var rows = registry.Workers
            .SelectMany(worker => ReputationRows.Of(book, worker.Worker, worker.Facts.WorkerId, at).Take(1))
            .OrderByDescending(row => row["points"]!.GetValue<long>())
            .ThenBy(row => row.Text("worker_id"), StringComparer.Ordinal).ToList();
        rows.ForEach(row => row.Remove("operation"));
        call.Output.Rows(
            rows,
            [
                Column.Of("worker_id", heading: "WORKER"), .. ReputationRows.Columns.Skip(1),
                new("KEY", row => Names.Short(row.Text("worker"))),
            ],
            "No run was settled yet.");
        return ExitCodes.Ok;
    }

    private static PointInTime? ReadAsOf(Call call) =>
        call.Get(AsOf) is { } point ? PointInTime.Parse("--as-of", point, hasVersions: false) : null;

    /// <summary>The scores, the position up to which they were folded, and the time as of which points are.</summary>
    private static async Task<(ReputationBook Book, long Position, DateTimeOffset At)> LoadAsync(
        Call call, LedgerSession ledger, PointInTime? asOf)
    {
        var head = await ledger.Store.HeadAsync(call.Stop);
        if (asOf is null)
        {
            return (await ledger.LoadReputationAsync(call.Stop), head, TimeProvider.System.GetUtcNow());
        }

        await using var connection = await ledger.Database.OpenConnectionAsync(call.Stop);
        var (position, at) = await asOf.OfLedgerAsync("--as-of", connection, head, call.Stop);

        // What the last event says is believed once it was verified with all before it.
        var book = await ReputationHistory.AsOfAsync(ledger.Store, position, call.Stop);
        if (asOf.Time is null)
        {
            at = (await ledger.Store.ReadAfterAsync(position - 1, 1, call.Stop))[0].Statement.Time;
        }

        return (book, position, at);
    }
}
