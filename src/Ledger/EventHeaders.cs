using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger;

/// <summary>
/// The signature envelope that stands in <c>mt_events.headers</c>, as canonical JSON:
/// <code>
/// {"by":DID,"cause":HEX or null,"digest":HEX,"proof":{"index":N,"path":[BASE64...],"size":N},"sig":BASE64,"time":TIME}
/// </code>
/// <c>proof</c> is left out for a batch of one.
/// </summary>
internal sealed record EventHeaders(
    Did By, Digest? Cause, Digest Digest, byte[] Signature, BatchProof? Proof, DateTimeOffset Time)
{
    public static string Write(SignedEvent signed)
    {
        var statement = signed.Statement;
        var output = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions
        {
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            SkipValidation = true,
        }))
        {
            Span<byte> hash = stackalloc byte[Digest.Size];
            json.WriteStartObject();
            json.WriteString("by"u8, statement.By.ToString());
            if (statement.Cause is { } cause)
            {
                json.WriteString("cause"u8, cause.ToString());
            }
            else
            {
                json.WriteNull("cause"u8);
            }

            json.WriteString("digest"u8, signed.Digest.ToString());
            if (signed.Proof is { } proof)
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

            json.WriteBase64String("sig"u8, signed.Signature.Span);
            json.WriteString("time"u8, Timestamps.Write(statement.Time));
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(output.WrittenSpan);
    }

    /// <exception cref="FormatException">The headers have not their shape; says which member.</exception>
    public static EventHeaders Read(ReadOnlySpan<byte> json)
    {
        Did by = default;
        Digest? cause = null;
        Digest digest = default;
        byte[]? signature = null;
        BatchProof? proof = null;
        DateTimeOffset? time = null;
        var seen = 0;
        try
        {
            var reader = new Utf8JsonReader(json);
            Expect(reader.Read() && reader.TokenType == JsonTokenType.StartObject, "an object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("by"u8))
                {
                    Once(ref seen, 0);
                    Expect(Did.TryParse(Text(ref reader), out by), "by: a did:key");
                }
                else if (reader.ValueTextEquals("cause"u8))
                {
                    Once(ref seen, 1);
                    cause = ReadCause(ref reader);
                }
                else if (reader.ValueTextEquals("digest"u8))
                {
                    Once(ref seen, 2);
                    Expect(Digest.TryParse(Text(ref reader), out digest), "digest: 64 hexadecimal characters");
                }
                else if (reader.ValueTextEquals("sig"u8))
                {
                    Once(ref seen, 3);
                    signature = Bytes(ref reader, Ed25519.SignatureSize, "sig: base64 of 64 bytes");
                }
                else if (reader.ValueTextEquals("proof"u8))
                {
                    Once(ref seen, 4);
                    proof = ReadProof(ref reader);
                }
                else if (reader.ValueTextEquals("time"u8))
                {
                    Once(ref seen, 5);
                    Expect(Timestamps.TryRead(Text(ref reader), out var read), "time: UTC with six decimals");
                    time = read;
                }
                else
                {
                    throw new FormatException($"headers have an unknown member '{reader.GetString()}'");
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new FormatException($"headers are not of their shape: {exception.Message}", exception);
        }

        Expect((seen | 0b010000) == 0b111111, "by, cause, digest, sig and time");
        return new EventHeaders(by, cause, digest, signature!, proof, time!.Value);
    }

    private static Digest? ReadCause(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        Expect(
            Digest.TryParse(reader.GetString(), out var digest), "cause: null or 64 hexadecimal characters");
        return digest;
    }

    private static BatchProof ReadProof(ref Utf8JsonReader reader)
    {
        long? index = null;
        long? size = null;
        List<Digest>? path = null;
        reader.Read();
        Expect(reader.TokenType == JsonTokenType.StartObject, "proof: an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("index"u8) && index is null)
            {
                reader.Read();
                index = reader.GetInt32();
            }
            else if (reader.ValueTextEquals("size"u8) && size is null)
            {
                reader.Read();
                size = reader.GetInt32();
            }
            else if (reader.ValueTextEquals("path"u8) && path is null)
            {
                path = [];
                reader.Read();
                Expect(reader.TokenType == JsonTokenType.StartArray, "proof.path: an array");
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    Expect(path.Count < 32, "proof.path: at most 32 hashes");
                    path.Add(new Digest(Decode(ref reader, Digest.Size, "proof.path: base64 of 32 bytes")));
                }
            }
            else
            {
                throw new FormatException($"headers.proof has an unknown member '{reader.GetString()}'");
            }
        }

        Expect(index is not null && size is not null && path is not null, "proof: index, path and size");
        return new BatchProof((int)index!.Value, (int)size!.Value, path!);
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
    }

    private static byte[] Bytes(ref Utf8JsonReader reader, int length, string expected)
    {
        reader.Read();
        return Decode(ref reader, length, expected);
    }

    private static byte[] Decode(ref Utf8JsonReader reader, int length, string expected)
    {
        var bytes = new byte[length];
        Expect(
            reader.TokenType == JsonTokenType.String
                && !reader.ValueIsEscaped
                && reader.ValueSpan.Length == Base64.GetMaxEncodedToUtf8Length(length)
                && Base64.DecodeFromUtf8(reader.ValueSpan, bytes, out _, out var written) == OperationStatus.Done
                && written == length
                && IsCanonical(reader.ValueSpan, bytes),
            expected);
        return bytes;
    }

    /// <summary>Base64's last characters have bits that decode to nothing: only one spelling is accepted, so that no
    /// stored character can change unnoticed.</summary>
    private static bool IsCanonical(ReadOnlySpan<byte> text, ReadOnlySpan<byte> bytes)
    {
        Span<byte> again = stackalloc byte[text.Length];
        Base64.EncodeToUtf8(bytes, again, out _, out _);
        return again.SequenceEqual(text);
    }

    private static void Once(ref int seen, int member)
    {
        Expect((seen & (1 << member)) == 0, "each member once");
        seen |= 1 << member;
    }

    private static void Expect(bool met, string what)
    {
        if (!met)
        {
            throw new FormatException($"headers are not of their shape: expected {what}");
        }
    }
}
