using System.Runtime.Intrinsics;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Crypto;

// BLAKE3, the hash that names blobs (github.com/BLAKE3-team/BLAKE3-specs): a binary tree over chunks of 1024 bytes.
// Worked example: the hash of no bytes is af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262.
// Vector test: tests/Crypto.Tests/Blake3Tests.cs, over tests/Crypto.Tests/vectors/blake3.json.

/// <summary>The names of contents. For bytes that come in pieces, for keys and for longer output see
/// <see cref="Blake3Hasher"/>.</summary>
public static class Blake3
{
    /// <summary>The name of a blob with this content. One thread; allocates nothing.</summary>
    public static BlobHash Hash(ReadOnlySpan<byte> content) =>
        Named(Blake3Tree.Value(Blake3Mode.Plain, content, 0, true));

    /// <summary>The same, on all cores where there is enough to hash: from 512 KiB on.</summary>
    public static BlobHash HashParallel(ReadOnlySpan<byte> content) =>
        Named(Blake3Tree.ParallelValue(Blake3Mode.Plain, content, 0, true));

    /// <summary>The name of a file's content, from its beginning to its end. Memory does not depend on its
    /// length.</summary>
    /// <param name="parallel">On all cores; otherwise on the caller's thread alone.</param>
    /// <exception cref="IOException">The file cannot be read, or became shorter meanwhile.</exception>
    public static BlobHash Hash(SafeFileHandle file, bool parallel) => Blake3Reading.Hash(file, parallel);

    /// <summary>The name of what is left of a stream. One piece is hashed, on all cores, while the next one is read;
    /// memory does not depend on the length.</summary>
    public static Task<BlobHash> HashAsync(Stream content, CancellationToken cancellationToken) =>
        Blake3Reading.HashAsync(content, cancellationToken);

    private static BlobHash Named(Vector256<byte> value)
    {
        Span<byte> hash = stackalloc byte[BlobHash.Size];
        value.CopyTo(hash);
        return new BlobHash(hash);
    }
}

/// <summary>
/// BLAKE3 of bytes that come in pieces. Finishing does not end the hasher: more may be added, and finishing again
/// covers all of it. Not safe for several threads at once.
/// </summary>
public sealed class Blake3Hasher
{
    private Blake3State _state;

    /// <summary>The plain hash.</summary>
    public Blake3Hasher()
        : this(Blake3Mode.Plain)
    {
    }

    internal Blake3Hasher(in Blake3Mode mode)
    {
        _state = new Blake3State(mode);
    }

    /// <summary>A message authentication code. The key has 32 bytes.</summary>
    /// <exception cref="ArgumentException">The key has another length.</exception>
    public static Blake3Hasher Keyed(ReadOnlySpan<byte> key) => Keyed(key, Blake3Core.Best);

    /// <summary>Derives keys from the key material that is added, for one purpose: <paramref name="context"/> is a
    /// constant of the program that no other purpose uses.</summary>
    public static Blake3Hasher DeriveKey(string context) => DeriveKey(context, Blake3Core.Best);

    internal static Blake3Hasher Keyed(ReadOnlySpan<byte> key, Blake3Degree degree) => key.Length == 32
        ? new Blake3Hasher(new Blake3Mode(Vector256.Create(key), Blake3Core.KeyedHash, degree))
        : throw new ArgumentException($"Expected a key of 32 bytes, found {key.Length}.", nameof(key));

    internal static Blake3Hasher DeriveKey(string context, Blake3Degree degree)
    {
        var purpose = new Blake3Mode(Blake3Core.InitialValue, Blake3Core.DeriveKeyContext, degree);
        var key = Blake3Tree.Value(purpose, Encoding.UTF8.GetBytes(context), 0, true);
        return new Blake3Hasher(new Blake3Mode(key, Blake3Core.DeriveKeyMaterial, degree));
    }

    /// <summary>Adds bytes, on the caller's thread alone. Fastest in pieces of 16 KiB and more.</summary>
    public void Update(ReadOnlySpan<byte> bytes) => _state.Update(bytes, false);

    /// <summary>Adds bytes, hashing them on all cores where there are enough: pieces of 1 MiB and more.</summary>
    public void UpdateParallel(ReadOnlySpan<byte> bytes) => _state.Update(bytes, true);

    /// <summary>Fills <paramref name="output"/>, of any length: a shorter output is the beginning of a longer
    /// one.</summary>
    public void Finish(Span<byte> output) => _state.Finish(output, 0);

    /// <summary>Fills <paramref name="output"/> with the bytes of the output from <paramref name="position"/> on,
    /// without making those before.</summary>
    public void Finish(Span<byte> output, ulong position) => _state.Finish(output, position);

    /// <summary>The 32 bytes of everything so far, as the name of a blob.</summary>
    public BlobHash Finish()
    {
        Span<byte> hash = stackalloc byte[BlobHash.Size];
        _state.Finish(hash, 0);
        return new BlobHash(hash);
    }
}
