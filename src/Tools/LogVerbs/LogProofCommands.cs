using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Npgsql;

namespace MeshLedger.Tools.LogVerbs;

/// <summary><c>meshledger log prove|verify|consistency</c>.</summary>
internal static class LogProofCommands
{
    private static readonly Argument<string> What = new("JOB|EVENT")
    {
        Description = "A job's id, for all of its events; an event's id or position.",
    };

    private static readonly Option<string?> Into = new("--into", "-o")
    {
        Description = "The directory to write POSITION.tlog-proof into (default: the working directory).",
        HelpName = "DIR",
    };

    private static readonly Argument<string> ProofFile = new("FILE") { Description = "A .tlog-proof file, or - for standard input." };

    private static readonly Option<string?> StatementFile = new("--statement")
    {
        Description = "The event's statement, canonical JSON: check that it is this one that was logged.",
        HelpName = "FILE",
    };

    private static readonly Argument<string> First = NewHead("A", "The earlier tree head: a file with it as it was signed, or a size.");
    private static readonly Argument<string> Second = NewHead("B", "The later one.");

    public static Command Prove() => new Verb(
        "prove",
        "Write proofs that the log holds an event, a file each (C2SP tlog-proof), which anyone checks without this node.",
        "meshledger log prove 3f0c8a1e-job -o proofs", "meshledger log prove 17")
    {
        What, GlobalOptions.NotEmpty(Into),
    }.Does(ProveAsync);

    public static Command Verify() => new Verb(
        "verify",
        "Check a proof offline: the log's signature, the path to its root, and the author's signature. Exit code 4 if one "
        + "does not hold; JSON then has \"valid\": false and the reason.",
        "meshledger log verify 17.tlog-proof --key log.key.pub")
    {
        ProofFile, GlobalOptions.NotEmpty(StatementFile), LogCosignatures.Witnesses, LogCosignatures.Quorum,
    }.Does(VerifyAsync);

    public static Command Consistency() => new Verb(
        "consistency",
        "Prove that the log as of a later tree head begins with the log as of an earlier one, and show the proof (RFC 6962). "
        + "Exit code 4 if it does not; JSON then has \"consistent\": false and the reason.",
        "meshledger log consistency kept-last-year.head 120000", "meshledger log consistency 100 200 --output json")
    {
        First, Second,
    }.Does(ConsistencyAsync);

    private static async Task<int> ProveAsync(Call call)
    {
        var into = Path.GetFullPath(call.Get(Into) ?? ".");
        var source = LogCommands.Source(call);
        var positions = await FindAsync(call, call.Get(What)!);
        var (head, _) = await PublishedHead.WithAsync(call, source, positions.Max());
        var reader = new LogReader(source, head.Head.Size);
        DataDirectory.MakeDirectory("--into", into);
        var rows = new List<JsonObject>();
        foreach (var position in positions)
        {
            var entry = await reader.EntryAsync(position - 1, call.Stop);
            var path = await reader.InclusionAsync(position - 1, head.Head.Size, call.Stop);
            var proof = new LogProof(entry, position - 1, path, head.Note);
            if (!proof.Includes(entry) || !LogEntry.TryRead(entry, out var read))
            {
                throw new CommandFailure(
                    ExitCodes.AuditFault, $"the log's files do not lead from position {position} to its tree head. Run: meshledger log fsck");
            }

            var file = Path.Combine(into, $"{position}.tlog-proof");
            await File.WriteAllBytesAsync(file, proof.ToBytes(), call.Stop);
            rows.Add(new JsonObject
            {
                ["position"] = position,
                ["stream"] = read!.Stream.ToString(),
                ["version"] = read.Version,
                ["type"] = read.Type,
                ["digest"] = read.Digest.ToString(),
                ["size"] = head.Head.Size,
                ["file"] = file,
            });
        }

        call.Output.Rows(rows, [Column.Of("position", right: true), Column.Of("type"), Column.Of("file")], "");
        return ExitCodes.Ok;
    }

    /// <summary>The positions of what was named.</summary>
    private static async Task<IReadOnlyList<long>> FindAsync(Call call, string what)
    {
        await using var ledger = await LedgerSession.OpenAsync(call);
        if (Guid.TryParseExact(what, "D", out var id))
        {
            await using var command = ledger.Database.CreateCommand("SELECT position FROM ml_event_ids WHERE id = $1");
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
            if (await command.ExecuteScalarAsync(call.Stop) is long position)
            {
                return [position];
            }
        }

        if (JobId.TryParse(what, out var job)
            && await ledger.Store.LoadAsync(StreamId.OfJob(job), call.Stop) is { Count: > 0 } events)
        {
            return [.. events.Select(recorded => recorded.Position)];
        }

        return long.TryParse(what, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            && number <= await ledger.Store.HeadAsync(call.Stop)
            ? [number]
            : throw new CommandFailure(ExitCodes.NotFound, $"there is no job and no event '{what}'.");
    }

    private static Task<int> VerifyAsync(Call call)
    {
        var json = new JsonObject();
        foreach (var name in (string[])
            ["origin", "size", "root", "valid", "reason", "position", "stream", "version", "type", "by", "digest", "cosignatures"])
        {
            json[name] = null;
        }

        return TellFaultAsync(call, json, "valid", () => VerifyAsync(call, json));
    }

    /// <summary>A check whose fault is told in JSON as what is right is: in the same members, as far as they are known.</summary>
    private static async Task<int> TellFaultAsync(Call call, JsonObject json, string verdict, Func<Task<int>> check)
    {
        try
        {
            return await check();
        }
        catch (CommandFailure fault) when (fault.ExitCode == ExitCodes.AuditFault && !call.Output.IsText)
        {
            (json[verdict], json["reason"]) = (false, fault.Message);
            call.Output.Object(json, () => { });
            throw;
        }
    }

    private static async Task<int> VerifyAsync(Call call, JsonObject json)
    {
        if (!LogProof.TryParse(await ReadAsync(call, call.Get(ProofFile)!), out var proof, out var fault))
        {
            throw new CommandFailure(ExitCodes.AuditFault, $"{call.Get(ProofFile)} is no proof: {fault}.");
        }

        var keys = await LogCommands.KeysAsync(call, LogCommands.Source(call));
        var signed = SignedHead.Read(proof!.Head.ToBytes(), DateTimeOffset.UnixEpoch, keys)
            ?? throw new CommandFailure(ExitCodes.AuditFault, $"its tree head was not signed by {keys}.");
        LogCommands.Fill(json, signed.Head);
        var cosigned = LogCosignatures.Check(call, signed, keys.For(signed.Head.Size)!);
        if (proof.Extra is not { } extra || !LogEntry.TryRead(extra, out var entry))
        {
            throw new CommandFailure(ExitCodes.AuditFault, "it holds no log entry of a ledger (extra).");
        }

        json["position"] = entry!.Position;
        json["stream"] = entry.Stream.ToString();
        json["version"] = entry.Version;
        json["type"] = entry.Type;
        json["by"] = entry.By.ToString();
        json["digest"] = entry.Digest.ToString();
        json["cosignatures"] = cosigned.ToJson();
        if (!proof.Includes(extra) || entry.Position != proof.Index + 1)
        {
            throw new CommandFailure(
                ExitCodes.AuditFault, $"its path does not lead from the entry of position {entry.Position} to the signed root.");
        }

        if (!entry.IsSigned)
        {
            throw new CommandFailure(ExitCodes.AuditFault, $"the event in it was not signed by {entry.By}.");
        }

        if (call.Get(StatementFile) is { } file
            && MerkleTree.LeafHash(await File.ReadAllBytesAsync(file, call.Stop)) != entry.Digest)
        {
            throw new CommandFailure(ExitCodes.AuditFault, $"{file} is not the statement whose digest was logged, {entry.Digest}.");
        }

        json["valid"] = true;
        call.Output.Object(json, () =>
        {
            call.Output.Line($"{entry.By} signed the {entry.Type} with digest {entry.Digest}.");
            call.Output.Line($"The log {signed.Head.Origin} holds it at position {entry.Position} of {signed.Head.Size}, as version "
                + $"{entry.Version} of {entry.Stream}.");
            foreach (var line in cosigned.Lines())
            {
                call.Output.Line(line);
            }
        });
        return ExitCodes.Ok;
    }

    private static Task<int> ConsistencyAsync(Call call)
    {
        var json = new JsonObject { ["consistent"] = null, ["reason"] = null, ["first"] = null, ["second"] = null, ["proof"] = null };
        return TellFaultAsync(call, json, "consistent", () => ConsistencyAsync(call, json));
    }

    private static async Task<int> ConsistencyAsync(Call call, JsonObject json)
    {
        var source = LogCommands.Source(call);
        var keys = await LogCommands.KeysAsync(call, source);
        var published = await LogCommands.LatestAsync(call, source, keys);
        var reader = new LogReader(source, published.Head.Size);
        var first = await ReadHeadAsync(call, call.Get(First)!, keys, published, reader);
        json["first"] = LogCommands.Row(first);
        var second = await ReadHeadAsync(call, call.Get(Second)!, keys, published, reader);
        if (first.Size > second.Size)
        {
            throw new CommandFailure(ExitCodes.Usage, $"A has {first.Size} entries, more than B, which has {second.Size}.");
        }

        var proof = await reader.ConsistencyAsync(first.Size, second.Size, call.Stop);
        var holds = MerkleProof.IsConsistent(first.Size, first.Root, second.Size, second.Root, proof);
        var wrong = holds ? null
            : $"the tree of {second.Size} entries (root {second.Root}) does not begin with that of {first.Size} (root {first.Root}): the "
                + "log's history was changed, or its files are damaged.";
        json["second"] = LogCommands.Row(second);
        json["proof"] = Names.List(proof.Select(hash => Convert.ToBase64String(hash.ToArray())));
        (json["consistent"], json["reason"]) = (holds, wrong);
        call.Output.Object(
            json,
            () =>
            {
                call.Output.Line(wrong is null
                    ? $"The tree of {second.Size} entries begins with that of {first.Size}."
                    : $"FAULT: {wrong}");
                foreach (var hash in proof)
                {
                    call.Output.Line(Convert.ToBase64String(hash.ToArray()));
                }
            });
        return holds ? ExitCodes.Ok : ExitCodes.AuditFault;
    }

    /// <summary>A head that somebody kept, or that of a size, whose root is made from the tiles.</summary>
    private static async Task<TreeHead> ReadHeadAsync(Call call, string what, LogKeys keys, SignedHead published, LogReader reader)
    {
        if (!File.Exists(what) && long.TryParse(what, NumberStyles.None, CultureInfo.InvariantCulture, out var size))
        {
            return published.Head with { Size = Published(size), Root = await reader.RootAsync(size, call.Stop) };
        }

        var head = SignedHead.Read(await ReadAsync(call, what), DateTimeOffset.UnixEpoch, keys)?.Head
            ?? throw new CommandFailure(ExitCodes.AuditFault, $"{what} is no tree head that {keys} signed.");
        return head with { Size = Published(head.Size) };

        long Published(long entries) => entries <= published.Head.Size
            ? entries
            : throw new CommandFailure(
                ExitCodes.Failed, $"{what} has {entries} entries, and the log has published {published.Head.Size}.");
    }

    /// <summary>No more than a proof, or a head, may have and one byte, which makes it none.</summary>
    private static async Task<byte[]> ReadAsync(Call call, string file)
    {
        await using var stream = InputFile.OpenOrInput(file);
        var bytes = new byte[LogProof.MaxBytes + 1];
        return bytes[..await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, call.Stop)];
    }

    private static Argument<string> NewHead(string name, string description) => new(name) { Description = description };
}
