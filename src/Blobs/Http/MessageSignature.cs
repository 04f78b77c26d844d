using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs.Http;

// HTTP Message Signatures (RFC 9421) by Ed25519 keys that are named as did:key:
//   Blob-Hash: af1349b9...
//   Signature-Input: blob=("@method" "@path" "blob-hash");created=1795262400;keyid="did:key:z6Mk...";alg="ed25519"
//   Signature: blob=:base64:
// The signed bytes (section 2.5) are a line for each component, and the parameters:
//   "@method": PUT
//   "@path": /v1/blobs
//   "blob-hash": af1349b9...
//   "@signature-params": ("@method" "@path" "blob-hash");created=1795262400;keyid="did:key:z6Mk...";alg="ed25519"
// Checked by MessageSignatureTests, with the RFC's own example B.2.6.

/// <summary>Who signed a request, and what of it.</summary>
public static partial class MessageSignature
{
    /// <summary>How far from now <c>created</c> may be.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    private const int MaxHeaderLength = 4096;

    /// <summary>The header that names the content of a request to add a blob.</summary>
    public const string BlobHashHeader = "Blob-Hash";

    /// <summary>What a request to add a blob must have signed.</summary>
    public static IReadOnlyList<string> Required { get; } = ["@method", "@path", "blob-hash"];

    /// <summary>The two headers for a request that adds a blob.</summary>
    public static (string Input, string Signature) Sign(SigningKey key, string path, BlobHash hash, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(key);
        var components = string.Join(' ', Required.Select(name => $"\"{name}\""));
        var parameters = string.Create(
            CultureInfo.InvariantCulture,
            $"({components});created={now.ToUnixTimeSeconds()};keyid=\"{key.Did}\";alg=\"ed25519\"");
        var signature = key.Sign(Base(["PUT", path, hash.ToString()], Required, parameters));
        return ($"blob={parameters}", $"blob=:{Convert.ToBase64String(signature)}:");
    }

    /// <summary>The signer, or why there is none.</summary>
    /// <param name="input">The value of <c>Signature-Input</c>.</param>
    /// <param name="signature">The value of <c>Signature</c>.</param>
    /// <param name="component">The value of a component of the request; null if it has none.</param>
    /// <param name="required">What must be among the components.</param>
    public static (Did? Signer, string? Fault) Verify(
        string? input, string? signature, Func<string, string?> component, IReadOnlyList<string> required,
        DateTimeOffset now) =>
        Verify(input, signature, component, required, static id => Did.TryParse(id, out var did) ? did : null, now);

    /// <param name="keyOf">The key that a keyid names; null if none. The RFC's own examples have other names.</param>
    internal static (Did? Signer, string? Fault) Verify(
        string? input, string? signature, Func<string, string?> component, IReadOnlyList<string> required,
        Func<string?, Did?> keyOf, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(component);
        ArgumentNullException.ThrowIfNull(required);
        if (string.IsNullOrEmpty(input) || string.IsNullOrEmpty(signature))
        {
            return (null, "The request is not signed: expected the headers Signature-Input and Signature (RFC 9421).");
        }

        if (input.Length > MaxHeaderLength || signature.Length > MaxHeaderLength
            || InputFormat().Match(input) is not { Success: true } parts
            || SignatureFormat().Match(signature) is not { Success: true } bytes
            || parts.Groups["label"].Value != bytes.Groups["label"].Value)
        {
            return (null, "Expected one signature: Signature-Input: blob=(\"@method\" \"@path\" \"blob-hash\");created=TIME;"
                + "keyid=\"did:key:...\";alg=\"ed25519\" and Signature: blob=:BASE64:");
        }

        var names = parts.Groups["name"].Captures.Select(capture => capture.Value).ToArray();
        if (required.Except(names).FirstOrDefault() is { } missing)
        {
            return (null, $"The signature does not cover \"{missing}\".");
        }

        if (names.Distinct(StringComparer.Ordinal).Count() != names.Length)
        {
            return (null, "The signature covers a component twice.");
        }

        var parameters = Parameters(parts.Groups["parameter"].Captures.Select(capture => capture.Value));
        if (keyOf(Text(parameters.GetValueOrDefault("keyid"))) is not { } signer)
        {
            return (null, $"Expected keyid to be {Did.Expected}.");
        }

        if (parameters.TryGetValue("alg", out var algorithm) && Text(algorithm) != "ed25519")
        {
            return (null, "Expected alg to be ed25519.");
        }

        if (!TryTime(parameters.GetValueOrDefault("created"), out var created)
            || Math.Abs((decimal)now.ToUnixTimeSeconds() - created) > (decimal)Window.TotalSeconds)
        {
            return (null, $"Expected created to be within {Window.TotalSeconds} s of this node's time, "
                + $"{now.ToUnixTimeSeconds()}.");
        }

        if (parameters.TryGetValue("expires", out var end)
            && (!TryTime(end, out var expires) || expires < now.ToUnixTimeSeconds()))
        {
            return (null, "The signature has expired, or says no time as expires; this node's time is "
                + $"{now.ToUnixTimeSeconds()}.");
        }

        var values = names.Select(component).ToArray();
        if (Array.FindIndex(values, value => value is null) is >= 0 and var absent)
        {
            return (null, $"The signature covers \"{names[absent]}\", which the request does not have.");
        }

        var raw = new byte[bytes.Groups["base64"].Length];
        return Convert.TryFromBase64String(bytes.Groups["base64"].Value, raw, out var length)
            && length == Ed25519.SignatureSize
            && Convert.ToBase64String(raw, 0, length) == bytes.Groups["base64"].Value
            && Ed25519.Verify(signer, Base(values, names, parts.Groups["params"].Value), raw.AsSpan(0, length))
            ? (signer, null)
            : (null, $"The signature is not one of {signer} over this request.");
    }

    private static Dictionary<string, string> Parameters(IEnumerable<string> texts)
    {
        var found = new Dictionary<string, string>();
        foreach (var text in texts)
        {
            var at = text.IndexOf('=', StringComparison.Ordinal);

            // RFC 8941: the last of several wins.
            found[text[..at]] = text[(at + 1)..];
        }

        return found;
    }

    /// <summary>What stands in quotes; null if it is no string.</summary>
    private static string? Text(string? parameter) => parameter is ['"', .. var text, '"'] ? text : null;

    private static bool TryTime(string? parameter, out long seconds) =>
        long.TryParse(parameter, NumberStyles.None, CultureInfo.InvariantCulture, out seconds);

    private static byte[] Base(string?[] values, IReadOnlyList<string> names, string parameters)
    {
        var text = new StringBuilder();
        for (var i = 0; i < names.Count; i++)
        {
            text.Append('"').Append(names[i]).Append("\": ").Append(values[i]!.Trim()).Append('\n');
        }

        return Encoding.UTF8.GetBytes(text.Append("\"@signature-params\": ").Append(parameters).ToString());
    }

    // What a serializer of RFC 8941 writes, and nothing else: so the text is what was signed.
    [GeneratedRegex("""^(?<label>[a-z*][a-z0-9_.*-]*)=(?<params>\("(?<name>@?[a-z0-9-]+)"( "(?<name>@?[a-z0-9-]+)")*\)(;(?<parameter>[a-z]+=("[!#-\[\]-~ ]*"|[0-9]{1,15})))*)$""", RegexOptions.CultureInvariant)]
    private static partial Regex InputFormat();

    [GeneratedRegex("^(?<label>[a-z*][a-z0-9_.*-]*)=:(?<base64>[A-Za-z0-9+/=]+):$", RegexOptions.CultureInvariant)]
    private static partial Regex SignatureFormat();
}
