using System.Text.Json;
using MeshLedger.Tools.Cli;

namespace MeshLedger.Tools.Hosting;

/// <summary>An object of a configuration file, read strictly: a member that nobody asked for is a fault, and so is a value
/// that is not as it must be. What is absent keeps its default.</summary>
internal sealed class ConfigSection(JsonElement? element, string path, List<string> faults)
{
    private const int ShownLength = 60;
    private readonly SortedSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>A section within this one; an empty one if it is absent.</summary>
    public ConfigSection Section(string name)
    {
        var value = Find(name);
        if (value is { ValueKind: not JsonValueKind.Object } other)
        {
            Fault(name, "an object", other);
            value = null;
        }

        return new ConfigSection(value, $"{path}/{name}", faults);
    }

    /// <summary>All members as sections of their own, whatever they are called.</summary>
    public IReadOnlyDictionary<string, ConfigSection> Sections()
    {
        var sections = new Dictionary<string, ConfigSection>(StringComparer.Ordinal);
        foreach (var name in Members())
        {
            sections.Add(name, Section(name));
        }

        return sections;
    }

    public long Integer(string name, long otherwise, long least, long most)
    {
        if (Find(name) is not { } value)
        {
            return otherwise;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= least && number <= most)
        {
            return number;
        }

        Fault(name, $"an integer from {least} to {most}", value);
        return otherwise;
    }

    public long? Integer(string name, long least, long most) =>
        Find(name) is null ? null : Integer(name, least, least, most);

    public bool Flag(string name, bool otherwise)
    {
        switch (Find(name))
        {
            case null:
                return otherwise;
            case { ValueKind: JsonValueKind.True }:
                return true;
            case { ValueKind: JsonValueKind.False }:
                return false;
            case { } value:
                Fault(name, "true or false", value);
                return otherwise;
        }
    }

    public string OneOf(string name, string otherwise, IReadOnlyList<string> allowed)
    {
        if (Find(name) is not { } value)
        {
            return otherwise;
        }

        if (value.ValueKind == JsonValueKind.String && allowed.Contains(value.GetString()!))
        {
            return value.GetString()!;
        }

        Fault(name, $"one of {string.Join(", ", allowed)}", value);
        return otherwise;
    }

    public string? Text(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        if (IsText(value))
        {
            return value.GetString();
        }

        Fault(name, "a text that is not empty", value);
        return null;
    }

    public IReadOnlyList<string>? Texts(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(IsText))
        {
            return [.. value.EnumerateArray().Select(item => item.GetString()!)];
        }

        Fault(name, "a list of texts that are not empty", value);
        return null;
    }

    public IReadOnlyDictionary<string, string>? TextMap(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Object
            && value.EnumerateObject().All(member => member.Name.Length > 0 && IsText(member.Value)))
        {
            return value.EnumerateObject().ToDictionary(member => member.Name, member => member.Value.GetString()!);
        }

        Fault(name, "an object whose values are texts that are not empty, as its names are", value);
        return null;
    }

    /// <summary>Says which members nobody asked for, and which there are.</summary>
    public void End()
    {
        foreach (var name in Members().Where(name => !_known.Contains(name)))
        {
            faults.Add($"{path}/{name}: there is no such member; known here: {string.Join(", ", _known)}.");
        }
    }

    public void Fault(string name, string message) => faults.Add($"{path}/{name}: {message}.");

    private static bool IsText(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && value.GetString()!.Length > 0;

    private IEnumerable<string> Members() =>
        element is { } given ? given.EnumerateObject().Select(member => member.Name) : [];

    private JsonElement? Find(string name)
    {
        _known.Add(name);
        return element is { } given && given.TryGetProperty(name, out var value) ? value : null;
    }

    private void Fault(string name, string expected, JsonElement found) =>
        Fault(name, $"expected {expected}, found {SafeText.Cut(found.GetRawText(), ShownLength)}");
}
