using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Domain.Jobs;

/// <summary>
/// A DSSE envelope as it stands in an event: <c>{"payload":BASE64,"payloadType":TYPE,"signatures":[{"keyid":DID,"sig":BASE64}]}</c>,
/// with the names that DSSE gives its members, so that what is cut out of an event is what other tools read.
/// <see cref="ReceiptAttestation"/> says what it must hold.
/// </summary>
public sealed record Attestation(
    string Payload,
    [property: JsonPropertyName("payloadType")] string PayloadType,
    ValueList<AttestationSignature> Signatures)
{
    // Who was found to have signed, so that an audit verifies on all cores what it judges in order. No part of the value,
    // and not of a copy, which may be changed.
    private StrongBox<Did>? _signer;

    private Attestation(Attestation other)
    {
        (Payload, PayloadType, Signatures) = (other.Payload, other.PayloadType, other.Signatures);
    }

    public static Attestation Of(DsseEnvelope envelope) => new(
        Convert.ToBase64String(envelope.Payload.Span),
        envelope.PayloadType,
        ValueList.From(envelope.Signatures.Select(
            signature => new AttestationSignature(signature.KeyId, Convert.ToBase64String(signature.Signature.Span)))));

    /// <summary>True if there is one signature, it says that it is <paramref name="signer"/>'s, and it is.</summary>
    public bool IsSignedBy(Did signer)
    {
        if (_signer?.Value == signer)
        {
            return true;
        }

        if (Signatures.Count != 1 || Signatures[0].Keyid != signer.ToString()
            || !StrictBase64.TryRead(Signatures[0].Sig, Ed25519.SignatureSize, out var signature)
            || !StrictBase64.TryRead(Payload, out var payload)
            || !Ed25519.Verify(signer, DsseEnvelope.ToSign(PayloadType, payload), signature))
        {
            return false;
        }

        _signer = new StrongBox<Did>(signer);
        return true;
    }

    /// <summary>Canonical JSON and a newline: a line of an <c>.intoto.jsonl</c> file.</summary>
    public byte[] ToLine() => [.. CanonicalJson.Canonicalize(JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
    {
        ["payload"] = Payload,
        ["payloadType"] = PayloadType,
        ["signatures"] = Signatures.Select(one => new Dictionary<string, string> { ["keyid"] = one.Keyid, ["sig"] = one.Sig }),
    })), (byte)'\n'];

    public bool Equals(Attestation? other) =>
        other is not null && Payload == other.Payload && PayloadType == other.PayloadType && Signatures.Equals(other.Signatures);

    public override int GetHashCode() => HashCode.Combine(Payload, PayloadType, Signatures);
}

/// <summary>One signature of an envelope.</summary>
public sealed record AttestationSignature(string Keyid, string Sig);
