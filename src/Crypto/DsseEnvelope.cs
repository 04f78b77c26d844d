using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MeshLedger.Crypto;

/// <summary>One signature of an envelope. <paramref name="KeyId"/> is a hint that nothing may be trusted for; ours is the
/// signer's did:key.</summary>
public sealed record DsseSignature(string KeyId, ReadOnlyMemory<byte> Signature);

/// <summary>
/// A signed payload as DSSE v1.0.2 has it. Signed is <c>DSSEv1 SP len(type) SP type SP len(payload) SP payload</c>, lengths
/// in decimal, so that neither can pass for the other. As JSON:
/// <c>{"payload":BASE64,"payloadType":TYPE,"signatures":[{"keyid":DID,"sig":BASE64}]}</c>.
/// </summary>
public sealed class DsseEnvelope
{
    /// <summary>The type of in-toto statements.</summary>
    public const string InToto = "application/vnd.in-toto+json";

    /// <summary>The most bytes of JSON that are read.</summary>
    public const int MaxSize = 1024 * 1024;

    private const int MaxSignatures = 64;
    private const int MaxType = 255;

    private DsseEnvelope(string payloadType, byte[] payload, IReadOnlyList<DsseSignature> signatures)
    {
        PayloadType = payloadType;
        Payload = payload;
        Signatures = signatures;
    }

    public string PayloadType { get; }

    public ReadOnlyMemory<byte> Payload { get; }

    public IReadOnlyList<DsseSignature> Signatures { get; }

    /// <summary>Signs <paramref name="payload"/> with one key.</summary>
    public static DsseEnvelope Sign(string payloadType, ReadOnlySpan<byte> payload, SigningKey key) => new(
        payloadType, payload.ToArray(), [new DsseSignature(key.Did.ToString(), key.Sign(ToSign(payloadType, payload)))]);

    /// <summary>The bytes that are signed: DSSE's pre-authentication encoding.</summary>
    public static byte[] ToSign(string payloadType, ReadOnlySpan<byte> payload)
    {
        var head = Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"DSSEv1 {Encoding.UTF8.GetByteCount(payloadType)} {payloadType} {payload.Length} "));
        return [.. head, .. payload];
    }

    /// <summary>Whether one of the signatures is that of <paramref name="signer"/>, whatever their hints say.</summary>
    public bool IsSignedBy(Did signer)
    {
        var message = ToSign(PayloadType, Payload.Span);
        return Signatures.Any(signature => Ed25519.Verify(signer, message, signature.Signature.Span));
    }

    /// <summary>Reads an envelope: these members alone, none twice, base64 in its one spelling. Any order and any white space
    /// will do, as others write them.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> json, out DsseEnvelope? envelope)
    {
        envelope = null;
        if (json.Length > MaxSize)
        {
            return false;
        }

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 4, AllowDuplicateProperties = false });
            return TryRead(document.RootElement, out envelope);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <inheritdoc cref="TryParse"/>
    public static bool TryRead(JsonElement json, out DsseEnvelope? envelope)
    {
        envelope = null;
        if (!HasExactly(json, "payload", "payloadType", "signatures")
            || !TryText(json, "payloadType", out var type) || type.Length is 0 or > MaxType
            || !TryText(json, "payload", out var text) || !StrictBase64.TryRead(text, out var payload)
            || json.GetProperty("signatures") is not { ValueKind: JsonValueKind.Array } list
            || list.GetArrayLength() is 0 or > MaxSignatures)
        {
            return false;
        }

        var signatures = new List<DsseSignature>();
        foreach (var item in list.EnumerateArray())
        {
            if (!HasExactly(item, "keyid", "sig") || !TryText(item, "keyid", out var hint) || hint.Length > MaxType
                || !TryText(item, "sig", out var sig) || !StrictBase64.TryRead(sig, out var signature))
            {
                return false;
            }

            signatures.Add(new DsseSignature(hint, signature));
        }

        envelope = new DsseEnvelope(type, payload, signatures);
        return true;
    }

    /// <summary>The envelope as canonical JSON.</summary>
    public byte[] ToBytes()
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            writer.WriteBase64String("payload", Payload.Span);
            writer.WriteString("payloadType", PayloadType);
            writer.WriteStartArray("signatures");
            foreach (var signature in Signatures)
            {
                writer.WriteStartObject();
                writer.WriteString("keyid", signature.KeyId);
                writer.WriteBase64String("sig", signature.Signature.Span);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return CanonicalJson.Canonicalize(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    private static bool HasExactly(JsonElement json, params ReadOnlySpan<string> members)
    {
        if (json.ValueKind != JsonValueKind.Object || json.GetPropertyCount() != members.Length)
        {
            return false;
        }

        foreach (var member in members)
        {
            if (!json.TryGetProperty(member, out _))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryText(JsonElement json, string member, out string text)
    {
        text = "";
        try
        {
            text = json.GetProperty(member) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate, which is no text.
            return false;
        }

        return text.Length > 0 || json.GetProperty(member).ValueKind == JsonValueKind.String;
    }
}
