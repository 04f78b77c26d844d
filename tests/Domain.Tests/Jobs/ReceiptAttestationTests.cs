using System.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Tests.Documents;
using MeshLedger.Domain.Tests.Events;

namespace MeshLedger.Domain.Tests.Jobs;

/// <summary>What workers attest beside their receipts.</summary>
public sealed class ReceiptAttestationTests
{
    private static readonly Digest Assignment = Digest.OfBytes("assignment"u8);

    [Fact]
    public void What_is_attested_is_a_statement_of_in_toto_with_the_provenance_of_slsa()
    {
        var receipt = VectorStory.Receipt(null) with { Guest = VectorStory.Metered(VectorStory.Saved) };
        var json = JsonElement.Parse(Payload(JobSpec.Submission(JobSpec.Document("")), receipt)!);
        Assert.Equal("https://in-toto.io/Statement/v1", json.GetProperty("_type").GetString());
        Assert.Equal("https://slsa.dev/provenance/v1", json.GetProperty("predicateType").GetString());
        Assert.Equal(
            receipt.Outputs.Select(output => (output.Name, output.Sha256.ToString(), output.Blake3.ToString(), output.Truncated)),
            json.GetProperty("subject").EnumerateArray().Select(subject => (
                subject.GetProperty("name").GetString()!,
                subject.GetProperty("digest").GetProperty("sha256").GetString()!,
                subject.GetProperty("digest").GetProperty("blake3").GetString()!,
                subject.GetProperty("annotations").GetProperty("truncated").GetBoolean())));
        var predicate = json.GetProperty("predicate");
        var run = predicate.GetProperty("runDetails");
        Assert.Equal(Actors.Worker.Did.ToString(), run.GetProperty("builder").GetProperty("id").GetString());
        Assert.Equal(Assignment.ToString(), run.GetProperty("metadata").GetProperty("invocationId").GetString());
        var definition = predicate.GetProperty("buildDefinition");
        Assert.Equal("echo-test-001", definition.GetProperty("externalParameters").GetProperty("job_id").GetString());
        Assert.Equal(
            receipt.Guest.Fuel, definition.GetProperty("internalParameters").GetProperty("guest").GetProperty("fuel").GetInt64());
    }

    [Fact]
    public void Every_blob_that_the_document_names_is_a_dependency_once()
    {
        var (first, second, seed) = (Blake3.Hash("first"u8), Blake3.Hash("second"u8), Blake3.Hash("a seed is none"u8));
        var document = JobDocumentSamples.Minimal.Replace(
            "\"data\":", $$"""
            "data": {"a/b~": ["{{second}}", {"hash": "{{first}}"}], "blake3": ["{{second}}", 7], "zero": {"hash": "{{second}}"}, "seed": "{{seed}}", "hash": "{{VectorStory.Receipt(null).Program}}"}, "former":
            """, StringComparison.Ordinal);
        var submission = JobSpec.Submission(JobSpec.Document("")) with { Document = document };
        var json = JsonElement.Parse(Payload(submission, VectorStory.Receipt(null))!);
        Assert.Equal(
            [
                ("document", submission.DocumentSha256.ToString()),
                ("kernel", VectorStory.Receipt(null).KernelSha256.ToString()),
                ("program", VectorStory.Receipt(null).Program.ToString()),
                ("/payload/data/a~1b~0/1/hash", first.ToString()),
                ("/payload/data/blake3/0", second.ToString()),
            ],
            json.GetProperty("predicate").GetProperty("buildDefinition").GetProperty("resolvedDependencies").EnumerateArray()
                .Select(one => (
                    one.GetProperty("name").GetString(),
                    one.GetProperty("digest").EnumerateObject().Single().Value.GetString())));
        Assert.Contains(seed, DocumentBlobs.Of(document));
        Assert.DoesNotContain(seed, DocumentBlobs.NamedIn(document));
    }

    [Fact]
    public void Of_an_error_and_of_nothing_made_nothing_is_attested()
    {
        var submission = JobSpec.Submission(JobSpec.Document(""));
        Assert.Null(Payload(submission, VectorStory.Receipt(JobSpec.Trouble)));
        Assert.Null(Payload(submission, VectorStory.Receipt(null) with { Outputs = [] }));
        var honest = ReceiptAttestation.Issue(Actors.Worker, submission, Assignment, 1, VectorStory.Receipt(null)).Attestation;
        Refused(spec => Of(spec, VectorStory.Receipt(JobSpec.Trouble), honest));
        Refused(spec => Of(spec, VectorStory.Receipt(null) with { Outputs = [] }, honest));
    }

    [Fact]
    public void A_receipt_and_its_attestation_never_say_two_things()
    {
        var receipts = new Func<Receipt, Receipt>[]
        {
            receipt => receipt with { ExitCode = 1 },
            receipt => receipt with { Outputs = [receipt.Outputs[0]] },
            receipt => receipt with { Engine = new EngineName("qemu-microvm", "7.2.23") },
            receipt => receipt with { KernelSha256 = null },
            receipt => receipt with { Program = Blake3.Hash("another"u8) },
            receipt => receipt with { StartedAt = receipt.StartedAt.AddMicroseconds(1) },
            receipt => receipt with { FinishedAt = receipt.FinishedAt.AddMicroseconds(1) },
            receipt => receipt with { DurationUs = 1 },
            receipt => receipt with { PeakMemoryBytes = null },
            receipt => receipt with { Guest = VectorStory.Metered() },
        };
        Assert.All(receipts, change => Refused(spec => spec.Attested(JobSpec.Receipt(null)) is var issued
            ? issued with { Receipt = change(issued.Receipt) }
            : null!));
        Refused(spec => Of(spec, VectorStory.Receipt(null), null), isMissing: true);
    }

    [Fact]
    public void An_attestation_has_one_signature_which_is_the_workers()
    {
        var changes = new Func<Attestation, Attestation>[]
        {
            honest => honest with { Signatures = [] },
            honest => honest with { Signatures = [.. honest.Signatures, .. honest.Signatures] },
            honest => honest with { Signatures = [honest.Signatures[0] with { Keyid = Actors.Rival.Did.ToString() }] },
            honest => honest with { Signatures = [honest.Signatures[0] with { Sig = new string('A', 86) + "==" }] },
            honest => honest with { Signatures = [honest.Signatures[0] with { Sig = honest.Signatures[0].Sig + "\n" }] },
            honest => honest with { Payload = honest.Payload + "\n" },
            honest => honest with { PayloadType = "application/json" },
            honest => Attestation.Of(DsseEnvelope.Sign(
                DsseEnvelope.InToto, Convert.FromBase64String(honest.Payload), Actors.Rival)),
        };
        Assert.All(changes, change => Refused(spec =>
        {
            var issued = spec.Attested(JobSpec.Receipt(null));

            // What was found of the honest one says nothing of a copy that was changed.
            Assert.True(issued.Attestation!.IsSignedBy(Actors.Worker.Did));
            return issued with { Attestation = change(issued.Attestation) };
        }));
    }

    [Fact]
    public void Whoever_has_the_envelope_alone_can_verify_it()
    {
        var issued = JobSpec.Given(JobSpec.Executing).Attested(JobSpec.Receipt(null));
        var statement = Actors.State(Actors.Worker, issued, Assignment, StreamId.Parse("job-echo-test-001"), 1);
        var cut = JsonElement.Parse(statement.Data.Span).GetProperty("attestation");
        Assert.True(DsseEnvelope.TryParse(Encoding.UTF8.GetBytes(cut.GetRawText()), out var envelope));
        Assert.True(envelope!.IsSignedBy(Actors.Worker.Did));
        Assert.False(envelope.IsSignedBy(Actors.Rival.Did));
    }

    [Fact]
    public void An_attestation_is_small()
    {
        var receipt = VectorStory.Receipt(null) with { Guest = VectorStory.Metered(VectorStory.Saved) };
        Assert.InRange(Payload(JobSpec.Submission(JobSpec.Document("")), receipt)!.Length, 1000, 2500);
        var many = string.Join(",", Enumerable.Range(0, 10_000).Select(i => $"\"{Blake3.Hash(BitConverter.GetBytes(i))}\""));
        var document = JobDocumentSamples.Minimal.Replace("\"data\":", $"\"data\": {{\"hash\": [{many}]}}, \"former\":", StringComparison.Ordinal);
        Assert.InRange(
            Payload(JobSpec.Submission(JobSpec.Document("")) with { Document = document }, receipt)!.Length, 10_000, 50_000);
    }

    private static byte[]? Payload(JobEvent.Submitted submission, Receipt receipt) =>
        ReceiptAttestation.Payload(Actors.Worker.Did, submission, Assignment, 1, receipt);

    private static JobEvent.ReceiptIssued Of(JobSpec spec, Receipt receipt, Attestation? attestation) =>
        spec.Attested(JobSpec.Receipt(null)) with { Receipt = receipt, Attestation = attestation };

    private static void Refused(Func<JobSpec, JobEvent.ReceiptIssued> body, bool isMissing = false)
    {
        var spec = JobSpec.Given(JobSpec.Executing);
        var statement = Actors.State(
            Actors.Worker, body(spec), spec.State!.AssignmentDigest, StreamId.Parse("job-echo-test-001"), 500);
        var refusal = JobRules.Check(spec.State, EventFact.Of(statement), spec.Registry);
        Assert.Equal("WRONG_ATTESTATION", refusal?.Code);
        Assert.Equal(isMissing, refusal!.Message.Contains("missing", StringComparison.Ordinal));
    }
}
