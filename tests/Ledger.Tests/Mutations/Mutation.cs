using System.Text.Json.Nodes;
using MeshLedger.Ledger.Audit;

namespace MeshLedger.Ledger.Tests.Mutations;

/// <summary>One thing that somebody did to a ledger behind its back.</summary>
/// <param name="What">In words.</param>
/// <param name="Sql">What was done to the database.</param>
/// <param name="IsNamedBy">True for a fault that names the place.</param>
/// <param name="Files">What was done to the log's files.</param>
public sealed record Mutation(string What, string Sql, Func<AuditFault, bool> IsNamedBy, Action? Files = null)
{
    public override string ToString() => $"{What}: {(Sql.Length > 0 ? Sql : "(files)")}";

    public static string Quote(object? value) => value switch
    {
        null => "NULL",
        Guid id => $"'{id}'",
        JsonNode json => $"$m${json.ToJsonString()}$m$",
        string text => $"$m${text}$m$",
        _ => FormattableString.Invariant($"{value}"),
    };
}

/// <summary>One change at a random place of a JSON object.</summary>
internal static class JsonMutation
{
    /// <returns>What was done, as a path with a word before it.</returns>
    public static string Change(Random random, JsonObject root)
    {
        var places = new List<(JsonNode Parent, string Path, Func<JsonNode?> Get, Action<JsonNode?> Set, Action Remove)>();
        Walk(root, "");
        var containers = places.Select(place => (Node: place.Get(), place.Path)).Where(place => place.Node is JsonObject or JsonArray)
            .Append((root, "")).ToList();
        var what = random.Next(4);
        if (what == 0 || places.Count == 0)
        {
            var (container, path) = containers[random.Next(containers.Count)];
            if (container is JsonObject members)
            {
                members["more"] = random.Next(3) switch { 0 => 1, 1 => "x", _ => null };
            }
            else
            {
                ((JsonArray)container!).Add(7);
            }

            return $"added to {path}";
        }

        var place = places[random.Next(places.Count)];
        switch (what)
        {
            case 1:
                place.Remove();
                return $"removed {place.Path}";
            case 2:
                place.Set(Other(random, place.Get()));
                return $"changed {place.Path}";
            default:
                place.Set(OfOtherType(random, place.Get()));
                return $"changed the type of {place.Path}";
        }

        void Walk(JsonNode node, string path)
        {
            if (node is JsonObject members)
            {
                foreach (var name in members.Select(member => member.Key).ToList())
                {
                    places.Add((node, $"{path}/{name}", () => members[name], value => members[name] = value, () => members.Remove(name)));
                    if (members[name] is { } child)
                    {
                        Walk(child, $"{path}/{name}");
                    }
                }
            }
            else if (node is JsonArray items)
            {
                for (var i = 0; i < items.Count; i++)
                {
                    var index = i;
                    places.Add((
                        node, $"{path}/{index}", () => items[index], value => items[index] = value, () => items.RemoveAt(index)));
                    if (items[i] is { } child)
                    {
                        Walk(child, $"{path}/{i}");
                    }
                }
            }
        }
    }

    /// <summary>Another value of the same type.</summary>
    private static JsonNode? Other(Random random, JsonNode? value) => value switch
    {
        null => 0,
        JsonObject => new JsonObject { ["other"] = true },
        JsonArray items => new JsonArray([.. items.Select(item => item?.DeepClone()), "other"]),
        JsonValue scalar when scalar.TryGetValue<bool>(out var flag) => !flag,
        JsonValue scalar when scalar.TryGetValue<long>(out var number) => random.Next(2) == 0 ? number + 1 : number - 1,
        _ => OtherText(random, value.GetValue<string>()),
    };

    private static JsonNode OtherText(Random random, string text)
    {
        if (text.Length == 0)
        {
            return "x";
        }

        // One character, to another of its kind.
        var at = random.Next(text.Length);
        var letter = text[at] switch { 'a' => 'b', '0' => '1', >= '1' and <= '9' => '0', _ => 'a' };
        return string.Concat(text.AsSpan(0, at), letter.ToString(), text.AsSpan(at + 1));
    }

    private static JsonNode? OfOtherType(Random random, JsonNode? value)
    {
        JsonNode?[] others = value switch
        {
            null => [false, 0, "", new JsonArray()],
            JsonObject => [null, "{}", new JsonArray()],
            JsonArray => [null, "[]", new JsonObject()],
            JsonValue scalar when scalar.TryGetValue<bool>(out var flag) => [flag ? 1 : 0, flag ? "true" : "false", null],
            JsonValue scalar when scalar.TryGetValue<long>(out var number) =>
                [$"{number}", null, JsonNode.Parse($"{number}.5"), new JsonArray(number)],
            _ => [null, 1, true, new JsonArray(value.GetValue<string>())],
        };
        return others[random.Next(others.Length)];
    }
}
