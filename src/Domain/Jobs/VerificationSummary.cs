using System.Text;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

// The payload of a summary, canonical JSON; schemas/README.md has a worked example, which ContractPageTests and the vectors
// check:
//
//   {"_type":"https://in-toto.io/Statement/v1",
//    "predicate":{"inputAttestations":[{"digest":{"meshledger_event":HEX},"uri":"urn:meshledger:event:HEX"}],
//      "policy":{"uri":"urn:meshledger:policy:reexecution:v1"},"resourceUri":"urn:meshledger:event:HEX","slsaVersion":"1.1",
//      "timeVerified":TIME,"verificationResult":"PASSED" or "FAILED","verifiedLevels":["MESHLEDGER_REEXECUTED"] or ["FAILED"],
//      "verifier":{"id":DID,"version":{ENGINE:VERSION}}},
//    "predicateType":"https://slsa.dev/verification_summary/v1",
//    "subject":[{"digest":{"blake3":HEX,"sha256":HEX},"name":NAME}...]}

/// <summary>
/// The in-toto Statement by which others than MeshLedger's readers learn that a run was repeated: its outputs, by whom, and
/// whether the receipt was right. It follows from the event that holds it, to the byte.
/// </summary>
public static class VerificationSummary
{
    public const string PredicateType = "https://slsa.dev/verification_summary/v1";
    public const string Policy = "urn:meshledger:policy:reexecution:v1";

    private const string StatementType = "https://in-toto.io/Statement/v1";
    private const string SlsaVersion = "1.1";
    private const string Passed = "MESHLEDGER_REEXECUTED";

    /// <summary>The payload that the author of a finding signs.</summary>
    /// <param name="finding">What stands in the event beside it.</param>
    /// <param name="receipt">The receipt's event.</param>
    public static byte[] Payload(IReceiptFinding finding, Digest receipt, Did author)
    {
        var uri = $"urn:meshledger:event:{receipt}";
        var isRight = finding is JobEvent.ReceiptVerified;
        var json = new JsonObject
        {
            ["_type"] = StatementType,
            ["subject"] = Subjects(finding.Claims, receipt),
            ["predicateType"] = PredicateType,
            ["predicate"] = new JsonObject
            {
                ["verifier"] = new JsonObject
                {
                    ["id"] = author.ToString(),
                    ["version"] = new JsonObject { [finding.Engine.Name] = finding.Engine.Version },
                },
                ["timeVerified"] = Timestamps.Write(finding.VerifiedAt),
                ["resourceUri"] = uri,
                ["policy"] = new JsonObject { ["uri"] = Policy },
                ["inputAttestations"] = new JsonArray(new JsonObject { ["uri"] = uri, ["digest"] = Digests(receipt) }),
                ["verificationResult"] = isRight ? "PASSED" : "FAILED",
                ["verifiedLevels"] = new JsonArray(isRight ? Passed : "FAILED"),
                ["slsaVersion"] = SlsaVersion,
            },
        };
        return CanonicalJson.Canonicalize(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    /// <summary>The envelope as it stands in the event: canonical JSON.</summary>
    public static string Sign(IReceiptFinding finding, Digest receipt, SigningKey key) => Encoding.UTF8.GetString(
        DsseEnvelope.Sign(DsseEnvelope.InToto, Payload(finding, receipt, key.Did), key).ToBytes());

    /// <summary>Whether an event holds the one summary that follows from it, signed by its author alone.</summary>
    internal static bool IsExact(IReceiptFinding finding, Digest receipt, Did author)
    {
        if (!IsSpelt(finding.Summary, out var json) || !DsseEnvelope.TryParse(json, out var envelope))
        {
            return false;
        }

        return envelope!.PayloadType == DsseEnvelope.InToto && envelope.Signatures is [var only]
            && only.KeyId == author.ToString() && envelope.IsSignedBy(author)
            && envelope.ToBytes().AsSpan().SequenceEqual(json)
            && envelope.Payload.Span.SequenceEqual(Payload(finding, receipt, author));
    }

    private static bool IsSpelt(string summary, out byte[] json)
    {
        json = summary.Length <= DsseEnvelope.MaxSize ? Encoding.UTF8.GetBytes(summary) : [];
        return json.Length > 0;
    }

    /// <summary>The receipt's outputs; an in-toto Statement is of something, so where there are none, the receipt itself.
    /// </summary>
    private static JsonArray Subjects(RunClaims claims, Digest receipt) => claims.Outputs.Count == 0
        ? new JsonArray(new JsonObject { ["name"] = "receipt", ["digest"] = Digests(receipt) })
        : new JsonArray([.. claims.Outputs.Select(output => new JsonObject
        {
            ["name"] = output.Name,
            ["digest"] = new JsonObject { ["blake3"] = output.Blake3.ToString(), ["sha256"] = output.Sha256.ToString() },
        })]);

    /// <summary>Of an event, whose digest is no plain SHA-256 of a file: under a name of its own.</summary>
    private static JsonObject Digests(Digest @event) => new() { ["meshledger_event"] = @event.ToString() };
}
