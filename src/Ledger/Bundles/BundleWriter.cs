using System.Globalization;
using System.Security.Cryptography;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Transparency;

namespace MeshLedger.Ledger.Bundles;

/// <summary>Writes bundles. The same events under the same tree head, with the same blobs, give the same bytes.</summary>
/// <param name="head">The published head.</param>
/// <param name="key">The log's key, by which it is signed.</param>
public sealed class BundleWriter(ILogSource log, SignedHead head, NoteKey key)
{
    private static readonly byte[] Zeroes = new byte[2 * UstarHeader.BlockSize];

    private readonly LogReader _reader = new(log, head.Head.Size);

    /// <summary>The blobs that these events may name: inputs, programs, and outputs that do not stand in the events.</summary>
    public static IReadOnlyList<BlobHash> BlobsOf(IEnumerable<RecordedEvent> events) =>
        [.. events.SelectMany(one => BundleJobs.BlobsOf(one.Statement.Body)).Distinct()];

    /// <summary>Those of them that are blobs for sure.</summary>
    public static IReadOnlyList<BlobHash> NeededBy(IEnumerable<RecordedEvent> events) =>
        [.. events.SelectMany(one => BundleJobs.NeededOf(one.Statement.Body)).Distinct()];

    /// <summary>Writes an archive.</summary>
    /// <param name="events">As <see cref="BundleSelection"/> gives them; those after the head are left out.</param>
    /// <param name="blobs">What comes with them; opened one after the other.</param>
    /// <exception cref="InvalidDataException">The log's files do not hold what the database does, or a blob is not what its name
    /// says.</exception>
    public async Task WriteAsync(
        Stream archive, IReadOnlyList<RecordedEvent> events, IReadOnlyDictionary<BlobHash, (long Size, Func<Stream> Open)> blobs,
        CancellationToken cancellationToken)
    {
        var held = events.Where(one => one.Position <= head.Head.Size).ToList();
        var told = held.ConvertAll(one => (one.Position, one.Statement));
        var entries = new SortedDictionary<string, byte[]>(StringComparer.Ordinal)
        {
            [BundleNames.Head] = head.Note.ToBytes(),
            [BundleNames.Keys] = BundleIndex.WriteKeys(told),
        };
        foreach (var recorded in held)
        {
            var one = new BundleEvent(await EntryAsync(recorded, cancellationToken), recorded.Statement, recorded.Statement.Body);
            entries[one.Place] = recorded.Statement.Canonical.ToArray();
            foreach (var (kind, bytes) in one.Copies)
            {
                entries[BundleNames.Of(kind, recorded.Position)] = bytes;
            }

            var path = await _reader.InclusionAsync(recorded.Position - 1, head.Head.Size, cancellationToken);
            entries[BundleNames.Of(BundleEntryKind.Proof, recorded.Position)] =
                new LogProof(one.Entry.Bytes.ToArray(), recorded.Position - 1, path, head.Note).ToBytes();
        }

        if (entries.Count > BundleNames.MaxEntries || entries.Values.Sum(bytes => (long)bytes.Length) > BundleNames.MaxBytes)
        {
            throw new InvalidDataException(
                $"A bundle has at most {BundleNames.MaxEntries} entries and {BundleNames.MaxBytes} bytes beside its blobs: "
                + "export fewer jobs at once.");
        }

        // What attestations are called sorts before blobs, and all else behind them.
        var hashed = new List<BundledBlob>();
        foreach (var (name, bytes) in entries.Where(entry => string.CompareOrdinal(entry.Key, BundleNames.Index) < 0))
        {
            await WriteAsync(archive, name, bytes, cancellationToken);
        }

        foreach (var (hash, (size, open)) in blobs.OrderBy(blob => blob.Key.ToString(), StringComparer.Ordinal))
        {
            await using var content = open();
            hashed.Add(await WriteBlobAsync(archive, hash, size, content, cancellationToken));
        }

        await WriteAsync(
            archive, BundleNames.Index, BundleIndex.Write(hashed, told, key, head.Head.Size), cancellationToken);
        foreach (var (name, bytes) in entries.Where(entry => string.CompareOrdinal(entry.Key, BundleNames.Index) > 0))
        {
            await WriteAsync(archive, name, bytes, cancellationToken);
        }

        await archive.WriteAsync(Zeroes, cancellationToken);
    }

    /// <summary>What is attested in these events, an envelope a line.</summary>
    public static byte[] Attestations(IEnumerable<RecordedEvent> events) =>
        [.. events.Select(one => one.Statement.Body).OfType<JobEvent.ReceiptIssued>()
            .SelectMany(issued => issued.Attestation?.ToLine() ?? [])];

    private async Task<LogEntry> EntryAsync(RecordedEvent recorded, CancellationToken cancellationToken)
    {
        var bytes = await _reader.EntryAsync(recorded.Position - 1, cancellationToken);
        return bytes.AsSpan().SequenceEqual(LogEntry.Write(recorded)) && LogEntry.TryRead(bytes, out var entry)
            ? entry!
            : throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"What {log.Name} holds at position {recorded.Position} is not what the database holds. Run: meshledger log fsck"));
    }

    private static async Task WriteAsync(Stream archive, string name, byte[] bytes, CancellationToken cancellationToken)
    {
        await archive.WriteAsync(UstarHeader.Write(name, bytes.Length), cancellationToken);
        await archive.WriteAsync(bytes, cancellationToken);
        await archive.WriteAsync(Zeroes.AsMemory(0, UstarHeader.Padding(bytes.Length)), cancellationToken);
    }

    private static async Task<BundledBlob> WriteBlobAsync(
        Stream archive, BlobHash hash, long size, Stream content, CancellationToken cancellationToken)
    {
        await archive.WriteAsync(UstarHeader.Write(BundleNames.Of(hash), size), cancellationToken);
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var blake3 = new Blake3Hasher();
        var buffer = new byte[1 << 16];
        var written = 0L;
        for (int count; (count = await content.ReadAsync(buffer, cancellationToken)) > 0; written += count)
        {
            sha256.AppendData(buffer, 0, count);
            blake3.Update(buffer.AsSpan(0, count));
            await archive.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }

        if (written != size || blake3.Finish() != hash)
        {
            throw new InvalidDataException($"Blob {hash} is not what its name says. Run: meshledger blob verify {hash}");
        }

        await archive.WriteAsync(Zeroes.AsMemory(0, UstarHeader.Padding(size)), cancellationToken);
        return new BundledBlob(hash, new Digest(sha256.GetHashAndReset()), size);
    }
}
