using System.Buffers;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Documents;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

// The in-toto Statement v1 of a receipt, with SLSA provenance v1, as canonical JSON (schemas/README.md has a complete one):
//     {"_type":"https://in-toto.io/Statement/v1",
//      "predicate":{
//       "buildDefinition":{
//        "buildType":"urn:meshledger:job:v1",
//        "externalParameters":{"attempt":N,"document_sha256":HEX,"job_id":ID,"operation":TEXT},
//        "internalParameters":{"duration_us":N,"exit_code":N or null,"guest":{...} or null,"peak_memory_bytes":N or null},
//        "resolvedDependencies":[{"digest":{...},"name":TEXT}...]},
//       "runDetails":{
//        "builder":{"id":DID,"version":{ENGINE:VERSION}},
//        "metadata":{"finishedOn":TIME,"invocationId":DIGEST,"startedOn":TIME}}},
//      "predicateType":"https://slsa.dev/provenance/v1",
//      "subject":[{"annotations":{"size":N,"truncated":B},"digest":{"blake3":HEX,"sha256":HEX},"name":TEXT}...]}
// Checked by ReceiptAttestationTests.

/// <summary>What a worker attests beside its receipt, for those who know in-toto and SLSA but no ledger. It follows from
/// document, assignment and receipt alone, so that it can never say anything else than the receipt.</summary>
public static class ReceiptAttestation
{
    public const string BuildType = "urn:meshledger:job:v1";

    /// <summary>The most blobs of a document that are listed; its own digest stands for all of them.</summary>
    public const int MaxInputs = 256;

    /// <summary>The receipt as an event, with what is to be attested signed by <paramref name="worker"/>.</summary>
    /// <exception cref="FormatException">The receipt holds what no event can.</exception>
    public static JobEvent.ReceiptIssued Issue(
        SigningKey worker, JobEvent.Submitted submission, Digest assignment, int attempt, Receipt receipt)
    {
        var payload = Payload(worker.Did, submission, assignment, attempt, receipt);
        return new JobEvent.ReceiptIssued(
            attempt,
            receipt,
            payload is null ? null : Attestation.Of(DsseEnvelope.Sign(DsseEnvelope.InToto, payload, worker)));
    }

    /// <summary>The statement to attest; null where there is nothing to attest: the receipt has an error, which nobody may
    /// take for a success, or no output that could be a subject.</summary>
    /// <exception cref="FormatException">The document is not one, or the receipt holds what no event can.</exception>
    public static byte[]? Payload(
        Did worker, JobEvent.Submitted submission, Digest assignment, int attempt, Receipt receipt)
    {
        if (receipt.Error is not null || receipt.Outputs.Count == 0)
        {
            return null;
        }

        var output = new ArrayBufferWriter<byte>(2048);
        try
        {
            using var document = JsonDocument.Parse(submission.Document);
            using var json = new Utf8JsonWriter(output);
            json.WriteStartObject();
            json.WriteString("_type", "https://in-toto.io/Statement/v1");
            json.WriteString("predicateType", "https://slsa.dev/provenance/v1");
            json.WriteStartArray("subject");
            foreach (var subject in receipt.Outputs)
            {
                WriteSubject(json, subject);
            }

            json.WriteEndArray();
            json.WriteStartObject("predicate");
            json.WriteStartObject("buildDefinition");
            json.WriteString("buildType", BuildType);
            json.WriteStartObject("externalParameters");
            json.WriteNumber("attempt", attempt);
            json.WriteString("document_sha256", submission.DocumentSha256.ToString());
            json.WriteString("job_id", document.RootElement.GetProperty("job_id").GetString());
            json.WriteString("operation", submission.Operation);
            json.WriteEndObject();
            WriteInternalParameters(json, receipt);
            WriteDependencies(json, document.RootElement, submission, receipt);
            json.WriteEndObject();
            WriteRunDetails(json, worker, assignment, receipt);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"The job's document is not valid: {exception.Message}", exception);
        }

        return CanonicalJson.Canonicalize(output.WrittenSpan);
    }

    /// <summary>Why what stands beside a receipt is not what its author must attest; null if it is.</summary>
    internal static Refusal? Check(JobEvent.Submitted submission, JobEvent.ReceiptIssued issued, in EventFact fact)
    {
        byte[]? expected;
        try
        {
            expected = Payload(fact.By, submission, fact.Cause!.Value, issued.Attempt, issued.Receipt);
        }
        catch (FormatException exception)
        {
            return JobRules.No("WRONG_ATTESTATION", exception.Message);
        }

        if (expected is null || issued.Attestation is not { } attestation)
        {
            return JobRules.Require(
                expected is null && issued.Attestation is null,
                "WRONG_ATTESTATION",
                expected is null
                    ? "nothing is attested of an error, or without an output"
                    : "a result is attested: the envelope is missing");
        }

        return JobRules.Require(
                attestation.PayloadType == DsseEnvelope.InToto && attestation.Payload == Convert.ToBase64String(expected),
                "WRONG_ATTESTATION",
                "what is attested is not what document, assignment and receipt say")
            ?? JobRules.Require(
                attestation.IsSignedBy(fact.By), "WRONG_ATTESTATION", $"the attestation is not signed by {fact.By} alone");
    }

    private static void WriteSubject(Utf8JsonWriter json, ReceiptOutput output)
    {
        json.WriteStartObject();
        json.WriteStartObject("annotations");
        json.WriteNumber("size", output.Size);
        json.WriteBoolean("truncated", output.Truncated);
        json.WriteEndObject();
        json.WriteStartObject("digest");
        json.WriteString("blake3", output.Blake3.ToString());
        json.WriteString("sha256", output.Sha256.ToString());
        json.WriteEndObject();
        json.WriteString("name", output.Name);
        json.WriteEndObject();
    }

    private static void WriteInternalParameters(Utf8JsonWriter json, Receipt receipt)
    {
        json.WriteStartObject("internalParameters");
        json.WriteNumber("duration_us", receipt.DurationUs);
        WriteNumberOrNull(json, "exit_code", receipt.ExitCode);
        WriteNumberOrNull(json, "peak_memory_bytes", receipt.PeakMemoryBytes);
        if (receipt.Guest is not { } guest)
        {
            json.WriteNull("guest");
            json.WriteEndObject();
            return;
        }

        json.WriteStartObject("guest");
        json.WriteNumber("checkpoints", guest.Checkpoints);
        json.WriteNumber("fuel", guest.Fuel);
        json.WriteNumber("fuel_table", guest.FuelTable);
        json.WriteString("result", guest.Result);
        json.WriteString("state_digest", guest.StateDigest?.ToString());
        json.WriteString("tier", guest.Tier);
        if (guest.ResumedFrom is { } from)
        {
            json.WriteStartObject("resumed_from");
            json.WriteNumber("attempt", from.Attempt);
            json.WriteNumber("sequence", from.Sequence);
            json.WriteString("state", from.State.ToString());
            json.WriteString("worker", from.Worker.ToString());
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("resumed_from");
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The document, the kernel and the program as the receipt has them, and then the blobs that the document's
    /// payload names in so many words, by where they stand (RFC 6901), sorted by that: each hash once.</summary>
    private static void WriteDependencies(
        Utf8JsonWriter json, JsonElement document, JobEvent.Submitted submission, Receipt receipt)
    {
        json.WriteStartArray("resolvedDependencies");
        Write("document", "sha256", submission.DocumentSha256.ToString());
        if (receipt.KernelSha256 is { } kernel)
        {
            Write("kernel", "sha256", kernel.ToString());
        }

        var listed = new HashSet<BlobHash>();
        if (receipt.Program is { } program)
        {
            listed.Add(program);
            Write("program", "blake3", program.ToString());
        }

        // Sorted, since not every reader of JSON keeps the order of members.
        var named = new List<(string Pointer, BlobHash Hash)>();
        Find(document.GetProperty("payload"), "/payload", isNamed: false, named);
        named.Sort((left, right) => string.CompareOrdinal(left.Pointer, right.Pointer));
        foreach (var (pointer, hash) in named.Where(one => listed.Add(one.Hash)).Take(MaxInputs))
        {
            Write(pointer, "blake3", hash.ToString());
        }

        json.WriteEndArray();

        void Write(string name, string algorithm, string digest)
        {
            json.WriteStartObject();
            json.WriteStartObject("digest");
            json.WriteString(algorithm, digest);
            json.WriteEndObject();
            json.WriteString("name", name);
            json.WriteEndObject();
        }
    }

    private static void Find(
        JsonElement element, string pointer, bool isNamed, List<(string Pointer, BlobHash Hash)> named)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    Find(member.Value, $"{pointer}/{Escape(member.Name)}", DocumentBlobs.IsNameOf(member.Name), named);
                }

                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in element.EnumerateArray())
                {
                    Find(item, $"{pointer}/{index++}", isNamed, named);
                }

                break;
            case JsonValueKind.String when isNamed && BlobHash.TryParse(element.GetString(), out var hash):
                named.Add((pointer, hash));
                break;
        }
    }

    private static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static void WriteRunDetails(Utf8JsonWriter json, Did worker, Digest assignment, Receipt receipt)
    {
        json.WriteStartObject("runDetails");
        json.WriteStartObject("builder");
        json.WriteString("id", worker.ToString());
        json.WriteStartObject("version");
        json.WriteString(receipt.Engine.Name, receipt.Engine.Version);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject("metadata");
        json.WriteString("finishedOn", Timestamps.Write(receipt.FinishedAt));
        json.WriteString("invocationId", assignment.ToString());
        json.WriteString("startedOn", Timestamps.Write(receipt.StartedAt));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteNumberOrNull(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
