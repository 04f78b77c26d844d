using System.Globalization;
using System.Text.Json;
using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Bundles;

/// <summary>Whom somebody who verifies a bundle trusts. Without a list of submitters or workers, and without a founder, any
/// will do. The shape is schemas/documents/verification-policy-v1.schema.json.</summary>
public sealed record BundlePolicy
{
    /// <summary>The longest policy that is read.</summary>
    public const int MaxBytes = 1 << 20;

    private const int MaxKeys = 1000;

    public required IReadOnlyList<NoteKey> Logs { get; init; }

    public IReadOnlyList<NoteKey> Witnesses { get; init; } = [];

    /// <summary>How many of the witnesses must have cosigned.</summary>
    public int Quorum { get; init; }

    public Did? Founder { get; init; }

    public IReadOnlyList<Did>? Submitters { get; init; }

    /// <summary>Who may have given a job's result.</summary>
    public IReadOnlyList<Did>? Workers { get; init; }

    /// <exception cref="FormatException">It is no policy; says which member, and what was expected.</exception>
    public static BundlePolicy Parse(ReadOnlyMemory<byte> json)
    {
        if (json.Length > MaxBytes)
        {
            throw new FormatException($"a policy has at most {MaxBytes} bytes, this has {json.Length}");
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 4, AllowDuplicateProperties = false });
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The latter: the name of a member is no text.
            throw new FormatException($"it is no JSON: {exception.Message}", exception);
        }

        using (document)
        {
            return Read(document.RootElement);
        }
    }

    private static BundlePolicy Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException("expected a JSON object");
        }

        List<NoteKey>? logs = null;
        List<NoteKey> witnesses = [];
        List<Did>? submitters = null;
        List<Did>? workers = null;
        Did? founder = null;
        var quorum = 0;
        foreach (var member in root.EnumerateObject())
        {
            switch (member.Name)
            {
                case "logs":
                    logs = List(member, text => NoteKeyOf(text, NoteKeyType.Signature), "a log's key, NAME+HEX+BASE64");
                    break;
                case "witnesses":
                    witnesses = List(member, text => NoteKeyOf(text, NoteKeyType.Cosignature), "a witness's key, NAME+HEX+BASE64");
                    break;
                case "quorum":
                    if (member.Value.ValueKind != JsonValueKind.Number || !member.Value.TryGetInt32(out quorum) || quorum < 0)
                    {
                        throw Expected("quorum", "a number of 0 or more", member.Value);
                    }

                    break;
                case "founder":
                    founder = DidOf(TextOf(member.Value)) ?? throw Expected("founder", "a did:key", member.Value);
                    break;
                case "submitters":
                    submitters = List(member, DidOf, "a did:key").Select(did => did!.Value).ToList();
                    break;
                case "workers":
                    workers = List(member, DidOf, "a did:key").Select(did => did!.Value).ToList();
                    break;
                default:
                    throw new FormatException(
                        $"'{member.Name}' is no member of a policy: there are logs, witnesses, quorum, founder, submitters, workers");
            }
        }

        if (logs is not { Count: > 0 })
        {
            throw new FormatException("logs: expected a list of at least one log's key, NAME+HEX+BASE64");
        }

        for (var i = 0; i < witnesses.Count; i++)
        {
            var place = string.Create(CultureInfo.InvariantCulture, $"witnesses[{i}]: expected a public key of its own");
            if (logs.Find(log => log.Key == witnesses[i].Key) is { } log)
            {
                throw new FormatException($"{place}, found that of the log {log.Name}, which is no witness of itself");
            }

            if (witnesses.FindIndex(witness => witness.Key == witnesses[i].Key) is var other && other < i)
            {
                throw new FormatException($"{place}, found that of {witnesses[other].Name}: whoever has two names counts once");
            }
        }

        return quorum > witnesses.Count
            ? throw new FormatException($"quorum: expected at most {witnesses.Count}, as many as there are witnesses, found {quorum}")
            : new BundlePolicy
            {
                Logs = logs,
                Witnesses = witnesses,
                Quorum = quorum,
                Founder = founder,
                Submitters = submitters,
                Workers = workers,
            };
    }

    private static List<T> List<T>(JsonProperty member, Func<string?, T?> read, string expected)
    {
        if (member.Value.ValueKind != JsonValueKind.Array || member.Value.GetArrayLength() > MaxKeys)
        {
            throw Expected(member.Name, $"a list of at most {MaxKeys} keys", member.Value);
        }

        var list = new List<T>();
        foreach (var item in member.Value.EnumerateArray())
        {
            var place = string.Create(CultureInfo.InvariantCulture, $"{member.Name}[{list.Count}]");
            var value = read(TextOf(item)) ?? throw Expected(place, expected, item);
            list.Add(list.Contains(value) ? throw new FormatException($"{place}: it is there twice") : value);
        }

        return list;
    }

    private static string? TextOf(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate.
            return null;
        }
    }

    private static NoteKey? NoteKeyOf(string? text, NoteKeyType type) =>
        text is not null && NoteKey.TryParse(text, out var key) && key!.Type == type ? key : null;

    private static Did? DidOf(string? text) => Did.TryParse(text, out var did) ? did : null;

    private static FormatException Expected(string place, string expected, JsonElement found)
    {
        var text = found.GetRawText();
        return new FormatException($"{place}: expected {expected}, found {(text.Length > 80 ? text[..80] + "..." : text)}");
    }
}
