using System.Security.Cryptography;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;

namespace MeshLedger.Ledger.Bundles;

/// <summary>A blob in a bundle: its bytes are read once, and only what they hash to is kept.</summary>
public sealed record BundledBlob(BlobHash Blake3, Digest Sha256, long Size);

/// <summary>An archive's entries, of which nothing is believed yet but that it has the shape of a bundle.</summary>
internal sealed class BundleContent
{
    private const int ChunkSize = 1 << 16;

    public byte[] Index { get; private set; } = [];

    public byte[] Head { get; private set; } = [];

    public byte[] Keys { get; private set; } = [];

    public SortedDictionary<long, byte[]> Events { get; } = [];

    public SortedDictionary<long, byte[]> Proofs { get; } = [];

    public SortedDictionary<long, byte[]> Documents { get; } = [];

    public SortedDictionary<long, byte[]> Attestations { get; } = [];

    public List<BundledBlob> Blobs { get; } = [];

    /// <summary>Reads an archive to its end. Nothing is written anywhere, and what is no bundle is noticed before more of it
    /// is kept than a bundle may have.</summary>
    /// <exception cref="BundleFormatException">It is no bundle; says where.</exception>
    public static async Task<BundleContent> ReadAsync(Stream archive, CancellationToken cancellationToken)
    {
        var content = new BundleContent();
        var block = new byte[UstarHeader.BlockSize];
        var (last, entries, kept) = ("", 0, 0L);
        while (true)
        {
            await ReadExactlyAsync(archive, block, last, cancellationToken);
            if (!block.AsSpan().ContainsAnyExcept((byte)0))
            {
                await EndAsync(archive, block, last, cancellationToken);
                break;
            }

            if (!UstarHeader.TryRead(block, out var name, out var size))
            {
                throw new BundleFormatException(
                    last.Length == 0 ? "the beginning" : $"the entry after {last}",
                    "the header of a file as bundles have them (ustar; no links, no directories, no owner, no time)",
                    "something else");
            }

            if (!BundleNames.TryRead(name, out var kind, out var position, out var blob))
            {
                throw new BundleFormatException(name, "one of the names that a bundle has", "another name");
            }

            if (string.CompareOrdinal(name, last) <= 0)
            {
                throw new BundleFormatException(name, $"entries sorted by name, each once, so none of this name after {last}", name);
            }

            last = name;
            if (++entries > BundleNames.MaxEntries)
            {
                throw new BundleFormatException(name, $"at most {BundleNames.MaxEntries} entries", "more");
            }

            if (kind == BundleEntryKind.Blob)
            {
                content.Blobs.Add(await HashAsync(archive, blob, size, cancellationToken));
            }
            else
            {
                kept += size;
                if (kept > BundleNames.MaxBytes || size > MaxBytesOf(kind))
                {
                    throw new BundleFormatException(
                        name, $"at most {MaxBytesOf(kind)} bytes, and {BundleNames.MaxBytes} of all that is no blob", $"{size} bytes");
                }

                var bytes = new byte[size];
                await ReadExactlyAsync(archive, bytes, name, cancellationToken);
                content.Put(kind, position, bytes);
            }

            await PaddingAsync(archive, size, name, cancellationToken);
        }

        return content;
    }

    private static long MaxBytesOf(BundleEntryKind kind) => kind switch
    {
        BundleEntryKind.Head => SignedNote.MaxBytes,
        BundleEntryKind.Proof => LogProof.MaxBytes,
        _ => Statement.MaxBytes,
    };

    private void Put(BundleEntryKind kind, long position, byte[] bytes)
    {
        switch (kind)
        {
            case BundleEntryKind.Index:
                Index = bytes;
                break;
            case BundleEntryKind.Head:
                Head = bytes;
                break;
            case BundleEntryKind.Keys:
                Keys = bytes;
                break;
            case BundleEntryKind.Event:
                Events.Add(position, bytes);
                break;
            case BundleEntryKind.Proof:
                Proofs.Add(position, bytes);
                break;
            case BundleEntryKind.Document:
                Documents.Add(position, bytes);
                break;
            default:
                Attestations.Add(position, bytes);
                break;
        }
    }

    private static async Task<BundledBlob> HashAsync(
        Stream archive, BlobHash name, long size, CancellationToken cancellationToken)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var blake3 = new Blake3Hasher();
        var chunk = new byte[ChunkSize];
        for (var left = size; left > 0;)
        {
            var part = chunk.AsMemory(0, (int)Math.Min(left, chunk.Length));
            await ReadExactlyAsync(archive, part, BundleNames.Of(name), cancellationToken);
            sha256.AppendData(part.Span);
            blake3.Update(part.Span);
            left -= part.Length;
        }

        var found = blake3.Finish();
        return found == name
            ? new BundledBlob(name, new Digest(sha256.GetHashAndReset()), size)
            : throw new BundleFormatException(BundleNames.Of(name), $"bytes whose BLAKE3 is {name}", found.ToString());
    }

    private static async Task PaddingAsync(Stream archive, long size, string name, CancellationToken cancellationToken)
    {
        var padding = new byte[UstarHeader.Padding(size)];
        await ReadExactlyAsync(archive, padding, name, cancellationToken);
        if (padding.AsSpan().ContainsAnyExcept((byte)0))
        {
            throw new BundleFormatException(name, "zeroes after its content", "other bytes");
        }
    }

    private static async Task EndAsync(Stream archive, byte[] block, string last, CancellationToken cancellationToken)
    {
        await ReadExactlyAsync(archive, block, last, cancellationToken);
        if (block.AsSpan().ContainsAnyExcept((byte)0)
            || await archive.ReadAtLeastAsync(block, 1, throwOnEndOfStream: false, cancellationToken) > 0)
        {
            throw new BundleFormatException("the end", "1024 zero bytes, and nothing after them", "other bytes");
        }
    }

    private static async Task ReadExactlyAsync(
        Stream archive, Memory<byte> bytes, string name, CancellationToken cancellationToken)
    {
        if (await archive.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken) < bytes.Length)
        {
            throw new BundleFormatException(
                name.Length == 0 ? "the beginning" : name, "a whole archive, with 1024 zero bytes at its end", "the end of the file");
        }
    }
}

/// <summary>A file is not of the shape that bundles have.</summary>
public sealed class BundleFormatException : FormatException
{
    public BundleFormatException()
        : this("", "", "")
    {
    }

    public BundleFormatException(string message)
        : this(message, "", "")
    {
    }

    public BundleFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
        (Place, Expected, Found) = (message, "", "");
    }

    public BundleFormatException(string place, string expected, string found)
        : base($"{place}: expected {expected}; found {found}")
    {
        (Place, Expected, Found) = (place, expected, found);
    }

    /// <summary>The entry.</summary>
    public string Place { get; }

    public string Expected { get; }

    public string Found { get; }
}
