using System.Formats.Tar;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Bundles;
using MeshLedger.Testing;

namespace MeshLedger.Ledger.Tests.Bundles;

public sealed class BundleTests(BundleFixture fixture) : IClassFixture<BundleFixture>
{
    internal static readonly string[] All =
    [
        "job-alone-1", "job-alone-2", "job-owned", "job-again", "job-was-lost", "job-three-1", "job-three-2", "job-that-failed",
        "job-redriven", "job-redrive", "job-cancelled", "job-for-aid",
    ];

    [Fact]
    public async Task A_bundle_of_every_kind_of_job_is_proven()
    {
        var report = await fixture.VerifyAsync(await fixture.ExportAsync(All));

        Assert.Empty(report.Faults);
        Assert.Equal(All, report.Jobs.Select(job => job.Job.ToString()));
        Assert.Equal(fixture.Story.Node.Did, report.Founder);
        Assert.Equal(fixture.Story.Events.Count, report.Log!.Size);
        Assert.Equal(
            fixture.Story.Events.Count(one => one.Statement.Stream.Kind is "job" or "ledger" or "worker"), report.Events);
        var statuses = report.Jobs.ToDictionary(job => job.Job.ToString(), job => job.Status);
        Assert.Equal(JobStatus.Failed, statuses["job-that-failed"]);
        Assert.Equal(JobStatus.Cancelled, statuses["job-cancelled"]);
        Assert.Equal(9, statuses.Values.Count(status => status == JobStatus.Completed));
    }

    [Fact]
    public async Task What_is_said_of_a_receipt_is_what_came_of_it()
    {
        var report = await fixture.VerifyAsync(await fixture.ExportAsync("job-again", "job-three-1", "job-that-failed"));

        var again = report.Jobs[0].Receipts;
        Assert.Equal([false, true], again.Select(receipt => receipt.IsResult));
        Assert.Equal([false, true], again.Select(receipt => receipt.IsAttested));
        var three = report.Jobs[1];
        Assert.Equal(2, three.Receipts.Count(receipt => receipt.IsResult));
        Assert.Equal(3, three.Receipts.Count(receipt => receipt.IsAttested));
        Assert.DoesNotContain(report.Jobs[2].Receipts, receipt => receipt.IsResult || receipt.IsAttested);
        var words = string.Join('\n', BundleWords.Of(three));
        Assert.Contains($"({three.Receipts[0].Worker}) signed that in attempt 1 it ran", words, StringComparison.Ordinal);
        Assert.Contains("re-executed: no", words, StringComparison.Ordinal);
        Assert.Contains("EXECUTION_ERROR", string.Join('\n', BundleWords.Of(report.Jobs[2])), StringComparison.Ordinal);
        Assert.Contains(BundleWords.NotProven(report), line => line.StartsWith("That nothing came after", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_same_export_has_the_same_bytes()
    {
        Assert.Equal(await fixture.ExportAsync("job-again"), await fixture.ExportAsync("job-again"));
    }

    [Fact]
    public async Task Any_tar_reads_it()
    {
        var bundle = await fixture.ExportAsync("job-alone-1");
        using var reader = new TarReader(new MemoryStream(bundle));
        var names = new List<string>();
        while (await reader.GetNextEntryAsync() is { } entry)
        {
            Assert.Equal(TarEntryType.RegularFile, entry.EntryType);
            Assert.Equal(DateTimeOffset.UnixEpoch, entry.ModificationTime);
            names.Add(entry.Name);
        }

        Assert.Equal(Archive.Of(bundle).Entries.Select(entry => entry.Name), names);
        Assert.Equal(names.Order(StringComparer.Ordinal), names);
    }

    [Fact]
    public async Task What_a_bundle_says_of_itself_follows_from_the_rest()
    {
        var archive = Archive.Of(await fixture.ExportAsync("job-alone-1"));
        var index = Encoding.UTF8.GetString(archive["bundle.json"]);
        Assert.StartsWith("""{"blobs":[],"events":[1,""", index, StringComparison.Ordinal);
        Assert.EndsWith(
            $$$""","format":"meshledger/bundle/v1","founder":"{{{fixture.Story.Node.Did}}}","jobs":["job-alone-1"],"log":{"key":"{{{fixture.Log}}}","size":{{{fixture.Story.Events.Count}}}}}""",
            index,
            StringComparison.Ordinal);
        var keys = Encoding.UTF8.GetString(archive["keys.json"]);
        Assert.Contains($$"""{"did":"{{fixture.Story.Node.Did}}","names":[],"roles":["founder"]}""", keys, StringComparison.Ordinal);
        Assert.Contains(
            $$"""{"did":"{{fixture.Story.Workers[0].Did}}","names":["worker-0"],"roles":["worker"]}""", keys, StringComparison.Ordinal);
        Assert.Contains(
            $$"""{"did":"{{fixture.Story.Owner.Did}}","names":[],"roles":["owner","submitter"]}""", keys, StringComparison.Ordinal);
        var attestation = Assert.Single(archive.Entries, entry => entry.Name.StartsWith("attestations/", StringComparison.Ordinal));
        Assert.True(DsseEnvelope.TryParse(attestation.Bytes, out var envelope));
        Assert.True(envelope!.IsSignedBy(fixture.Story.Workers[0].Did));
    }

    [Fact]
    public async Task A_policy_decides_whom_to_believe()
    {
        var bundle = await fixture.ExportAsync("job-alone-2");
        var other = SigningKey.Generate();
        var cases = new (Func<BundlePolicy, BundlePolicy> Change, string? Kind)[]
        {
            (policy => policy with { Witnesses = [fixture.Witness], Quorum = 1 }, null),
            (policy => policy with { Founder = fixture.Story.Node.Did }, null),
            (policy => policy with { Submitters = [other.Did, fixture.Story.Submitter.Did] }, null),
            (policy => policy with { Workers = [fixture.Story.Workers[0].Did] }, null),
            (policy => policy with { Logs = [new NoteKey("other", NoteKeyType.Signature, fixture.Log.Key)] }, "untrusted_log"),
            (policy => policy with { Logs = [new NoteKey(fixture.Log.Name, NoteKeyType.Signature, other.Did)] }, "bad_signature"),
            (policy => policy with { Witnesses = [new NoteKey("w", NoteKeyType.Cosignature, other.Did)], Quorum = 1 }, "quorum_missed"),
            (policy => policy with { Founder = other.Did }, "untrusted_founder"),
            (policy => policy with { Submitters = [] }, "untrusted_submitter"),
            (policy => policy with { Workers = [fixture.Story.Workers[1].Did] }, "untrusted_worker"),
        };
        foreach (var (change, kind) in cases)
        {
            var report = await fixture.VerifyAsync(bundle, change(fixture.Policy));
            Assert.Equal(kind, report.Faults is [var first, ..] ? first.Kind : null);
        }

        var cosigned = await fixture.VerifyAsync(bundle, fixture.Policy with { Witnesses = [fixture.Witness] });
        Assert.Equal(1_800_000_000, Assert.Single(cosigned.Cosigned).Time);
    }

    [Fact]
    public async Task A_blob_that_no_job_names_does_not_belong_here()
    {
        var bytes = Encoding.UTF8.GetBytes("stowaway");
        var report = await fixture.VerifyAsync(await fixture.ExportWithAsync(new() { [Blake3.Hash(bytes)] = bytes }, "job-alone-1"));
        Assert.Equal(("wrong_blob", $"blobs/{Blake3.Hash(bytes)}"), (report.Faults.Single().Kind, report.Faults.Single().Place));
        await Assert.ThrowsAsync<InvalidDataException>(
            () => fixture.ExportWithAsync(new() { [Blake3.Hash("another"u8)] = bytes }, "job-alone-1"));
    }

    [Fact]
    public async Task One_event_does_not_stand_at_two_positions()
    {
        var archive = Archive.Of(await fixture.ExportAsync("job-alone-1"));
        var (statement, proof) = (archive["events/1.json"], archive["proofs/1.tlog-proof"]);
        var faults = new List<BundleFault>();
        var founded = BundleEvent.Examine(1, statement, proof, archive["checkpoint"], new BatchVerifier(), faults.Add);
        var fold = new BundleFold(StreamId.OfLog(fixture.Log.Name), faults.Add);
        fold.Take(founded!);
        Assert.Empty(faults);
        fold.Take(founded! with { Entry = founded.Entry with { Position = 2, Version = 2 } });
        Assert.Equal("wrong_event_id", faults[0].Kind);
    }

    public static TheoryData<string, string> Lies => new()
    {
        { "a receipt says another attempt", "WRONG_ATTEMPT" },
        { "a receipt is not what was attested", "WRONG_ATTESTATION" },
        { "a result is not attested", "WRONG_ATTESTATION" },
        { "the dearer bid wins", "WRONG_CHOICE" },
        { "the outcome is another", "WRONG_SETTLEMENT" },
        { "the submission is not its document's", "WRONG_DOCUMENT" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task What_was_never_legal_is_refused_though_everybody_signed_it_and_the_log_holds_it(string lie, string code)
    {
        var told = await BundleFixture.OfAsync(new LedgerStory { Twist = Told(lie) }.Tell());
        try
        {
            var bundle = await told.ExportAsync(All);
            var fault = (await told.VerifyAsync(bundle)).Faults[0];
            Assert.Equal("illegal_event", fault.Kind);
            Assert.StartsWith(code, fault.Found, StringComparison.Ordinal);
        }
        finally
        {
            await told.DisposeAsync();
        }
    }

    /// <summary>Tells it wrongly once.</summary>
    private static Func<LedgerEvent, IEnumerable<LedgerEvent>> Told(string lie)
    {
        var isTold = false;
        return body =>
        {
            var said = isTold ? body : Lie(lie, body);
            isTold |= !ReferenceEquals(said, body);
            return [said];
        };
    }

    private static LedgerEvent Lie(string lie, LedgerEvent body) => (lie, body) switch
    {
        ("a receipt says another attempt", JobEvent.ReceiptIssued issued) => issued with { Attempt = issued.Attempt + 1 },
        ("a receipt is not what was attested", JobEvent.ReceiptIssued { Attestation: not null } issued) => issued with
        {
            Receipt = issued.Receipt with { DurationUs = 999 },
        },
        ("a result is not attested", JobEvent.ReceiptIssued issued) => issued with { Attestation = null },
        ("the dearer bid wins", JobEvent.Assigned { Considered.Count: 2 } assigned) => assigned with
        {
            Assignees = [.. assigned.Considered.Where(bid => bid.Worker != assigned.Assignees[0].Worker)
                .Select(bid => new Assignee(bid.Bid, bid.Worker, bid.Price)).Take(1)],
        },
        ("the outcome is another", JobEvent.Completed completed) => completed with
        {
            Outcomes = [.. completed.Outcomes.Select(outcome => outcome with { Result = RunResults.Agreed })],
        },
        ("the submission is not its document's", JobEvent.Submitted submitted) => submitted with
        {
            Terms = submitted.Terms with { Priority = submitted.Terms.Priority + 1 },
        },
        _ => body,
    };
}
