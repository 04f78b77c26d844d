using System.Buffers;
using MeshLedger.Crypto;
using Microsoft.Win32.SafeHandles;

namespace MeshLedger.Blobs;

/// <summary>
/// The blobs of one node, named by their content. A blob is whole or absent, also after a crash; bytes are handed out
/// only after they were verified against the name. Several processes may use one store. Only its owner can read the
/// files: a guest's machine, which runs as another user, is given a copy. Safe for several threads at once.
/// </summary>
public sealed class BlobStore
{
    /// <summary>The most that <see cref="List"/> gives at once.</summary>
    public const int MaxPage = 1000;

    private const int BufferBytes = 1 << 20;

    private readonly StoreQuota _quota;
    private readonly TimeProvider _clock;

    private BlobStore(string root, BlobStoreOptions options, TimeProvider clock)
    {
        Options = options;
        _clock = clock;
        Files = new BlobFiles(root, clock);
        Tags = new BlobTags(Files);
        Collector = new GarbageCollector(Files, Tags, options, clock);
        _quota = new StoreQuota(options.QuotaBytes, Files.StoredBytes, token => Collector.CollectAsync(token));
    }

    /// <summary>Opens the store, making it if it is not there, and removes what crashed writers left.</summary>
    /// <exception cref="IOException">The directory cannot be made or read.</exception>
    public static BlobStore Open(string root, BlobStoreOptions options, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var store = new BlobStore(root, options, clock);
        store.Files.Sweep();
        return store;
    }

    /// <summary>Tells, on the reader's thread, that a blob turned out to be damaged and is in quarantine: somebody may fetch
    /// it again.</summary>
    public event Action<BlobHash>? Quarantined;

    public BlobStoreOptions Options { get; }

    public BlobTags Tags { get; }

    public GarbageCollector Collector { get; }

    internal BlobFiles Files { get; }

    internal void TellQuarantined(BlobHash hash) => Quarantined?.Invoke(hash);

    internal StoreReservation Reserve() => _quota.Begin();

    /// <summary>Adds a blob; returns once it is durable. Adding what is there already heals it if it was damaged.
    /// </summary>
    /// <exception cref="ArgumentException">The metadata are not as they must be.</exception>
    /// <exception cref="BlobTooLargeException">The stream has more bytes than a blob may have.</exception>
    /// <exception cref="BlobQuotaException">The store is full.</exception>
    /// <exception cref="BlobMismatchException">It is not what was promised.</exception>
    /// <remarks>Whatever is thrown, nothing is kept; but where metadata or tag could not be written, the blob itself is,
    /// without them.</remarks>
    public async Task<AddedBlob> AddAsync(Stream content, BlobAddition addition, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        ArgumentNullException.ThrowIfNull(addition);
        if (addition.Metadata.Fault() is { } fault)
        {
            throw new ArgumentException(fault, nameof(addition));
        }

        using var room = _quota.Begin();
        using var temporary = Files.NewTemporary();
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            BlobHash hash;
            long size;
            using (var file = temporary.Create("content"))
            await using (var outboard = new FileStream(temporary.Create("outboard"), FileAccess.ReadWrite, bufferSize: 0))
            {
                (hash, size) = await WriteAsync(content, file, outboard, room, addition, buffer, cancellationToken);
                RandomAccess.FlushToDisk(file);
                if (new BaoTree(size).Groups > 1)
                {
                    outboard.Flush(flushToDisk: true);
                }
            }

            Check(addition, hash, size);
            var wasNew = Files.Publish(temporary, hash, size, addition);
            room.Keep();
            return new AddedBlob(hash, size, wasNew);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc cref="AddAsync"/>
    public async Task<BlobHash> AddBytesAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await using var stream = new ReadOnlyMemoryStream(content);
        return (await AddAsync(stream, BlobAddition.Plain, cancellationToken)).Hash;
    }

    /// <inheritdoc cref="AddAsync"/>
    public async Task<AddedBlob> AddFileAsync(string path, BlobAddition addition, CancellationToken cancellationToken)
    {
        await using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        return await AddAsync(stream, addition, cancellationToken);
    }

    /// <summary>True if the blob is here; that it is undamaged shows only when it is read.</summary>
    public bool Has(BlobHash hash) => SizeOf(hash) is not null;

    /// <summary>The blob's size in bytes, or null if it is not here.</summary>
    public long? SizeOf(BlobHash hash)
    {
        var file = new FileInfo(Files.PathOf(hash));
        return file.Exists ? file.Length : null;
    }

    /// <summary>What the store has of a blob: complete before partial before quarantined; null: nothing.</summary>
    public BlobInfo? Find(BlobHash hash)
    {
        var complete = new FileInfo(Files.PathOf(hash));
        if (complete.Exists)
        {
            return Info(hash, complete);
        }

        var partial = new FileInfo(Files.PartialOf(hash));
        var quarantined = new FileInfo(Files.QuarantineOf(hash));
        return partial.Exists ? Info(hash, partial, BlobState.Partial)
            : quarantined.Exists ? Info(hash, quarantined, BlobState.Quarantined) : null;
    }

    /// <summary>Keeps a blob from collection for the time of grace from now on; false if it is not here.</summary>
    public bool Stay(BlobHash hash)
    {
        using (Files.Share())
        {
            return Files.Stay(hash);
        }
    }

    /// <summary>Ends a blob's time of grace: from now on only tags and references keep it. For blobs whose reference exists,
    /// and that are not worth their room once it does not. A collection that is under way may not have seen that reference,
    /// so the blob keeps its time then.</summary>
    public void LetGo(BlobHash hash)
    {
        using (Files.Share())
        {
            var file = new FileInfo(Files.PathOf(hash));
            if (file.Exists && !Files.IsCollecting)
            {
                file.LastWriteTimeUtc = _clock.GetUtcNow().UtcDateTime - Options.Grace;
            }
        }
    }

    /// <summary>A stream over the blob that can seek, and reads verified bytes only. It goes on where the blob is
    /// removed meanwhile.</summary>
    /// <exception cref="BlobNotFoundException">The blob is not here.</exception>
    /// <exception cref="BlobDamagedException">It is damaged at its root. Reading throws the same for other damage.
    /// </exception>
    public BlobStream OpenRead(BlobHash hash) => BlobStream.Open(this, hash);

    /// <summary>Copies the blob; <paramref name="destination"/> gets verified bytes only.</summary>
    /// <inheritdoc cref="OpenRead"/>
    public async Task CopyToAsync(BlobHash hash, Stream destination, CancellationToken cancellationToken)
    {
        await using var stream = OpenRead(hash);
        await stream.CopyToAsync(destination, BlobStream.WindowBytes, cancellationToken);
    }

    /// <summary>All of the blob's bytes. For blobs that are known to be small.</summary>
    /// <inheritdoc cref="OpenRead"/>
    public async Task<byte[]> ReadAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        await using var stream = OpenRead(hash);
        var bytes = new byte[stream.Length];
        await stream.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }

    /// <summary>Reads all of the blob, and puts it into quarantine if it is damaged. A damaged outboard beside a good
    /// content is made anew.</summary>
    /// <param name="progress">Gets how many bytes were read.</param>
    /// <inheritdoc cref="OpenRead"/>
    public async Task VerifyAsync(BlobHash hash, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        await using var stream = OpenRead(hash);
        var buffer = ArrayPool<byte>.Shared.Rent(BlobStream.WindowBytes);
        try
        {
            while (await stream.ReadAsync(buffer.AsMemory(0, BlobStream.WindowBytes), cancellationToken) > 0)
            {
                progress?.Report(stream.Position);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>A page of what is here, in the order of the hashes. What comes or goes while pages are read may be in
    /// them or not; everything else is in exactly one.</summary>
    /// <param name="after">Where the page before ended; null for the first one.</param>
    /// <param name="limit">1 to <see cref="MaxPage"/>.</param>
    /// <param name="state">Null: all.</param>
    public BlobPage List(BlobHash? after, int limit, BlobState? state)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MaxPage);
        var page = new List<BlobInfo>();
        foreach (var (hash, file, found) in Files.Enumerate(after, state))
        {
            if (page.Count == limit)
            {
                return new BlobPage(page, page[^1].Hash);
            }

            if (file.Exists)
            {
                page.Add(Info(hash, file, found));
            }
        }

        return new BlobPage(page, null);
    }

    public BlobTotals Totals()
    {
        var (blobs, bytes, largest, partial, quarantined) = (0L, 0L, 0L, 0L, 0L);
        foreach (var (_, file, state) in Files.Enumerate(null, null))
        {
            if (!file.Exists)
            {
                continue;
            }

            (partial, quarantined) = (partial + (state == BlobState.Partial ? 1 : 0),
                quarantined + (state == BlobState.Quarantined ? 1 : 0));
            if (state == BlobState.Complete)
            {
                (blobs, bytes, largest) = (blobs + 1, bytes + file.Length, Math.Max(largest, file.Length));
            }
        }

        return new BlobTotals(blobs, bytes, largest, partial, quarantined, Files.StoredBytes());
    }

    /// <summary>What was promised is checked before anything appears.</summary>
    internal static void Check(BlobAddition addition, BlobHash hash, long size)
    {
        if (addition.Size is { } promised && promised != size)
        {
            throw new BlobMismatchException($"{promised} bytes were promised, and {size} came.");
        }

        if (addition.Hash is { } name && name != hash)
        {
            throw new BlobMismatchException($"Blob {name} was promised, and the bytes that came are blob {hash}.");
        }
    }

    private async Task<(BlobHash Hash, long Size)> WriteAsync(
        Stream content, SafeFileHandle file, FileStream outboard, StoreReservation room, BlobAddition addition,
        byte[] buffer, CancellationToken cancellationToken)
    {
        var most = Math.Min(Options.MaxBlobBytes, addition.Size ?? long.MaxValue);
        await room.GrowAsync(addition.Size is { } size && size <= Options.MaxBlobBytes ? size : 0, cancellationToken);
        var writer = new BaoOutboardWriter(outboard);
        long length = 0;
        int count;
        while ((count = await content.ReadAtLeastAsync(
            buffer.AsMemory(0, BufferBytes), BufferBytes, throwOnEndOfStream: false, cancellationToken)) > 0)
        {
            if (length + count > most)
            {
                throw length + count > Options.MaxBlobBytes
                    ? new BlobTooLargeException(Options.MaxBlobBytes)
                    : new BlobMismatchException($"{addition.Size} bytes were promised, and more came.");
            }

            await room.GrowAsync(length + count, cancellationToken);
            RandomAccess.Write(file, buffer.AsSpan(0, count), length);
            writer.UpdateParallel(buffer.AsSpan(0, count));
            length += count;
        }

        return writer.Finish();
    }

    private BlobInfo Info(BlobHash hash, FileInfo file, BlobState state = BlobState.Complete) => new(
        hash,
        state == BlobState.Partial ? PartialBlob.SizeOf(Files, hash) ?? file.Length : file.Length,
        state,
        state == BlobState.Complete ? BlobMetadata.Read(Files.MetadataOf(hash)) : BlobMetadata.None,
        new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero) + Options.Grace);
}

/// <summary>What came of adding a blob.</summary>
/// <param name="WasNew">False if it was here already.</param>
public sealed record AddedBlob(BlobHash Hash, long Size, bool WasNew);
