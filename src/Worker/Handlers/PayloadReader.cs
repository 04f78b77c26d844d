using System.Text.Json;
using MeshLedger.Domain.Documents;

namespace MeshLedger.Worker.Handlers;

/// <summary>Reads a payload's <c>data</c> and gathers every fault, each with its JSON pointer, so that whoever sent it
/// can mend all of them at once.</summary>
internal sealed class PayloadReader
{
    private readonly List<DocumentFault> _faults = [];

    public IReadOnlyList<DocumentFault> Faults => _faults;

    public static string Pointer(string parent, string name) =>
        $"{parent}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";

    public void Fault(string pointer, string expected, string found) =>
        _faults.Add(new DocumentFault(pointer, expected, found));

    /// <summary>The member, or null if it is absent, or a fault if it is of another kind or null.</summary>
    public JsonElement? Member(JsonElement parent, string pointer, string name, JsonValueKind kind, bool required = false)
    {
        if (parent.ValueKind != JsonValueKind.Object || !parent.TryGetProperty(name, out var member))
        {
            if (required)
            {
                Fault(Pointer(pointer, name), Describe(kind), "nothing");
            }

            return null;
        }

        if (member.ValueKind == kind || (kind == JsonValueKind.True && member.ValueKind == JsonValueKind.False))
        {
            return member;
        }

        Fault(Pointer(pointer, name), Describe(kind), Describe(member.ValueKind));
        return null;
    }

    /// <summary>Faults what is not known: a limit with a slip in its name would be none.</summary>
    public void Only(JsonElement parent, string pointer, params ReadOnlySpan<string> known)
    {
        if (parent.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (var member in parent.EnumerateObject())
        {
            if (!known.Contains(member.Name))
            {
                Fault(Pointer(pointer, member.Name), $"none but {string.Join(", ", known)}", "an unknown member");
            }
        }
    }

    public string? Text(JsonElement parent, string pointer, string name, bool required = false) =>
        Member(parent, pointer, name, JsonValueKind.String, required)?.GetString();

    public long? Number(JsonElement parent, string pointer, string name, long least, long most)
    {
        if (Member(parent, pointer, name, JsonValueKind.Number) is not { } member)
        {
            return null;
        }

        if (member.TryGetInt64(out var value) && value >= least && value <= most)
        {
            return value;
        }

        Fault(Pointer(pointer, name), $"a whole number from {least} to {most}", member.GetRawText());
        return null;
    }

    /// <summary>A length of time in seconds, which may have fractions.</summary>
    public TimeSpan? Seconds(JsonElement parent, string pointer, string name, long most)
    {
        if (Member(parent, pointer, name, JsonValueKind.Number, required: true) is not { } member)
        {
            return null;
        }

        if (member.TryGetDecimal(out var value) && value >= 0 && value <= most)
        {
            return TimeSpan.FromTicks((long)(value * TimeSpan.TicksPerSecond));
        }

        Fault(Pointer(pointer, name), $"a number from 0 to {most}", member.GetRawText());
        return null;
    }

    public IReadOnlyList<string> Texts(JsonElement parent, string pointer, string name, int most)
    {
        if (Member(parent, pointer, name, JsonValueKind.Array) is not { } list)
        {
            return [];
        }

        if (list.GetArrayLength() > most)
        {
            Fault(Pointer(pointer, name), $"at most {most} entries", $"{list.GetArrayLength()}");
            return [];
        }

        var texts = new List<string>();
        var index = 0;
        foreach (var entry in list.EnumerateArray())
        {
            if (entry.ValueKind == JsonValueKind.String)
            {
                texts.Add(entry.GetString()!);
            }
            else
            {
                Fault($"{Pointer(pointer, name)}/{index}", "a string", Describe(entry.ValueKind));
            }

            index++;
        }

        return texts;
    }

    /// <summary>The result that lists what was gathered.</summary>
    public OperationResult ToResult(string engineName, string engineVersion) => new()
    {
        EngineName = engineName,
        EngineVersion = engineVersion,
        Error = new OperationError("VALIDATION_ERROR", string.Join("; ", _faults), "validation", Recoverable: false),
    };

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };
}
