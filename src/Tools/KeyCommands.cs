using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools;

/// <summary><c>meshledger key show|new</c>: public names only; private keys never leave their files.</summary>
internal static class KeyCommands
{
    private static readonly Argument<string> File = new("FILE") { Description = "The file to make; must not be there." };

    public static Command Create() => new("key", "See this node's keys, or make one.")
    {
        new Verb("show", "Show the public names (did:key) of this node's keys.", "meshledger key show").Does(Show),
        new Verb(
            "new", "Make a new signing key in a new file of mode 0600, and print its public name.",
            "meshledger key new worker.key")
        {
            File,
        }.Does(New),
    };

    private static Task<int> Show(Call call)
    {
        var rows = SignerKeys.Files(call.Data)
            .Select(file => new JsonObject
            {
                ["key"] = Path.GetFileNameWithoutExtension(file),
                ["did"] = SigningKey.Load(file).Did.ToString(),
                ["file"] = file,
            }).ToList();
        if (rows.Count == 0)
        {
            throw new CommandFailure(
                ExitCodes.NotFound, $"there are no keys in {call.Data.Keys}. The first meshledger up makes them.");
        }

        call.Output.Rows(rows, [Column.Of("key"), Column.Of("did"), Column.Of("file")], "");
        return Task.FromResult(ExitCodes.Ok);
    }

    private static Task<int> New(Call call)
    {
        var file = call.Get(File)!;
        var did = SigningKey.CreateNew(file).Did.ToString();
        call.Output.Object(new JsonObject { ["did"] = did, ["file"] = file }, () => call.Output.Line(did));
        return Task.FromResult(ExitCodes.Ok);
    }
}
