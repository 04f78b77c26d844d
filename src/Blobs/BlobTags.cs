using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

/// <summary>
/// The name of a tag: 1 to 128 characters of letters, digits and <c>. _ - : / @ +</c>, such as <c>images/debian:12</c>.
/// </summary>
public readonly record struct BlobTag
{
    public const int MaxLength = 128;

    private readonly string? _name;

    private BlobTag(string name) => _name = name;

    public static bool TryParse(string? text, out BlobTag tag)
    {
        var valid = text is { Length: > 0 and <= MaxLength }
            && text.All(c => char.IsAsciiLetterOrDigit(c) || "._-:/@+".Contains(c, StringComparison.Ordinal));
        tag = valid ? new BlobTag(text!) : default;
        return valid;
    }

    /// <exception cref="FormatException">It is no tag's name.</exception>
    public static BlobTag Parse(string text) => TryParse(text, out var tag)
        ? tag
        : throw new FormatException($"Expected 1 to {MaxLength} letters, digits or . _ - : / @ + as a tag's name.");

    public override string ToString() => _name ?? "";
}

// A tag is the file tags/<BLAKE3 of its name in hexadecimal>.json, so that no name is ever a path:
// {"tag":"images/debian:12","hash":"af1349b9..."}. Checked by BlobTagsTests.

/// <summary>Names that keep blobs alive. A tag stands for one blob; a blob may have any number of tags. Each change is
/// durable when the call returns.</summary>
public sealed class BlobTags
{
    private readonly BlobFiles _files;

    internal BlobTags(BlobFiles files) => _files = files;

    /// <summary>Keeps a blob alive until <see cref="Unprotect"/>. A tag that stood for another blob leaves that one.
    /// </summary>
    /// <exception cref="BlobNotFoundException">The blob is not here.</exception>
    public void Protect(BlobHash hash, BlobTag tag)
    {
        using (_files.Share())
        {
            if (!_files.Stay(hash))
            {
                throw new BlobNotFoundException(hash);
            }

            _files.WriteTag(hash, tag);
        }

        Linux.SyncDirectory(_files.Tags);
    }

    /// <summary>False if there was no such tag.</summary>
    public bool Unprotect(BlobTag tag)
    {
        var path = _files.TagOf(tag);
        using (_files.Share())
        {
            if (!File.Exists(path))
            {
                return false;
            }

            File.Delete(path);
        }

        Linux.SyncDirectory(_files.Tags);
        return true;
    }

    /// <summary>The blob that a tag stands for.</summary>
    public BlobHash? Find(BlobTag tag) => Read(_files.TagOf(tag)) is { } found && found.Tag == tag ? found.Hash : null;

    /// <summary>All tags in the order of their names.</summary>
    /// <exception cref="IOException">A tag's file cannot be read: nothing may be removed then.</exception>
    public IReadOnlyList<(BlobTag Tag, BlobHash Hash)> List() =>
        [.. Directory.EnumerateFiles(_files.Tags, "*.json").Select(Read).OfType<(BlobTag Tag, BlobHash Hash)>()
            .OrderBy(found => found.Tag.ToString(), StringComparer.Ordinal)];

    private static (BlobTag Tag, BlobHash Hash)? Read(string path)
    {
        byte[] content;
        try
        {
            content = File.ReadAllBytes(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(content);
            if (document.RootElement.TryGetProperty("tag", out var tag) && BlobTag.TryParse(tag.GetString(), out var name)
                && document.RootElement.TryGetProperty("hash", out var text) && BlobHash.TryParse(text.GetString(), out var hash))
            {
                return (name, hash);
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Told below.
        }

        throw new IOException(
            $"{path} is no tag: expected {{\"tag\":...,\"hash\":...}}. Until it is removed or mended, nothing is collected.");
    }
}
