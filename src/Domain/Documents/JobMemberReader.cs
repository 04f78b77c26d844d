using System.Text.Json;

namespace MeshLedger.Domain.Documents;

/// <summary>
/// Reads single members of parsed JSON by type. A value of the wrong type becomes a fault and then counts as absent.
/// </summary>
internal sealed class JobMemberReader(DocumentFaults faults)
{
    /// <summary>Stands for a list item that has its fault already, so that the others keep their indexes.</summary>
    private const string FaultyItem = "?";

    public string? Text(JsonElement owner, JobMember member) =>
        TryValue(owner, member, JsonValueKind.String, out var value) ? JsonText.Of(value) : null;

    public bool? Flag(JsonElement owner, JobMember member)
    {
        if (!TryPresent(owner, member, out var value))
        {
            return null;
        }

        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            faults.Add(member.Pointer, member.Expected, value);
            return null;
        }

        return value.ValueKind == JsonValueKind.True;
    }

    public long? Integer(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.Number, out var value))
        {
            return null;
        }

        if (!JsonInteger.TryRead(value, out var integer))
        {
            faults.Add(member.Pointer, member.Expected, value);
            return null;
        }

        return integer;
    }

    public DateTimeOffset? Timestamp(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.String, out var value))
        {
            return null;
        }

        if (!Rfc3339.TryParse(JsonText.Of(value), out var time))
        {
            faults.Add(member.Pointer, member.Expected, value);
            return null;
        }

        return time;
    }

    public List<string> TextList(JsonElement owner, JobMember member) =>
        TryValue(owner, member, JsonValueKind.Array, out var value) ? Items(value, member.Pointer) : [];

    private List<string> Items(JsonElement list, string pointer)
    {
        var items = new List<string>(list.GetArrayLength());
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.String)
            {
                items.Add(JsonText.Of(item));
                continue;
            }

            faults.Add($"{pointer}/{items.Count}", JobMembers.ListItem, item);
            items.Add(FaultyItem);
        }

        return items;
    }

    public IReadOnlyDictionary<string, string> TextMap(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.Object, out var value))
        {
            return new JobMetadata().Labels;
        }

        var map = new Dictionary<string, string>(value.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in value.EnumerateObject())
        {
            var name = JsonText.NameOf(entry);
            if (entry.Value.ValueKind == JsonValueKind.String)
            {
                map[name] = JsonText.Of(entry.Value);
            }
            else
            {
                faults.Add(member.Pointer + JsonText.Token(name), JobMembers.Text, entry.Value);
            }
        }

        return map;
    }

    public IReadOnlyDictionary<string, IReadOnlyList<string>> TextListMap(JsonElement owner, JobMember member)
    {
        if (!TryValue(owner, member, JsonValueKind.Object, out var value))
        {
            return new JobRouting().AntiAffinity;
        }

        var map = new Dictionary<string, IReadOnlyList<string>>(value.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in value.EnumerateObject())
        {
            var name = JsonText.NameOf(entry);
            var pointer = member.Pointer + JsonText.Token(name);
            if (entry.Value.ValueKind == JsonValueKind.Array)
            {
                map[name] = Items(entry.Value, pointer);
            }
            else
            {
                faults.Add(pointer, JobMembers.List, entry.Value);
            }
        }

        return map;
    }

    public bool TryObject(JsonElement owner, JobMember member, out JsonElement value) =>
        TryValue(owner, member, JsonValueKind.Object, out value);

    /// <summary>True if the member is there with a value of the kind; a value of any other kind is a fault.</summary>
    private bool TryValue(JsonElement owner, JobMember member, JsonValueKind kind, out JsonElement value)
    {
        if (!TryPresent(owner, member, out value))
        {
            return false;
        }

        if (value.ValueKind != kind)
        {
            faults.Add(member.Pointer, member.Expected, value);
            return false;
        }

        return true;
    }

    /// <summary>Null counts as absent where the member may be null.</summary>
    private static bool TryPresent(JsonElement owner, JobMember member, out JsonElement value) =>
        TryFind(owner, member, out value) && !(member.IsOptional && value.ValueKind == JsonValueKind.Null);

    public static bool TryFind(JsonElement owner, JobMember member, out JsonElement value)
    {
        foreach (var candidate in owner.EnumerateObject())
        {
            if (JsonText.IsNamed(candidate, member.Utf8Name))
            {
                value = candidate.Value;
                return true;
            }
        }

        value = default;
        return false;
    }
}
