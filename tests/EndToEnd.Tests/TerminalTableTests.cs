using System.Text.RegularExpressions;
using MeshLedger.Tools.Cli;
using Spectre.Console;

namespace MeshLedger.EndToEnd.Tests;

/// <summary>Tables on terminals of every width: a cell is there whole, or visibly cut if it is free text; nothing is split,
/// and no column is lost.</summary>
public sealed partial class TerminalTableTests
{
    private static readonly string[][] Jobs =
    [
        ["2026-11-21", "19", "3", "66.7 %", "10.9 s", "12345", "vm.execute, system.echo, guestkit.inspect", "no words: {\"a\":[1,2,3],\"b\":\"ccccccccccccccccccccccccc\"}"],
        ["2026-11-22", "7", "", "", "3 ms", "1", "system.echo", ""],
    ];

    private static readonly Column[] Columns =
    [
        Named("DAY"), Named("JOBS", right: true), Named("OPEN", right: true), Named("SUCCESS", right: true),
        Named("RUN MEDIAN", right: true), Named("PAID", right: true), Named("OPERATIONS"), Named("DATA", free: true),
    ];

    [Theory]
    [InlineData(20, false)]
    [InlineData(40, false)]
    [InlineData(80, false)]
    [InlineData(100, true)]
    [InlineData(120, true)]
    [InlineData(200, true)]
    public void No_cell_is_split_or_lost(int width, bool fits)
    {
        var shown = Write(width, Columns, Jobs, out var written);
        Assert.Equal(fits, written);
        if (!fits)
        {
            Assert.Empty(shown);
            return;
        }

        var lines = shown.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.InRange(line.Length, 1, width));
        var rows = Rows(lines);
        Assert.Equal(Columns.Select(column => column.Heading), rows[0]);
        for (var i = 0; i < Jobs.Length; i++)
        {
            // Wrapped at spaces, each line's words put together again are the cell.
            Assert.Equal(Jobs[i][..^1], rows[i + 1][..^1]);
            var data = rows[i + 1][^1];
            Assert.True(data == Jobs[i][^1] || (data.EndsWith('…') && Jobs[i][^1].StartsWith(data[..^1], StringComparison.Ordinal)), data);
        }

        // A word on a line of its own is a word of the cell.
        var words = Jobs.SelectMany(row => row.SelectMany(cell => cell.Split(' '))).Concat(Columns.SelectMany(one => one.Heading.Split(' ')))
            .ToHashSet();
        Assert.All(
            lines.Where(line => line.StartsWith('│')).SelectMany(line => line.Split('│')[1..^2]).SelectMany(
                cell => cell.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
            word => Assert.Contains(word, words));
    }

    [Fact]
    public void Where_lines_leave_too_little_there_are_none()
    {
        string[][] rows = [["12345678", "2", "300"], ["1", "22", "3"]];
        Column[] columns = [Named("ID"), Named("JOBS", right: true), Named("PAID", right: true)];
        Assert.StartsWith("╭", Write(26, columns, rows, out _), StringComparison.Ordinal);
        Assert.Equal(
            ["ID        JOBS  PAID", "12345678     2   300", "1           22     3"],
            Write(22, columns, rows, out _).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimEnd()));
        Assert.Empty(Write(21, columns, rows, out var written));
        Assert.False(written);
    }

    [Fact]
    public void What_is_free_gives_way_before_anything_is_wrapped()
    {
        var shown = Write(124, Columns, Jobs, out _);
        Assert.Contains("│ vm.execute, system.echo, guestkit.inspect │ no words: ", shown, StringComparison.Ordinal);
        Assert.Contains("… │", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void Letters_that_are_two_cells_wide_are_counted_so()
    {
        Column[] columns = [Named("ID"), Named("WHY", free: true)];
        string[][] rows = [["1", string.Concat(Enumerable.Repeat("漢字", 20))]];
        var shown = Write(40, columns, rows, out var written);
        Assert.True(written);
        var lines = shown.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3 + 2, lines.Length);
        Assert.EndsWith("字漢… │", lines[3], StringComparison.Ordinal);
        Assert.True(new Spectre.Console.Rendering.Segment(lines[3]).CellCount() <= 40, lines[3]);
    }

    private static string Write(int width, Column[] columns, string[][] rows, out bool written)
    {
        var text = new StringWriter { NewLine = "\n" };
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(text),
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
        });
        console.Profile.Width = width;
        console.Profile.Capabilities.Unicode = true;
        written = TerminalTables.TryWrite(console, columns, [.. rows]);
        return text.ToString();
    }

    /// <summary>The cells of a table whose rows may take several lines; a row begins where its first column is not empty.
    /// </summary>
    private static List<string[]> Rows(IEnumerable<string> lines)
    {
        var rows = new List<string[]>();
        foreach (var cells in lines.Where(line => line.StartsWith('│')).Select(line => line.Split('│')[1..^1]))
        {
            if (cells[0].Trim().Length > 0)
            {
                rows.Add([.. cells.Select(cell => cell.Trim())]);
                continue;
            }

            for (var i = 0; i < cells.Length; i++)
            {
                rows[^1][i] = Spaces().Replace($"{rows[^1][i]} {cells[i].Trim()}".Trim(), " ");
            }
        }

        return rows;
    }

    private static Column Named(string heading, bool right = false, bool free = false) => new(heading, _ => "", right, free);

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();
}
