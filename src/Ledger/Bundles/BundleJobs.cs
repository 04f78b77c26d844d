using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;

namespace MeshLedger.Ledger.Bundles;

/// <summary>What a bundle's events say of its jobs, once each of them is proven and legal.</summary>
internal static class BundleJobs
{
    private const string Verified = "receipt_verified";
    private const string Disputed = "receipt_disputed";

    public static IReadOnlyList<BundledJob> Of(
        BundleFold fold, IReadOnlyList<BundledBlob> blobs, Action<BundleFault> report)
    {
        var named = new HashSet<BlobHash>();
        var jobs = new List<BundledJob>();
        foreach (var told in fold.Told.GroupBy(one => one.Job, one => one.Event))
        {
            var events = told.ToList();
            named.UnionWith(events.SelectMany(one => BlobsOf(one.Body)));
            var needed = events.SelectMany(one => NeededOf(one.Body)).ToHashSet();
            needed.ExceptWith(blobs.Select(blob => blob.Blake3));
            jobs.Add(Of(fold, told.Key, events, [.. needed.OrderBy(blob => blob.ToString(), StringComparer.Ordinal)]));
            foreach (var output in events.Select(one => one.Body).OfType<JobEvent.ReceiptIssued>()
                .SelectMany(issued => issued.Receipt.Outputs))
            {
                if (blobs.FirstOrDefault(blob => blob.Blake3 == output.Blake3) is { } blob
                    && (blob.Sha256 != output.Sha256 || blob.Size != output.Size))
                {
                    report(new BundleFault(
                        "wrong_blob", BundleNames.Of(blob.Blake3),
                        $"{output.Size} bytes with SHA-256 {output.Sha256}, as a receipt says", $"{blob.Size} with {blob.Sha256}"));
                }
            }
        }

        foreach (var blob in blobs.Where(blob => !named.Contains(blob.Blake3)))
        {
            report(new BundleFault("wrong_blob", BundleNames.Of(blob.Blake3), "a blob that a job of the bundle names", "another"));
        }

        return jobs;
    }

    /// <summary>The blobs that an event may name: the document's inputs, the program that ran, the outputs that do not stand
    /// in the event itself.</summary>
    public static IEnumerable<BlobHash> BlobsOf(LedgerEvent body) =>
        body is JobEvent.Submitted submitted ? DocumentBlobs.Of(submitted.Document) : NeededOf(body);

    /// <summary>Those of them that are blobs for sure: who lacks one is told.</summary>
    public static IEnumerable<BlobHash> NeededOf(LedgerEvent body) => body switch
    {
        JobEvent.Submitted submitted => DocumentBlobs.NamedIn(submitted.Document),
        JobEvent.PartialOutputProduced { Text: null, Base64: null } piece => [piece.Blake3],
        JobEvent.ReceiptIssued { Receipt: var receipt } => receipt.Outputs
            .Where(output => output.Text is null && output.Base64 is null)
            .Select(output => output.Blake3)
            .Concat(receipt.Program is { } program ? [program] : []),
        _ => [],
    };

    private static BundledJob Of(BundleFold fold, JobId job, List<BundleEvent> events, IReadOnlyList<BlobHash> missing)
    {
        var state = fold.Jobs[job];
        var end = events.Find(one => one.Body is JobEvent.Completed or JobEvent.Failed or JobEvent.Cancelled);
        var winners = end?.Body is JobEvent.Completed completed
            ? completed.Outcomes
                .Where(outcome => outcome.Result is RunResults.Succeeded or RunResults.Agreed or RunResults.Own)
                .Select(outcome => (outcome.Worker, completed.Attempt))
                .ToHashSet()
            : [];
        return new BundledJob(
            job,
            state.Status,
            state.Submitter,
            state.Submission.Operation,
            state.SubmittedAt,
            events[0].Position,
            state.Submission.DocumentSha256,
            events.Count,
            [.. events.Where(one => one.Body is JobEvent.ReceiptIssued).Select(one =>
            {
                var issued = (JobEvent.ReceiptIssued)one.Body;
                return new BundledReceipt(
                    one.Statement.By,
                    fold.Registry.Worker(one.Statement.By)?.Facts.WorkerId,
                    one.Position,
                    one.Statement.Digest,
                    issued.Attempt,
                    issued.Receipt,
                    issued.Attestation is not null,
                    winners.Contains((one.Statement.By, issued.Attempt)),
                    Reexecutions(events, one.Statement.Digest));
            })],
            end?.Position,
            end?.Statement.By,
            missing);
    }

    /// <summary>What others found who ran the job again: events that answer the receipt.</summary>
    private static IReadOnlyList<Reexecution> Reexecutions(List<BundleEvent> events, Digest receipt) =>
    [
        .. events.Where(one => one.Statement.Cause == receipt && one.Statement.Type is Verified or Disputed)
            .Select(one => new Reexecution(one.Statement.By, one.Statement.Type == Verified, one.Position)),
    ];
}
