using System.Buffers;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Federations;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Domain.Workers;

namespace MeshLedger.Ledger.Bundles;

// bundle.json, canonical JSON:
//     {"blobs":[{"blake3":HEX,"sha256":HEX,"size":N}...],"events":[N...],"format":"meshledger/bundle/v1","founder":DID,
//      "jobs":[ID...],"log":{"key":NAME+HEX+BASE64,"size":N}}
// blobs by hash, events by position, jobs by the position of their submission.
// keys.json, canonical JSON, by key; a worker's names are those that it registered under:
//     {"keys":[{"did":DID,"names":[TEXT...],"roles":[TEXT...]}...]}
// Both follow from the rest, and are for those who look in. Checked by BundleTests.

/// <summary>What a bundle says of itself.</summary>
internal static class BundleIndex
{
    public const string Format = "meshledger/bundle/v1";

    public static byte[] Write(
        IEnumerable<BundledBlob> blobs, IReadOnlyList<(long Position, Statement Statement)> events, NoteKey log, long size) =>
        Canonical(json =>
        {
            json.WriteStartArray("blobs");
            foreach (var blob in blobs.OrderBy(blob => blob.Blake3.ToString(), StringComparer.Ordinal))
            {
                json.WriteStartObject();
                json.WriteString("blake3", blob.Blake3.ToString());
                json.WriteString("sha256", blob.Sha256.ToString());
                json.WriteNumber("size", blob.Size);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("events");
            foreach (var (position, _) in events)
            {
                json.WriteNumberValue(position);
            }

            json.WriteEndArray();
            json.WriteString("format", Format);
            json.WriteString(
                "founder", events.FirstOrDefault(one => one.Statement.Stream == StreamId.Ledger).Statement?.By.ToString());
            json.WriteStartArray("jobs");
            foreach (var job in events.Select(one => one.Statement.Stream.IsJob(out var id) ? id : (JobId?)null).OfType<JobId>()
                .Distinct())
            {
                json.WriteStringValue(job.ToString());
            }

            json.WriteEndArray();
            json.WriteStartObject("log");
            json.WriteString("key", log.ToString());
            json.WriteNumber("size", size);
            json.WriteEndObject();
        });

    public static byte[] WriteKeys(IReadOnlyList<(long Position, Statement Statement)> events) => Canonical(json =>
    {
        json.WriteStartArray("keys");
        foreach (var author in events.GroupBy(one => one.Statement.By.ToString()).OrderBy(one => one.Key, StringComparer.Ordinal))
        {
            json.WriteStartObject();
            json.WriteString("did", author.Key);
            WriteTexts(json, "names", author
                .Select(one => one.Statement.Body is WorkerEvent.Registered registered ? registered.WorkerId : null));
            WriteTexts(json, "roles", author.Select(one => RoleOf(one.Statement.Body)));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    /// <summary>What somebody is who said this; null where it does not tell.</summary>
    private static string? RoleOf(LedgerEvent body) => body switch
    {
        NodeEvent.Founded => "founder",
        NodeEvent.Joined or NodeEvent.Admitted => "node",
        WorkerEvent.Registered => "worker",
        WorkerEvent.Vouched => "owner",
        FederationEvent => "federation",
        JobEvent.Submitted => "submitter",
        _ => null,
    };

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string?> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts.OfType<string>().Distinct().Order(StringComparer.Ordinal))
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }

    private static byte[] Canonical(Action<Utf8JsonWriter> write)
    {
        var output = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return CanonicalJson.Canonicalize(output.WrittenSpan);
    }
}
