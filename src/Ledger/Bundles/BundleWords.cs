using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Bundles;

/// <summary>What was proven and what was not, in words for people. Texts that others wrote stand in it as they are: whoever
/// shows it on a terminal makes them harmless first.</summary>
public static class BundleWords
{
    /// <summary>Lines about a job of a bundle that is proven.</summary>
    public static IEnumerable<string> Of(BundledJob job)
    {
        yield return $"{job.Submitter} signed the submission of {job.Job} ({job.Operation}, document SHA-256 {job.DocumentSha256}) and "
            + $"dated it {Timestamps.Write(job.SubmittedAt)}; the log holds that at position {job.Position}.";
        foreach (var receipt in job.Receipts)
        {
            foreach (var line in Of(receipt))
            {
                yield return line;
            }
        }

        yield return job.EndPosition is null
            ? $"The {job.Versions} events of the job show no end: it is {job.Status.Name()} as far as they go."
            : $"Node {job.EndedBy} signed that the job {Ended(job.Status)}; the log holds that at position {job.EndPosition}, as "
                + $"the last of {job.Versions} events, each of which was legal after the one before it.";
    }

    /// <summary>What nobody may take for proven.</summary>
    public static IEnumerable<string> NotProven(BundleReport report)
    {
        if (report.Jobs.Any(job => job.Receipts.Any(receipt => receipt.Reexecutions.Count == 0)))
        {
            yield return "That a result is right: a receipt is its worker's claim. Of those that nobody ran again, several workers that "
                + "agree are the most that stands here.";
        }

        yield return report.Cosigned.Count == 0
            ? "When anything happened: every time is by its author's clock, and no witness of the policy cosigned the tree head. "
                + "Nor that the log shows everybody the same tree."
            : "When things happened, but that it was before the cosignatures: every other time is by its author's clock.";
        yield return "That nothing came after: a log proves what it holds, not what it does not hold. A bundle may end before its "
            + "job's latest event, or before a worker's retirement.";
        yield return "Payments, balances, and the reputations that the nodes said they knew: an audit of the whole ledger checks these.";
        if (report.Policy.Founder is null)
        {
            yield return $"Who ought to have founded the ledger: the policy names nobody, and the log says {report.Founder}.";
        }

        if (report.Policy.Submitters is null)
        {
            yield return "Who ought to have submitted: the policy names nobody.";
        }

        if (report.Policy.Workers is null)
        {
            yield return "Who ought to have run it: the policy names no workers.";
        }

        if (report.UncheckedSignatures is > 0 and var lines)
        {
            yield return $"Who made {lines} of the signatures under the tree head: {(lines == 1 ? "it is" : "they are")} by keys that the "
                + "policy does not name, or a second one by a key, and nobody checked them. What the log holds does not rest on them.";
        }

        var missing = report.Jobs.SelectMany(job => job.MissingBlobs).Distinct().Count();
        if (missing > 0)
        {
            yield return $"What is in {missing} blob{(missing == 1 ? "" : "s")} that the jobs name and the bundle lacks: whoever has the bytes "
                + "compares their BLAKE3 with the name.";
        }
    }

    private static IEnumerable<string> Of(BundledReceipt told)
    {
        var receipt = told.Receipt;
        var program = receipt.Program is { } blob ? $" program {blob}" : " the operation";
        var end = receipt.Error is { } error ? $"and that it failed with {error.Code}" : "with these outputs";
        yield return $"Worker {told.Name ?? "without a name"} ({told.Worker}) signed that in attempt {told.Attempt} it ran{program} on "
            + $"{receipt.Engine.Name} {receipt.Engine.Version}{Guest(receipt)}, {end}; the log holds that at position "
            + $"{told.Position}.";
        foreach (var output in receipt.Error is null ? receipt.Outputs : [])
        {
            yield return $"  {output.Name}: {output.Size} bytes{(output.Truncated ? ", cut off" : "")}, SHA-256 {output.Sha256}, "
                + $"BLAKE3 {output.Blake3}";
        }

        yield return $"  {(told.IsResult ? "The job ended with this as its result." : "The job did not end with this as its result.")}"
            + (told.IsAttested ? " It is attested (in-toto, SLSA)." : "");
        if (told.Reexecutions.Count == 0)
        {
            yield return "  This claim was re-executed: no.";
        }

        foreach (var again in told.Reexecutions)
        {
            yield return $"  This claim was re-executed: yes, by {again.By}, who signed that it is "
                + $"{(again.Agrees ? "right" : "wrong")}; the log holds that at position {again.Position}.";
        }
    }

    private static string Guest(Receipt receipt) => receipt.Guest is { } guest
        ? $" with {guest.Fuel} units of fuel{(guest.Result is { } result ? $" and result {result}" : "")}"
        : receipt.ExitCode is { } code ? $" with exit code {code}" : "";

    private static string Ended(JobStatus status) => status switch
    {
        JobStatus.Cancelled => "was cancelled",
        _ => status.Name(),
    };
}
