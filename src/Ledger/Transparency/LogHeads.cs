using System.Runtime.CompilerServices;
using System.Text;
using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Transparency;

/// <summary>The tree heads that a log signed, from its files.</summary>
public static class LogHeads
{
    private const string Checkpoint = LogFiles.Checkpoint;
    private const int MaxKey = 4096;

    /// <summary>The head that is published; its time stands in the list of heads alone.</summary>
    /// <returns>Null if there is none yet.</returns>
    /// <exception cref="FormatException">It is not one that this key signed.</exception>
    public static async Task<SignedHead?> LatestAsync(ILogSource source, LogKeys keys, CancellationToken cancellationToken)
    {
        try
        {
            if (await source.ReadAsync(Checkpoint, SignedNote.MaxBytes, cancellationToken) is not { } bytes)
            {
                return null;
            }

            if (SignedHead.Read(bytes, DateTimeOffset.UnixEpoch, keys) is { } head)
            {
                return head;
            }
        }
        catch (InvalidDataException)
        {
            // Longer than any note.
        }

        throw new FormatException($"{Checkpoint} of {source.Name} is no tree head that {keys} signed.");
    }

    /// <summary>Whether this head is the one that is published, with whatever cosignatures.</summary>
    internal static async Task<bool> IsPublishedAsync(
        ILogSource source, LogKeys keys, SignedHead head, CancellationToken cancellationToken)
    {
        try
        {
            return (await LatestAsync(source, keys, cancellationToken))?.Head == head.Head;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <summary>How many entries the published head has; 0 where there is none that holds.</summary>
    internal static async Task<long> PublishedSizeAsync(ILogSource source, LogKeys keys)
    {
        try
        {
            return (await LatestAsync(source, keys, CancellationToken.None))?.Head.Size ?? 0;
        }
        catch (Exception exception) when (exception is FormatException or IOException)
        {
            return 0;
        }
    }

    /// <summary>The key that the log says is its own; who relies on it asks the log's operator by other means.</summary>
    /// <returns>Null if it says none.</returns>
    public static async Task<NoteKey?> KeyAsync(ILogSource source, CancellationToken cancellationToken) =>
        await source.ReadAsync(LogFiles.Key, MaxKey, cancellationToken) is { } bytes
            && NoteKey.TryParse(Encoding.UTF8.GetString(bytes).TrimEnd('\n'), out var key)
            ? key
            : null;

    /// <summary>The keys that the log says it had; who relies on them asks the log's operator for one of them by other
    /// means.</summary>
    /// <returns>Null if it says none.</returns>
    public static async Task<LogKeys?> KeysAsync(ILogSource source, CancellationToken cancellationToken)
    {
        try
        {
            if (await source.ReadAsync(LogFiles.Keys, LogKeys.MaxBytes, cancellationToken) is { } bytes)
            {
                return LogKeys.TryParse(bytes, out var keys) ? keys : null;
            }
        }
        catch (InvalidDataException)
        {
            return null;
        }

        return await KeyAsync(source, cancellationToken) is { } key ? (LogKeys)key : null;
    }

    /// <summary>Every head that was ever signed, in the order of the file; null for a line that is none. What a crash cut
    /// off is no line.</summary>
    public static async IAsyncEnumerable<SignedHead?> ReadAsync(
        ILogSource source, LogKeys keys, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var stream = await source.OpenAsync(LogFiles.Heads, cancellationToken);
        if (stream is null)
        {
            yield break;
        }

        var line = new List<byte>();
        var bytes = new byte[16_384];
        while (await stream.ReadAsync(bytes, cancellationToken) is > 0 and var count)
        {
            var rest = bytes.AsMemory(0, count);
            while (rest.Span.IndexOf((byte)'\n') is >= 0 and var end)
            {
                line.AddRange(rest.Span[..end]);
                yield return SignedHead.ReadLine(Encoding.UTF8.GetString([.. line]), keys);
                line.Clear();
                rest = rest[(end + 1)..];
            }

            line.AddRange(rest.Span);
            if (line.Count > 2 * SignedNote.MaxBytes)
            {
                // Nobody knows where the next one begins.
                yield return null;
                yield break;
            }
        }
    }
}
