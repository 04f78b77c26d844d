using MeshLedger.Blobs.Peers;
using MeshLedger.Tools.Cli;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Blobs;

/// <summary>Which nodes a verb asks for blobs.</summary>
internal static class PeerSearch
{
    /// <summary>Those of the command line, of this directory's node, and of the ledger.</summary>
    /// <param name="options">What <c>--peer</c> says.</param>
    public static async Task<PeerList> FindAsync(Call call, string[]? options)
    {
        var given = (options ?? []).Select(peer => Parse("--peer", peer).ToString()).ToList();
        if (call.Data.ReadRecord() is null && call.Postgres is null)
        {
            return new PeerList(given, () => []);
        }

        await using var ledger = await LedgerSession.OpenAsync(call);
        return await FindAsync(call, given, ledger);
    }

    /// <inheritdoc cref="FindAsync(Call, string[])"/>
    public static async Task<PeerList> FindAsync(Call call, IReadOnlyList<string> given, LedgerSession ledger)
    {
        var record = call.Data.ReadRecord();
        var found = new List<Uri>();
        foreach (var (node, url) in (await ledger.PresentAsync(call.Stop)).Blobs)
        {
            if (node.ToString() != record?.Node && PeerList.TryParse(url, out var address))
            {
                found.Add(address!);
            }
        }

        return new PeerList(given.Concat(record?.Peers ?? []), () => found);
    }

    /// <exception cref="CommandFailure">It is no address.</exception>
    public static Uri Parse(string option, string text) => PeerList.TryParse(text, out var url)
        ? url!
        : throw new CommandFailure(
            ExitCodes.Usage, $"{option}: expected http://HOST:PORT or https://HOST:PORT, found '{text}'.");
}
