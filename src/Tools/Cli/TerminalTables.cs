using Spectre.Console;
using Spectre.Console.Rendering;

namespace MeshLedger.Tools.Cli;

/// <summary>What only a terminal gets: tables with lines, colours and bars. Apart from the rest, so that piped verbs
/// never load it.</summary>
internal static class TerminalTables
{
    /// <summary>Shorter free text says nothing any more.</summary>
    private const int LeastFree = 16;

    public static bool Colours => string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    public static IAnsiConsole Console(TextWriter writer) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(writer),
        ColorSystem = Colours ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
    });

    /// <summary>Writes the table, unless it is too wide for the console: with lines if they leave enough, else without.
    /// Free text is cut first, then other texts are wrapped at their spaces; figures, and what one copies to type it again,
    /// stay whole.</summary>
    /// <returns>False if nothing was written.</returns>
    public static bool TryWrite(IAnsiConsole console, IReadOnlyList<Column> columns, List<string[]> cells)
    {
        // With lines each column has a space on both sides and a line behind it; the first has one before it, too.
        var (border, widths) = (TableBorder.Rounded, Widths(columns, cells, console.Profile.Width - (3 * columns.Count) - 1));
        if (widths is null)
        {
            (border, widths) = (TableBorder.None, Widths(columns, cells, console.Profile.Width - (2 * columns.Count)));
        }

        if (widths is null)
        {
            return false;
        }

        var padding = border == TableBorder.None ? new Padding(0, 0, 2, 0) : new Padding(1, 0);
        var table = new Table { Border = border };
        for (var i = 0; i < columns.Count; i++)
        {
            var heading = new Markup($"[bold]{Markup.Escape(columns[i].Heading)}[/]");
            var made = new TableColumn(heading) { Width = widths[i], Padding = padding };
            table.AddColumn(columns[i].Right ? made.RightAligned() : made);
        }

        foreach (var row in cells)
        {
            table.AddRow(row.Select((cell, i) => new Text(columns[i].Free ? Cut(cell, widths[i]) : cell, StyleOf(cell))));
        }

        console.Write(table);
        return true;
    }

    /// <summary>What each column gets of what there is for all; null if not even the least fits.</summary>
    private static int[]? Widths(IReadOnlyList<Column> columns, List<string[]> cells, int all)
    {
        var whole = columns.Select((column, i) => Widest(cells.Select(row => row[i]).Append(column.Heading))).ToArray();
        var widths = columns.Select((column, i) => Least(column, i, whole[i], cells)).ToArray();
        var left = all - widths.Sum();
        if (left < 0)
        {
            return null;
        }

        foreach (var i in Enumerable.Range(0, columns.Count).OrderBy(i => columns[i].Free))
        {
            var more = Math.Min(left, whole[i] - widths[i]);
            (widths[i], left) = (widths[i] + more, left - more);
        }

        return widths;
    }

    private static int Least(Column column, int index, int whole, List<string[]> cells)
    {
        var heading = Widest(column.Heading.Split(' '));
        return column switch
        {
            { Free: true } => Math.Min(whole, Math.Max(heading, LeastFree)),
            _ when column.Right || index == 0 => Math.Max(heading, Widest(cells.Select(row => row[index]))),
            _ => Math.Max(heading, Widest(cells.SelectMany(row => row[index].Split(' ')))),
        };
    }

    private static int Widest(IEnumerable<string> texts) => texts.Select(Width).DefaultIfEmpty().Max();

    /// <summary>In cells of the terminal, of which some letters take two.</summary>
    private static int Width(string text) => new Segment(text).CellCount();

    private static string Cut(string text, int width)
    {
        var length = Math.Min(text.Length, width);
        while (Width(SafeText.Cut(text, length)) > width)
        {
            length--;
        }

        return SafeText.Cut(text, length);
    }

    private static Style StyleOf(string cell) => cell switch
    {
        "completed" or "live" => new Style(Color.Green),
        "failed" or "gone" => new Style(Color.Red),
        "executing" or "assigned" => new Style(Color.Yellow),
        _ => Style.Plain,
    };
}
