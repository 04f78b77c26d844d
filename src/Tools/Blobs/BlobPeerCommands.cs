using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Blobs.Peers;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshLedger.Tools.Blobs;

/// <summary><c>blob fetch|push|peers</c>.</summary>
internal static class BlobPeerCommands
{
    private static readonly Argument<string> Hash = BlobCommands.NewHash();

    private static readonly Option<string[]> Peers = new("--peer")
    {
        Description = "Ask this node, too, such as http://10.0.0.7:7400. May be given several times.",
        HelpName = "URL",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<long?> Size =
        GlobalOptions.Number("--size", "How many bytes it must have.", 0, long.MaxValue);

    private static readonly Option<string> To = new("--to")
    {
        Description = "The node that is to have it, such as http://10.0.0.7:7400.",
        HelpName = "URL",
        Required = true,
    };

    private static readonly Option<string?> Key = new("--key")
    {
        Description = "The file of a key that may add blobs there (default: that of this directory's submitter).",
        HelpName = "FILE",
    };

    public static Command[] Verbs =>
    [
        new Verb(
            "fetch", "Fetch a blob from peers into the store, each piece verified as it comes.",
            "meshledger blob fetch af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 --peer http://10.0.0.7:7400")
        {
            Hash, Peers, Size,
        }.Does(FetchAsync),
        new Verb(
            "push", "Give a blob to another node, signed by a key that it allows.",
            "meshledger blob push af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 --to http://10.0.0.7:7400")
        {
            Hash, To, Key,
        }.Does(PushAsync),
        new Verb(
            "peers", "List the nodes that are asked for blobs, and whether they answer.",
            "meshledger blob peers")
        {
            Peers,
        }.Does(ListAsync),
    ];

    private static async Task<int> FetchAsync(Call call)
    {
        var hash = BlobCommands.Hash(call.Get(Hash)!);
        using var peers = await PeerSearch.FindAsync(call, call.Get(Peers));
        using var logs = new StderrLog(json: !call.Output.IsText, LogLevel.Error, TimeProvider.System);
        var fetcher = new BlobFetcher(
            BlobCommands.Open(call), peers, new FetchOptions(), TimeProvider.System, logs.CreateLogger<BlobFetcher>());
        var began = TimeProvider.System.GetTimestamp();
        var fetched = await BlobBars.RunAsync(call, hash.ToString()[..16], call.Get(Size), report =>
            fetcher.FetchAsync(hash, call.Get(Size), new Tell<FetchProgress>(at => report(at.Bytes)), call.Stop));
        var seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        call.Output.Object(
            new JsonObject
            {
                ["hash"] = hash.ToString(),
                ["size"] = fetched.Blob.Size,
                ["sources"] = Names.List(fetched.Sources),
                ["given_up"] = new JsonArray([.. fetched.Faults.Select(fault => (JsonNode)new JsonObject
                {
                    ["peer"] = fault.Peer,
                    ["reason"] = fault.Reason,
                    ["is_lie"] = fault.IsLie,
                })]),
                ["seconds"] = Math.Round(seconds, 3),
            },
            () =>
            {
                foreach (var fault in fetched.Faults)
                {
                    Messages.Say($"{fault.Peer} {(fault.IsLie ? "lied" : "did not give it")}: {fault.Reason}");
                }

                call.Output.Line(fetched.Sources.Count == 0
                    ? $"{hash} is here already: {Names.Count(fetched.Blob.Size, "byte")}"
                    : $"{hash} is here: {Names.Count(fetched.Blob.Size, "byte")} from {string.Join(", ", fetched.Sources)}");
            });
        return ExitCodes.Ok;
    }

    private static async Task<int> PushAsync(Call call)
    {
        var hash = BlobCommands.Hash(call.Get(Hash)!);
        var url = PeerSearch.Parse("--to", call.Get(To)!);
        var key = SignerKeys.Key(call.Get(Key), "submitter", call.Data);
        using var peers = new PeerList([], () => []);
        var added = await peers.PutAsync(url, BlobCommands.Open(call), hash, key, TimeProvider.System, call.Stop);
        call.Output.Object(
            new JsonObject { ["hash"] = hash.ToString(), ["size"] = added.Size, ["was_new"] = added.WasNew },
            () => call.Output.Line($"{url} has {hash}{(added.WasNew ? "" : " already")}"));
        return ExitCodes.Ok;
    }

    private static async Task<int> ListAsync(Call call)
    {
        using var peers = await PeerSearch.FindAsync(call, call.Get(Peers));
        var answers = await peers.AskAllAsync(TimeSpan.FromSeconds(5), TimeProvider.System, call.Stop);
        call.Output.Rows(
            [.. answers.Select(answer => new JsonObject
            {
                ["peer"] = answer.Peer,
                ["status"] = answer.Fault is null ? "answers" : "silent",
                ["milliseconds"] = (long)answer.Time.TotalMilliseconds,
                ["fault"] = answer.Fault,
            })],
            [Column.Of("peer"), Column.Of("status"), Column.Of("milliseconds", right: true, "MS"), Column.Of("fault", free: true)],
            "There are no peers: give --peer to this verb or to up, or start nodes of this ledger with --listen.");
        return ExitCodes.Ok;
    }
}
