using System.Buffers;
using System.Security.Cryptography;
using MeshLedger.Crypto;

namespace MeshLedger.Blobs;

// The directory's format: the blob af1349b9...3262 is the file `af/1349b9...3262` (2 and 62 characters), with exactly
// the blob's bytes; `tmp/` holds what is being written. Nothing else is there. Checked by BlobDirectoryTests.

/// <summary>
/// The blobs of one node, as files named by their content. A blob is whole or absent, also after a crash; bytes are
/// handed out only after their hash was checked. Several processes may use one directory. Only its owner can read the
/// files: a guest's machine, which runs as another user, is given a copy.
/// </summary>
public sealed class BlobDirectory
{
    /// <summary>The largest blob that is taken unless told otherwise: 1 GiB.</summary>
    public const long DefaultMaxBytes = 1L << 30;

    private const int BufferBytes = 128 * 1024;
    private const UnixFileMode DirectoryMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _root;
    private readonly string _temporary;
    private readonly long _maxBytes;

    private BlobDirectory(string root, long maxBytes)
    {
        _root = root;
        _temporary = Path.Combine(root, "tmp");
        _maxBytes = maxBytes;
    }

    /// <summary>Opens the directory, making it if it is not there, and removes what crashed writers left.</summary>
    public static BlobDirectory Open(string root, long maxBytes = DefaultMaxBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxBytes);
        var directory = new BlobDirectory(Path.GetFullPath(root), maxBytes);
        Directory.CreateDirectory(directory._root, DirectoryMode);
        Directory.CreateDirectory(directory._temporary, DirectoryMode);
        directory.Sweep();
        return directory;
    }

    /// <summary>Adds a blob; returns once it is durable. Adding what is there already heals it if it was damaged.
    /// </summary>
    /// <exception cref="BlobTooLargeException">The stream has more bytes than a blob may have; nothing is kept.
    /// </exception>
    public async Task<BlobHash> AddAsync(Stream content, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        var temporary = Path.Combine(_temporary, RandomNumberGenerator.GetHexString(32, lowercase: true));
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            // The lock that the stream holds on the file tells a sweeping process that its writer lives.
            await using var file = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.None,
                UnixCreateMode = OwnerOnly,
                BufferSize = 0,
            });
            var hasher = new Blake3Hasher();
            long length = 0;
            int count;
            while ((count = await content.ReadAsync(buffer.AsMemory(0, BufferBytes), cancellationToken)) > 0)
            {
                length += count;
                if (length > _maxBytes)
                {
                    throw new BlobTooLargeException(_maxBytes);
                }

                hasher.Update(buffer.AsSpan(0, count));
                await file.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            }

            file.Flush(flushToDisk: true);
            var hash = hasher.Finish();
            Publish(temporary, hash);
            return hash;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            File.Delete(temporary);
        }
    }

    /// <inheritdoc cref="AddAsync"/>
    public async Task<BlobHash> AddBytesAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        using var stream = new MemoryStream(content.ToArray(), writable: false);
        return await AddAsync(stream, cancellationToken);
    }

    /// <inheritdoc cref="AddAsync"/>
    public async Task<BlobHash> AddFileAsync(string path, CancellationToken cancellationToken)
    {
        await using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, useAsync: false);
        return await AddAsync(stream, cancellationToken);
    }

    /// <summary>True if the blob is here; that it is undamaged shows only when it is read.</summary>
    public bool Has(BlobHash hash) => SizeOf(hash) is not null;

    /// <summary>The blob's size in bytes, or null if it is not here.</summary>
    public long? SizeOf(BlobHash hash)
    {
        var file = new FileInfo(PathOf(hash));
        return file.Exists ? file.Length : null;
    }

    /// <summary>A stream over the blob, at its beginning, after all of it was read and its hash was checked.</summary>
    /// <exception cref="BlobNotFoundException">The blob is not here.</exception>
    /// <exception cref="BlobDamagedException">Its bytes are not what its name says.</exception>
    public async Task<Stream> OpenVerifiedAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        var stream = OpenUnverified(hash);
        try
        {
            await VerifyAsync(stream, hash, cancellationToken);
            stream.Position = 0;
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>Copies the blob after its hash was checked: <paramref name="destination"/> sees no byte of a damaged
    /// one.</summary>
    /// <inheritdoc cref="OpenVerifiedAsync"/>
    public async Task CopyToAsync(BlobHash hash, Stream destination, CancellationToken cancellationToken)
    {
        await using var stream = await OpenVerifiedAsync(hash, cancellationToken);
        await stream.CopyToAsync(destination, BufferBytes, cancellationToken);
    }

    /// <summary>All of the blob's bytes, checked as they are in memory. For blobs that are known to be small.</summary>
    /// <inheritdoc cref="OpenVerifiedAsync"/>
    public async Task<byte[]> ReadAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        await using var stream = OpenUnverified(hash);
        var bytes = new byte[stream.Length];
        try
        {
            await stream.ReadExactlyAsync(bytes, cancellationToken);
        }
        catch (EndOfStreamException)
        {
            throw new BlobDamagedException(hash, Blake3.Hash([]));
        }

        var found = Blake3.Hash(bytes);
        return found == hash ? bytes : throw new BlobDamagedException(hash, found);
    }

    private static async Task VerifyAsync(FileStream stream, BlobHash hash, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            var hasher = new Blake3Hasher();
            int count;
            while ((count = await stream.ReadAsync(buffer.AsMemory(0, BufferBytes), cancellationToken)) > 0)
            {
                hasher.Update(buffer.AsSpan(0, count));
            }

            var found = hasher.Finish();
            if (found != hash)
            {
                throw new BlobDamagedException(hash, found);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private FileStream OpenUnverified(BlobHash hash)
    {
        try
        {
            return new FileStream(PathOf(hash), FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BlobNotFoundException(hash);
        }
    }

    private void Publish(string temporary, BlobHash hash)
    {
        var path = PathOf(hash);
        var shard = Path.GetDirectoryName(path)!;
        var isNew = !Directory.Exists(shard);
        Directory.CreateDirectory(shard, DirectoryMode);
        File.Move(temporary, path, overwrite: true);
        Durability.SyncDirectory(shard);
        if (isNew)
        {
            Durability.SyncDirectory(_root);
        }
    }

    private string PathOf(BlobHash hash)
    {
        if (hash.IsDefault)
        {
            throw new ArgumentException("The default hash names no blob.", nameof(hash));
        }

        var name = hash.ToString();
        return Path.Combine(_root, name[..2], name[2..]);
    }

    private void Sweep()
    {
        foreach (var leftover in Directory.EnumerateFiles(_temporary))
        {
            try
            {
                using (new FileStream(leftover, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                {
                    File.Delete(leftover);
                }
            }
            catch (IOException)
            {
                // Locked by a living writer of another process, or gone meanwhile.
            }
        }
    }
}
