using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Logs;
using MeshLedger.Ledger.Transparency;
using MeshLedger.Node;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.LogVerbs;

/// <summary><c>meshledger log rotate</c>: another key for the log, from now on.</summary>
internal static class LogRotateCommand
{
    private static readonly Option<bool> Lost = new("--lost")
    {
        Description = "The key until now is lost, so it does not sign the hand-over; who relied on it has to be told the new one.",
    };

    public static Command Create() => new Verb(
        "rotate",
        "Hand the log over to a new key, by an event that both keys sign. Old heads and proofs stay as good as they were; a running "
        + "node goes on with the new key. The old one is kept as DATA/keys/log-KEYID.retired. Witnesses have to be told the new key before "
        + "anything more is published: each is started again with it as --log, beside the old one (meshledger witness --log OLD --log "
        + "NEW), and goes on from what it knows.",
        "meshledger log rotate", "meshledger log rotate --lost")
    {
        Lost,
    }.Does(RunAsync);

    private static async Task<int> RunAsync(Call call)
    {
        var author = SignerKeys.Named(null, "node", call.Data);
        await using var ledger = await LedgerSession.OpenAsync(call);
        var current = File.Exists(call.Data.KeyFile("log")) ? SigningKey.Load(call.Data.KeyFile("log")) : null;
        var ring = await LogKeyring.LoadAsync(
            ledger.Store,
            new LogOptions { Directory = LogCommands.DirectoryOf(call), Key = current ?? SigningKey.Generate() },
            call.Stop);
        var from = ring.Keys.Latest;
        if (!LogKeyFiles.Finish(call.Data, from) && ring.Keys.Terms.Count == 1
            && await LogHeads.KeyAsync(LogCommands.Source(call), call.Stop) is null)
        {
            throw new CommandFailure(
                ExitCodes.NotFound, $"there is no log in {LogCommands.DirectoryOf(call)} yet. A node (meshledger up) makes it; or choose "
                + "with --directory.");
        }

        var signer = LogKeyFiles.Find(call.Data, from.Key);
        if (signer is null && !call.Get(Lost))
        {
            var file = call.Data.KeyFile("log");
            throw new CommandFailure(
                ExitCodes.NotFound, (File.Exists(file) ? $"{file} is not the log's key {from}." : $"there is no {file}, which had the log's "
                + $"key {from}.") + " Run this where it is; or, if nobody has it any more, with --lost.");
        }

        if (signer is not null && call.Get(Lost))
        {
            throw new CommandFailure(ExitCodes.Failed, $"the log's key {from} is not lost: {call.Data.KeyFile("log")} holds it.");
        }

        // A start that found the key lost has made another.
        var next = signer is null && current is not null && ring.Keys.Terms.All(term => term.Key.Key != current.Did)
            ? current
            : SigningKey.LoadOrCreate(call.Data.KeyFile(LogKeyFiles.Next));
        var change = LogEvent.Change(from, signer, next);
        var refusal = await new Clerk(ledger.Store).SayAsync(
            author, ring.Stream, _ => (change, ring.LastHandOver), call.Stop);
        if (refusal is not null)
        {
            throw new CommandFailure(ExitCodes.Failed, $"the log is not handed over: {refusal}");
        }

        _ = LogKeyFiles.Finish(call.Data, NoteKey.Parse(change.To));
        call.Output.Object(
            new JsonObject { ["origin"] = from.Name, ["from"] = change.From, ["to"] = change.To, ["lost"] = signer is null },
            () =>
            {
                call.Output.Line($"The log {from.Name} is signed by {change.To} from now on.");
                call.Output.Line(signer is null
                    ? "The key before did not sign this: tell the new one to everybody who relies on the log."
                    : "Who knows the key before follows by the log's file keys.");
                call.Output.Line("Its witnesses have to be told the new key, or where a quorum of them is asked for nothing more is "
                    + $"published. Start each again with: meshledger witness --log {change.From} --log {change.To}");
            });
        return ExitCodes.Ok;
    }
}
