using MeshLedger.Crypto;
using MeshLedger.Domain.Events;
using MeshLedger.Domain.Jobs;
using MeshLedger.Domain.Nodes;
using MeshLedger.Tools.Hosting;

namespace MeshLedger.Tools.Replay;

/// <summary>Who signs what was found: a key, and its registration if it is a worker's.</summary>
internal sealed record FindingAuthor(SigningKey Key, Digest? Registration)
{
    /// <summary>The keys of this directory that are a node's or a worker's, the node's first; or the one that was named.
    /// </summary>
    public static IReadOnlyList<FindingAuthor> Among(DataDirectory data, string? file, Registry registry)
    {
        List<SigningKey> keys = file is null
            ? [.. SignerKeys.Files(data).Select(SigningKey.Load)]
            : [SignerKeys.Key(file, "", data)];
        return
        [
            .. keys.Where(key => registry.IsNode(key.Did)).Select(key => new FindingAuthor(key, null)),
            .. keys.Where(key => !registry.IsNode(key.Did) && registry.Worker(key.Did) is not null)
                .Select(key => new FindingAuthor(key, registry.Worker(key.Did)!.Digest)),
            .. file is null
                ? []
                : keys.Where(key => !registry.IsNode(key.Did) && registry.Worker(key.Did) is null)
                    .Select(key => new FindingAuthor(key, null)),
        ];
    }

    /// <summary>The first that may say something of a receipt, or said it before; else why the last may not.</summary>
    /// <returns>The author, whether it said so before, and the refusal if there is none.</returns>
    public static (FindingAuthor? Author, bool SaidBefore, Refusal? Refusal) Choose(
        IReadOnlyList<FindingAuthor> authors, ReceiptBook book, Digest receipt, Registry registry)
    {
        var refusal = new Refusal(
            "NO_KEY", "no key of this directory is that of a node or a registered worker of this ledger; give --key, or --dry-run");
        foreach (var author in authors)
        {
            switch (FindingRules.MayFind(book, receipt, author.Key.Did, author.Registration, registry))
            {
                case null:
                    return (author, false, null);
                case { Code: "FINDING_EXISTS" }:
                    return (author, true, null);
                case var other:
                    refusal = other;
                    break;
            }
        }

        return (null, false, refusal);
    }
}
