using System.Text.Json.Nodes;

namespace MeshLedger.Tools.Replay;

/// <summary>What differs between two objects, member by member.</summary>
internal static class StateDifference
{
    /// <summary>Rows of <c>member</c>, a path such as <c>money.paid</c> or <c>bids[1].won</c>, <c>before</c> and
    /// <c>after</c>; a member that one side lacks is null there.</summary>
    public static List<JsonObject> Between(JsonNode? before, JsonNode? after)
    {
        var rows = new List<JsonObject>();
        Visit("", before, after, rows);
        return rows;
    }

    private static void Visit(string path, JsonNode? before, JsonNode? after, List<JsonObject> rows)
    {
        if (JsonNode.DeepEquals(before, after))
        {
            return;
        }

        var dot = path.Length == 0 ? "" : ".";
        switch (before ?? Like(after), after ?? Like(before))
        {
            case (JsonObject one, JsonObject other):
                foreach (var name in one.Concat(other).Select(member => member.Key).Distinct())
                {
                    Visit($"{path}{dot}{name}", one[name], other[name], rows);
                }

                break;
            case (JsonArray one, JsonArray other):
                for (var i = 0; i < Math.Max(one.Count, other.Count); i++)
                {
                    Visit($"{path}[{i}]", one.ElementAtOrDefault(i), other.ElementAtOrDefault(i), rows);
                }

                break;
            default:
                rows.Add(new JsonObject
                {
                    ["member"] = path, ["before"] = before?.DeepClone(), ["after"] = after?.DeepClone(),
                });
                break;
        }
    }

    /// <summary>An empty one of the same kind, so that what is new, or gone, is told member by member, too.</summary>
    private static JsonNode? Like(JsonNode? other) => other switch
    {
        JsonObject => new JsonObject(),
        JsonArray => new JsonArray(),
        _ => null,
    };
}
