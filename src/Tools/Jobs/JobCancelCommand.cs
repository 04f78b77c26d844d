using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job cancel</c>: a signed request in the job's own stream, which every node follows.</summary>
internal static class JobCancelCommand
{
    private const int ReasonLength = 500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly Argument<string> Id = new("ID") { Description = "A job of this data directory's submitter." };

    private static readonly Option<string?> Reason = new("--reason")
    {
        Description = "Why; it stays in the history.",
        HelpName = "TEXT",
    };

    private static readonly Option<bool> NoWait = new("--no-wait")
    {
        Description = "Do not wait for the end that a node then gives the job.",
    };

    public static Command Create() => new Verb(
        "cancel",
        "Cancel a job as its submitter: what runs is stopped, and what is held for it comes back. Exit code 1 if it "
        + "cannot be cancelled or had ended otherwise.",
        "meshledger job cancel echo-example-001", "meshledger job cancel echo-example-001 --reason 'wrong input'")
    {
        Id, Reason, NoWait,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var job = JobWaitCommand.ParseId(call.Get(Id)!);
        var reason = call.Get(Reason) ?? "";
        if (reason.Length > ReasonLength)
        {
            throw new CommandFailure(ExitCodes.Usage, $"--reason: expected at most {ReasonLength} characters.");
        }

        var submitter = SignerKeys.Submitter(call.Data);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var refusal = await new Clerk(ledger.Store).CancelAsync(submitter, job, reason, call.Stop);
        switch (refusal?.Code)
        {
            case null or "CANCELLED":
                break;
            case "JOB_UNKNOWN":
                throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.");
            case "JOB_ENDED":
                return Tell(call, job, (await ledger.LoadJobAsync(job, call.Stop))!, hadEnded: true);
            default:
                throw new CommandFailure(ExitCodes.Failed, $"job {job} is not cancelled: {refusal}");
        }

        if (call.Get(NoWait))
        {
            return Tell(call, job, (await ledger.LoadJobAsync(job, call.Stop))!, hadEnded: false);
        }

        var follower = new JobFollower(call, ledger, [job]);
        await follower.RunAsync((_, _, _) => Task.CompletedTask, Patience);
        var state = follower.StateOf(job) ?? await ledger.LoadJobAsync(job, call.Stop);
        return Tell(call, job, state!, hadEnded: false, follower.Reason);
    }

    private static int Tell(Call call, JobId job, JobState state, bool hadEnded, string? pending = null)
    {
        var ended = state.Status.IsTerminal();
        var isCancelled = state.Status == JobStatus.Cancelled;
        var text = (ended, hadEnded) switch
        {
            (false, _) => $"{job}: is to be cancelled; a node ends it next{(pending is null ? "" : $" ({pending})")}",
            (true, true) => $"{job}: had ended already: {state.Status.Name()}",
            _ => $"{job}: {state.Status.Name()}, {state.Escrow - state.Paid} mana came back",
        };
        call.Output.Object(
            new JsonObject
            {
                ["job_id"] = job.ToString(),
                ["status"] = state.Status.Name(),
                ["outcome"] = hadEnded ? "had_ended" : ended ? state.Status.Name() : "cancelling",
                ["reason"] = state.CancelReason,
                ["refunded"] = ended ? state.Escrow - state.Paid : null,
                ["ended_at"] = state.EndedAt is { } time ? Timestamps.Write(time) : null,
                ["pending"] = ended ? null : pending,
            },
            () => call.Output.Line(text));
        return isCancelled || !ended ? ExitCodes.Ok : ExitCodes.Failed;
    }
}
