using System.CommandLine;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Jobs;

/// <summary><c>meshledger job show</c>: a job as its own stream tells it, to the latest event.</summary>
internal static class JobShowCommand
{
    private static readonly Argument<string> Id = new("ID") { Description = "A job." };

    public static Command Create() => new Verb(
        "show",
        "Show a job: status, money, bids and why they could not win, receipt and outputs; and why it waits, if it does.",
        "meshledger job show echo-example-001", "meshledger job show echo-example-001 --output json")
    {
        Id,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var job = JobWaitCommand.ParseId(call.Get(Id)!);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var state = await ledger.LoadJobAsync(job, call.Stop)
            ?? throw new CommandFailure(ExitCodes.NotFound, $"there is no job {job} in this ledger.");
        var registry = await ledger.LoadRegistryAsync(call.Stop);
        var waits = state.Status is JobStatus.Submitted or JobStatus.BiddingOpen
            ? WaitReasons.Of(state, await ledger.LiveBiddersAsync(registry, state.Submission.Operation, call.Stop))
            : [];
        var considered = state.Assignment?.Considered ?? [];
        var json = JobView.Of(job, state, considered, waits, Names.Of(registry));
        call.Output.Object(json, () => JobView.Write(call.Output, json));
        return ExitCodes.Ok;
    }
}
