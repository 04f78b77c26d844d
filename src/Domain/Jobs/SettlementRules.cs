using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>How attempts and jobs may end, and who is paid what for it: what is held is paid or refunded, to the unit.
/// </summary>
internal static class SettlementRules
{
    public static Refusal? Check(JobState state, in EventFact fact, IAuthority authority) => fact.Body switch
    {
        JobEvent.Completed completed => JobRules.ThisAttempt(state, completed.Attempt)
            ?? Operation(state, completed.Operation)
            ?? AsReceipts(state, completed.Outcomes, authority, out var verdict)
            ?? JobRules.Require(verdict?.Winner is not null, "NO_SUCCESS", "only receipts of success complete a job")
            ?? JobRules.Require(
                verdict!.Outcomes.Equals(completed.Outcomes),
                "WRONG_SETTLEMENT",
                "workers whose result stands get their price, others nothing")
            ?? JobRules.Answers(fact, state.ReceiptDigest, "the last receipt")
            ?? Sum(state, completed.Outcomes, completed.Refunded),
        JobEvent.AttemptEnded ended => JobRules.ThisAttempt(state, ended.Attempt)
            ?? Operation(state, ended.Operation)
            ?? JobRules.Require(state.CancelDigest is null, "CANCELLED", "the submitter cancelled the job")
            ?? AsReceipts(state, ended.Outcomes, authority, out var verdict)
            ?? JobRules.Require(
                verdict?.Error is { } error && error == ended.Error && verdict.Outcomes.Equals(ended.Outcomes),
                "WRONG_SETTLEMENT",
                "an attempt ends as its receipts say, and nobody is paid")
            ?? JobRules.Require(
                JobRules.MayRetry(state, ended.Error, int.MaxValue), "NO_RETRY", "no other attempt may follow")
            ?? JobRules.Answers(fact, state.Milestone, "the job's last milestone"),
        JobEvent.Failed failed => Failure(state, failed, fact, authority),
        JobEvent.Cancelled cancelled => JobRules.ThisAttempt(state, cancelled.Attempt)
            ?? Operation(state, cancelled.Operation)
            ?? JobRules.Answers(fact, state.CancelDigest, "the submitter's request")
            ?? Withdrawn(state, cancelled.Outcomes)
            ?? Sum(state, cancelled.Outcomes, cancelled.Refunded),
        _ => throw new ArgumentException($"{fact.Body} ends nothing.", nameof(fact)),
    };

    private static Refusal? Failure(JobState state, JobEvent.Failed failed, in EventFact fact, IAuthority authority)
    {
        var refusal = JobRules.ThisAttempt(state, failed.Attempt)
            ?? Operation(state, failed.Operation)
            ?? Sum(state, failed.Outcomes, failed.Refunded)
            ?? JobRules.Answers(fact, state.Milestone, "the job's last milestone");
        if (refusal is not null)
        {
            return refusal;
        }

        // Without a verdict, by its deadline for example, nobody is blamed and nobody is paid.
        if (!Verdict.IsDecided(state, authority)
            && failed.Outcomes.All(outcome => outcome.Result == RunResults.Withdrawn))
        {
            return Withdrawn(state, failed.Outcomes);
        }

        return AsReceipts(state, failed.Outcomes, authority, out var verdict)
            ?? JobRules.Require(
                verdict?.Error is { } error && error == failed.Error && IsUnpaid(state, failed.Outcomes, verdict.Outcomes),
                "WRONG_SETTLEMENT",
                "a job fails as its receipts say, and a failed run is paid at most its price");
    }

    /// <summary>The verdict that follows if the runs without a receipt are given up as the outcomes say.</summary>
    private static Refusal? AsReceipts(
        JobState state, ValueList<AttemptOutcome> outcomes, IAuthority authority, out Verdict? verdict)
    {
        verdict = null;
        if (!state.Status.IsUnderWay() || outcomes.Count != state.Runs.Count)
        {
            return JobRules.No("WRONG_SETTLEMENT", $"the attempt has {state.Runs.Count} runs, not {outcomes.Count}");
        }

        var silent = new Dictionary<Did, string>();
        for (var i = 0; i < outcomes.Count; i++)
        {
            if (state.Runs[i].Receipt is null && outcomes[i].Result is RunResults.Lost or RunResults.TimedOut)
            {
                silent[state.Runs[i].Worker] = outcomes[i].Result;
            }
        }

        verdict = Verdict.Of(state, silent, authority);
        return JobRules.Require(verdict is not null, "NO_VERDICT", "not all of the attempt's runs have ended");
    }

    private static bool IsUnpaid(
        JobState state, ValueList<AttemptOutcome> outcomes, ValueList<AttemptOutcome> verdict)
    {
        for (var i = 0; i < outcomes.Count; i++)
        {
            var most = outcomes[i].Result == RunResults.Failed
                ? Pricing.Adjust(state.Runs[i].Price, state.SubmitterReputation)
                : 0;
            if (outcomes[i] with { Paid = 0 } != verdict[i] || outcomes[i].Paid < 0 || outcomes[i].Paid > most)
            {
                return false;
            }
        }

        return true;
    }

    private static Refusal? Withdrawn(JobState state, ValueList<AttemptOutcome> outcomes) => JobRules.Require(
        outcomes.SequenceEqual(state.Runs.Select(run => new AttemptOutcome(run.Worker, RunResults.Withdrawn, 0))),
        "WRONG_SETTLEMENT",
        "every run is withdrawn, and nobody is paid");

    private static Refusal? Operation(JobState state, string operation) => JobRules.Require(
        operation == state.Submission.Operation,
        "WRONG_OPERATION",
        $"the job's operation is {state.Submission.Operation}");

    private static Refusal? Sum(JobState state, ValueList<AttemptOutcome> outcomes, long refunded)
    {
        Int128 sum = refunded;
        foreach (var outcome in outcomes)
        {
            sum += outcome.Paid;
        }

        return JobRules.Require(
            refunded >= 0 && sum == state.Escrow, "WRONG_SETTLEMENT", $"what is held, {state.Escrow}, is paid or refunded");
    }
}
