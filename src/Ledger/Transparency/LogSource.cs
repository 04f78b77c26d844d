using System.Net;
using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Transparency;

/// <summary>Where a log's files are read.</summary>
public interface ILogSource
{
    /// <summary>For people: a directory or a URL.</summary>
    string Name { get; }

    /// <summary>A file by its path within the log.</summary>
    /// <returns>Null if it is not there.</returns>
    /// <exception cref="IOException">It cannot be read.</exception>
    Task<Stream?> OpenAsync(string path, CancellationToken cancellationToken);
}

/// <summary>A log's files in a directory.</summary>
public sealed class DirectoryLogSource(string directory) : ILogSource
{
    public string Name => directory;

    public Task<Stream?> OpenAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return Task.FromResult<Stream?>(new FileStream(
                Path.Combine(directory, path), FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.None));
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            return Task.FromResult<Stream?>(null);
        }
    }
}

/// <summary>A log's files on a web server, which is not trusted: one that is too slow is given up.</summary>
/// <param name="url">With a slash at its end.</param>
/// <param name="patience">How long a file may keep its reader waiting beyond <see cref="MinBytesPerSecond"/>; null: 30 s.</param>
public sealed class HttpLogSource(HttpClient client, Uri url, TimeSpan? patience = null) : ILogSource
{
    /// <summary>What a server sends at least, in the mean over a file.</summary>
    public const int MinBytesPerSecond = 4096;

    private readonly TimeSpan _patience = patience ?? TimeSpan.FromSeconds(30);

    public string Name => url.ToString();

    public async Task<Stream?> OpenAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await client.GetAsync(
                new Uri(url, path), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (answer.StatusCode == HttpStatusCode.NotFound)
            {
                answer.Dispose();
                return null;
            }

            if (!answer.IsSuccessStatusCode)
            {
                answer.Dispose();
                throw new IOException($"{new Uri(url, path)} answered {(int)answer.StatusCode}.");
            }

            return new PatientStream(await answer.Content.ReadAsStreamAsync(cancellationToken), new Uri(url, path), _patience);
        }
        catch (HttpRequestException failure)
        {
            throw new IOException($"{new Uri(url, path)} was not reached: {failure.Message}", failure);
        }
        catch (TaskCanceledException late) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"{new Uri(url, path)} gave no answer in time.", late);
        }
    }
}

/// <summary>Reading what stands in those files; sizes are bounded before anything is believed.</summary>
public static class LogSources
{
    /// <summary>A whole file.</summary>
    /// <returns>Null if it is not there.</returns>
    /// <exception cref="InvalidDataException">It is longer than it can be.</exception>
    public static async Task<byte[]?> ReadAsync(
        this ILogSource source, string path, int maxBytes, CancellationToken cancellationToken)
    {
        await using var stream = await source.OpenAsync(path, cancellationToken);
        if (stream is null)
        {
            return null;
        }

        var bytes = new byte[Math.Min(maxBytes, 16_384)];
        for (var length = 0; ;)
        {
            var count = await stream.ReadAsync(bytes.AsMemory(length), cancellationToken);
            if (count == 0)
            {
                return bytes[..length];
            }

            length += count;
            if (length == bytes.Length)
            {
                Array.Resize(ref bytes, length > maxBytes
                    ? throw new InvalidDataException($"{path} of {source.Name} has more than {maxBytes} bytes.")
                    : Math.Min(length * 2, maxBytes + 1));
            }
        }
    }

    /// <summary>A tile's hashes; where a partial one is gone, those of the full one that took its place.</summary>
    /// <returns>Null if it is missing, or has not that many hashes.</returns>
    internal static Task<Digest[]?> ReadTileAsync(
        this ILogSource source, LogTile tile, CancellationToken cancellationToken) =>
        ReadAsync(source, tile, LogTile.FullWidth * Digest.Size, TileBytes.Read, cancellationToken);

    /// <inheritdoc cref="ReadTileAsync"/>
    internal static Task<byte[][]?> ReadEntriesAsync(
        this ILogSource source, LogTile tile, CancellationToken cancellationToken) => ReadAsync(
        source, tile with { Level = LogTile.Entries }, EntryBundle.MaxBytes, EntryBundle.Read, cancellationToken);

    private delegate T[]? Reader<T>(ReadOnlySpan<byte> bytes, int count);

    private static async Task<T[]?> ReadAsync<T>(
        ILogSource source, LogTile tile, int maxBytes, Reader<T> read, CancellationToken cancellationToken)
    {
        try
        {
            if (await source.ReadAsync(tile.Path, maxBytes, cancellationToken) is { } bytes)
            {
                return read(bytes, tile.Width);
            }

            return !tile.IsFull && await source.ReadAsync(tile.Full.Path, maxBytes, cancellationToken) is { } full
                ? read(full, LogTile.FullWidth)?[..tile.Width]
                : null;
        }
        catch (InvalidDataException)
        {
            // Longer than any tile: as good as missing.
            return null;
        }
    }
}
