using System.Text.Json.Nodes;
using MeshLedger.Crypto;
using MeshLedger.Domain.Nodes;

namespace MeshLedger.Tools.Cli;

/// <summary>What people call the keys of a ledger.</summary>
internal sealed class Names(Registry registry)
{
    public static Names Of(Registry registry) => new(registry);

    /// <summary>A key shortened so that two are still told apart: <c>z6MkabcdWXYZ</c> becomes <c>z6Mk…abcdWXYZ</c>.
    /// </summary>
    public static string Short(string did)
    {
        var start = did.LastIndexOf(':') + 1;
        return did.Length - start < 16 ? did : $"{did.AsSpan(start, 4)}…{did.AsSpan(did.Length - 8)}";
    }

    public static string ShortDigest(string? digest) => digest is { Length: > 12 } ? $"{digest[..12]}…" : digest ?? "";

    /// <summary>A number of things: <c>1 bid</c>, <c>2 bids</c>.</summary>
    public static string Count(long number, string thing) => number == 1 ? $"1 {thing}" : $"{number} {thing}s";

    /// <summary>The same, of a number that is text already.</summary>
    public static string Count(string number, string thing) => number == "1" ? $"1 {thing}" : $"{number} {thing}s";

    /// <summary>What may be, as it is said: <c>text, json or csv</c>.</summary>
    public static string Or(IReadOnlyList<string> words) => words.Count == 1
        ? words[0]
        : $"{string.Join(", ", words.Take(words.Count - 1))} or {words[^1]}";

    public static JsonArray List(IEnumerable<string> values) => new([.. values.Select(value => JsonValue.Create(value))]);

    /// <summary>What a key is in this ledger: <c>node</c>, <c>worker NAME</c>, or <c>submitter</c>.</summary>
    public string Role(Did key) =>
        registry.Worker(key) is { } worker ? $"worker {worker.Facts.WorkerId}"
        : registry.IsNode(key) ? "node"
        : "submitter";

    public string? WorkerId(Did? worker) => worker is { } key ? registry.Worker(key)?.Facts.WorkerId : null;

    /// <summary>Role and shortened key.</summary>
    public string Author(Did key) => $"{Role(key)} {Short(key.ToString())}";
}
