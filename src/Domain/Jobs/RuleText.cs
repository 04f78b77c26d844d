using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>Why an event of a job may stand where it stands, for people: what <see cref="JobRules"/> asks of it.</summary>
/// <param name="By">Who may say it.</param>
/// <param name="When">In which state of the job, and what of the event must be so.</param>
/// <param name="Cause">What it answers.</param>
public sealed record RuleText(string By, string When, string Cause)
{
    private const string Node = "a node of the ledger";
    private const string Assigned = "a worker that the job is assigned to";
    private const string Assignment = "the assignment";
    private const string Start = "its execution_started";
    private const string Running = "while its run goes on: started, no receipt yet, not cancelled";

    /// <exception cref="ArgumentException">The event is none of a job's.</exception>
    public static RuleText Of(LedgerEvent body) => body switch
    {
        JobEvent.Submitted => new(
            "whoever submits it", "first of its stream; all members are those of the document", "nothing"),
        JobEvent.BiddingOpened { Attempt: 1 } => new(
            Node, "once submitted; the escrow is the highest price, adjusted by reputation, for each replica", "the submission"),
        JobEvent.BiddingOpened => new(
            Node, "after an attempt that came to nothing; the escrow stays", "the attempt_ended before"),
        JobEvent.BidPlaced => new(
            "a registered worker", "while bidding is open; it claims no more than its registration says", "the submission"),
        JobEvent.BiddingClosed => new(
            Node, "while bidding is open, when all have answered or the window is over", "the bidding_opened"),
        JobEvent.Assigned => new(
            Node, "once bidding is closed; the choice is the one that the bids lead to", "the first winning bid"),
        JobEvent.ExecutionStarted => new(Assigned, "once, before its receipt, unless cancelled", Assignment),
        JobEvent.LeaseRenewed => new(Assigned, "before its receipt, unless cancelled", Assignment),
        JobEvent.ProgressReported => new(Assigned, $"{Running}; numbered without a hole, never falling", Start),
        JobEvent.PartialOutputProduced => new(
            Assigned, $"{Running}; each piece begins where the last of its name ended", Start),
        JobEvent.CheckpointRecorded => new(Assigned, $"{Running}; numbered without a hole", Start),
        JobEvent.ReceiptIssued => new(
            Assigned, "once, after it started, unless cancelled; its outputs have names, and those that stand in it their digests", Assignment),
        JobEvent.AttemptEnded => new(
            Node, "when the runs of the attempt came to nothing and another may follow; the outcomes are the verdict",
            "the last receipt, else the assignment"),
        JobEvent.CancelRequested => new(
            "the submitter", "once, unless the document forbids it or a result was handed in", "the submission"),
        JobEvent.Completed => new(
            Node, "when the receipts have a result; outcomes and payments are the verdict", "the last receipt"),
        JobEvent.Failed => new(
            Node, "when the receipts say so, or, while they decide nothing, for a reason of the node's; then nobody is paid",
            "the last of receipt, assignment, bidding_opened, submission"),
        JobEvent.Cancelled => new(Node, "after the submitter's request; nobody is paid or blamed", "the request"),
        IReceiptFinding => new(
            "a node, or a registered worker that has nothing to do with the receipt's",
            "once, after the job's end; claims, differences and summary are those that follow", "the receipt"),
        _ => throw new ArgumentException($"{body.GetType().Name} is no event of a job.", nameof(body)),
    };
}
