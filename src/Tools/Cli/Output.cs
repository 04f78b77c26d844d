using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MeshLedger.Tools.Cli;

/// <summary>How the answer is written.</summary>
internal enum OutputFormat
{
    Text,
    Json,
    JsonLines,

    /// <summary>Of the audit alone.</summary>
    Sarif,

    /// <summary>Of verbs whose answer is a table.</summary>
    Csv,
}

/// <summary>One column of a table: its heading, and what it shows of a row.</summary>
/// <param name="Free">Text that nobody types again, such as a message: where a terminal is narrow, it is cut first.</param>
internal sealed record Column(string Heading, Func<JsonObject, string> Show, bool Right = false, bool Free = false)
{
    /// <summary>A column that shows one member.</summary>
    public static Column Of(string member, bool right = false, string? heading = null, bool free = false) => new(
        heading ?? member.Replace('_', ' ').ToUpperInvariant(), row => row.Text(member), right, free);
}

/// <summary>
/// Where data goes: standard output. The same objects make tables, plain text when piped, or JSON; so no format knows
/// more than another.
/// </summary>
internal sealed class Output(OutputFormat format) : IDisposable
{
    private static readonly JsonSerializerOptions OneLine = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly JsonSerializerOptions Indented = new(OneLine) { WriteIndented = true, NewLine = "\n" };

    private readonly StreamWriter _writer = new(Console.OpenStandardOutput(), new UTF8Encoding(false), 1 << 16)
    {
        NewLine = "\n",
    };

    public bool IsText => format == OutputFormat.Text;

    public OutputFormat Format => format;

    /// <summary>True for text on a terminal, where tables may have lines and colours.</summary>
    public bool IsTerminal { get; } = format == OutputFormat.Text && !Console.IsOutputRedirected;

    public void Line(string text = "") => _writer.WriteLine(SafeText.Line(text));

    /// <summary>What this command itself tells the terminal; never text of others.</summary>
    public void Control(string sequence) => _writer.Write(sequence);

    public void Flush() => _writer.Flush();

    /// <summary>Whoever has something to lose has flushed before, and was told of it.</summary>
    public void Dispose()
    {
        try
        {
            _writer.Dispose();
        }
        catch (IOException)
        {
            // The disk is full, as the flush said.
        }
    }

    /// <summary>Rows: a table, an array, or a line each.</summary>
    public void Rows(IReadOnlyCollection<JsonObject> rows, IReadOnlyList<Column> columns, string none)
    {
        switch (format)
        {
            case OutputFormat.Json:
                _writer.WriteLine(SafeText.Json(new JsonArray([.. rows]).ToJsonString(Indented)));
                break;
            case OutputFormat.JsonLines:
                foreach (var row in rows)
                {
                    _writer.WriteLine(OneLineOf(row));
                }

                break;
            default:
                if (rows.Count == 0)
                {
                    Messages.Say(none);
                    break;
                }

                Table(rows, columns);
                break;
        }
    }

    public void CsvHeader(IReadOnlyList<string> members) => Csv.WriteHeader(_writer, members);

    /// <summary>Rows as CSV: these members of each.</summary>
    public void CsvRows(IEnumerable<JsonObject> rows, IReadOnlyList<string> members) => Csv.WriteRows(_writer, rows, members);

    /// <summary>JSON in one line, with letters as they are.</summary>
    public static string OneLineOf(JsonNode node) => SafeText.Json(node.ToJsonString(OneLine));

    /// <summary>One object: JSON, or what <paramref name="text"/> makes of it.</summary>
    public void Object(JsonObject value, Action text)
    {
        if (IsText)
        {
            text();
            return;
        }

        _writer.WriteLine(SafeText.Json(value.ToJsonString(format == OutputFormat.Json ? Indented : OneLine)));
    }

    /// <summary>One object of a sequence that goes on: a line of JSON in both formats, or what <paramref name="text"/>
    /// makes of it; written at once.</summary>
    public void Item(JsonObject value, Action text)
    {
        if (IsText)
        {
            text();
        }
        else
        {
            _writer.WriteLine(OneLineOf(value));
        }

        _writer.Flush();
    }

    /// <summary>A JSON document, also where text was asked for.</summary>
    public void Document(JsonObject value) =>
        _writer.WriteLine(SafeText.Json(value.ToJsonString(format == OutputFormat.JsonLines ? OneLine : Indented)));

    /// <summary>Rows as text only, as a part of something larger.</summary>
    public void Table(IReadOnlyCollection<JsonObject> rows, IReadOnlyList<Column> columns, string indent = "")
    {
        var cells = rows.Select(row => columns.Select(column => SafeText.Line(column.Show(row))).ToArray()).ToList();
        if (!IsTerminal)
        {
            PlainTable.Write(_writer, columns, cells, indent);
            return;
        }

        _writer.Flush();
        if (!TerminalTables.TryWrite(TerminalTables.Console(Console.Out), columns, cells))
        {
            Blocks(columns, cells);
        }
    }

    /// <summary>What is too wide for a table here: for each row names and values, every value whole.</summary>
    private void Blocks(IReadOnlyList<Column> columns, List<string[]> cells)
    {
        for (var i = 0; i < cells.Count; i++)
        {
            if (i > 0)
            {
                Line();
            }

            Pairs(columns.Select((column, at) => (column.Heading, (string?)cells[i][at])));
        }
    }

    /// <summary>Names and values below each other; empty values are left out.</summary>
    public void Pairs(IEnumerable<(string Name, string? Value)> pairs)
    {
        var shown = pairs.Where(pair => !string.IsNullOrEmpty(pair.Value)).ToList();
        var width = shown.Count == 0 ? 0 : shown.Max(pair => pair.Name.Length);
        foreach (var (name, value) in shown)
        {
            Line($"{name.PadRight(width)}  {value}");
        }
    }
}

/// <summary>Aligned columns without lines or colours, for pipes.</summary>
internal static class PlainTable
{
    public static void Write(TextWriter writer, IReadOnlyList<Column> columns, List<string[]> cells, string indent)
    {
        var widths = columns.Select((column, i) => cells.Select(row => row[i].Length).Append(column.Heading.Length).Max())
            .ToArray();
        WriteRow([.. columns.Select(column => column.Heading)]);
        cells.ForEach(WriteRow);

        void WriteRow(string[] row)
        {
            var line = new StringBuilder(indent);
            for (var i = 0; i < row.Length; i++)
            {
                line.Append(columns[i].Right ? row[i].PadLeft(widths[i]) : row[i].PadRight(widths[i]));
                line.Append("  ");
            }

            writer.WriteLine(line.ToString().TrimEnd());
        }
    }
}

/// <summary>Reading the objects that are shown.</summary>
internal static class JsonObjectText
{
    /// <summary>A member as people read it: nothing for null, lists joined by commas.</summary>
    public static string Text(this JsonObject row, string member) => row[member] switch
    {
        null => "",
        JsonArray list => string.Join(", ", list.Select(item => item?.ToString())),
        JsonValue value when value.GetValueKind() is JsonValueKind.True => "yes",
        JsonValue value when value.GetValueKind() is JsonValueKind.False => "no",
        var value => value.ToString(),
    };
}
