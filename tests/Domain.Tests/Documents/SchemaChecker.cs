using System.Text.Json;
using System.Text.RegularExpressions;

namespace MeshLedger.Domain.Tests.Documents;

/// <summary>
/// JSON Schema 2020-12, as much of it as this repository's schemas use. A keyword that is not known here throws: a
/// schema must not promise what no test checks.
/// </summary>
internal sealed class SchemaChecker(JsonElement root)
{
    private readonly Dictionary<string, Regex> _patterns = [];

    public bool Accepts(JsonElement instance) => Accepts(root, instance);

    private bool Accepts(JsonElement schema, JsonElement instance) => schema.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => schema.EnumerateObject().All(keyword => Satisfies(schema, keyword.Name, keyword.Value, instance)),
    };

    private bool Satisfies(JsonElement schema, string keyword, JsonElement value, JsonElement instance)
    {
        switch (keyword)
        {
            case "$schema" or "$id" or "$comment" or "$defs" or "title" or "description" or "examples" or "default":
                return true;
            case "$ref":
                return Accepts(Resolve(value.GetString()!), instance);
            case "anyOf":
                return value.EnumerateArray().Any(choice => Accepts(choice, instance));
            case "const":
                return JsonElement.DeepEquals(value, instance);
            case "type":
                return value.ValueKind == JsonValueKind.Array
                    ? value.EnumerateArray().Any(type => IsOfType(instance, type.GetString()!))
                    : IsOfType(instance, value.GetString()!);
            case "minimum":
                return instance.ValueKind != JsonValueKind.Number || instance.GetDouble() >= value.GetDouble();
            case "maximum":
                return instance.ValueKind != JsonValueKind.Number || instance.GetDouble() <= value.GetDouble();
            case "minLength":
                return instance.ValueKind != JsonValueKind.String || Length(instance) >= value.GetInt32();
            case "maxLength":
                return instance.ValueKind != JsonValueKind.String || Length(instance) <= value.GetInt32();
            case "pattern":
                return instance.ValueKind != JsonValueKind.String || Matches(value.GetString()!, instance.GetString()!);
            case "maxItems":
                return instance.ValueKind != JsonValueKind.Array || instance.GetArrayLength() <= value.GetInt32();
            case "items":
                return instance.ValueKind != JsonValueKind.Array
                    || instance.EnumerateArray().All(item => Accepts(value, item));
            case "required":
                return instance.ValueKind != JsonValueKind.Object
                    || value.EnumerateArray().All(name => instance.TryGetProperty(name.GetString()!, out _));
            case "properties":
                return instance.ValueKind != JsonValueKind.Object || value.EnumerateObject().All(property =>
                    !instance.TryGetProperty(property.Name, out var member) || Accepts(property.Value, member));
            case "additionalProperties":
                return instance.ValueKind != JsonValueKind.Object || instance.EnumerateObject().All(member =>
                    (schema.TryGetProperty("properties", out var known) && known.TryGetProperty(member.Name, out _))
                    || Accepts(value, member.Value));
            default:
                throw new NotSupportedException($"The checker does not know the keyword '{keyword}'.");
        }
    }

    private JsonElement Resolve(string reference) => reference.StartsWith("#/", StringComparison.Ordinal)
        ? reference[2..].Split('/').Aggregate(root, (schema, name) => schema.GetProperty(name))
        : throw new NotSupportedException($"The checker does not know the reference '{reference}'.");

    private static bool IsOfType(JsonElement instance, string type) => type switch
    {
        "null" => instance.ValueKind == JsonValueKind.Null,
        "boolean" => instance.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "string" => instance.ValueKind == JsonValueKind.String,
        "object" => instance.ValueKind == JsonValueKind.Object,
        "array" => instance.ValueKind == JsonValueKind.Array,
        "integer" => instance.ValueKind == JsonValueKind.Number && IsWhole(instance),
        _ => throw new NotSupportedException($"The checker does not know the type '{type}'."),
    };

    private static bool IsWhole(JsonElement number) => number.TryGetDecimal(out var exact)
        ? exact == decimal.Truncate(exact)
        : double.IsInteger(number.GetDouble());

    private static int Length(JsonElement text) => text.GetString()!.EnumerateRunes().Count();

    /// <summary>In .NET '$' also matches before a last line break, in ECMA-262 only at the end.</summary>
    private bool Matches(string pattern, string text)
    {
        if (!_patterns.TryGetValue(pattern, out var regex))
        {
            var exact = pattern.EndsWith('$') ? pattern[..^1] + @"\z" : pattern;
            _patterns[pattern] = regex = new Regex(exact, RegexOptions.CultureInvariant);
        }

        return regex.IsMatch(text);
    }
}
