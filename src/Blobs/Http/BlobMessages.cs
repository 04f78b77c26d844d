using System.Text.Json.Serialization;

namespace MeshLedger.Blobs.Http;

/// <summary>A blob in a listing.</summary>
/// <param name="Hash">BLAKE3, 64 lowercase hexadecimal characters.</param>
/// <param name="Size">In bytes.</param>
public sealed record BlobEntry(string Hash, long Size, string? Name, string? ContentType);

/// <summary>A page of a listing, in the order of the hashes.</summary>
/// <param name="Next">The <c>after</c> of the next page; null if this is the last one.</param>
public sealed record BlobListing(IReadOnlyList<BlobEntry> Blobs, string? Next);

/// <summary>Which of these do you hold?</summary>
/// <param name="Hashes">At most 1000.</param>
public sealed record HaveQuestion(IReadOnlyList<string> Hashes);

/// <summary>Those that are here.</summary>
public sealed record HaveAnswer(IReadOnlyList<HeldBlob> Have);

/// <param name="Hash">BLAKE3, 64 lowercase hexadecimal characters.</param>
/// <param name="Size">In bytes.</param>
public sealed record HeldBlob(string Hash, long Size);

/// <summary>What was added.</summary>
/// <param name="WasNew">False if it was here already.</param>
public sealed record AddedAnswer(string Hash, long Size, bool WasNew);

/// <summary>Why a request came to nothing (RFC 9457).</summary>
/// <param name="Title">The status in words.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">A stable upper-case word.</param>
/// <param name="Detail">What was wrong, what was expected, what to do.</param>
public sealed record BlobProblem(string Title, int Status, string Code, string Detail);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8)]
[JsonSerializable(typeof(BlobListing))]
[JsonSerializable(typeof(HaveQuestion))]
[JsonSerializable(typeof(HaveAnswer))]
[JsonSerializable(typeof(AddedAnswer))]
[JsonSerializable(typeof(BlobProblem))]
internal sealed partial class BlobJson : JsonSerializerContext;
