using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Workers;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Workers;

/// <summary><c>meshledger worker drain|resume|retire</c>: whether a worker takes jobs, signed by its key or its owner's.
/// </summary>
internal static class WorkerStandingCommands
{
    private static readonly Argument<string> Worker = WorkerCommands.NewArgument();

    private static readonly Option<string?> Reason = new("--reason")
    {
        Description = "Why; it stays in the history.",
        HelpName = "TEXT",
    };

    private static readonly Option<string?> Key = new("--key")
    {
        Description = "The key file to sign with (default: those of the data directory).",
        HelpName = "FILE",
    };

    public static IEnumerable<Command> Create() =>
    [
        new Verb(
            "drain", "Let a worker finish what it has and take no more, until it is resumed or its node starts again.",
            "meshledger worker drain alpha --reason 'new kernel'")
        {
            Worker, Reason, Key,
        }.Does(call => SayAsync(call, WorkerStanding.Draining, alsoOwner: true, worker => (
            new WorkerEvent.Draining(call.Get(Reason) ?? ""), worker.Digest))),
        new Verb(
            "resume", "Let a worker take jobs again. Only its own key can: it registers anew, as it was.",
            "meshledger worker resume alpha")
        {
            Worker, Key,
        }.Does(call => SayAsync(call, WorkerStanding.Active, alsoOwner: false, worker => (worker.Facts, null))),
        new Verb(
            "retire", "Let a worker take no more jobs for good: its key cannot register again.",
            "meshledger worker retire alpha --reason 'sold'")
        {
            Worker, Reason, Key,
        }.Does(call => SayAsync(call, WorkerStanding.Retired, alsoOwner: true, worker => (
            new WorkerEvent.Retired(call.Get(Reason) ?? ""), worker.Digest))),
    ];

    private static async Task<int> SayAsync(
        Call call, WorkerStanding standing, bool alsoOwner,
        Func<WorkerRegistration, (LedgerEvent Body, Digest? Cause)> body)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        var worker = WorkerView.Find(await ledger.LoadRegistryAsync(call.Stop), call.Get(Worker)!);
        var author = SignerKeys.Of(worker, alsoOwner, call.Get(Key), call.Data);
        var isSo = false;
        var refusal = await new Clerk(ledger.Store).SayAsync(
            author, StreamId.OfWorker(worker.Worker),
            registry =>
            {
                isSo = registry.Standing(worker.Worker, long.MaxValue) == standing;
                return isSo ? null : body(registry.Worker(worker.Worker)!);
            },
            call.Stop);
        if (refusal is not null)
        {
            throw new CommandFailure(ExitCodes.Failed, $"worker {worker.Facts.WorkerId} is not {Past(standing)}: {refusal}");
        }

        var row = (await WorkerView.LoadAsync(ledger, call.Stop)).Of(worker);
        call.Output.Object(
            new JsonObject
            {
                ["worker_id"] = row.Text("worker_id"),
                ["worker"] = row.Text("worker"),
                ["standing"] = row.Text("standing"),
                ["changed"] = !isSo,
                ["jobs"] = row["jobs"]!.DeepClone(),
            },
            () => call.Output.Line($"{worker.Facts.WorkerId}: {standing.Name()}{(isSo ? " already" : "")}"
                + (row.Text("jobs") is { Length: > 0 } jobs ? $"; finishes {jobs}" : "")));
        return ExitCodes.Ok;
    }

    private static string Past(WorkerStanding standing) => standing switch
    {
        WorkerStanding.Active => "resumed",
        WorkerStanding.Draining => "drained",
        _ => "retired",
    };
}
