using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>What a <c>receipt_verified</c> and a <c>receipt_disputed</c> have in common.</summary>
public interface IReceiptFinding
{
    /// <summary>The receipt's attempt and worker.</summary>
    int Attempt { get; }
    Did Worker { get; }

    /// <summary>The author's own registration as a worker; null: it is a node.</summary>
    Digest? Registration { get; }

    /// <summary>What ran the document again.</summary>
    EngineName Engine { get; }
    DateTimeOffset VerifiedAt { get; }

    /// <summary>What the receipt says.</summary>
    RunClaims Claims { get; }

    /// <summary>How many of the checkpoints that it rests on were found alike.</summary>
    long Checkpoints { get; }

    /// <summary>A DSSE envelope with the verification summary that follows from all this: <see cref="VerificationSummary"/>.
    /// </summary>
    string Summary { get; }
}

/// <summary>A receipt, as far as what others find of it is judged by it.</summary>
/// <param name="Registration">That of the bid which won.</param>
/// <param name="Claims">The digest of its <see cref="RunClaims"/>.</param>
public sealed record ReceiptFact(Digest Digest, int Attempt, Did Worker, Digest Registration, Digest Claims);

/// <summary>What somebody found of a receipt.</summary>
/// <param name="Parting">Where its run and the other part.</param>
public sealed record FindingFact(
    Digest Receipt, Did By, bool IsVerified, DateTimeOffset At, RunInterval? Parting, bool IsByNode);

/// <summary>A job's receipts and what was found of them: little enough to be kept for every job that has ended.</summary>
public sealed record ReceiptBook(ValueList<ReceiptFact> Receipts, ValueList<FindingFact> Findings)
{
    public static ReceiptBook Empty { get; } = new([], []);

    public ReceiptBook Add(Digest digest, int attempt, Did worker, Digest registration, Receipt receipt) => this with
    {
        Receipts = [.. Receipts, new ReceiptFact(digest, attempt, worker, registration, RunClaims.Of(receipt).Digest)],
    };

    /// <summary>With what was found, after <see cref="FindingRules.Check"/>.</summary>
    public ReceiptBook Add(IReceiptFinding finding, in EventFact fact) => this with
    {
        Findings =
        [
            .. Findings,
            new FindingFact(
                fact.Cause!.Value, fact.By, finding is JobEvent.ReceiptVerified, fact.Time,
                (finding as JobEvent.ReceiptDisputed)?.Parting, finding.Registration is null),
        ],
    };
}

/// <summary>
/// What may be found of a receipt, and by whom: nodes and registered workers that have nothing to do with the worker whose
/// receipt it is, each once, after the job's end. It moves no mana and no reputation.
/// </summary>
public static class FindingRules
{
    /// <summary>How many workers may say something of one receipt: their keys are free. Nodes are admitted, and always
    /// heard.</summary>
    public const int MaxOfWorkers = 32;

    /// <summary>Why a finding may not stand; null if it may.</summary>
    public static Refusal? Check(ReceiptBook book, in EventFact fact, IAuthority authority)
    {
        var finding = (IReceiptFinding)fact.Body;
        var (by, cause) = (fact.By, fact.Cause);
        var receipt = book.Receipts.FirstOrDefault(one => one.Digest == cause);
        return MayFind(book, cause, by, finding.Registration, authority)
            ?? JobRules.Require(
                finding.Attempt == receipt!.Attempt && finding.Worker == receipt.Worker
                    && finding.Claims.Digest == receipt.Claims && finding.Checkpoints >= 0,
                "WRONG_FINDING",
                "attempt, worker and claims are those of the receipt")
            ?? OutputName.Check(finding.Engine)
            ?? Disputed(finding as JobEvent.ReceiptDisputed)
            ?? JobRules.Require(
                VerificationSummary.IsExact(finding, receipt!.Digest, by),
                "WRONG_SUMMARY",
                "the summary is the one that follows from the event, signed by its author");
    }

    /// <summary>Why somebody may not say what it found of a receipt, whatever that is; null if it may.</summary>
    /// <param name="receipt">The receipt's digest.</param>
    /// <param name="registration">The author's own, if it is a worker.</param>
    public static Refusal? MayFind(ReceiptBook book, Digest? receipt, Did by, Digest? registration, IAuthority authority)
    {
        if (book.Receipts.FirstOrDefault(one => one.Digest == receipt) is not { } fact)
        {
            return JobRules.No("WRONG_CAUSE", "the cause must be a receipt of the job");
        }

        return Author(fact, registration, by, authority)
            ?? JobRules.Require(
                !book.Findings.Any(one => one.Receipt == receipt && one.By == by),
                "FINDING_EXISTS",
                "each says once what it found of a receipt")
            ?? JobRules.Require(
                registration is null || book.Findings.Count(one => one.Receipt == receipt && !one.IsByNode) < MaxOfWorkers,
                "TOO_MANY_FINDINGS",
                $"at most {MaxOfWorkers} workers say what they found of a receipt");
    }

    private static Refusal? Author(ReceiptFact receipt, Digest? said, Did by, IAuthority authority)
    {
        if (by == receipt.Worker)
        {
            return JobRules.No("OWN_RECEIPT", "a worker that confirms itself proves nothing");
        }

        if (said is not { } registration)
        {
            return JobRules.Require(
                authority.IsNode(by), "NOT_A_NODE", $"only an admitted node or a registered worker may say this, not {by}");
        }

        var own = authority.Registration(registration);
        var owner = authority.Registration(receipt.Registration)?.Facts.Owner;
        return JobRules.Require(own?.Worker == by, "NOT_REGISTERED", "the registration is not the author's")
            ?? JobRules.Require(
                owner is null || (owner != by && owner != own!.Facts.Owner),
                "OWN_RECEIPT",
                "a worker of the same owner proves no more than the worker itself");
    }

    /// <summary>What is disputed differs, and is told as it follows from what was found.</summary>
    private static Refusal? Disputed(JobEvent.ReceiptDisputed? disputed) => disputed is null ? null
        : OutputName.Check(disputed.Found.Outputs.Select(output => output.Name)) ?? JobRules.Require(
        disputed.Differences.Count > 0
            && disputed.Differences.Equals(RunComparison.Differing(disputed.Claims, disputed.Found, disputed.Parting))
            && IsPossible(disputed.Parting),
        "WRONG_FINDING",
        "the differences are those between claims and found, and where they part is an interval that has one");

    private static bool IsPossible(RunInterval? parting) =>
        parting is null
        || (parting.From is null or { Attempt: > 0, Sequence: > 0, Fuel: >= 0, Size: > 0 }
            && parting.To is null or { Attempt: > 0, Sequence: > 0, Fuel: >= 0, Size: > 0 }
            && (parting.To is null
                ? parting.Found is null
                : !RunComparison.IsSame(parting.To, parting.Found) && (parting.From?.Fuel ?? -1) <= parting.To.Fuel)
            && (parting.Found is not { } found || (found.Fuel >= parting.To!.Fuel && found.Size > 0)));
}
