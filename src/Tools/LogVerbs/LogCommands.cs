using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.LogVerbs;

/// <summary><c>meshledger log</c>: the transparency log, from its files.</summary>
internal static class LogCommands
{
    internal static readonly Option<string?> Directory = new("--directory")
    {
        Description = "The log's directory, or a copy of it (default: DATA/log).",
        HelpName = "DIR",
        Recursive = true,
    };

    internal static readonly Option<string?> Key = new("--key")
    {
        Description = "The log's key as it was told by its operator, NAME+HEX+BASE64, or a file that holds it (default: that of "
            + "DATA/log).",
        HelpName = "KEY",
        Recursive = true,
    };

    private static readonly Option<string?> Keys = new("--keys")
    {
        Description = "How the log's key was handed over: its file keys, or a copy (default: that of DATA/log, if it is there).",
        HelpName = "FILE",
        Recursive = true,
    };

    private static readonly Option<int?> Limit = GlobalOptions.Number("--limit", "Only the last so many.", 1, int.MaxValue);

    public static Command Create()
    {
        var log = new Command("log", "The transparency log over all events: its tree heads, and proofs for outsiders.")
        {
            new Verb(
                "head",
                "Show the tree head that is published, as it was signed, and the key that signed it (text: on standard error, so "
                + "that what is written is the note alone), as log verify and witness take it.",
                "meshledger log head",
                "meshledger log head --output json").Does(HeadAsync),
            new Verb(
                "heads", "List every tree head that was ever signed, with its time.", "meshledger log heads --limit 10")
            {
                Limit,
            }.Does(HeadsAsync),
            LogProofCommands.Prove(),
            LogProofCommands.Verify(),
            LogProofCommands.Consistency(),
            LogCheckCommand.Create(),
            LogRotateCommand.Create(),
        };
        log.Options.Add(GlobalOptions.NotEmpty(Directory));
        log.Options.Add(GlobalOptions.NotEmpty(Key));
        log.Options.Add(GlobalOptions.NotEmpty(Keys));
        return log;
    }

    /// <summary>The log's files that were named.</summary>
    public static DirectoryLogSource Source(Call call) => new(DirectoryOf(call));

    public static string DirectoryOf(Call call) => Path.GetFullPath(call.Get(Directory) ?? call.Data.Log);

    /// <summary>The keys that whoever believes the given one believes; without one, those that the log tells.</summary>
    /// <exception cref="CommandFailure">There is none.</exception>
    public static async Task<LogKeys> KeysAsync(Call call, ILogSource source)
    {
        var told = await GivenKeysAsync(call) ?? await LogHeads.KeysAsync(source, call.Stop);
        return await GivenKeyAsync(call) is { } given
            ? told?.BelievedBy(given) ?? given
            : told ?? throw new CommandFailure(
                ExitCodes.NotFound, $"there is no log in {source.Name}. A node (meshledger up) makes it; or choose with --directory "
                + "and --key.");
    }

    private static async Task<LogKeys?> GivenKeysAsync(Call call)
    {
        if (call.Get(Keys) is not { } file)
        {
            return null;
        }

        return LogKeys.TryParse(Encoding.UTF8.GetBytes(await InputFile.ReadTextAsync(file, call.Stop)), out var keys)
            ? keys
            : throw new CommandFailure(ExitCodes.AuditFault, $"{file} does not tell a log's keys.");
    }

    /// <summary>What <c>--key</c> says; null without it.</summary>
    public static async Task<NoteKey?> GivenKeyAsync(Call call)
    {
        return call.Get(Key) is { } given ? await ReadKeyAsync("--key", given, call.Stop) : null;
    }

    /// <summary>A log's key, or what a file has that holds one.</summary>
    /// <exception cref="CommandFailure">It is none.</exception>
    public static async Task<NoteKey> ReadKeyAsync(string option, string given, CancellationToken cancellationToken)
    {
        if (File.Exists(given))
        {
            given = (await InputFile.ReadTextAsync(given, cancellationToken)).TrimEnd('\n');
        }

        return NoteKey.TryParse(given, out var key)
            ? key!
            : throw new CommandFailure(
                ExitCodes.Usage, $"{option}: expected a log's key, NAME+HEX+BASE64, or a file with it, found '{SafeText.Cut(given, 80)}'.");
    }

    /// <summary>The published head.</summary>
    /// <exception cref="CommandFailure">There is none, or its signature does not hold.</exception>
    public static async Task<SignedHead> LatestAsync(Call call, ILogSource source, LogKeys keys)
    {
        try
        {
            return await LogHeads.LatestAsync(source, keys, call.Stop) ?? throw new CommandFailure(
                ExitCodes.NotFound, $"the log of {source.Name} has published no tree head yet.");
        }
        catch (FormatException wrong)
        {
            throw new CommandFailure(ExitCodes.AuditFault, wrong.Message);
        }
    }

    public static JsonObject Row(TreeHead head)
    {
        var row = new JsonObject();
        Fill(row, head);
        return row;
    }

    /// <summary>Sets what a head says.</summary>
    public static void Fill(JsonObject row, TreeHead head)
    {
        row["origin"] = head.Origin;
        row["size"] = head.Size;
        row["root"] = head.Root.ToString();
    }

    private static async Task<int> HeadAsync(Call call)
    {
        var source = Source(call);
        var keys = await KeysAsync(call, source);
        var head = await LatestAsync(call, source, keys);
        var (json, key) = (Row(head.Head), keys.For(head.Head.Size)!.ToString());
        json["key"] = key;
        json["note"] = head.Note.ToString();
        call.Output.Object(json, () =>
        {
            foreach (var line in head.Note.ToString().TrimEnd('\n').Split('\n'))
            {
                call.Output.Line(line);
            }

            Messages.Say($"Signed by the log's key: {key}");
        });
        return ExitCodes.Ok;
    }

    private static async Task<int> HeadsAsync(Call call)
    {
        var source = Source(call);
        var keys = await KeysAsync(call, source);
        var limit = call.Get(Limit) ?? int.MaxValue;
        var rows = new Queue<JsonObject>();
        await foreach (var head in LogHeads.ReadAsync(source, keys, call.Stop))
        {
            if (head is null)
            {
                throw new CommandFailure(
                    ExitCodes.AuditFault, $"a line of heads in {source.Name} is no tree head that {keys} signed. Run: meshledger log fsck");
            }

            var row = Row(head.Head);
            row["time"] = Timestamps.Write(head.At);
            row["key"] = keys.For(head.Head.Size)!.ToString();
            row["note"] = head.Note.ToString();
            rows.Enqueue(row);
            if (rows.Count > limit)
            {
                rows.Dequeue();
            }
        }

        call.Output.Rows(
            rows, [Column.Of("time"), Column.Of("size", right: true), Column.Of("root")],
            $"the log of {source.Name} has signed no tree head yet.");
        return ExitCodes.Ok;
    }
}
