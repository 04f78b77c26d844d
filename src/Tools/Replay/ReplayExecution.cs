using System.Globalization;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using MeshLedger.Worker;
using MeshLedger.Worker.Handlers;

namespace MeshLedger.Tools.Replay;

/// <summary><c>meshledger replay JOB --execute</c>: runs a job again, compares, and tells the ledger what was found.</summary>
internal sealed class ReplayExecution(Call call, JobId id)
{
    private readonly List<string> _told = [];

    public string? Keep { get; init; }
    public string? Key { get; init; }
    public bool DryRun { get; init; }
    public IReadOnlyList<string> Peers { get; init; } = [];

    public async Task<int> RunAsync()
    {
        var folder = Keep is null ? null : KeptOutputs.Prepare(Keep);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var job = await ReplayedJob.LoadAsync(ledger, id, call.Stop);
        var history = new ReceiptHistory(job.Facts);
        if (!job.State.Status.IsTerminal() || history.Receipts.Count == 0)
        {
            throw new CommandFailure(ExitCodes.Failed, job.State.Status.IsTerminal()
                ? $"job {id} ended without a receipt: there is nothing to compare with."
                : $"job {id} is {job.State.Status.Name()}: its receipts are judged after its end (meshledger job wait {id}).");
        }

        var authors = DryRun ? [] : FindingAuthor.Among(call.Data, Key, job.Registry);
        var chosen = history.Receipts.Select(
            receipt => FindingAuthor.Choose(authors, job.State.Book, receipt.Digest, job.Registry)).ToList();
        await using var tools = await RerunTools.OpenAsync(call, ledger, job.State.Submission, Peers);
        var began = TimeProvider.System.GetTimestamp();
        if (!DryRun && tools.Rerunner.IsDeterministic(job.State.Submission)
            && chosen.TrueForAll(one => one.Author is null))
        {
            // Before anything is run for nothing.
            throw new CommandFailure(ExitCodes.Failed, $"nobody here may judge the receipts of job {id}: {chosen[^1].Refusal}");
        }

        var rerun = await tools.Rerunner.RunAsync(job.State.Submission, history.Marks, Report, call.Stop);
        var took = TimeProvider.System.GetElapsedTime(began);
        if (rerun.Result.Error is { Phase: "blob", Recoverable: true } missing)
        {
            throw new CommandFailure(
                missing.Code == "BLOB_NOT_FOUND" ? ExitCodes.NotFound : ExitCodes.Failed,
                $"job {id} cannot be run again here: {missing.Message}");
        }

        var rows = new List<JsonObject>();
        foreach (var (receipt, (author, saidBefore, refusal)) in history.Receipts.Zip(chosen))
        {
            var view = new FindingView(receipt, job);
            if (rerun.WhyIncomparable(receipt.Receipt) is { } why)
            {
                rows.Add(view.Incomparable(rerun, why));
                continue;
            }

            var compared = RunComparison.Of(
                RunClaims.Of(receipt.Receipt), history.Of(receipt), rerun.Claims, rerun.States);
            var answer = refusal;
            if (author is not null && !saidBefore)
            {
                var finding = compared.Tell(
                    receipt, author.Registration, rerun.Engine, TimeProvider.System.GetUtcNow(), author.Key);
                answer = await new Clerk(ledger.Store).FindAsync(
                    new EventAuthor(author.Key, TimeProvider.System), id, finding, receipt.Digest, call.Stop);
            }

            rows.Add(view.Compared(compared, author?.Key.Did, saidBefore, DryRun ? null : answer));
        }

        if (folder is not null)
        {
            await KeptOutputs.WriteAsync(folder, rerun.Result.Outputs, call.Stop);
        }

        return Tell(job, rerun, took, rows);
    }

    private int Tell(ReplayedJob job, Rerun rerun, TimeSpan took, List<JsonObject> rows)
    {
        var json = new JsonObject
        {
            ["job_id"] = id.ToString(),
            ["operation"] = job.State.Submission.Operation,
            ["deterministic"] = rerun.IsDeterministic,
            ["engine"] = $"{rerun.Engine.Name} {rerun.Engine.Version}",
            ["duration_ms"] = (long)took.TotalMilliseconds,
            ["error"] = rerun.Claims.Error,
            ["exit_code"] = rerun.Claims.ExitCode,
            ["fuel"] = rerun.Claims.Fuel,
            ["result"] = rerun.Claims.Result,
            ["state_digest"] = rerun.Claims.StateDigest?.ToString(),
            ["outputs"] = rerun.Claims.Outputs.Count,
            ["checkpoints"] = rerun.States.Count,
            ["receipts"] = new JsonArray([.. rows]),
        };
        call.Output.Object(json, () =>
        {
            call.Output.Line($"{id}: run again on {json.Text("engine")} in "
                + string.Create(CultureInfo.InvariantCulture, $"{took.TotalSeconds:0.000} s")
                + (rerun.Claims.Fuel is { } fuel ? string.Create(CultureInfo.InvariantCulture, $", {fuel:N0} units of fuel") : ""));
            rows.ForEach(row => FindingView.Write(call.Output, row));
        });
        bool Any(string finding) => rows.Exists(row => row.Text("finding") == finding);
        return Any("disputed") ? ExitCodes.AuditFault
            : rows.Exists(row => row["refusal"] is not null) || !(Any("verified") || Any("same_outputs") || Any("other_outputs"))
                ? ExitCodes.Failed
                : ExitCodes.Ok;
    }

    /// <summary>Says each phase once; while the program runs, that it does.</summary>
    private void Report(OperationProgress progress)
    {
        if (call.Output.IsText && !_told.Contains(progress.Phase))
        {
            _told.Add(progress.Phase);
            Messages.Say($"{progress.Phase}: {progress.Message}");
        }
    }
}
