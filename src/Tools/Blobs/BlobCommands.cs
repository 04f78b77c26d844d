using System.CommandLine;
using System.Text.Json.Nodes;
using MeshLedger.Blobs;
using MeshLedger.Crypto;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Blobs;

/// <summary><c>meshledger blob</c>: the blobs of this node's store, and those of its peers.</summary>
internal static class BlobCommands
{
    public static Command Create()
    {
        var blob = new Command("blob", "Keep and fetch blobs: programs, inputs and large outputs, named by their content.");
        foreach (var verb in (Command[])
            [.. BlobContentCommands.Verbs, .. BlobKeepingCommands.Verbs, .. BlobPeerCommands.Verbs])
        {
            blob.Add(verb);
        }

        return blob;
    }

    public static Argument<string> NewHash() => new("HASH") { Description = "BLAKE3, 64 lowercase hexadecimal characters." };

    /// <exception cref="CommandFailure">It is no hash.</exception>
    public static BlobHash Hash(string text) => BlobHash.TryParse(text, out var hash)
        ? hash
        : throw new CommandFailure(
            ExitCodes.Usage, $"'{text}' is no blob's hash: expected 64 lowercase hexadecimal characters.");

    /// <exception cref="CommandFailure">It is no tag.</exception>
    public static BlobTag Tag(string text) => BlobTag.TryParse(text, out var tag)
        ? tag
        : throw new CommandFailure(
            ExitCodes.Usage, $"'{text}' is no tag: expected 1 to {BlobTag.MaxLength} letters, digits or . _ - : / @ +");

    /// <summary>The store of this data directory, made if it is not there.</summary>
    public static BlobStore Open(Call call, Action<BlobStoreOptions>? change = null)
    {
        call.Data.Make();
        var options = new BlobStoreOptions();
        change?.Invoke(options);
        return BlobStore.Open(call.Data.Blobs, options, TimeProvider.System);
    }

    public static JsonObject Row(BlobInfo blob, IEnumerable<string> tags) => new()
    {
        ["hash"] = blob.Hash.ToString(),
        ["size"] = blob.Size,
        ["state"] = StateName(blob.State),
        ["name"] = blob.Metadata.Name,
        ["content_type"] = blob.Metadata.ContentType,
        ["custom"] = new JsonObject(blob.Metadata.Custom.Select(
            pair => KeyValuePair.Create(pair.Key, (JsonNode?)JsonValue.Create(pair.Value)))),
        ["tags"] = Names.List(tags),
        ["kept_until"] = Domain.Events.Timestamps.Write(blob.KeptUntil),
    };

    public static string StateName(BlobState state) => state switch
    {
        BlobState.Complete => "complete",
        BlobState.Partial => "partial",
        _ => "quarantined",
    };

    /// <summary>The blobs that jobs of this directory's ledger need; none where there never was a ledger.</summary>
    /// <exception cref="CommandFailure">There is one, and it cannot be read.</exception>
    public static async Task<IReadOnlySet<BlobHash>> ReferencesAsync(Call call, CancellationToken cancellationToken)
    {
        if (call.Postgres is null && call.Data.ReadRecord() is null
            && !Directory.Exists(Path.Combine(call.Data.Root, "postgres", "cluster")))
        {
            return new HashSet<BlobHash>();
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        return await BlobReferences.ReadAsync(
            ledger.Database, token => ledger.Projections.CatchUpAsync("blob_references", token), cancellationToken);
    }
}
