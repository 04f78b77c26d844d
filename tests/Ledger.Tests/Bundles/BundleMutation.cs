using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshLedger.Crypto;

namespace MeshLedger.Ledger.Tests.Bundles;

/// <summary>One change of a bundle, of ten kinds, each of which keeps the rest as it is.</summary>
internal static class BundleMutation
{
    public static (string What, byte[] Changed) Any(Random random, byte[] bundle, byte[] other)
    {
        var archive = Archive.Of(bundle);
        var (one, two) = (random.Next(archive.Entries.Count), random.Next(archive.Entries.Count));
        var (name, bytes) = archive.Entries[one];
        switch (random.Next(10))
        {
            case 0:
                var flipped = bundle.ToArray();
                var bit = random.Next(bundle.Length * 8);
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                return ($"a bit: {bit}", flipped);
            case 1:
                archive.Entries.RemoveAt(one);
                return ($"removed: {name}", archive.ToBytes());
            case 2:
                archive.Entries.Insert(random.Next(2) == 0 ? one : two, (name, bytes));
                return ($"doubled: {name}", archive.ToBytes());
            case 3:
                archive.Entries[one] = (name, archive.Entries[two].Bytes);
                archive.Entries[two] = (archive.Entries[two].Name, bytes);
                return ($"contents swapped: {name} and {archive.Entries[two].Name}", archive.ToBytes());
            case 4:
                archive.Entries[one] = archive.Entries[two];
                archive.Entries[two] = (name, bytes);
                return ($"order swapped: {name} and {archive.Entries[one].Name}", archive.ToBytes());
            case 5:
                var json = archive.Entries.FindAll(entry => entry.Name.EndsWith(".json", StringComparison.Ordinal));
                (name, bytes) = json[random.Next(json.Count)];
                archive[name] = ChangeMember(random, bytes);
                return ($"a member: {name}: {Encoding.UTF8.GetString(archive[name])}", archive.ToBytes());
            case 6:
                return random.Next(2) == 0
                    ? ("cut or longer", bundle[..random.Next(bundle.Length)])
                    : ("cut or longer", [.. bundle, .. new byte[random.Next(1, 2000)]]);
            case 7:
                var foreign = Archive.Of(other).Entries;
                var stranger = foreign[random.Next(foreign.Count)];
                archive.Entries.RemoveAll(entry => entry.Name == stranger.Name);
                archive.Entries.Add(stranger);
                archive.Entries.Sort((left, right) => string.CompareOrdinal(left.Name, right.Name));
                return ($"of another bundle: {stranger.Name}", archive.ToBytes());
            case 8:
                var lines = archive.Entries.FindAll(entry => !entry.Name.EndsWith(".json", StringComparison.Ordinal));
                (name, bytes) = lines[random.Next(lines.Count)];
                archive[name] = ChangeLine(random, bytes);
                return ($"a line: {name}", archive.ToBytes());
            default:
                var at = random.Next(bytes.Length + 1);
                archive.Entries[one] = (name, random.Next(2) == 0 && bytes.Length > 0
                    ? [.. bytes[..Math.Min(at, bytes.Length - 1)], .. bytes[Math.Min(at + 1, bytes.Length)..]]
                    : [.. bytes[..at], (byte)random.Next(256), .. bytes[at..]]);
                return ($"a byte less or more: {name} at {at}", archive.ToBytes());
        }
    }

    /// <summary>Another value for one member at any depth, in canonical JSON, as somebody would who knows the format.</summary>
    private static byte[] ChangeMember(Random random, byte[] json)
    {
        var root = JsonNode.Parse(json)!;
        var places = new List<Action>();
        Visit(root);
        places[random.Next(places.Count)]();
        try
        {
            return CanonicalJson.Canonicalize(Encoding.UTF8.GetBytes(root.ToJsonString()));
        }
        catch (FormatException)
        {
            // A document may hold more than an event.
            return Encoding.UTF8.GetBytes(root.ToJsonString());
        }

        void Visit(JsonNode? node)
        {
            switch (node)
            {
                case JsonObject owner:
                    foreach (var (name, value) in owner.ToList())
                    {
                        places.Add(() => owner[name] = Other(random, value));
                        places.Add(() => owner.Remove(name));
                        Visit(value);
                    }

                    places.Add(() => owner["more"] = 1);
                    break;
                case JsonArray list:
                    places.Add(() => list.Add(list.Count == 0 ? 1 : list[0]?.DeepClone()));
                    for (var i = 0; i < list.Count; i++)
                    {
                        var index = i;
                        places.Add(() => list.RemoveAt(index));
                        Visit(list[i]);
                    }

                    break;
            }
        }
    }

    private static JsonNode? Other(Random random, JsonNode? value) => value?.GetValueKind() switch
    {
        JsonValueKind.Number => value.GetValue<long>() + (random.Next(2) == 0 ? 1 : -1),
        JsonValueKind.String when value.GetValue<string>() is { Length: > 0 } text => random.Next(3) switch
        {
            0 => text[..^1] + (text[^1] == '0' ? '1' : '0'),
            1 => text + "0",
            _ => null,
        },
        JsonValueKind.True => false,
        null => 0,
        _ => null,
    };

    private static byte[] ChangeLine(Random random, byte[] bytes)
    {
        var lines = Encoding.UTF8.GetString(bytes).Split('\n').ToList();
        var at = random.Next(lines.Count);
        switch (random.Next(4))
        {
            case 0:
                lines.RemoveAt(at);
                break;
            case 1:
                lines.Insert(at, lines[at]);
                break;
            case 2:
                (lines[at], lines[0]) = (lines[0], lines[at]);
                break;
            default:
                var letter = random.Next(Math.Max(lines[at].Length, 1));
                lines[at] = lines[at].Length == 0 ? "A" : lines[at][..letter] + (lines[at][letter] == 'A' ? 'B' : 'A') + lines[at][(letter + 1)..];
                break;
        }

        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }
}
