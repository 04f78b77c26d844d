using System.Globalization;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Jobs;

/// <summary>What an event of a job says, in a line: the figures that matter, without digests.</summary>
internal static class JobEventText
{
    private const int BarLength = 20;

    public static string Of(LedgerEvent body, Names names, bool withBar) => body switch
    {
        JobEvent.Submitted submitted =>
            $"{submitted.Operation}, at most {submitted.Terms.MaxPrice} mana, priority {submitted.Terms.Priority}, through "
            + submitted.Transport,
        JobEvent.BiddingOpened opened => $"attempt {opened.Attempt}, until {Clock(opened.ClosesAt)}, {opened.Escrow} held",
        JobEvent.BidPlaced bid => $"price {bid.Price}; free: {Free(bid.Free)}",
        JobEvent.BiddingClosed closed => $"{Names.Count(closed.Bids, "bid")}, {closed.Reason.Replace('_', ' ')}",
        JobEvent.Assigned assigned => string.Join(", ", assigned.Assignees.Select(
                assignee => $"{names.WorkerId(assignee.Worker) ?? Names.Short(assignee.Worker.ToString())} at {assignee.Price}"))
            + $" ({assigned.Selection.Policy})",
        JobEvent.ExecutionStarted started => $"attempt {started.Attempt}",
        JobEvent.LeaseRenewed renewed => $"attempt {renewed.Attempt} goes on",
        JobEvent.ProgressReported progress => Progress(progress, withBar),
        JobEvent.PartialOutputProduced output => $"{output.Name}: {Names.Count(output.Size, "byte")} from {output.Offset}",
        JobEvent.CheckpointRecorded checkpoint => $"number {checkpoint.Sequence}, {Names.Count(checkpoint.Size, "byte")}"
            + (checkpoint.Fuel is { } fuel ? $", at {fuel} units of fuel" : "")
            + (checkpoint.ResumedFrom is { } from ? $", after number {from.Sequence} of attempt {from.Attempt}" : ""),
        JobEvent.ReceiptIssued { Receipt: var receipt } => Receipt(receipt),
        JobEvent.AttemptEnded ended => $"{Error(ended.Error)}; the next from {Clock(ended.RetryAt)}",
        JobEvent.CancelRequested request => request.Reason,
        JobEvent.Completed completed => Money(completed.Outcomes, completed.Refunded),
        JobEvent.Failed failed => $"{Error(failed.Error)}; {Money(failed.Outcomes, failed.Refunded)}",
        JobEvent.Cancelled cancelled => Money(cancelled.Outcomes, cancelled.Refunded),
        JobEvent.ReceiptVerified verified => $"the receipt of {Receipt(verified, names)} is right: run again on {verified.Engine.Name}"
            + (verified.Checkpoints > 0 ? $", {Names.Count(verified.Checkpoints, "checkpoint")} alike" : ""),
        JobEvent.ReceiptDisputed disputed => $"the receipt of {Receipt(disputed, names)} is wrong in "
            + WaitReasons.Few([.. disputed.Differences.Select(difference => difference.What)])
            + (disputed.Parting is { } parting ? $"; the runs part {parting}" : ""),
        _ => "",
    };

    public static string Free(FreeResources free) =>
        $"{Names.Count(free.CpuCores, "core")}, {free.MemoryMb} MB, {free.StorageMb} MB storage, {Names.Count(free.Slots, "slot")}";

    /// <summary>The time of day in UTC.</summary>
    public static string Clock(DateTimeOffset time) =>
        time.UtcDateTime.ToString("HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>A length of time as people say it, rounded: <c>0.8 s</c>, <c>12 s</c>, <c>3 min 20 s</c>, <c>2 h 5 min</c>.
    /// </summary>
    public static string Length(TimeSpan time)
    {
        var tenths = Math.Round(Math.Max(0, time.TotalSeconds), 1, MidpointRounding.AwayFromZero);
        var seconds = (long)Math.Round(Math.Max(0, time.TotalSeconds), MidpointRounding.AwayFromZero);
        var minutes = (seconds + 30) / 60;
        return (tenths, seconds) switch
        {
            ( < 10, _) => string.Create(CultureInfo.InvariantCulture, $"{tenths:0.#} s"),
            (_, < 120) => $"{seconds} s",
            (_, < 7200) => $"{seconds / 60} min{(seconds % 60 > 0 ? $" {seconds % 60} s" : "")}",
            _ => $"{minutes / 60} h{(minutes % 60 > 0 ? $" {minutes % 60} min" : "")}",
        };
    }

    private static string Progress(JobEvent.ProgressReported progress, bool withBar)
    {
        var done = progress.BasisPoints * BarLength / 10_000;
        var bar = withBar ? $"[{new string('#', done)}{new string('-', BarLength - done)}] " : "";
        var eta = progress.EtaMs is { } ms ? $", {Length(TimeSpan.FromMilliseconds(ms))} left" : "";
        return $"{bar}{progress.BasisPoints / 100,3} % {progress.Phase}: {progress.Message}{eta}";
    }

    private static string Receipt(Receipt receipt)
    {
        var took = string.Create(CultureInfo.InvariantCulture, $"{receipt.DurationUs / 1e6:0.000} s");
        var exit = receipt.ExitCode is { } code ? $"exit code {code}, " : "";
        var outputs = $"{exit}{Names.Count(receipt.Outputs.Count, "output")}, {took}";
        return receipt.Error is { } error ? $"{Error(error)}; {outputs}" : outputs;
    }

    private static string Receipt(IReceiptFinding finding, Names names) =>
        $"{names.WorkerId(finding.Worker) ?? Names.Short(finding.Worker.ToString())}, attempt {finding.Attempt},";

    private static string Error(JobError error) => $"{error.Code}: {error.Message}";

    private static string Money(ValueList<AttemptOutcome> outcomes, long refunded) =>
        $"{outcomes.Sum(outcome => outcome.Paid)} paid, {refunded} refunded";
}
