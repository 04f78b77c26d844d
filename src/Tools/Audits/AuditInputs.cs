using System.CommandLine;
using System.Globalization;
using System.Text;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Audit;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Tools.Cli;
using Npgsql;

namespace MeshLedger.Tools.Audits;

/// <summary>What an audit is told to look at, and to compare the ledger with.</summary>
internal static class AuditInputs
{
    public static readonly Option<string?> Since = new("--since")
    {
        Description = "A tree head that the ledger must be an extension of: a file with the signed note that you kept, or that a "
            + "witness has; a size that the log signed; or last, the one that the last clean audit remembered. Signatures of the "
            + "events before it are not verified again; all else is checked.",
        HelpName = "HEAD",
    };

    public static readonly Option<string?> JobOption = new("--job")
    {
        Description = "Audit this job alone, with the mana that it moved.",
        HelpName = "ID",
    };

    public static readonly Option<string?> Stream = new("--stream")
    {
        Description = "Audit this stream alone, such as account-did:key:z6Mk...",
        HelpName = "STREAM",
    };

    public static readonly Option<string?> Remember = new("--remember")
    {
        Description = "The file in which a clean audit leaves how far it came, and with which the next one compares the ledger "
            + "(default: DATA/audit/last). Its directory must be there. Keep your own where the node cannot write.",
        HelpName = "FILE",
    };

    public static readonly Option<string?> Log = new("--log")
    {
        Description = "The log's directory, or a copy of it (default: DATA/log).",
        HelpName = "DIR",
    };

    public static readonly Option<string?> Key = new("--key")
    {
        Description = "The log's key as it was told by its operator, NAME+HEX+BASE64, or a file that holds it (default: that of the "
            + "log's directory).",
        HelpName = "KEY",
    };

    /// <summary>The stream that was named; null: the whole ledger.</summary>
    /// <exception cref="CommandFailure">It is no name of a stream, or two were given.</exception>
    public static StreamId? StreamOf(Call call)
    {
        var (job, stream) = (call.Get(JobOption), call.Get(Stream));
        if (job is not null && stream is not null)
        {
            throw new CommandFailure(ExitCodes.Usage, "--job and --stream: expected one of them.");
        }

        if (job is not null)
        {
            return JobId.TryParse(job, out var id)
                ? StreamId.OfJob(id)
                : throw new CommandFailure(ExitCodes.Usage, $"--job: '{SafeText.Cut(job, 80)}' is no job's id.");
        }

        return stream is null ? null
            : StreamId.TryParse(stream, out var name) ? name
            : throw new CommandFailure(ExitCodes.Usage, $"--stream: '{SafeText.Cut(stream, 80)}' is no name of a stream.");
    }

    /// <summary>Where the audit remembers; null: nowhere, for the ledger is not known to be that of the data directory.
    /// </summary>
    public static string? MemoryFile(Call call) => call.Get(Remember) is { } given ? Path.GetFullPath(given)
        : call.Postgres is null || call.Data.ReadRecord() is { External: true } ? Path.Combine(call.Data.Root, "audit", "last")
        : null;

    public static async Task<AuditOptions> OptionsAsync(Call call, NpgsqlDataSource database, string? memoryFile)
    {
        var directory = Path.GetFullPath(call.Get(Log) ?? call.Data.Log);
        if (call.Get(Log) is not null && !Directory.Exists(directory))
        {
            throw new CommandFailure(ExitCodes.NotFound, $"--log: there is no directory {directory}.");
        }

        if (call.Get(Remember) is not null && memoryFile is not null && Path.GetDirectoryName(memoryFile) is { } place
            && !Directory.Exists(place))
        {
            throw new CommandFailure(ExitCodes.NotFound, $"--remember: there is no directory {place}.");
        }

        var told = await LogHeads.KeysAsync(new DirectoryLogSource(directory), call.Stop);
        var keys = await GivenKeyAsync(call) is { } given ? told?.BelievedBy(given) ?? given : told;
        var options = new AuditOptions { LogDirectory = directory, LogKeys = keys };
        var remembered = await RememberedAsync(memoryFile, call.Stop);
        var earlier = remembered is null ? [] : new List<EarlierHead> { remembered };
        if (call.Get(Since) is not { } since)
        {
            return options with { Earlier = earlier };
        }

        var head = since == "last"
            ? remembered ?? throw new CommandFailure(
                ExitCodes.NotFound, $"--since last: no audit has remembered a tree head in {memoryFile ?? "any file"} yet.")
            : await HeadAsync(since, keys, database, call.Stop);
        return options with { Earlier = [.. earlier, head], VerifiedUpTo = head.Size };
    }

    /// <summary>Leaves how far the ledger was found clean.</summary>
    public static void Write(Call call, string file, AuditReport report)
    {
        if (report is not { IsClean: true, Tree: { Root: { } root, Size: > 0 } tree, Founder: { } founder })
        {
            return;
        }

        try
        {
            if (call.Get(Remember) is null)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            }

            new AuditMemory(TimeProvider.System.GetUtcNow(), founder, tree.Size, root).Write(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            var message = $"the audit could not remember how far it came in {file}: {exception.Message}";
            if (call.Get(Remember) is not null)
            {
                throw new CommandFailure(ExitCodes.Failed, message);
            }

            Messages.Say($"meshledger: {message} Choose another file with --remember.");
        }
    }

    private static async Task<EarlierHead?> RememberedAsync(string? file, CancellationToken cancellationToken)
    {
        if (file is null || !File.Exists(file))
        {
            return null;
        }

        return AuditMemory.TryParse(await ReadAsync(file, cancellationToken), out var memory)
            ? new EarlierHead(file, memory!.Size, memory.Root)
            : throw new CommandFailure(
                ExitCodes.Failed, $"{file} is not what an audit remembers. Remove it if you know why, or choose another with --remember.");
    }

    private static async Task<EarlierHead> HeadAsync(
        string since, LogKeys? keys, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        if (!File.Exists(since) && long.TryParse(since, NumberStyles.None, CultureInfo.InvariantCulture, out var size))
        {
            return await SignedHeads.FindAsync(database, size, keys?.Origin, cancellationToken)
                ?? throw new CommandFailure(
                    ExitCodes.NotFound, $"--since {since}: the log signed no tree head of that size. Run: meshledger log heads");
        }

        var bytes = await ReadAsync(since, cancellationToken);
        if (AuditMemory.TryParse(bytes, out var memory))
        {
            return new EarlierHead(since, memory!.Size, memory.Root);
        }

        if (!SignedNote.TryParse(bytes, out var note) || !TreeHead.TryParse(note!.Text, out var head) || head.Size < 1)
        {
            throw new CommandFailure(
                ExitCodes.Usage, $"--since: {since} is neither a signed tree head nor what an audit remembers.");
        }

        if (keys is not null && head.Origin == keys.Origin && SignedHead.Read(bytes, DateTimeOffset.UnixEpoch, keys) is null)
        {
            throw new CommandFailure(ExitCodes.AuditFault, $"--since: {since} was not signed by {keys}.");
        }

        if (keys?.Origin != head.Origin)
        {
            Messages.Say($"The signature of {since} was not checked: the key of {head.Origin} is not known here (--key). "
                + "Its size and root are taken as you gave them.");
        }

        return new EarlierHead(since, head.Size, head.Root);
    }

    private static async Task<byte[]> ReadAsync(string file, CancellationToken cancellationToken)
    {
        await using var stream = InputFile.OpenOrInput(file);
        var bytes = new byte[SignedNote.MaxBytes + 1];
        var read = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        return bytes[..read];
    }

    private static async Task<NoteKey?> GivenKeyAsync(Call call)
    {
        if (call.Get(Key) is not { } given)
        {
            return null;
        }

        if (File.Exists(given))
        {
            given = Encoding.UTF8.GetString(await ReadAsync(given, call.Stop)).TrimEnd('\n');
        }

        return NoteKey.TryParse(given, out var key)
            ? key
            : throw new CommandFailure(
                ExitCodes.Usage, $"--key: expected a log's key, NAME+HEX+BASE64, or a file with it, found '{SafeText.Cut(given, 80)}'.");
    }
}
