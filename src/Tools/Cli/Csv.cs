using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MeshLedger.Tools.Cli;

/// <summary>
/// Rows as RFC 4180 has them, but for line ends, which are LF as everywhere here: a header line, and quotes around what
/// needs them. Text is made harmless first, as for a terminal, so no field has a line break in it; and one that a
/// spreadsheet would take for a formula (it begins with = + - @ or their full-width forms) gets a ' in front. Numbers
/// are as they are; lists and objects are JSON.
/// </summary>
internal static class Csv
{
    private const string Formula = "=+-@＝＋－＠";

    public static void WriteHeader(TextWriter writer, IReadOnlyList<string> members) =>
        writer.WriteLine(string.Join(',', members));

    public static void WriteRows(TextWriter writer, IEnumerable<JsonObject> rows, IReadOnlyList<string> members)
    {
        foreach (var row in rows)
        {
            writer.WriteLine(string.Join(',', members.Select(member => Field(row[member]))));
        }
    }

    private static string Field(JsonNode? node) => node switch
    {
        null => "",
        JsonValue value when value.GetValueKind() is JsonValueKind.String => Quote(Harmless(value.GetValue<string>())),
        _ => Quote(Output.OneLineOf(node)),
    };

    private static string Harmless(string text)
    {
        var safe = SafeText.Line(text);

        // Spreadsheets pass over spaces before a formula.
        var start = safe.AsSpan().TrimStart();
        return start.Length > 0 && Formula.Contains(start[0], StringComparison.Ordinal) ? $"'{safe}" : safe;
    }

    private static string Quote(string text) => text.AsSpan().IndexOfAny(',', '"', ' ') < 0
        ? text
        : new StringBuilder(text.Length + 2).Append('"').Append(text.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"')
            .ToString();
}
