using Spectre.Console;

namespace MeshLedger.Tools.Cli;

/// <summary>What only a terminal gets: tables with lines, colours and bars. Apart from the rest, so that piped verbs
/// never load it.</summary>
internal static class TerminalTables
{
    public static bool Colours => string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    public static IAnsiConsole Console(TextWriter writer) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(writer),
        ColorSystem = Colours ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
    });

    public static void Write(IReadOnlyList<Column> columns, List<string[]> cells)
    {
        var table = new Table { Border = TableBorder.Rounded };
        foreach (var column in columns)
        {
            var made = new TableColumn(new Markup($"[bold]{Markup.Escape(column.Heading)}[/]")) { NoWrap = column.Right };
            table.AddColumn(column.Right ? made.RightAligned() : made);
        }

        foreach (var row in cells)
        {
            table.AddRow(row.Select(cell => new Text(cell, StyleOf(cell))));
        }

        Console(System.Console.Out).Write(table);
    }

    private static Style StyleOf(string cell) => cell switch
    {
        "completed" or "live" => new Style(Color.Green),
        "failed" or "gone" => new Style(Color.Red),
        "executing" or "assigned" => new Style(Color.Yellow),
        _ => Style.Plain,
    };
}
