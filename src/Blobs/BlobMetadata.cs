using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MeshLedger.Blobs;

// Metadata stand beside the blob as JSON: {"name":"kernel.elf","content_type":"application/x-elf","custom":{"arch":"x86_64"}}.
// They are a note for people, no part of the blob's identity: nobody vouches for them. Checked by BlobMetadataTests.

/// <summary>What people say of a blob.</summary>
public sealed partial record BlobMetadata
{
    public const int MaxNameLength = 255;
    public const int MaxContentTypeLength = 127;
    public const int MaxCustom = 32;
    public const int MaxKeyLength = 64;
    public const int MaxValueLength = 1024;

    public static BlobMetadata None { get; } = new();

    /// <summary>Such as a file's name; never used as a path.</summary>
    public string? Name { get; init; }

    /// <summary>A media type, such as <c>application/wasm</c>.</summary>
    public string? ContentType { get; init; }

    public ImmutableSortedDictionary<string, string> Custom { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty.WithComparers(StringComparer.Ordinal);

    [JsonIgnore]
    public bool IsEmpty => Name is null && ContentType is null && Custom.IsEmpty;

    /// <summary>Null if it is as it must be; otherwise what is wrong.</summary>
    public string? Fault()
    {
        if (Name is { } name && (name.Length is 0 or > MaxNameLength || name.Any(char.IsControl)))
        {
            return $"A blob's name has 1 to {MaxNameLength} characters, none of them a control.";
        }

        if (ContentType is { } type && (type.Length > MaxContentTypeLength || !IsMediaType(type)))
        {
            return $"Expected a content type such as application/wasm, of at most {MaxContentTypeLength} characters.";
        }

        if (Custom.Count > MaxCustom)
        {
            return $"A blob may have {MaxCustom} custom pairs, found {Custom.Count}.";
        }

        return Custom.Any(pair => pair.Key.Length is 0 or > MaxKeyLength || pair.Value.Length > MaxValueLength
            || pair.Key.Any(char.IsControl) || pair.Value.Any(char.IsControl))
            ? $"A custom pair has a key of 1 to {MaxKeyLength} and a value of up to {MaxValueLength} characters, none of "
                + "them a control."
            : null;
    }

    internal byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Format.Default.BlobMetadata);

    /// <summary>What cannot be read counts as none: it is only a note.</summary>
    internal static BlobMetadata Read(string path)
    {
        try
        {
            return new FileInfo(path) is { Exists: true, Length: < 256 * 1024 }
                && JsonSerializer.Deserialize(File.ReadAllBytes(path), Format.Default.BlobMetadata) is { } found
                && found.Fault() is null
                ? found
                : None;
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            return None;
        }
    }

    /// <summary>A token of RFC 9110, section 5.6.2, on each side of the slash; no parameters.</summary>
    private static bool IsMediaType(string text)
    {
        var parts = text.Split('/');
        return parts.Length == 2 && parts.All(part => part.Length > 0
            && part.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal)));
    }

    [JsonSourceGenerationOptions(
        PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(BlobMetadata))]
    private sealed partial class Format : JsonSerializerContext;
}
