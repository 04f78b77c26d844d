using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Transparency;

// The entry of position n, at index n - 1 of the log, as canonical JSON:
//     {"by":DID,"digest":HEX,"position":N,"proof":{"index":I,"path":[BASE64...],"size":S},"sig":BASE64,"stream":TEXT,
//      "type":TEXT,"version":N}
// `proof` is left out for a batch of one. No bodies: the digest stands for the statement. Checked by LogEntryTests.

/// <summary>What the log holds of an event.</summary>
public sealed record LogEntry
{
    private const int MaxType = 64;
    private const int MaxPath = 32;

    private static readonly SearchValues<char> Plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_");

    private static readonly JsonWriterOptions Escaped = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private byte[] _bytes = [];

    public required Did By { get; init; }
    public required Digest Digest { get; init; }
    public required long Position { get; init; }
    public required BatchProof? Proof { get; init; }
    public required ReadOnlyMemory<byte> Signature { get; init; }
    public required StreamId Stream { get; init; }
    public required string Type { get; init; }
    public required long Version { get; init; }

    /// <summary>Canonical JSON, of which the leaf hash is made.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>True if its author signed the statement of that digest.</summary>
    public bool IsSigned => SignedEvent.IsSigned(By, Digest, Signature.Span, Proof);

    public static byte[] Write(RecordedEvent recorded)
    {
        var statement = recorded.Statement;
        return Write(
            statement.By, recorded.Event.Digest, recorded.Position, recorded.Event.Proof, recorded.Event.Signature.Span,
            statement.Stream, statement.Type, recorded.Version);
    }

    /// <summary>Reads an entry strictly: only what <see cref="Write(RecordedEvent)"/> writes.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out LogEntry? entry)
    {
        entry = null;
        try
        {
            using var json = JsonDocument.Parse(bytes.ToArray());
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object
                || !Did.TryParse(root.GetProperty("by").GetString(), out var by)
                || !Digest.TryParse(root.GetProperty("digest").GetString(), out var digest)
                || !StrictBase64.TryRead(root.GetProperty("sig").GetString(), Ed25519.SignatureSize, out var signature)
                || !StreamId.TryParse(root.GetProperty("stream").GetString()!, out var stream)
                || !TryReadProof(root, out var proof))
            {
                return false;
            }

            var (position, type) = (root.GetProperty("position").GetInt64(), root.GetProperty("type").GetString()!);
            var version = root.GetProperty("version").GetInt64();
            var again = Write(by, digest, position, proof, signature, stream, type, version);
            if (!bytes.SequenceEqual(again))
            {
                return false;
            }

            entry = new LogEntry
            {
                By = by,
                Digest = digest,
                Position = position,
                Proof = proof,
                Signature = signature,
                Stream = stream,
                Type = type,
                Version = version,
                _bytes = again,
            };
            return true;
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException
            or FormatException)
        {
            // What is no JSON, and members that are missing or of another kind.
            return false;
        }
    }

    private static bool TryReadProof(JsonElement root, out BatchProof? proof)
    {
        proof = null;
        if (!root.TryGetProperty("proof", out var given))
        {
            return true;
        }

        var path = new List<Digest>();
        foreach (var hash in given.GetProperty("path").EnumerateArray())
        {
            if (!StrictBase64.TryRead(hash.GetString(), Digest.Size, out var digest))
            {
                return false;
            }

            path.Add(new Digest(digest));
        }

        proof = new BatchProof(given.GetProperty("index").GetInt32(), given.GetProperty("size").GetInt32(), path);
        return true;
    }

    internal static byte[] Write(
        Did by, Digest digest, long position, BatchProof? proof, ReadOnlySpan<byte> signature, StreamId stream, string type,
        long version)
    {
        // An event's type needs no escape, as nothing else here does. What stands in a row may be no event's.
        if (type.AsSpan().ContainsAnyExcept(Plain) || type.Length > MaxType || proof?.Path.Count > MaxPath)
        {
            return WriteAny(by, digest, position, proof, signature, stream, type, version);
        }

        Span<byte> buffer = stackalloc byte[4096];
        var entry = new EntryWriter(buffer);
        entry.Bytes("{\"by\":\""u8);
        entry.Text(by.ToString());
        entry.Bytes("\",\"digest\":\""u8);
        entry.Hex(digest);
        entry.Bytes("\",\"position\":"u8);
        entry.Number(position);
        if (proof is not null)
        {
            entry.Bytes(",\"proof\":{\"index\":"u8);
            entry.Number(proof.Index);
            entry.Bytes(",\"path\":["u8);
            for (var i = 0; i < proof.Path.Count; i++)
            {
                entry.Bytes(i == 0 ? "\""u8 : ",\""u8);
                entry.Base64Of(proof.Path[i]);
                entry.Bytes("\""u8);
            }

            entry.Bytes("],\"size\":"u8);
            entry.Number(proof.Size);
            entry.Bytes("}"u8);
        }

        entry.Bytes(",\"sig\":\""u8);
        entry.Base64Of(signature);
        entry.Bytes("\",\"stream\":\""u8);
        entry.Text(stream.ToString());
        entry.Bytes("\",\"type\":\""u8);
        entry.Text(type);
        entry.Bytes("\",\"version\":"u8);
        entry.Number(version);
        entry.Bytes("}"u8);
        return entry.ToArray();
    }

    /// <summary>The same, for any text.</summary>
    internal static byte[] WriteAny(
        Did by, Digest digest, long position, BatchProof? proof, ReadOnlySpan<byte> signature, StreamId stream, string type,
        long version)
    {
        var output = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(output, Escaped))
        {
            Span<byte> hash = stackalloc byte[Digest.Size];
            json.WriteStartObject();
            json.WriteString("by"u8, by.ToString());
            json.WriteString("digest"u8, digest.ToString());
            json.WriteNumber("position"u8, position);
            if (proof is not null)
            {
                json.WriteStartObject("proof"u8);
                json.WriteNumber("index"u8, proof.Index);
                json.WriteStartArray("path"u8);
                foreach (var node in proof.Path)
                {
                    node.CopyTo(hash);
                    json.WriteBase64StringValue(hash);
                }

                json.WriteEndArray();
                json.WriteNumber("size"u8, proof.Size);
                json.WriteEndObject();
            }

            json.WriteBase64String("sig"u8, signature);
            json.WriteString("stream"u8, stream.ToString());
            json.WriteString("type"u8, type);
            json.WriteNumber("version"u8, version);
            json.WriteEndObject();
        }

        return output.WrittenSpan.ToArray();
    }

    public override string ToString() => Encoding.UTF8.GetString(_bytes);
}
